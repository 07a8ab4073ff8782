import { compact, distinct, error_bar, fit_or_note, runs_note } from './captions.ts';
import type { Bar, Chart, Look, Point, Segment, Series, Stack } from './charts.ts';
import { type FitRecord, PARTS, type PartName, STAGES, type StageName } from './schema.ts';
import { percentile, summarise } from './stats.ts';
import { words_of } from './style.ts';

/** Pieces of charts that experiments on latency have in common. */

const segment = (look: StageName | PartName, value: number, all: number, whole = all): Segment => ({
  look,
  name: words_of(look),
  value: (whole * value) / all,
  note: ((100 * value) / all).toFixed(0),
});

/**
 * One number a bar: its height, label and error bar are the median total. Each stage has its share, of the sum of all stages'
 * medians, of that total. None where nothing was timed.
 */
export function stage_bars(label: string[], totals: readonly number[], times: (of: StageName) => number[]): Bar[] {
  const whole = summarise(totals);
  const medians = STAGES.flatMap((stage): [StageName, number][] => {
    const values = times(stage);
    return values.length === 0 ? [] : [[stage, percentile(values, 50)]];
  });
  const all = medians.reduce((sum, [, ms]) => sum + ms, 0);
  if (whole === null || all === 0) return [];
  const segments = medians.map(([stage, ms]) => segment(stage, ms, all, whole.median));
  return [{ label, segments, total: { value: whole.median, label: compact(whole.median), ...error_bar(whole) } }];
}

export const BARS_NOTE =
  'bars and the numbers above: median total in ms; inside: share of the sum of the stages’ medians in %';

type Labels = Pick<Stack, 'categories' | 'lines'>;
const MS = { label: 'Latency (ms)' };

export const bars_chart = (labels: Labels, bars: readonly Bar[]): Chart => ({
  kind: 'stack',
  ...labels,
  bars,
  value: MS,
});

interface PartsOf {
  readonly label: string[];
  readonly parts: readonly { readonly stage: StageName; readonly part: PartName; readonly ms: number }[];
}

/** A panel a stage: what share of its GPU time each part takes. Where a stage did not run its bar keeps its place, empty. */
export function parts_charts(labels: Labels, cells: readonly PartsOf[]): Chart[] {
  const ran = STAGES.filter((stage) => cells.some(({ parts }) => parts.some((row) => row.stage === stage)));
  return ran.map((stage) => {
    const bars = cells.map(({ label, parts }): Bar => {
      const rows = parts.filter((row) => row.stage === stage && row.ms > 0);
      const all = rows.reduce((sum, { ms }) => sum + ms, 0);
      const segments = PARTS.flatMap((part) =>
        rows.filter((row) => row.part === part).map(({ ms }) => segment(part, ms, all)),
      );
      return { label, segments, ...(all > 0 ? { total: { value: all, label: compact(all) } } : {}) };
    });
    const value = { label: 'GPU time (%)' };
    return { kind: 'stack', title: words_of(stage), ...labels, bars, value, shares: true, lying: true };
  });
}

/** "mean of 3 instrumented runs; GPU timestamps, a pass a kernel; right of each bar: the stage's GPU time in ms". */
export function parts_note(counts: readonly number[], clocks: readonly string[]): string {
  const runs = distinct(counts).join(' or ');
  const what = runs === '1' ? '1 instrumented run' : `mean of ${runs} instrumented runs`;
  return `${what}; ${distinct(clocks).join(', ')}; right of each bar: the stage's GPU time in ms`;
}

/** A series of medians that knows how many values each of them is of. */
export interface Medians extends Series {
  readonly points: readonly (Point & { readonly n: number })[];
}

/** A point for every x: the median of all values that belong to it. */
export function median_series(
  name: string,
  look: Look,
  values: readonly (readonly [number, readonly number[]])[],
  hollow = false,
): Medians {
  const points = distinct(values.map(([x]) => x)).flatMap((at) => {
    const summary = summarise(values.flatMap(([x, some]) => (x === at ? some : [])));
    return summary === null ? [] : [{ x: at, y: summary.median, ...error_bar(summary), n: summary.n }];
  });
  return { name, look, points, hollow };
}

export const medians_note = (series: readonly Medians[], clocks: readonly string[]): string =>
  runs_note(
    series.flatMap(({ points }) => points.map(({ n }) => n)),
    clocks,
  );

/** A stage's latency over a count of tokens, with its line; none where it never ran. */
export function growth_charts(
  stage: StageName,
  over: { readonly title: string; readonly tokens: string; readonly legend?: string },
  series: readonly Series[],
  fit: FitRecord | null,
): Chart[] {
  const { title, tokens, legend } = over;
  const some = series.filter(({ points }) => points.length > 0);
  const axes = { x: { label: `${tokens} (tokens)` }, y: MS };
  return some.length === 0
    ? []
    : [{ kind: 'lines', title, ...axes, series: some, legend, ...fit_or_note(words_of(stage), fit) }];
}

/** Latency over work, under lines of equal speed; none where there is no work. */
export function work_charts(title: string, work: string, notes: string[], series: readonly Series[]): Chart[] {
  const some = series.filter(({ points }) => points.length > 0);
  const scale = 'log' as const;
  const axes = { x: { label: `${work} (FLOP)`, scale }, y: { ...MS, scale }, speeds: true };
  return some.length === 0 ? [] : [{ kind: 'scatter', title, notes, ...axes, series: some }];
}
