import { compact, fit_or_note } from '../lab/captions.ts';
import type { Bar, Chart, Look, Series } from '../lab/charts.ts';
import { linear_fit, percentile } from '../lab/stats.ts';
import { mean } from '../lab/typical.ts';
import { type Axis, type Row, type StudyFile, times_at } from './file.ts';

/** Charts that several of the study's files share. */

export const MS = { label: 'Latency (ms)' } as const;

type Values = readonly (number | null)[];

/** Points where both are known; of one x the median. */
export function series_of(name: string, look: Look, x: Values, y: Values): Series {
  const known = x.flatMap((at, i) => {
    const value = y[i] ?? null;
    return at === null || value === null ? [] : [[at, value] as const];
  });
  const places = [...new Set(known.map(([at]) => at))].toSorted((a, b) => a - b);
  const points = places.map((at) => {
    const values = known.flatMap(([place, value]) => (place === at ? [value] : []));
    return { x: at, y: percentile(values, 50), n: values.length };
  });
  return { name, look, points };
}

/** Lines over tokens or crops, through the first `fitted` of them a straight one; none where nothing is known. */
export function growth_panel(title: string, axis: Axis, series: readonly Series[], fitted = 1): Chart[] {
  const some = series.filter(({ points }) => points.length > 0);
  if (some.length === 0) return [];
  const fits = some.slice(0, fitted).flatMap(({ name, look, points }) => {
    const x = points.map((point) => point.x);
    if (new Set(x).size < 2) return [];
    const line = linear_fit(
      x,
      points.map((point) => point.y),
    );
    return (fit_or_note(name, line, axis.unit).fits ?? []).map((one) => ({ ...one, look }));
  });
  const notes = fits.length > 0 ? [] : [`no fit: it needs two different counts of ${axis.unit}`];
  return [{ kind: 'lines', title, x: { label: axis.label }, y: MS, series: some, fits, notes }];
}

export interface Piece {
  readonly look: Look;
  readonly name: string;
  readonly values: Values | null;
}

/** A bar a group of rows, its pieces their means on top of each other; a group of which a piece is unknown has no such piece. */
export function bars_of(
  labels: readonly (readonly string[])[],
  groups: readonly (readonly number[])[],
  pieces: readonly Piece[],
): Bar[] {
  return groups.flatMap((rows, g) => {
    const segments = pieces.flatMap(({ look, name, values }) => {
      const known = values === null ? [] : rows.flatMap((row) => values[row] ?? []);
      return known.length === 0 ? [] : [{ look, name, value: mean(known) }];
    });
    const value = segments.reduce((sum, segment) => sum + segment.value, 0);
    const label = labels[g] as readonly string[];
    return value > 0 ? [{ label, segments, total: { value, label: compact(value) } }] : [];
  });
}

/** Places of rows that say the same, in the order of what they say. */
export function groups_by(keys: Values): { readonly key: number; readonly rows: readonly number[] }[] {
  const known = [...new Set(keys.filter((key) => key !== null))].toSorted((a, b) => a - b);
  return known.map((key) => ({ key, rows: keys.flatMap((other, i) => (other === key ? [i] : [])) }));
}

/** What a prompt pass consists of. Where the encoder was not timed apart, the vision module as one. */
export function prompt_pieces(file: StudyFile, rows: readonly Row[]): (Piece & { readonly key: string })[] {
  const piece = (look: Look, name: string, key: string) => ({ look, name, key, values: times_at(file, rows, key) });
  const encoder = piece('vision_encoder', 'vision encoder', 'T_vision_encoder');
  const vision =
    encoder.values === null
      ? [piece('vision_encoder', 'vision encoder and projector', 'T_vision_total')]
      : [encoder, piece('projector', 'projector', 'T_projector')];
  return [...vision, piece('prefill', 'prefill of the language model', 'T_LLM_prefill')];
}

export const stack_panels = (title: string, categories: string, bars: readonly Bar[], shares = false): Chart[] =>
  bars.length === 0
    ? []
    : [{ kind: 'stack', title, categories, bars, shares, value: shares ? { label: 'Latency (%)' } : MS }];
