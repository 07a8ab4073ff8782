import { InputError } from '../../../engine/errors.ts';
import { FILLS, panel_title, type SHAPES, SIZE } from '../../lab/figure_theme.ts';
import type { Figure, Panel } from '../../lab/figures.ts';
import { type E1Flops, type E1Stages, STAGES, type StageName } from '../../lab/schema.ts';
import { clock_note, headline, stage_statistics } from './words.ts';

/** Does work predict time? Both counted as dispatched and as published. */
export function flops_figure(stages: E1Stages, flops: E1Flops): Figure {
  const width_in = 13;
  const notes = [clock_note(stages), 'correlations over all stages together'];
  const title = headline(stages, 'FLOPs and latency', notes, width_in);
  return {
    name: 'e1_flops_vs_latency',
    width_in,
    height_in: 7,
    spec: { title, hconcat: flops_panels(stages, flops) },
  };
}

type Point = {
  stage: StageName;
  color: string;
  flops: number;
  ms: number;
  low: number | null;
  high: number | null;
  formula: string;
};

/** Latency over FLOPs, both logarithmic: as dispatched, and as published formulas count. */
function flops_panels(stages: E1Stages, file: E1Flops): Panel[] {
  const measured = new Map(stages.configurations.map((one) => [one.key, one]));
  const points = (formula: 'exact' | 'S1' | 'S4'): Point[] =>
    file.points.flatMap((point) => {
      const flops = { exact: point.flops, S1: point.legacy_S1, S4: point.legacy_S4 }[formula];
      if (flops <= 0 || point.latency_ms <= 0) return [];
      const one = measured.get(point.key);
      const [low, high] = (one && stage_statistics(one, point.stage)?.median_ci95) ?? [null, null];
      return { stage: point.stage, color: FILLS[point.stage].color, flops, ms: point.latency_ms, low, high, formula };
    });
  const exact = points('exact');
  const legacy = [...points('S1'), ...points('S4')];
  if (exact.length === 0) {
    throw new InputError(
      'figures: expected FLOPs and latencies above 0 in e1_flops_vs_latency, found none; run the experiment again',
    );
  }
  const names = STAGES.filter((stage) => exact.some((point) => point.stage === stage));
  const latencies = decades(exact.map((point) => point.ms));
  const note = (formula: 'exact' | 'S1' | 'S4'): string => {
    const pooled = file.correlation.find((row) => row.over === 'pooled' && row.flops === formula);
    if (pooled === undefined || pooled.n < 3) return 'too few points for a correlation';
    const value = (x: number | null) => (x === null ? 'not defined' : x.toFixed(2).replace('-', '−'));
    return `Spearman ${value(pooled.spearman)}, R² ${value(pooled.r_squared)}, n = ${pooled.n}`;
  };
  const counted = panel_title('Counted at each dispatch', [note('exact'), ' ']);
  const formulas = panel_title('By published formulas', [`S1, filled: ${note('S1')}`, `S4, hollow: ${note('S4')}`]);
  const panels = [scatter(exact, names, latencies, 'Exact work (FLOP)', counted)];
  if (legacy.length > 0) panels.push(scatter(legacy, names, latencies, 'Work by formula (FLOP)', formulas));
  return panels;
}

type Range = readonly [number, number];

/** Whole powers of ten around all values. */
function decades(values: readonly number[]): Range {
  const low = Math.floor(Math.log10(Math.min(...values)) - 0.05);
  const high = Math.ceil(Math.log10(Math.max(...values)) + 0.05);
  return [10 ** low, 10 ** high];
}

const powers = ([low, high]: Range): number[] =>
  Array.from({ length: Math.round(Math.log10(high / low)) + 1 }, (_, i) => low * 10 ** i);

