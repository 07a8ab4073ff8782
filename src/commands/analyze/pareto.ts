import { UsageError } from '../../../engine/errors.ts';
import { check_place, write_atomic } from '../../../engine/node/files.ts';
import { compare_fronts, type Fronts, STAGES } from '../../../experiments/analysis/fronts.ts';
import type { LatencyMetric } from '../../../experiments/lab/pareto.ts';
import { out } from '../../print.ts';
import { print_json } from '../inspect/show.ts';
import { table_text } from '../show.ts';

/** With the study's names of them. */
export interface ParetoFlags {
  readonly accuracy?: string;
  readonly exp5_dir?: string;
  readonly latency?: string;
  readonly exp6_file?: string;
  readonly metric?: LatencyMetric;
  readonly latency_metric?: LatencyMetric;
  readonly out?: string;
  readonly output_file?: string;
  readonly json?: boolean;
}

export async function tell_pareto(flags: ParetoFlags): Promise<undefined> {
  const accuracy = flags.accuracy ?? flags.exp5_dir;
  const latency = flags.latency ?? flags.exp6_file;
  if (accuracy === undefined || latency === undefined) {
    const lacking = accuracy === undefined ? '--accuracy' : '--latency';
    throw new UsageError(`${lacking}: expected a results file of the combined knobs or its folder, found none given`);
  }
  const file = flags.out ?? flags.output_file;
  if (file !== undefined) await check_place(file);
  const found = await compare_fronts(accuracy, latency, flags.metric ?? flags.latency_metric ?? 'mean');
  const text = `${text_of(found)}\n`;
  if (flags.json) print_json('pareto', { accuracy, latency, ...found });
  else out(text);
  if (file !== undefined) await write_atomic(file, text);
}

function text_of({ rows, metric, rule, on, accuracy_only, latency_only }: Fronts): string {
  const mark = (is_on: boolean | null) => (is_on === null ? '' : is_on ? 'yes' : 'no');
  const sizes = STAGES.map((stage) => `${stage} ${rows.filter(({ on_front }) => on_front[stage]).length}`);
  const left_out = (names: readonly string[], file: string) =>
    names.length === 0 ? [] : [`only in the ${file} file, left out: ${names.join('; ')}`];
  return [
    table_text({
      title: `${rows.length} configurations, ${metric} latency`,
      columns: [
        ...(['max crops', 'top-k', 'blocks'] as const).map((name) => ({ name, unit: 'count' }) as const),
        { name: 'accuracy', unit: 'number' },
        ...STAGES.map((name) => ({ name, unit: 'ms' }) as const),
        ...STAGES.map((stage) => ({ name: `on ${stage}`, unit: 'text' }) as const),
      ],
      rows: rows.map((row) => [
        row.max_crops,
        row.top_k,
        row.num_active_blocks,
        row.accuracy,
        ...STAGES.map((stage) => row.ms[stage]),
        ...STAGES.map((stage) => mark(row.on_front[stage])),
      ]),
      note: `${rule[0]?.toUpperCase()}${rule.slice(1)}.`,
    }),
    `sizes of the fronts: ${sizes.join(', ')}; on all three ${on.all_three}, on two ${on.two}, on one ${on.one}, on none ${on.none}`,
    ...left_out(accuracy_only, 'accuracy'),
    ...left_out(latency_only, 'latency'),
  ].join('\n\n');
}
