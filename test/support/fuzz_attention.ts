import { attention } from '../../kernels/attention/attention.ts';
import { attention_decode, attention_decode_combine } from '../../kernels/attention_decode/attention_decode.ts';
import { pool_attention } from '../../kernels/pool_attention/pool_attention.ts';
import { qk_rope } from '../../kernels/qk_rope/qk_rope.ts';
import { attention_case, decode_case, pool_case, rope_case } from '../reference/cases/attention.ts';
import type { KernelCase } from '../reference/cases/case.ts';
import type { Draw, FuzzOp } from './fuzz.ts';

/** A few sharp softmaxes among many flat ones: scores of noise spread by about sqrt(head_dim) / 3 x scale. */
const sharpness = (draw: Draw): number => draw.pick([1, 1, 1, 20]);
const TOLERANCE = 3e-5;

function of_rows(draw: Draw): KernelCase {
  const causal = draw.maybe();
  const head_dim = causal ? draw.pick([24, 128]) : draw.pick([16, 64]);
  const heads = draw.whole(1, 4);
  const stride = () => draw.fours(heads * head_dim + 12);
  const frame = () => ({ row0: draw.whole(0, 3), col0: draw.fours(0), stride: stride() });
  return attention_case(draw, {
    ...{ heads, head_dim, groups: causal ? 1 : draw.whole(1, 3), rows: draw.whole(1, 80), keys: draw.whole(1, 80) },
    ...{ first_position: causal ? draw.whole(0, 60) : undefined, sharp: sharpness(draw) },
    ...{ q: frame(), k: frame(), v_col0: draw.fours(0), o_stride: stride() },
  });
}

function of_a_row(draw: Draw, split: boolean): KernelCase {
  const [head_dim, heads, slots] = [draw.pick([24, 128]), draw.whole(1, 4), draw.whole(1, 3)];
  const capacity = draw.whole(split ? 2 : 1, 280);
  const cols = heads * head_dim;
  return decode_case(draw, {
    ...{
      heads,
      head_dim,
      slots,
      capacity,
      table_row0: draw.whole(0, 3),
      cut: draw.whole(0, 4),
      sharp: sharpness(draw),
    },
    ...{ q_stride: draw.fours(cols), kv_stride: draw.fours(cols), o_stride: draw.fours(cols) },
    places: Array.from({ length: draw.whole(1, 5) }, () => [draw.whole(0, slots - 1), draw.whole(0, capacity - 1)]),
    split_keys: split ? draw.whole(1, capacity - 1) : undefined,
  });
}

function rope(draw: Draw): KernelCase {
  const [head_dim, heads, slots, capacity] = [
    draw.pick([24, 128]),
    draw.whole(1, 5),
    draw.whole(1, 3),
    draw.whole(20, 40),
  ];
  const width = heads * head_dim;
  const k_col0 = draw.fours(width);
  const v_col0 = draw.fours(k_col0 + width);
  const first = draw.whole(0, capacity - 1);
  return rope_case(draw, {
    ...{ heads, head_dim, slots, capacity, k_col0, v_col0, qkv_stride: draw.fours(v_col0 + width) },
    ...{
      q_stride: draw.fours(width),
      kv_stride: draw.fours(width),
      table_row0: draw.whole(0, 3),
      cut: draw.whole(0, 4),
    },
    places: Array.from({ length: draw.whole(1, 20) }, (_, r) => [draw.whole(0, slots - 1), (first + r) % capacity]),
  });
}

function pool(draw: Draw): KernelCase {
  const [cells, heads, head_dim] = [draw.whole(1, 60), draw.whole(1, 6), 4 * draw.whole(1, 16)];
  const cols = heads * head_dim;
  const v_col0 = draw.fours(cols);
  return pool_case(draw, {
    ...{ cells, heads, head_dim, v_col0, q_stride: draw.fours(cols), o_stride: draw.fours(cols) },
    ...{ kv_stride: draw.fours(v_col0 + cols), sharp: sharpness(draw) },
  });
}

export const ATTENTION_OPS: readonly FuzzOp[] = [
  { name: 'attention', kernels: [attention], make: of_rows, tolerance: TOLERANCE },
  {
    ...{ name: 'attention_decode', kernels: [attention_decode], tolerance: TOLERANCE },
    make: (draw) => of_a_row(draw, false),
  },
  {
    ...{ name: 'attention_decode in splits', kernels: [attention_decode, attention_decode_combine] },
    ...{ make: (draw) => of_a_row(draw, true), tolerance: TOLERANCE },
  },
  { name: 'qk_rope', kernels: [qk_rope], make: rope, tolerance: 1e-5 },
  { name: 'pool_attention', kernels: [pool_attention], make: pool, tolerance: TOLERANCE },
];
