import { embed_tokens } from '../../kernels/embed_tokens/embed_tokens.ts';
import { EPILOGUE, matmul } from '../../kernels/matmul/matmul.ts';
import { matvec } from '../../kernels/matvec/matvec.ts';
import { norm_matvec } from '../../kernels/norm_matvec/norm_matvec.ts';
import { pack_matrix, pack_rows } from '../../kernels/pack/pack.ts';
import { type Kernel, round_up } from '../../kernels/spec.ts';
import type { KernelCase } from '../reference/cases/case.ts';
import { embedding_case, packing_case, product_case } from '../reference/cases/products.ts';
import type { Draw, FuzzOp } from './fuzz.ts';
import { ALL_FORMATS, k_for, PLAIN_FORMATS } from './weights.ts';

const ACTIVATIONS = [EPILOGUE.none, EPILOGUE.quick_gelu, EPILOGUE.silu];

function product(draw: Draw, kernel: Kernel, most_rows: number): KernelCase {
  const format = draw.pick(ALL_FORMATS);
  const [rows, cols, k] = [draw.whole(1, most_rows), draw.whole(1, 150), k_for(format, 4 * draw.whole(1, 40))];
  const col0 = 8 * draw.whole(0, 2);
  const with_norm = kernel.name === norm_matvec.name;
  const epilogue =
    draw.pick(ACTIVATIONS) | (draw.maybe() ? EPILOGUE.bias : 0) | (draw.maybe() ? EPILOGUE.accumulate : 0);
  return product_case(draw, kernel, {
    ...{ rows, k, cols, format, col0, epilogue: with_norm ? EPILOGUE.none : epilogue },
    ...{ a_stride: draw.fours(k), a_row0: draw.whole(0, 3), c_row0: draw.whole(0, 3) },
    c_stride: col0 + round_up(cols, 8) + 8 * draw.whole(0, 2),
    slice_cols: draw.maybe() ? undefined : 8 * draw.whole(1, 19),
    eps: with_norm ? draw.pick([1e-5, 0.5]) : undefined,
  });
}

function embedding(draw: Draw): KernelCase {
  const [rows, d, count, id_row0] = [draw.whole(1, 40), 4 * draw.whole(1, 40), draw.whole(1, 60), draw.whole(0, 3)];
  const beyond = [count, 0xffffffff];
  return embedding_case(draw, {
    ...{ d, count, slice: draw.whole(Math.ceil(count / 4), count), format: draw.pick(PLAIN_FORMATS), id_row0 },
    ...{ x_row0: draw.whole(0, 3), x_stride: round_up(d, 8) + 8 * draw.whole(0, 2) },
    ids: Uint32Array.from({ length: id_row0 + rows }, () =>
      draw.whole(0, 9) === 9 ? draw.pick(beyond) : draw.whole(0, count - 1),
    ),
  });
}

function packing(draw: Draw, turn: boolean): KernelCase {
  const format = draw.pick(turn ? ALL_FORMATS : PLAIN_FORMATS);
  const formula = { name: `tensor ${draw.whole(1, 1000)}`, row0: draw.whole(0, 3) };
  return packing_case(draw, {
    ...{ turn, format, rows: draw.whole(1, 70), k: k_for(format, 4 * draw.whole(1, 40)) },
    ...{ dtype: draw.pick(['F32', 'F16', 'BF16'] as const), source_byte0: 8 * draw.whole(0, 3) },
    formula: draw.whole(0, 3) === 3 ? formula : undefined,
    values: (count) => draw.noise(count).map((x) => x * 2 ** draw.whole(-20, 11)),
    ...{ before: draw.whole(0, 2), behind: draw.whole(0, 2) },
  });
}

export const PRODUCT_OPS: readonly FuzzOp[] = [
  { name: 'matmul', kernels: [matmul], make: (draw) => product(draw, matmul as Kernel, 80), tolerance: 5e-5 },
  { name: 'matvec', kernels: [matvec], make: (draw) => product(draw, matvec as Kernel, 6), tolerance: 5e-5 },
  {
    ...{ name: 'norm_matvec', kernels: [norm_matvec], tolerance: 1e-4 },
    make: (draw) => product(draw, norm_matvec as Kernel, 6),
  },
  { name: 'embed_tokens', kernels: [embed_tokens], make: embedding },
  { name: 'pack_matrix', kernels: [pack_matrix], make: (draw) => packing(draw, true) },
  { name: 'pack_rows', kernels: [pack_rows], make: (draw) => packing(draw, false) },
];
