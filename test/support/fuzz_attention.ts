import { rotary_table } from '../../engine/model/sequences.ts';
import { attention } from '../../kernels/attention/attention.ts';
import {
  attention_decode,
  attention_decode_combine,
  decode_partial_values,
} from '../../kernels/attention_decode/attention_decode.ts';
import { pool_attention } from '../../kernels/pool_attention/pool_attention.ts';
import { qk_rope } from '../../kernels/qk_rope/qk_rope.ts';
import { attention as attention_reference } from '../reference/attention.ts';
import { attention_decode as decode_reference } from '../reference/attention_decode.ts';
import { pool_attention as pool_reference } from '../reference/pool_attention.ts';
import { qk_rope as rope_reference } from '../reference/qk_rope.ts';
import { type Draw, type Frame, type FuzzCase, type FuzzOp, framed, launch, replaced } from './fuzz.ts';

/** A few sharp softmaxes among many flat ones: scores of noise spread by about sqrt(head_dim) / 3 x scale. */
const score_scale = (draw: Draw, head_dim: number): number =>
  Math.fround(draw.pick([1, 1, 1, 20]) / Math.sqrt(head_dim));
const TOLERANCE = 3e-5;

const noise_frame = (draw: Draw, frame: Frame): Float32Array => framed(draw.noise(frame.rows * frame.cols), frame);

function attention_case(draw: Draw): FuzzCase {
  const causal = draw.maybe();
  const head_dim = causal ? draw.pick([24, 128]) : draw.pick([16, 64]);
  const [heads, groups, rows] = [draw.whole(1, 4), causal ? 1 : draw.whole(1, 3), draw.whole(1, 80)];
  const first_position = causal ? draw.whole(0, 60) : 0;
  const keys = causal ? first_position + rows : draw.whole(1, 80);
  const cols = heads * head_dim;
  const frame = (frame_rows: number) => ({
    rows: frame_rows,
    cols,
    row0: draw.whole(0, 3),
    col0: 4 * draw.whole(0, 3),
  });
  const stride = () => cols + 12 + 4 * draw.whole(0, 3);
  const q_frame = { ...frame(groups * rows), stride: stride() };
  const k_frame = { ...frame(groups * keys), stride: stride() };
  const v_frame = { ...k_frame, col0: 4 * draw.whole(0, 3) };
  const o_frame = { rows: groups * rows, cols, stride: stride(), row0: q_frame.row0 };
  const [q, k, v] = [noise_frame(draw, q_frame), noise_frame(draw, k_frame), noise_frame(draw, v_frame)];
  const o = draw.noise((o_frame.row0 + o_frame.rows + 1) * o_frame.stride);
  const shape = {
    ...{ groups, rows, keys, heads, q_stride: q_frame.stride, kv_stride: k_frame.stride },
    ...{ q_col0: q_frame.col0, k_col0: k_frame.col0, v_col0: v_frame.col0 },
    ...{ q_row0: q_frame.row0, k_row0: k_frame.row0, scale: score_scale(draw, head_dim) },
  };
  const values = attention_reference(q, k, v, {
    ...shape,
    head_dim,
    first_position: causal ? first_position : undefined,
  });
  return {
    launches: [
      launch(attention, { ...shape, first_position, o_stride: o_frame.stride }, { HEAD_DIM: head_dim, CAUSAL: causal }),
    ],
    buffers: { q, k, v, o },
    want: { o: replaced(o, values, o_frame) },
    tolerance: TOLERANCE,
  };
}

function decode_case(draw: Draw, split: boolean): FuzzCase {
  const head_dim = draw.pick([24, 128]);
  const [rows, heads, slots, capacity] = [
    draw.whole(1, 5),
    draw.whole(1, 4),
    draw.whole(1, 3),
    draw.whole(split ? 2 : 1, 280),
  ];
  const cols = heads * head_dim;
  const strides = {
    q_stride: cols + 4 * draw.whole(0, 3),
    kv_stride: cols + 4 * draw.whole(0, 3),
    o_stride: cols + 4 * draw.whole(0, 3),
  };
  const places = Array.from({ length: rows }, () => [draw.whole(0, slots - 1), draw.whole(0, capacity - 1)] as const);
  const table_row0 = draw.whole(0, 3);
  const row_table = new Uint32Array(2 * (table_row0 + rows)).fill(0xffffffff);
  row_table.set(places.flat(), 2 * table_row0);
  // Only what some row of the slot may see is there.
  const caches = [0, 1].map(() => new Float32Array(slots * capacity * strides.kv_stride).fill(Number.NaN));
  for (let slot = 0; slot < slots; slot++) {
    const seen = 1 + Math.max(-1, ...places.filter(([s]) => s === slot).map(([, position]) => position));
    const frame = { rows: seen, cols, stride: strides.kv_stride, row0: slot * capacity };
    for (const cache of caches) {
      cache.set(framed(draw.noise(seen * cols), frame).subarray(frame.row0 * frame.stride), frame.row0 * frame.stride);
    }
  }
  const [k_cache, v_cache] = caches as [Float32Array, Float32Array];
  const q = noise_frame(draw, { rows, cols, stride: strides.q_stride });
  const o = draw.noise((rows + 1) * strides.o_stride);
  const scale = score_scale(draw, head_dim);
  const split_keys = split ? draw.whole(1, capacity - 1) : capacity;
  const splits = Math.ceil(capacity / split_keys);
  const keys = places.reduce((sum, [, position]) => sum + position + 1, 0);
  const options = { HEAD_DIM: head_dim };
  const numbers = { rows, heads, ...strides, capacity, table_row0, splits, split_keys, scale, keys };
  const values = decode_reference(q, k_cache, v_cache, places, { ...numbers, head_dim });
  const partial = new Float32Array(decode_partial_values(rows, heads, splits, head_dim)).fill(Number.NaN);
  return {
    launches: [
      launch(attention_decode, numbers, options),
      ...(split
        ? [launch(attention_decode_combine, { rows, heads, splits, o_stride: strides.o_stride }, options)]
        : []),
    ],
    buffers: { q, k_cache, v_cache, row_table, o, ...(split ? { partial } : {}) },
    want: { o: replaced(o, values, { rows, cols, stride: strides.o_stride }) },
    tolerance: TOLERANCE,
  };
}

