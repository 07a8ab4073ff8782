import { rotary_table } from '../../../engine/model/sequences.ts';
import { attention } from '../../../kernels/attention/attention.ts';
import {
  attention_decode,
  attention_decode_combine,
  decode_partial_values,
} from '../../../kernels/attention_decode/attention_decode.ts';
import { pool_attention } from '../../../kernels/pool_attention/pool_attention.ts';
import { qk_rope } from '../../../kernels/qk_rope/qk_rope.ts';
import type { Kernel } from '../../../kernels/spec.ts';
import { attend } from '../attention.ts';
import { pool_attention as pool_reference } from '../pool_attention.ts';
import { qk_rope as rope_reference } from '../qk_rope.ts';
import {
  type Frame,
  frame_length,
  framed,
  type KernelCase,
  launch,
  type Numbers,
  place,
  range,
  wanted,
} from './case.ts';

/** Scores are q x k / sqrt(head_dim) times `sharp`. */
const scale_of = (head_dim: number, sharp = 1): number => Math.fround(sharp / Math.sqrt(head_dim));

/** Some rows and whole heads of a result, and the reference's values there. */
function heads_of(
  n: Numbers,
  rows: number,
  heads: number,
  head_dim: number,
  values: (row: number, col0: number) => ArrayLike<number>,
) {
  const [some_rows, some_heads] = [n.some(rows, 7), n.some(heads, 3)];
  const cols = some_heads.flatMap((head) => range(head_dim).map((j) => head * head_dim + j));
  const all = some_rows.flatMap((row) => some_heads.flatMap((head) => Array.from(values(row, head * head_dim))));
  return [{ rows: some_rows, cols }, all] as const;
}

export interface AttentionShape {
  readonly groups?: number;
  readonly rows: number;
  /** Of a group; of causal attention they follow from the rows. */
  readonly keys?: number;
  readonly heads: number;
  readonly head_dim: number;
  /** Of causal attention: the first query's place. */
  readonly first_position?: number;
  readonly sharp?: number;
  readonly q?: Partial<Frame>;
  readonly k?: Partial<Frame>;
  readonly v_col0?: number;
  readonly o_stride?: number;
}

export function attention_case(n: Numbers, s: AttentionShape): KernelCase {
  const { groups = 1, rows, heads, head_dim, first_position, sharp } = s;
  const causal = first_position !== undefined;
  const keys = causal ? rows + first_position : (s.keys ?? rows);
  const cols = heads * head_dim;
  const scale = scale_of(head_dim, sharp);
  const tight = { cols, stride: cols, row0: 0, col0: 0 };
  const q_frame = { ...tight, rows: groups * rows, ...s.q };
  const k_frame = { ...tight, rows: groups * keys, ...s.k };
  const v_frame = { ...k_frame, col0: s.v_col0 ?? 0 };
  const o_frame = { rows: groups * rows, cols, stride: s.o_stride ?? cols, row0: q_frame.row0 };
  const params = {
    ...{ groups, rows, keys, heads, q_stride: q_frame.stride, kv_stride: k_frame.stride, o_stride: o_frame.stride },
    ...{ q_col0: q_frame.col0, k_col0: k_frame.col0, v_col0: v_frame.col0 },
    ...{ q_row0: q_frame.row0, k_row0: k_frame.row0, first_position: first_position ?? 0, scale },
  };
  return {
    kernel: attention as Kernel,
    launches: [launch(attention, params, { HEAD_DIM: head_dim, CAUSAL: causal })],
    open: () => {
      const [q, k, v] = [q_frame, k_frame, v_frame].map((frame) => n.values(frame.rows * cols, 1)) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      const o = n.values(frame_length(o_frame) + o_frame.stride);
      return {
        buffers: { q: framed(q, q_frame), k: framed(k, k_frame), v: framed(v, v_frame), o },
        want: () => {
          const [picked, values] = heads_of(n, o_frame.rows, heads, head_dim, (row, col0) => {
            const key0 = Math.floor(row / rows) * keys;
            return attend(
              head_dim,
              causal ? first_position + row + 1 : keys,
              scale,
              (j) => q[row * cols + col0 + j] as number,
              (key, j) => k[(key0 + key) * cols + col0 + j] as number,
              (key, j) => v[(key0 + key) * cols + col0 + j] as number,
            );
          });
          return [wanted('o', o, o_frame, picked, values)];
        },
      };
    },
  };
}

