import { amplitude, fill, tensor_hash } from '../../engine/weights/formula.ts';
import { encode } from '../../engine/weights/half.ts';
import { embed_tokens } from '../../kernels/embed_tokens/embed_tokens.ts';
import { EPILOGUE, matmul } from '../../kernels/matmul/matmul.ts';
import { matvec } from '../../kernels/matvec/matvec.ts';
import { norm_matvec } from '../../kernels/norm_matvec/norm_matvec.ts';
import { pack_matrix, pack_rows, SOURCES } from '../../kernels/pack/pack.ts';
import { FORMATS, matrix_lines, round_up } from '../../kernels/spec.ts';
import { embed_tokens as embed_reference } from '../reference/embed_tokens.ts';
import { matmul as product_reference } from '../reference/matmul.ts';
import { rms_norm as norm_reference } from '../reference/norm.ts';
import {
  type Draw,
  type FuzzCase,
  type FuzzOp,
  frame_length,
  framed,
  launch,
  packed,
  replaced,
  rounded,
  stored,
} from './fuzz.ts';
import { ALL_FORMATS, k_for, PLAIN_FORMATS, type PlainFormat } from './weights.ts';

const ACTIVATIONS = [EPILOGUE.none, EPILOGUE.quick_gelu, EPILOGUE.silu];

function linear(draw: Draw, kernel: typeof matmul, most_rows: number): FuzzCase {
  const format = draw.pick(ALL_FORMATS);
  const [rows, cols] = [draw.whole(1, most_rows), draw.whole(1, 150)];
  const k = k_for(format, 4 * draw.whole(1, 40));
  const wide = round_up(cols, 8);
  const col0 = 8 * draw.whole(0, 2);
  const a_frame = { rows, cols: k, stride: k + 4 * draw.whole(0, 3), row0: draw.whole(0, 3) };
  const c_frame = { rows, cols, stride: col0 + wide + 8 * draw.whole(0, 2), row0: draw.whole(0, 3), col0 };
  const activation = draw.whole(0, 2);
  const [has_bias, accumulate] = [draw.maybe(), draw.maybe()];
  const epilogue =
    (ACTIVATIONS[activation] as number) | (has_bias ? EPILOGUE.bias : 0) | (accumulate ? EPILOGUE.accumulate : 0);

  const a = draw.noise(rows * k);
  const w = stored(draw.noise(k * cols), k, cols, format);
  const add = draw.noise(rows * cols);
  const before = draw.noise(frame_length(c_frame) + c_frame.stride);
  before.set(new Float32Array(replaced(before, add, c_frame)));
  const bias = has_bias ? draw.noise(col0 + wide) : undefined;
  const product = product_reference(a, w, {
    ...{ rows, k, cols, activation },
    bias: bias?.subarray(col0),
    add: accumulate ? add : undefined,
  });
  const padding = replaced(before, Number.NaN, { ...c_frame, cols: wide }); // may hold anything
  return {
    launches: [
      launch(
        kernel,
        {
          ...{ rows, k, cols, true_cols: cols, a_stride: a_frame.stride, c_stride: c_frame.stride },
          ...{ col0, a_row0: a_frame.row0, c_row0: c_frame.row0, epilogue },
        },
        { WEIGHT_FORMAT: FORMATS[format] },
      ),
    ],
    buffers: {
      a: framed(a, a_frame),
      weights: packed(w, k, cols, format),
      c: before,
      ...(bias === undefined ? {} : { bias }),
    },
    want: { c: replaced(padding, product, c_frame) },
    tolerance: 5e-5,
  };
}

function norm_linear(draw: Draw): FuzzCase {
  const format = draw.pick(ALL_FORMATS);
  const [rows, k, cols] = [draw.whole(1, 6), k_for(format, 4 * draw.whole(1, 40)), draw.whole(1, 150)];
  const wide = round_up(cols, 8);
  const col0 = 8 * draw.whole(0, 2);
  const a_frame = { rows, cols: k, stride: k + 4 * draw.whole(0, 3), row0: draw.whole(0, 3) };
  const c_frame = { rows, cols, stride: col0 + wide + 8 * draw.whole(0, 2), row0: draw.whole(0, 3), col0 };
  const eps = draw.pick([1e-5, 0.5]);
  const a = draw.noise(rows * k).map((x) => x / 4);
  const norm = draw.noise(k);
  const w = stored(draw.noise(k * cols), k, cols, format);
  const before = draw.noise(frame_length(c_frame) + c_frame.stride);
  const normed = Float32Array.from(
    norm_reference(a, norm, new Float32Array(rows * k), {
      ...{ rows, cols: k, x_stride: k, y_stride: k, x_row0: 0, y_row0: 0, eps },
    }),
  );
  const product = product_reference(normed, w, { rows, k, cols });
  const padding = replaced(before, Number.NaN, { ...c_frame, cols: wide }); // may hold anything
  const places = { a_stride: a_frame.stride, c_stride: c_frame.stride, col0, a_row0: a_frame.row0 };
  return {
    launches: [
      launch(
        norm_matvec,
        { ...places, rows, k, cols, true_cols: cols, c_row0: c_frame.row0, epilogue: EPILOGUE.none, eps },
        { WEIGHT_FORMAT: FORMATS[format] },
      ),
    ],
    buffers: { a: framed(a, a_frame), norm, weights: packed(w, k, cols, format), c: before },
    want: { c: replaced(padding, product, c_frame) },
    tolerance: 1e-4,
  };
}

