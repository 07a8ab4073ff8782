import { DASHES, from_zero, PALETTE, panel_title, SHAPES } from '../../lab/figure_theme.ts';
import type { Figure, Panel } from '../../lab/figures.ts';
import type { E1Stages, FitRecord } from '../../lab/schema.ts';
import { clock_note, headline, type Measured, stage_statistics } from './words.ts';

export function scaling_figure(stages: E1Stages): Figure {
  const panels = scaling_panels(stages);
  const width_in = panels.length > 1 ? 12 : 8;
  return {
    name: 'e1_scaling_curves',
    width_in,
    height_in: panels.length > 1 ? 7 : 6,
    spec: {
      title: headline(stages, 'How prefill and decode grow', [clock_note(stages)], width_in),
      resolve: {
        scale: { color: 'independent', shape: 'independent' },
      },
      hconcat: panels,
    },
  };
}

/** Latency over token counts: prefill over prompt positions and, where anything was generated, decode over steps. */
function scaling_panels(stages: E1Stages): Panel[] {
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
    const [low, high] = summary.median_ci95 ?? [null, null];
    return { x: x(one), ms: summary.median, low, high, series: String(series(one)) };
  });
  const names = [...new Set(points.map((point) => point.series))].sort((a, b) => Number(a) - Number(b));
  const drawn = points.map((point) => {
    const at = names.indexOf(point.series);
    const size = Math.max(30, 230 * 0.72 ** at);
    return { ...point, size, color: PALETTE[at % PALETTE.length], dash: DASHES[at % DASHES.length] };
  });
  const fit = stages.scaling[stage];
  const ends = [Math.min(...points.map((point) => point.x)), Math.max(...points.map((point) => point.x))];
  const highest = Math.max(...points.map((point) => point.high ?? point.ms));
  const line = fit === null ? [] : ends.map((at) => ({ x: at, ms: fit.intercept + fit.slope * at }));
  const pick = <T>(from: readonly T[]): T[] => names.map((_, i) => from[i % from.length] as T);
  const position = {
    x: { field: 'x', type: 'quantitative' as const, title: x_title, ...from_zero(1.03 * Math.max(...ends), 5) },
    y: { field: 'ms', type: 'quantitative' as const, title: y_title, ...from_zero(1.1 * highest, 7) },
  };
  const legend = { title: series_title, columns: Math.min(names.length, 4), symbolStrokeWidth: 2 };
  return {
    width: 330,
    height: 280,
    title: panel_title(title, fit_note(stage, fit)),
    layer: [
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
        data: { values: line },
        mark: { type: 'line', color: 'black', strokeWidth: 1.5, strokeDash: [6, 4] },
        encoding: position,
      },
      {
        data: { values: points.filter((point) => point.low !== null) },
        mark: { type: 'errorbar', ticks: { size: 8 }, color: 'black' },
        encoding: { x: position.x, y: { ...position.y, field: 'low' }, y2: { field: 'high' } },
      },
      {
        data: { values: drawn },
        mark: { type: 'point', filled: false, strokeWidth: 1.8, opacity: 1 },
        encoding: {
          ...position,
          color: { field: 'series', type: 'nominal', scale: { domain: names, range: pick(PALETTE) }, legend },
          shape: { field: 'series', type: 'nominal', scale: { domain: names, range: pick(SHAPES) }, legend },
          // Where series coincide, the marks of all stay visible: large ones behind, small ones in front.
          size: { field: 'size', type: 'quantitative', scale: null },
        },
      },
    ],
  };
}

function fit_note(stage: string, fit: FitRecord | null): string[] {
  if (fit === null) return ['no fit: it needs two different token counts', ' '];
  const { slope, intercept, r_squared, n } = fit;
  const sign = intercept < 0 ? '−' : '+';
  const quality = n < 3 || r_squared === null ? 'too few points for R²' : `R² ${r_squared.toFixed(4)}`;
  return [
    `dashed: ${stage} ms = ${digits(slope)} × tokens ${sign} ${digits(Math.abs(intercept))}`,
    `${quality}, n = ${n}`,
  ];
}

const digits = (value: number): string => Number(value.toPrecision(4)).toString();