export interface DecodeShape {
  readonly heads: number;
  readonly head_dim: number;
  readonly slots: number;
  readonly capacity: number;
  /** Each row's sequence and place in it. */
  readonly places: readonly (readonly [slot: number, position: number])[];
  /** Keys are spread over workgroups, and a second kernel adds the parts up. */
  readonly split_keys?: number;
  /** What it is about is that second kernel. */
  readonly combine?: boolean;
  readonly sharp?: number;
  readonly q_stride?: number;
  readonly kv_stride?: number;
  readonly o_stride?: number;
  readonly table_row0?: number;
  /** Rows from here on are a launch of their own, as where their keys lie in other buffers. */
  readonly cut?: number;
}

/** A launch for all rows, or one for those before the cut and one for the rest. */
const parts_of = (rows: number, cut = 0): { row0: number; rows: number }[] =>
  cut > 0 && cut < rows
    ? [
        { row0: 0, rows: cut },
        { row0: cut, rows: rows - cut },
      ]
    : [{ row0: 0, rows }];

export function decode_case(n: Numbers, s: DecodeShape): KernelCase {
  const { heads, head_dim, slots, capacity, places, table_row0 = 0, split_keys = capacity } = s;
  const [rows, cols, scale] = [places.length, heads * head_dim, scale_of(head_dim, s.sharp)];
  const { q_stride = cols, kv_stride = cols, o_stride = cols } = s;
  const splits = Math.ceil(capacity / split_keys);
  const params = {
    ...{ heads, q_stride, kv_stride, o_stride, capacity, table_row0, splits, split_keys, scale },
  };
  const parts = parts_of(rows, s.cut).map((part) => ({
    ...{ ...params, ...part },
    keys: places.slice(part.row0, part.row0 + part.rows).reduce((sum, [, position]) => sum + position + 1, 0),
  }));
  const options = { HEAD_DIM: head_dim };
  const combine = launch(attention_decode_combine, { rows, heads, splits, o_stride }, options);
  return {
    kernel: (s.combine ? attention_decode_combine : attention_decode) as Kernel,
    launches: [...parts.map((part) => launch(attention_decode, part, options)), ...(splits > 1 ? [combine] : [])],
    open: () => {
      const row_table = new Uint32Array(2 * (table_row0 + rows)).fill(0xffffffff);
      row_table.set(places.flat(), 2 * table_row0);
      // Only what some row of the slot may see is there.
      const [k_cache, v_cache] = [0, 1].map(() => {
        const cache = new Float32Array(slots * capacity * kv_stride).fill(Number.NaN);
        for (let slot = 0; slot < slots; slot++) {
          const seen = 1 + Math.max(-1, ...places.filter(([own]) => own === slot).map(([, position]) => position));
          framed(n.values(seen * cols), { rows: seen, cols, stride: kv_stride, row0: slot * capacity }, cache);
        }
        return cache;
      }) as [Float32Array, Float32Array];
      const q_frame = { rows, cols, stride: q_stride };
      const q = framed(n.values(rows * cols), q_frame);
      const o = n.values((rows + 1) * o_stride);
      const partial = new Float32Array(decode_partial_values(rows, heads, splits, head_dim)).fill(Number.NaN);
      return {
        buffers: { q, k_cache, v_cache, row_table, o, ...(splits > 1 ? { partial } : {}) },
        want: () => {
          const [picked, values] = heads_of(n, rows, heads, head_dim, (row, col0) => {
            const [slot, position] = places[row] as (typeof places)[number];
            const cached = (key: number, j: number) => (slot * capacity + key) * kv_stride + col0 + j;
            return attend(
              head_dim,
              position + 1,
              scale,
              (j) => q[place(q_frame, row, col0 + j)] as number,
              (key, j) => k_cache[cached(key, j)] as number,
              (key, j) => v_cache[cached(key, j)] as number,
            );
          });
          return [wanted('o', o, { rows, cols, stride: o_stride }, picked, values)];
        },
      };
    },
  };
}

