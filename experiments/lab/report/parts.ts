import type { Instrumented } from '../schema.ts';
import { mean, type ReportConfiguration, type ReportData } from './data.ts';
import { folded, missing, scrolling, section, teach, text_table } from './dom.ts';
import { digits, ms, NONE, or_none, percent, words } from './format.ts';
import { stack_chart, with_interval } from './stack_chart.ts';
import { PART_LOOK } from './style.ts';

export const NOT_INSTRUMENTED = 'Not measured: this configuration was run without instruments.';

/** What the same request took by each clock. */
export function clocks_section({ statistics, instrumented }: ReportConfiguration): HTMLElement {
  const lead =
    'Every later section counts GPU time. It comes from other runs than the clean ones, and it costs time to take.';
  if (instrumented === null)
    return section('clocks', 'Three clocks, one request', null, lead, missing(NOT_INSTRUMENTED));
  const { runs } = instrumented;
  const clean = statistics.T_total;
  const of = (name: 'wall_ms' | 'span_ms' | 'sum_ms' | 'gaps_ms') => mean(runs.map((run) => run[name]));
  const row = (name: string, value: number, what: string) => [
    name,
    digits(value),
    clean ? percent(value / clean.median) : NONE,
    what,
  ];
  const faults = runs.reduce((sum, { faults: { negative, zero } }) => sum + negative + zero, 0);
  return section(
    'clocks',
    'Three clocks, one request',
    null,
    lead,
    scrolling(
      'The clocks of this configuration',
      text_table(
        `Clock of the instruments: ${instrumented.clock}; mean of ${runs.length === 1 ? 'one run' : `${runs.length} runs`}`,
        ['time', 'ms', 'of the clean request', 'what it is'],
        [
          [
            'whole request, clean',
            or_none(clean?.median, digits),
            '100 %',
            `host wall time between fences, no instruments${with_interval(clean?.median_ci95)}`,
          ],
          row(
            'stages, instrumented',
            of('wall_ms'),
            'host wall time of the same stages with a stamp around every kernel',
          ),
          row('span', of('span_ms'), 'first stamp to last stamp on the GPU'),
          row('sum of passes', of('sum_ms'), 'every kernel by itself, added up: what the sections below divide'),
          row('gaps', of('gaps_ms'), 'between the passes: the GPU waited for work or switched'),
        ],
        (column) => column === 1 || column === 2,
      ),
    ),
    teach(
      'The second row against the first is the price of the instruments. If it is large, trust the order of the parts below, not their milliseconds.',
      ...quality(instrumented, faults),
    ),
  );
}

function quality({ anchor_error_ms, runs }: Instrumented, faults: number): string[] {
  const lines: string[] = [];
  if (anchor_error_ms !== null) lines.push(`GPU and host clocks were matched to within ${ms(anchor_error_ms)}.`);
  if (faults > 0)
    lines.push(`${faults} passes had a stamp of zero or a negative length: a fault of the driver's clock.`);
  if (runs.some((run) => run.faults.quantised)) {
    lines.push('The stamps are quantised: kernels shorter than a step of the clock are rounded.');
  }
  return lines;
}

/** One configuration: the parts of each stage. */
export function parts_section(one: ReportConfiguration, { stages, parts }: ReportData): HTMLElement {
  const lead = 'What each stage spends its GPU time on. A part adds up its kernels over all layers.';
  const ran = stages.filter((stage) => one.part_ms.some((row) => row.stage === stage));
  if (one.instrumented === null || ran.length === 0) {
    return section('parts', 'Inside the stages', 'gpu', lead, missing(NOT_INSTRUMENTED));
  }
  const value = (stage: string, part: string) =>
    one.part_ms.find((row) => row.stage === stage && row.part === part)?.gpu_ms ?? null;
  const seen = parts.filter((part) => ran.some((stage) => value(stage, part) !== null));
  const stage_sum = (stage: string) =>
    one.part_ms.reduce((sum, row) => sum + (row.stage === stage ? row.gpu_ms : 0), 0);
  const rows = ran.flatMap((stage) =>
    one.part_ms
      .filter((row) => row.stage === stage)
      .map(({ part, gpu_ms }) => {
        const whole = stage_sum(stage);
        return [words(stage), words(part), digits(gpu_ms), whole > 0 ? percent(gpu_ms / whole) : NONE];
      }),
  );
  return section(
    'parts',
    'Inside the stages',
    'gpu',
    lead,
    stack_chart({
      label: 'Stacked bars: GPU time of each part, a row a stage',
      categories: ran.map(words),
      series: seen.map((part) => ({
        name: part,
        label: words(part),
        look: PART_LOOK[part],
        values: ran.map((stage) => value(stage, part)),
      })),
      ms_axis: 'sum of GPU passes (ms)',
      share_axis: 'share of the shown parts (%)',
      start_as: 'share',
      tip: (i, lines) => ({
        title: words(ran[i] as string),
        lines: [...lines, { label: 'all parts', value: ms(stage_sum(ran[i] as string)) }],
        note: 'GPU time of instrumented runs.',
      }),
    }),
    teach(
      'Shares compare the make-up of stages of very different length; milliseconds show which of them is worth the trouble.',
      'Experts and routing are apart on purpose: routing picks a few of the experts for each token and sorts the tokens by expert, the experts then do the arithmetic.',
    ),
    folded(
      'The same as a table',
      scrolling(
        'GPU time by part',
        text_table(
          'GPU time by stage and part',
          ['stage', 'part', 'GPU time (ms)', 'share of the stage'],
          rows,
          (i) => i > 1,
        ),
      ),
    ),
  );
}
