import { DASHES, FILLS, PALETTE, SHAPES, SIZE } from '../lab/figure_theme.ts';
import type { Panel } from '../lab/figures.ts';
import { type E1Flops, type E1Stages, type FitRecord, STAGES, type StageName } from '../lab/schema.ts';
import { stage_statistics } from './e1_figures.ts';

type Measured = E1Stages['configurations'][number];

const panel_title = (text: string, subtitle: string[]) => ({
  text,
  subtitle,
  fontSize: SIZE.label,
  fontWeight: 'normal' as const,
  offset: 12,
});

/** Latency over token counts: prefill over prompt positions and, where anything was generated, decode over steps. */
export function scaling_panels(stages: E1Stages): Panel[] {
  const prefill = curve({
    stages,
    stage: 'prefill',
    x: (one) => one.prompt_length,
    x_title: 'Prompt, vision and text (tokens)',
    y_title: 'Prefill latency (ms)',
    series: (one) => one.num_output_tokens,
    series_title: 'Answer (tokens)',
    title: 'Prefill over the prompt',
  });
  const decode = curve({
    stages,
    stage: 'decode',
    x: (one) => one.decode_steps,
    x_title: 'Decode steps (tokens)',
    y_title: 'Decode latency (ms)',
    series: (one) => one.prompt_length,
    series_title: 'Prompt (tokens)',
    title: 'Decode over the answer',
  });
  return stages.configurations.some((one) => one.decode_steps > 0) ? [prefill, decode] : [prefill];
}

interface Curve {
  readonly stages: E1Stages;
  readonly stage: 'prefill' | 'decode';
  readonly x: (one: Measured) => number;
  readonly x_title: string;
  readonly y_title: string;
  readonly series: (one: Measured) => number;
  readonly series_title: string;
  readonly title: string;
}

function curve({ stages, stage, x, x_title, y_title, series, series_title, title }: Curve): Panel {
  const points = stages.configurations.flatMap((one) => {
    const summary = stage_statistics(one, stage);
    if (summary === undefined) return [];
    const [low, high] = summary.mean_ci95 ?? [null, null];
    return { x: x(one), ms: summary.mean, low, high, series: String(series(one)) };
  });
  const names = [...new Set(points.map((point) => point.series))].sort((a, b) => Number(a) - Number(b));
  const drawn = points.map((point) => {
    const at = names.indexOf(point.series);
    const size = 260 - (200 * at) / Math.max(names.length - 1, 1);
    return { ...point, size, color: PALETTE[at % PALETTE.length], dash: DASHES[at % DASHES.length] };
  });
  const fit = stages.scaling[stage];
  const ends = [Math.min(...points.map((point) => point.x)), Math.max(...points.map((point) => point.x))];
  const line = fit === null ? [] : ends.map((at) => ({ x: at, ms: fit.intercept + fit.slope * at }));
  const pick = <T>(from: readonly T[]): T[] => names.map((_, i) => from[i % from.length] as T);
  const position = {
    x: { field: 'x', type: 'quantitative' as const, title: x_title, scale: { zero: false, padding: 14 } },
    y: { field: 'ms', type: 'quantitative' as const, title: y_title, scale: { zero: true }, axis: { format: ',' } },
  };
  const legend = { title: series_title, columns: Math.min(names.length, 5), symbolStrokeColor: 'black' };
  return {
    width: 330,
    height: 280,
    title: panel_title(title, [fit_note(stage, fit)]),
    layer: [
      {
        data: { values: line },
        mark: { type: 'line', color: 'black', strokeWidth: 1.5, strokeDash: [6, 4] },
        encoding: position,
      },
      {
        data: { values: drawn },
        mark: { type: 'line', strokeWidth: 1.5 },
        encoding: {
          ...position,
          stroke: { field: 'color', type: 'nominal', scale: null },
          strokeDash: { field: 'dash', type: 'nominal', scale: null },
        },
      },
      {
        data: { values: points.filter((point) => point.low !== null) },
        mark: { type: 'errorbar', ticks: { size: 8 }, color: 'black' },
        encoding: { x: position.x, y: { ...position.y, field: 'low' }, y2: { field: 'high' } },
      },
      {
        data: { values: drawn },
        mark: { type: 'point', filled: true, stroke: 'black', strokeWidth: 0.8, opacity: 1 },
        encoding: {
          ...position,
          fill: { field: 'series', type: 'nominal', scale: { domain: names, range: pick(PALETTE) }, legend },
          shape: { field: 'series', type: 'nominal', scale: { domain: names, range: pick(SHAPES) }, legend },
          // Where series coincide, the marks of all stay visible: large ones behind, small ones in front.
          size: { field: 'size', type: 'quantitative', scale: null },
        },
      },
    ],
  };
}