function embedding(draw: Draw): FuzzCase {
  const [rows, d, count] = [draw.whole(1, 40), 4 * draw.whole(1, 40), draw.whole(1, 60)];
  const format = draw.pick(PLAIN_FORMATS);
  const slice = draw.whole(Math.ceil(count / 4), count);
  const p = {
    rows,
    d,
    x_stride: round_up(d, 8) + 8 * draw.whole(0, 2),
    id_row0: draw.whole(0, 3),
    x_row0: draw.whole(0, 3),
  };
  const table = rounded(draw.noise(count * d), format);
  const beyond = [count, 0xffffffff]; // in no slice: such rows stay as they are
  const ids = Uint32Array.from({ length: p.id_row0 + rows }, () =>
    draw.whole(0, 9) === 9 ? draw.pick(beyond) : draw.whole(0, count - 1),
  );
  const x = draw.noise((p.x_row0 + rows + 1) * p.x_stride);
  const starts = Array.from({ length: Math.ceil(count / slice) }, (_, i) => i * slice);
  const parts = starts.map((first_id) => table.subarray(first_id * d, (first_id + slice) * d));
  return {
    launches: starts.map((first_id, i) =>
      launch(
        embed_tokens,
        { ...p, first_id, id_count: (parts[i] as Float32Array).length / d, rows_counted: rows },
        { WEIGHT_FORMAT: FORMATS[format] },
        { weights: `weights ${i}` },
      ),
    ),
    buffers: {
      ids,
      x,
      ...Object.fromEntries(parts.map((part, i) => [`weights ${i}`, packed(part, part.length / d, d, format)])),
    },
    want: { x: embed_reference(ids, table, x, p) },
  };
}

const DTYPES = ['F32', 'F16', 'BF16'] as const;
const POISON = 0x7fc0dead;

/** A tensor [rows][k] of a checkpoint, or of the formula from some row on, into some of the eights of a packed buffer. */
function packing(draw: Draw, turn: boolean): FuzzCase {
  const format = draw.pick(turn ? ALL_FORMATS : PLAIN_FORMATS);
  const [rows, k] = [draw.whole(1, 70), k_for(format, 4 * draw.whole(1, 40))];
  const stored_as = draw.whole(0, 2);
  const dtype = DTYPES[stored_as] as (typeof DTYPES)[number];
  const from_formula = draw.whole(0, 3) === 3;
  const spec = { name: `tensor ${draw.whole(1, 1000)}`, shape: [3 + rows, k], role: 'linear' } as const;
  const formula_row0 = draw.whole(0, 3);
  const source_byte0 = 8 * draw.whole(0, 3);

  const values = new Float32Array(rows * k);
  if (from_formula) fill(spec, 5, formula_row0 * k, values);
  else values.set(draw.noise(rows * k).map((x) => x * 2 ** draw.whole(-20, 10)));
  const kept = rounded(values, dtype.toLowerCase() as PlainFormat);
  const bytes = new Uint8Array(round_up(source_byte0 + rows * k * (dtype === 'F32' ? 4 : 2), 8));
  encode(values, dtype, bytes.subarray(source_byte0));

  // What lies around the block belongs to other tensors.
  const [before, behind] = [draw.whole(0, 2), draw.whole(0, 2)];
  const across = turn ? Float32Array.from(kept, (_, i) => kept[(i % rows) * k + Math.floor(i / rows)] as number) : kept;
  const width = turn ? rows : k;
  const block = packed(across, turn ? k : rows, width, format);
  const lines = turn ? matrix_lines(FORMATS[format], k) : rows;
  const eight_words = block.length / lines / Math.ceil(width / 8);
  const output_groups = before + Math.ceil(width / 8) + behind;
  const line_words = output_groups * eight_words;
  const output = new Uint32Array(lines * line_words).fill(POISON);
  const want = output.slice();
  for (let line = 0; line < lines; line++) {
    const size = block.length / lines;
    want.set(block.subarray(line * size, (line + 1) * size), line * line_words + before * eight_words);
  }
  return {
    launches: [
      launch(
        turn ? pack_matrix : pack_rows,
        {
          ...{ rows, k, source_byte0, formula_row0, output_group0: before, output_groups, stored: stored_as, flag: 1 },
          hash: tensor_hash(spec.name, 5),
          amplitude: amplitude(spec.role, spec.shape),
        },
        { SOURCE: from_formula ? SOURCES.formula : SOURCES[dtype], WEIGHT_FORMAT: FORMATS[format] },
      ),
    ],
    buffers: {
      output,
      flags: new Uint32Array(3),
      ...(from_formula ? {} : { source: new Uint32Array(bytes.buffer) }),
    },
    want: { output: want, flags: [0, 0, 0] },
  };
}

export const PRODUCT_OPS: readonly FuzzOp[] = [
  { name: 'matmul', kernels: [matmul], make: (draw) => linear(draw, matmul, 80) },
  { name: 'matvec', kernels: [matvec], make: (draw) => linear(draw, matvec, 6) },
  { name: 'norm_matvec', kernels: [norm_matvec], make: norm_linear },
  { name: 'embed_tokens', kernels: [embed_tokens], make: embedding },
  { name: 'pack_matrix', kernels: [pack_matrix], make: (draw) => packing(draw, true) },
  { name: 'pack_rows', kernels: [pack_rows], make: (draw) => packing(draw, false) },
];