function rope_case(draw: Draw): FuzzCase {
  const head_dim = draw.pick([24, 128]);
  const [rows, heads, slots, capacity] = [draw.whole(1, 20), draw.whole(1, 5), draw.whole(1, 3), draw.whole(20, 40)];
  const width = heads * head_dim;
  const k_col0 = width + 4 * draw.whole(0, 3);
  const v_col0 = k_col0 + width + 4 * draw.whole(0, 3);
  const d = {
    ...{ rows, heads, capacity, k_col0, v_col0, qkv_stride: v_col0 + width + 4 * draw.whole(0, 3) },
    ...{ q_stride: width + 4 * draw.whole(0, 3), kv_stride: width + 4 * draw.whole(0, 3) },
    ...{ table_row0: draw.whole(0, 3), eps: 1e-5 },
  };
  const row_table = new Uint32Array(2 * (d.table_row0 + rows)).fill(0xffffffff);
  const first = draw.whole(0, capacity - 1);
  for (let r = 0; r < rows; r++)
    row_table.set([draw.whole(0, slots - 1), (first + r) % capacity], 2 * (d.table_row0 + r));
  const part = { rows, cols: width, stride: d.qkv_stride };
  const values = () => draw.noise(rows * width).map((v) => 3 * v);
  let qkv: ArrayLike<number> = framed(values(), part);
  for (const col0 of [k_col0, v_col0]) qkv = replaced(qkv, values(), { ...part, col0 });
  const buffers = {
    qkv: new Float32Array(qkv),
    q_weight: draw.noise(width).map((w) => 1 + w),
    k_weight: draw.noise(width).map((w) => 1 + w),
    rope: rotary_table(10000, head_dim, capacity),
    row_table,
    q: draw.noise((rows + 1) * d.q_stride),
    k_cache: draw.noise(slots * capacity * d.kv_stride),
    v_cache: draw.noise(slots * capacity * d.kv_stride),
  };
  return {
    launches: [launch(qk_rope, d, { HEAD_DIM: head_dim })],
    buffers,
    want: rope_reference(buffers, { ...d, head_dim }),
    tolerance: 1e-5,
  };
}

function pool_case(draw: Draw): FuzzCase {
  const [cells, heads, head_dim] = [draw.whole(1, 60), draw.whole(1, 6), 4 * draw.whole(1, 16)];
  const cols = heads * head_dim;
  const v_col0 = cols + 4 * draw.whole(0, 3);
  const d = {
    ...{ cells, heads, head_dim, v_col0, q_stride: cols + 4 * draw.whole(0, 3), o_stride: cols + 4 * draw.whole(0, 3) },
    ...{ kv_stride: v_col0 + cols + 4 * draw.whole(0, 3), scale: score_scale(draw, head_dim) },
  };
  const q = noise_frame(draw, { rows: cells, cols, stride: d.q_stride });
  const part = { rows: 4 * cells, cols, stride: d.kv_stride };
  const keys = noise_frame(draw, part);
  const kv = new Float32Array(replaced(keys, draw.noise(4 * cells * cols), { ...part, col0: v_col0 }));
  const o = draw.noise((cells + 1) * d.o_stride);
  return {
    launches: [launch(pool_attention, d)],
    buffers: { q, kv, o },
    want: { o: pool_reference(q, kv, o, d) },
    tolerance: TOLERANCE,
  };
}

export const ATTENTION_OPS: readonly FuzzOp[] = [
  { name: 'attention', kernels: [attention], make: attention_case },
  { name: 'attention_decode', kernels: [attention_decode], make: (draw) => decode_case(draw, false) },
  {
    name: 'attention_decode in splits',
    kernels: [attention_decode, attention_decode_combine],
    make: (draw) => decode_case(draw, true),
  },
  { name: 'qk_rope', kernels: [qk_rope], make: rope_case },
  { name: 'pool_attention', kernels: [pool_attention], make: pool_case },
];
