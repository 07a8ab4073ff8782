import type { Stack } from '../charts.ts';
import type { Instrumented } from '../schema.ts';
import type { Table } from '../tables.ts';
import { chart_view } from './charts/view.ts';
import { mean, type PageConfiguration, type PageData } from './data.ts';
import { missing, section, teach } from './dom.ts';
import { count, digits, ms, percent } from './format.ts';
import { table_view } from './table_view.ts';

export const NOT_INSTRUMENTED = 'Not measured: this configuration was run without instruments.';

/** What the same request took by each clock. */
export function clocks_section({ statistics, instrumented }: PageConfiguration): HTMLElement {
  const title = 'Three clocks, one request';
  const lead =
    'Every later section counts GPU time. It comes from other runs than the clean ones, and it costs time to take.';
  if (instrumented === null) return section('clocks', title, null, lead, missing(NOT_INSTRUMENTED));
  const { runs } = instrumented;
  const clean = statistics.T_total?.median ?? null;
  const row = (name: string, value: number | null, what: string): Table['rows'][number] => [
    name,
    value === null ? null : digits(value),
    clean && value !== null ? percent(value / clean) : null,
    what,
  ];
  const of = (name: 'wall_ms' | 'span_ms' | 'sum_ms' | 'gaps_ms') => mean(runs.map((run) => run[name]));
  const faults = runs.reduce((sum, { faults: { negative, zero } }) => sum + negative + zero, 0);
  const table: Table = {
    title: `Clock of the instruments: ${instrumented.clock}; mean of ${runs.length === 1 ? 'one run' : `${runs.length} runs`}`,
    columns: ['time', 'ms', 'of the clean request', 'what it is'].map((name) => ({ name, unit: 'text' })),
    rows: [
      row('whole request, clean', clean, 'median of host wall time between fences, no instruments'),
      row('stages, instrumented', of('wall_ms'), 'host wall time of the same stages with a stamp around every kernel'),
      row('span', of('span_ms'), 'first stamp to last stamp on the GPU'),
      row('sum of passes', of('sum_ms'), 'every kernel by itself, added up: what the sections below divide'),
      row('gaps', of('gaps_ms'), 'between the passes: the GPU waited for work or switched'),
    ],
  };
  return section(
    'clocks',
    title,
    null,
    lead,
    table_view(table),
    teach(
      'The second row against the first is the price of the instruments. If it is large, trust the order of the parts below, not their milliseconds.',
      ...quality(instrumented, faults),
    ),
  );
}

function quality({ anchor_error_ms, runs, new_tokens }: Instrumented, faults: number): string[] {
  const lines: string[] = [];
  if (new_tokens !== undefined)
    lines.push(
      `Only the first ${count(new_tokens)} new tokens were stamped: a stamp a kernel for more fills the memory.`,
    );
  if (anchor_error_ms !== null) lines.push(`GPU and host clocks were matched to within ${ms(anchor_error_ms)}.`);
  if (faults > 0)
    lines.push(`${faults} passes had a stamp of zero or a negative length: a fault of the driver's clock.`);
  if (runs.some((run) => run.faults.quantised)) {
    lines.push('The stamps are quantised: kernels shorter than a step of the clock are rounded.');
  }
  return lines;
}

/** One configuration: the parts of each stage. */
export function parts_section({ instrumented, part_ms }: PageConfiguration, { stages, parts }: PageData): HTMLElement {
  const title = 'Inside the stages';
  const lead = 'What each stage spends its GPU time on. A part adds up its kernels over all layers.';
  const ran = stages.filter((stage) => part_ms.some((row) => row.stage === stage));
  if (instrumented === null || ran.length === 0) {
    return section('parts', title, 'gpu', lead, missing(NOT_INSTRUMENTED));
  }
  const chart: Stack = {
    kind: 'stack',
    lying: true,
    shares: true,
    categories: 'Stage',
    value: { label: 'GPU time (ms)' },
    bars: ran.map((stage) => {
      const segments = parts.flatMap((part) =>
        part_ms
          .filter((row) => row.stage === stage && row.part === part)
          .map(({ gpu_ms }) => ({ look: part, name: part, value: gpu_ms })),
      );
      const value = segments.reduce((sum, one) => sum + one.value, 0);
      return { label: [stage], segments, total: { value, label: ms(value) } };
    }),
  };
  return section(
    'parts',
    title,
    'gpu',
    lead,
    chart_view(chart, 'GPU time of each part, a row a stage'),
    teach(
      'Shares compare the make-up of stages of very different length; milliseconds show which of them is worth the trouble.',
      'Experts and routing are apart on purpose: routing picks a few of the experts for each token and sorts the tokens by expert, the experts then do the arithmetic.',
    ),
  );
}
