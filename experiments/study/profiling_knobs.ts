import { InputError } from '../../engine/errors.ts';
import { compact } from '../lab/captions.ts';
import type { Bar, Chart, Figure } from '../lab/charts.ts';
import {
  axis_at,
  drawable,
  is_object,
  middle_of,
  notes_of,
  nothing_in,
  object_of,
  type Row,
  rows_of,
  type StudyFile,
  sweep_of,
  tell_once,
  time_at,
  times_at,
} from './file.ts';
import { bars_of, MS, stack_panels } from './panels.ts';

interface Knob {
  readonly key: string;
  readonly label: string;
  readonly figure: string;
  readonly title: string;
}

const TOP_K: Knob = {
  key: 'top_k',
  label: 'Experts a token',
  figure: 'exp2_moe_topk_vs_latency_breakdown',
  title: 'What experts cost',
};
const BLOCKS: Knob = {
  key: 'num_active_blocks',
  label: 'Blocks that ran',
  figure: 'exp3_transformer_blocks_vs_latency_breakdown',
  title: 'What blocks cost',
};
const LAYERS: Knob = {
  key: 'num_layers',
  label: 'Blocks that ran',
  figure: 'exp_layer_skipping',
  title: 'What blocks cost',
};

/** exp2_moe_topk_results.json. */
export const moe_topk = (file: StudyFile): Figure[] => knob_figure(file, TOP_K, sweep_of(file));
/** exp3_transformer_blocks_mask_results.json. */
export const block_mask = (file: StudyFile): Figure[] => knob_figure(file, BLOCKS, sweep_of(file));
/** exp_layer_skipping_results.json: a plain list. */
export const layer_skipping = (file: StudyFile): Figure[] =>
  knob_figure(file, LAYERS, { summary: rows_of(file, file.value, 'the file'), samples: [] });

/** Prefill, with the mean of vision under it where samples have it, and decode: a bar a row of the summary, in its order. */
function knob_figure(
  file: StudyFile,
  { key, label, figure, title }: Knob,
  { summary, samples }: ReturnType<typeof sweep_of>,
): Figure[] {
  const { values: x } = axis_at(file, summary, [{ key, label, unit: key }]);
  const names = summary.map((row, i) => row_label(row, x[i] ?? null, x));
  const own = samples.length > 0 ? samples.map((row) => same_cell(row, summary, key)) : [];
  const vision = samples.length > 0 ? times_at(file, samples, 'T_vision_total') : null;
  const under = summary.map((_, i) => {
    const known = own.flatMap((cell, s) => (cell === i ? (vision?.[s] ?? []) : []));
    return known.length > 0 ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
  });
  const each = summary.map((_, i) => [i]);
  const middles = (stage: string) => summary.map((row) => middle_of(file, row, stage));
  const missing = summary.filter(({ value }) => value.prefill === undefined && value.decode === undefined).length;
  if (missing > 0) tell_once(file, `${missing} of ${summary.length} rows hold neither prefill nor decode`);
  const before = bars_of(names, each, [
    { look: 'vision_encoder', name: 'vision encoder and projector', values: under },
    { look: 'prefill', name: 'prefill', values: middles('prefill') },
  ]);
  const decode = bars_of(names, each, [{ look: 'decode', name: 'decode', values: middles('decode') }]);
  const panels = [
    ...stack_panels('Before the first token', label, before),
    ...stack_panels('Decode, all tokens', label, decode),
  ];
  return drawable(
    file,
    [{ name: figure, title, notes: notes_of(file, 'P50 of prefill and of decode, means of vision'), panels }],
    'prefill or decode',
  );
}

/** The number; where several rows have the same, which blocks they are too. */
function row_label({ value }: Row, x: number | null, all: readonly (number | null)[]): string[] {
  const blocks = value.active_block_indices;
  const alone = all.filter((other) => other === x).length < 2;
  return alone || !Array.isArray(blocks) ? [String(x ?? '?')] : [String(x ?? '?'), blocks.join(' ').slice(0, 40)];
}

/** The row of the summary that a sample belongs to. */
function same_cell({ value }: Row, summary: readonly Row[], key: string): number {
  const blocks = JSON.stringify(value.active_block_indices);
  return summary.findIndex(
    (row) => row.value[key] === value[key] && JSON.stringify(row.value.active_block_indices) === blocks,
  );
}

/** flops_scaling_analysis.json: forwards with 1 and 8 experts a token, or why one could not be. */
export function flops_scaling(file: StudyFile): Figure[] {
  const entries = Object.entries(object_of(file)).map(([k, value]) => ({ k, value }));
  const bars = entries.flatMap(({ k, value }): Bar[] => {
    if (!/^\d{1,3}$/.test(k) || !is_object(value)) {
      throw new InputError(
        `${file.path}: expected statistics by experts a token, found ${k.slice(0, 40)}; choose another file`,
      );
    }
    if (value.error !== undefined)
      tell_once(file, `with ${k} experts a token nothing was measured: ${String(value.error).slice(0, 120)}`);
    const row: Row = { at: k, value };
    const middle = middle_of(file, row);
    const [low, high] = [time_at(file, row, 'min'), time_at(file, row, 'max')];
    if (!middle) return [];
    const ends = low !== null && high !== null && low <= middle && high >= middle ? { low, high } : {};
    const segments = [{ look: 'rest' as const, name: 'forward, vision included', value: middle }];
    return [{ label: [k], segments, total: { value: middle, label: compact(middle), ...ends } }];
  });
  if (bars.length === 0) throw nothing_in(file, 'a median');
  const middle = (k: string) => bars.find(({ label }) => label[0] === k)?.total?.value;
  const [one, eight] = [middle('1'), middle('8')];
  const ratio = one && eight ? [`8 experts take ${(eight / one).toFixed(2)} times as long as 1`] : [];
  const chart: Chart = { kind: 'stack', categories: 'Experts a token', bars, value: MS };
  const notes = [...notes_of(file, 'medians of forwards without generation, from shortest to longest'), ...ratio];
  return [{ name: 'flops_scaling_analysis', title: 'A forward with fewer experts', notes, panels: [chart] }];
}