export interface RopeShape {
  readonly heads: number;
  readonly head_dim: number;
  readonly slots?: number;
  readonly capacity: number;
  readonly places: readonly (readonly [slot: number, position: number])[];
  readonly theta?: number;
  readonly eps?: number;
  readonly k_col0?: number;
  readonly v_col0?: number;
  readonly qkv_stride?: number;
  readonly q_stride?: number;
  readonly kv_stride?: number;
  readonly table_row0?: number;
  readonly cut?: number;
}

export function rope_case(n: Numbers, s: RopeShape): KernelCase {
  const { heads, head_dim, slots = 1, capacity, places, theta = 10000, table_row0 = 0, eps = 1e-5 } = s;
  const [rows, width] = [places.length, heads * head_dim];
  const { k_col0 = width, q_stride = width, kv_stride = width } = s;
  const { v_col0 = k_col0 + width } = s;
  const { qkv_stride = v_col0 + width } = s;
  const d = { rows, heads, qkv_stride, k_col0, v_col0, q_stride, kv_stride, capacity, table_row0, eps };
  return {
    kernel: qk_rope as Kernel,
    launches: parts_of(rows, s.cut).map((part) => launch(qk_rope, { ...d, ...part }, { HEAD_DIM: head_dim })),
    open: () => {
      const row_table = new Uint32Array(2 * (table_row0 + rows)).fill(0xffffffff);
      row_table.set(places.flat(), 2 * table_row0);
      const qkv = new Float32Array(rows * qkv_stride).fill(Number.NaN);
      for (const col0 of [0, k_col0, v_col0]) {
        framed(n.values(rows * width, 2), { rows, cols: width, stride: qkv_stride, col0 }, qkv);
      }
      const [q_weight, k_weight] = [n.values(width).map((w) => 1 + w), n.values(width).map((w) => 1 + w)];
      const caches = [0, 1].map(() => n.values(slots * capacity * kv_stride)) as [Float32Array, Float32Array];
      const buffers = {
        ...{ qkv, q_weight, k_weight, rope: rotary_table(theta, head_dim, capacity), row_table },
        ...{ q: n.values((rows + 1) * q_stride), k_cache: caches[0], v_cache: caches[1] },
      };
      const want = () => {
        const after = rope_reference(buffers, { ...d, head_dim });
        return Object.entries(after).map(([buffer, values]) => ({ buffer, values }));
      };
      return { buffers, want };
    },
  };
}

export interface PoolShape {
  readonly cells: number;
  readonly heads: number;
  readonly head_dim: number;
  readonly sharp?: number;
  readonly v_col0?: number;
  readonly q_stride?: number;
  readonly kv_stride?: number;
  readonly o_stride?: number;
}

export function pool_case(n: Numbers, s: PoolShape): KernelCase {
  const { cells, heads, head_dim } = s;
  const cols = heads * head_dim;
  const { v_col0 = cols, q_stride = cols, o_stride = cols } = s;
  const { kv_stride = v_col0 + cols } = s;
  const d = { cells, heads, head_dim, v_col0, q_stride, kv_stride, o_stride, scale: scale_of(head_dim, s.sharp) };
  return {
    kernel: pool_attention as Kernel,
    launches: [launch(pool_attention, d)],
    open: () => {
      const q = framed(n.values(cells * cols), { rows: cells, cols, stride: q_stride });
      const kv = new Float32Array(4 * cells * kv_stride).fill(Number.NaN);
      for (const col0 of [0, v_col0]) {
        framed(n.values(4 * cells * cols), { rows: 4 * cells, cols, stride: kv_stride, col0 }, kv);
      }
      const o = n.values((cells + 1) * o_stride);
      return { buffers: { q, kv, o }, want: () => [{ buffer: 'o', values: pool_reference(q, kv, o, d) }] };
    },
  };
}