function scatter(
  points: readonly Point[],
  names: readonly StageName[],
  latencies: Range,
  x_title: string,
  title: ReturnType<typeof panel_title>,
): Panel {
  const work = decades(points.map((point) => point.flops));
  const ticks = powers(work);
  const every = Math.ceil(ticks.length / 6);
  const position = {
    x: {
      field: 'flops',
      type: 'quantitative' as const,
      title: x_title,
      scale: { type: 'log' as const, domain: [...work], nice: false },
      axis: { values: ticks.filter((_, i) => i % every === 0), format: '~s' },
    },
    y: {
      field: 'ms',
      type: 'quantitative' as const,
      title: 'Latency (ms)',
      scale: { type: 'log' as const, domain: [...latencies], nice: false },
      axis: { values: powers(latencies), format: ',~r' },
    },
  };
  const rates = rate_lines(work, latencies, points);
  const ends = rates.map((line) => ({ ...line.end, label: line.label, top: line.top }));
  const label = (top: boolean) => ({
    data: { values: ends.filter((end) => end.top === top) },
    mark: {
      type: 'text' as const,
      fontSize: SIZE.note - 1,
      fill: '#404040',
      align: top ? ('right' as const) : ('left' as const),
      baseline: top ? ('bottom' as const) : ('middle' as const),
      dx: top ? 0 : 5,
      dy: top ? -4 : 0,
    },
    encoding: { ...position, text: { field: 'label' } },
  });
  const mark = { type: 'point' as const, size: 90, opacity: 1, strokeWidth: 1.2 };
  const range = names.map((stage) => FILLS[stage].color);
  const legend = { title: null, symbolStrokeColor: 'black', labelExpr: "replace(datum.label, '_', ' ')", columns: 4 };
  const shape = {
    field: 'stage',
    type: 'nominal' as const,
    scale: { domain: [...names], range: names.map((stage) => MARKERS[stage]) },
    legend,
  };
  const fill = { field: 'stage', type: 'nominal' as const, scale: { domain: [...names], range }, legend };
  return {
    width: 330,
    height: 280,
    title: { ...title, offset: 26 },
    layer: [
      {
        data: {
          values: rates.flatMap(({ start, end, label: rate }) => [
            { ...start, rate },
            { ...end, rate },
          ]),
        },
        mark: { type: 'line', color: '#808080', strokeWidth: 1, strokeDash: [4, 4] },
        encoding: { ...position, detail: { field: 'rate' } },
      },
      label(true),
      label(false),
      {
        data: { values: points.filter((point) => point.low !== null) },
        mark: { type: 'errorbar', ticks: { size: 7 }, color: 'black' },
        encoding: { x: position.x, y: { ...position.y, field: 'low' }, y2: { field: 'high' } },
      },
      {
        data: { values: points.filter((point) => point.formula === 'S4') },
        mark: { ...mark, fill: 'white' },
        encoding: { ...position, shape, stroke: { field: 'color', type: 'nominal', scale: null } },
      },
      {
        data: { values: points.filter((point) => point.formula !== 'S4') },
        mark: { ...mark, stroke: 'black', strokeWidth: 0.8 },
        encoding: { ...position, shape, fill },
      },
    ],
  };
}

const MARKERS: Readonly<Record<StageName, (typeof SHAPES)[number]>> = {
  vision_encoder: 'circle',
  projector: 'diamond',
  prefill: 'square',
  decode: 'triangle-up',
};

/** Room in points that a label of a rate needs along the top and along the right edge. */
const LABEL = { width: 66, height: 18 } as const;
const PLOT = { width: 275, height: 280 } as const;

/** Diagonals of equal speed, powers of ten apart, cut to the plot; labelled where they leave it. */
function rate_lines([x0, x1]: Range, [y0, y1]: Range, points: readonly Point[]) {
  const per_decade_x = PLOT.width / Math.log10(x1 / x0);
  const per_decade_y = PLOT.height / Math.log10(y1 / y0);
  const every = Math.max(1, Math.ceil(LABEL.width / per_decade_x), Math.ceil(LABEL.height / per_decade_y));
  const speeds = points.map((point) => Math.log10((1e3 * point.flops) / point.ms));
  const slowest = Math.floor(Math.min(...speeds));
  const fastest = Math.ceil(Math.max(...speeds));
  const exponents = Array.from({ length: fastest - slowest + 1 }, (_, i) => slowest + i);
  return exponents.flatMap((exponent) => {
    const flops_per_ms = 10 ** (exponent - 3);
    const start = Math.max(x0, y0 * flops_per_ms);
    const end = Math.min(x1, y1 * flops_per_ms);
    const room = per_decade_x * Math.log10(end / x0) >= LABEL.width && end > start * 1.5;
    if (exponent % every !== 0 || !room) return [];
    const at = (flops: number) => ({ flops, ms: flops / flops_per_ms });
    return { start: at(start), end: at(end), label: rate_label(exponent), top: end < x1 };
  });
}

function rate_label(exponent: number): string {
  const prefixes = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];
  const thousand = Math.min(Math.max(Math.floor(exponent / 3), 0), prefixes.length - 1);
  return `${10 ** (exponent - 3 * thousand)} ${prefixes[thousand]}FLOP/s`;
}