function fit_note(stage: string, fit: FitRecord | null): string {
  if (fit === null) return 'no fit: it needs two different token counts';
  const { slope, intercept, r_squared, n } = fit;
  const sign = intercept < 0 ? '−' : '+';
  const quality = r_squared === null ? 'R² not defined' : `R² ${r_squared.toFixed(4)}`;
  return `dashed: ${stage} ms = ${digits(slope)} × tokens ${sign} ${digits(Math.abs(intercept))}; ${quality}, n = ${n}`;
}

const digits = (value: number): string => Number(value.toPrecision(4)).toString();

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
export function flops_panels(stages: E1Stages, file: E1Flops): Panel[] {
  const measured = new Map(stages.configurations.map((one) => [one.key, one]));
  const points = (formula: 'exact' | 'S1' | 'S4'): Point[] =>
    file.points.flatMap((point) => {
      const flops = { exact: point.flops, S1: point.legacy_S1, S4: point.legacy_S4 }[formula];
      if (flops <= 0 || point.latency_ms <= 0) return [];
      const one = measured.get(point.key);
      const [low, high] = (one && stage_statistics(one, point.stage)?.mean_ci95) ?? [null, null];
      return { stage: point.stage, color: FILLS[point.stage].color, flops, ms: point.latency_ms, low, high, formula };
    });
  const exact = points('exact');
  const legacy = [...points('S1'), ...points('S4')];
  const names = STAGES.filter((stage) => exact.some((point) => point.stage === stage));
  const latencies = decades(exact.map((point) => point.ms));
  const note = (formula: 'exact' | 'S1' | 'S4'): string => {
    const pooled = file.correlation.find((row) => row.over === 'pooled' && row.flops === formula);
    const value = (x: number | null | undefined) => (x === null || x === undefined ? 'not defined' : x.toFixed(2));
    return `all stages: Spearman ${value(pooled?.spearman)}, R² ${value(pooled?.r_squared)}, n = ${pooled?.n ?? 0}`;
  };
  return [
    scatter(
      exact,
      names,
      latencies,
      'Exact work (FLOP)',
      panel_title('Counted at each dispatch', [note('exact'), ' ']),
    ),
    scatter(
      legacy,
      names,
      latencies,
      'Work by formula (FLOP)',
      panel_title('By published formulas', [`filled, S1: ${note('S1')}`, `hollow, S4: ${note('S4')}`]),
    ),
  ];
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
      axis: { values: ticks.filter((_, i) => i % every === 0), format: '.0e' },
    },
    y: {
      field: 'ms',
      type: 'quantitative' as const,
      title: 'Latency (ms)',
      scale: { type: 'log' as const, domain: [...latencies], nice: false },
      axis: { values: powers(latencies), format: ',' },
    },
  };
  const rates = rate_lines(work, latencies);
  const ends = rates.map((line) => ({ ...line.end, label: line.label, top: line.top }));
  const label = (top: boolean) => ({
    data: { values: ends.filter((end) => end.top === top) },
    mark: {
      type: 'text' as const,
      fontSize: SIZE.note,
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
const LABEL = { width: 90, height: 18 } as const;
const PLOT = { width: 330, height: 280 } as const;

/** Diagonals of equal speed, powers of ten apart, cut to the plot; labelled where they leave it. */
function rate_lines([x0, x1]: Range, [y0, y1]: Range) {
  const per_decade_x = PLOT.width / Math.log10(x1 / x0);
  const per_decade_y = PLOT.height / Math.log10(y1 / y0);
  const every = Math.max(1, Math.ceil(LABEL.width / per_decade_x), Math.ceil(LABEL.height / per_decade_y));
  const slowest = Math.ceil(Math.log10((1e3 * x0) / y1) + 1e-9);
  const fastest = Math.floor(Math.log10((1e3 * x1) / y0) - 1e-9);
  const exponents = Array.from({ length: Math.max(0, fastest - slowest + 1) }, (_, i) => slowest + i);
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
