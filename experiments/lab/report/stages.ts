import type { StageName } from '../schema.ts';
import { STAGE_TIME } from '../times.ts';
import type { ReportConfiguration, ReportData } from './data.ts';
import { el, folded, scrolling, section, teach, text_table } from './dom.ts';
import { count, interval, ms, NONE, or_none, si, words } from './format.ts';
import { scatter_chart } from './scatter_chart.ts';
import { stack_chart, with_interval } from './stack_chart.ts';
import { GAPS_LOOK, STAGE_LOOK } from './style.ts';

const median_of = (one: ReportConfiguration, stage: StageName) => one.statistics[STAGE_TIME[stage]]?.median ?? null;

/** All configurations: where the wall time of a request goes. */
export function stages_section({ configurations, stages }: ReportData): HTMLElement {
  const ran = stages.filter((stage) => configurations.some((one) => median_of(one, stage) !== null));
  const runs = Math.max(...configurations.map((one) => one.clean.samples.length));
  const chart = stack_chart({
    label: 'Stacked bars: median wall time of each stage, a row a configuration',
    categories: configurations.map((one) => one.key),
    series: [
      ...ran.map((stage) => ({
        name: stage,
        label: words(stage),
        look: STAGE_LOOK[stage],
        values: configurations.map((one) => median_of(one, stage)),
      })),
      {
        name: 'gaps',
        label: 'between stages',
        look: GAPS_LOOK,
        values: configurations.map((one) => one.statistics.T_gaps?.median ?? null),
      },
    ],
    ms_axis: 'median wall time (ms)',
    share_axis: 'share of the shown stages (%)',
    start_as: 'ms',
    interval: (i) => configurations[i]?.statistics.T_total?.median_ci95 ?? null,
    remark: (name, i) => {
      const one = configurations[i] as ReportConfiguration;
      if (name === 'gaps') return with_interval(one.statistics.T_gaps?.median_ci95);
      const stage = name as StageName;
      const flops = one.counters[stage]?.flops;
      const ci = with_interval(one.statistics[STAGE_TIME[stage]]?.median_ci95);
      return `${ci}${flops === undefined ? '' : `, ${si(flops, 'FLOP')}`}`;
    },
    tip: (i, lines) => {
      const { key, statistics, tokens, clean } = configurations[i] as ReportConfiguration;
      const total = statistics.T_total;
      return {
        title: key,
        lines: [
          ...lines,
          { label: 'whole request', value: `${or_none(total?.median, ms)}${with_interval(total?.median_ci95)}` },
        ],
        note: `Median of ${clean.samples.length} clean runs [95 % interval of the median]. ${sizes(tokens)}`,
      };
    },
  });
  return section(
    'stages',
    'Where the time of a request goes',
    'wall',
    'Each row is one configuration; each piece is one stage, as long as the host waited for it.',
    chart,
    teach(
      'A stage begins and ends at a fence: the host waits until the GPU has finished, then reads its clock. These clean runs carry no other instruments, so they are the latencies to quote.',
      runs > 1
        ? 'The whisker at the end of a bar is the 95 % interval of the median of the whole request, from resampling the runs. Where the whiskers of two rows overlap, do not call one of them faster.'
        : 'There is one run of each: no interval can be given, and small differences mean nothing.',
      'Press a name to take a stage out; switch to shares to compare the make-up of short and long requests.',
    ),
    folded('The same as a table', scrolling('Mean wall time by stage', stages_table(configurations, ran))),
  );
}

function sizes(tokens: ReportConfiguration['tokens']): string {
  const picture = tokens.image_size === null ? 'No picture' : `Picture ${tokens.image_size}, ${tokens.num_crops} views`;
  return `${picture}; ${count(tokens.prompt_length)} prompt positions, ${count(tokens.decode_steps)} decode steps.`;
}

function stages_table(configurations: readonly ReportConfiguration[], ran: readonly StageName[]): HTMLElement {
  const head = ['configuration', 'prompt positions', 'decode steps', ...ran.map((stage) => `${words(stage)} (ms)`)];
  return text_table(
    'Median of the clean runs, with the 95 % interval of the median',
    [...head, 'between stages (ms)', 'whole request (ms)'],
    configurations.map(({ key, tokens, statistics }) => [
      key,
      count(tokens.prompt_length),
      count(tokens.decode_steps),
      ...[...ran.map((stage) => STAGE_TIME[stage]), 'T_gaps' as const, 'T_total' as const].map((name) => {
        const summary = statistics[name];
        return summary ? `${ms(summary.median).replace(' ms', '')}${with_interval(summary.median_ci95)}` : NONE;
      }),
    ]),
  );
}

/** How stages grow with the length of what they work on. */
export function scaling_section({ configurations, fits }: ReportData): HTMLElement {
  const side = (
    stage: 'prefill' | 'decode',
    x_axis: string,
    each: string,
    x_of: (tokens: ReportConfiguration['tokens']) => number,
  ) => {
    const { colour, shape } = STAGE_LOOK[stage];
    const points = configurations.flatMap((one) => {
      const summary = one.statistics[STAGE_TIME[stage]];
      if (!summary) return [];
      const x = x_of(one.tokens);
      const lines = [
        { label: x_axis, value: count(x) },
        { label: stage, value: ms(summary.median) },
        { label: '95 % interval', value: interval(summary.median_ci95) },
      ];
      return [{ x, y: summary.median, tip: { title: one.key, lines } }];
    });
    const fit = fits[stage];
    const right = 1.08 * Math.max(1, ...points.map(({ x }) => x));
    const top = 1.12 * Math.max(0.001, ...points.map(({ y }) => y));
    const at = (x: number) => (fit ? fit.intercept + fit.slope * x : 0);
    const line = fit && {
      name: 'fit',
      label: `least squares: ${ms(fit.slope)} per ${each}`,
      dash: [6, 4],
      points: clipped([0, at(0)], [right, at(right)]),
    };
    const ci = fit?.slope_ci95;
    return el(
      'div',
      {},
      el('h3', {}, `${stage === 'prefill' ? 'Prefill' : 'Decode'} over ${x_axis}`),
      points.length === 0
        ? el('p', { class: 'missing' }, `No configuration has a ${stage}.`)
        : scatter_chart({
            label: `Points: median ${stage} time over ${x_axis}`,
            x_axis: `${x_axis} (count)`,
            y_axis: `${stage}, median wall time (ms)`,
            groups: [{ name: stage, label: 'a configuration', colour, shape, points }],
            lines: line ? [line] : [],
            x_range: [0, right],
            y_range: [0, top],
            height: 320,
          }),
      el(
        'p',
        { class: 'caption' },
        fit
          ? `Slope ${ms(fit.slope)} per ${each}${ci ? ` (95 % interval ${interval(ci)})` : ''}, intercept ${ms(fit.intercept)}, R² ${or_none(fit.r_squared, (r) => r.toFixed(4))}, ${fit.n} points.`
          : `All configurations have the same number of ${x_axis}: no line can be fitted.`,
      ),
    );
  };
  return section(
    'scaling',
    'How it grows',
    'wall',
    'Prefill works on all prompt positions at once; decode makes one token a step.',
    el(
      'div',
      { class: 'two' },
      side('prefill', 'prompt positions', 'position', (tokens) => tokens.prompt_length),
      side('decode', 'decode steps', 'step', (tokens) => tokens.decode_steps),
    ),
    teach(
      'A straight line through the points means a constant price for each position or step. Points that bend upwards betray attention, whose work grows with the square of the length.',
      'The slope is the price of one more; the intercept is what a stage costs before it does any useful work. R² near 1 says that the line explains the points, not that its cause is right.',
    ),
  );
}

/** The part of a line that lies at or above zero. */
function clipped(from: readonly [number, number], to: readonly [number, number]): (readonly [number, number])[] {
  if (from[1] >= 0 || to[1] <= from[1]) return [from, to];
  const t = -from[1] / (to[1] - from[1]);
  return [[from[0] + t * (to[0] - from[0]), 0], to];
}
