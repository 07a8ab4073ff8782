import { amplitude, fill, tensor_hash } from '../../../engine/weights/formula.ts';
import { encode } from '../../../engine/weights/half.ts';
import { in_strips } from '../../../kernels/common/strips.ts';
import { embed_tokens } from '../../../kernels/embed_tokens/embed_tokens.ts';
import { EPILOGUE, type matmul } from '../../../kernels/matmul/matmul.ts';
import { pack_matrix, pack_rows, SOURCES } from '../../../kernels/pack/pack.ts';
import { FORMATS, type Kernel, matrix_lines, round_up, type WeightFormat } from '../../../kernels/spec.ts';
import { embed_tokens as embed_reference } from '../embed_tokens.ts';
import { matmul as product_reference } from '../matmul.ts';
import { rms_norm as norm_reference } from '../norm.ts';
import {
  frame_length,
  framed,
  gathered,
  type KernelCase,
  launch,
  type Numbers,
  type Picked,
  type PlainFormat,
  place,
  range,
  rows_of,
  wanted,
} from './case.ts';

const ACTIVATIONS = [EPILOGUE.none, EPILOGUE.quick_gelu, EPILOGUE.silu];

export interface ProductShape {
  readonly rows: number;
  readonly k: number;
  readonly cols: number;
  readonly format: WeightFormat;
  readonly epilogue?: number;
  readonly a_stride?: number;
  readonly c_stride?: number;
  readonly a_row0?: number;
  readonly c_row0?: number;
  /** Where its columns begin in c; a multiple of 8. */
  readonly col0?: number;
  /** Columns that one buffer of weights holds; a multiple of 8. */
  readonly slice_cols?: number;
  /** Of the norm that the kernel does first. */
  readonly eps?: number;
}

/** matmul, matvec, and norm_matvec where `eps` is given. */
export function product_case(n: Numbers, kernel: Kernel | typeof matmul, s: ProductShape): KernelCase {
  const { rows, k, cols, format, epilogue = 0, col0 = 0, eps } = s;
  const wide = round_up(cols, 8);
  const a_frame = { rows, cols: k, stride: s.a_stride ?? k, row0: s.a_row0 };
  const c_frame = { rows, cols, stride: s.c_stride ?? col0 + wide, row0: s.c_row0, col0 };
  const width = s.slice_cols ?? wide;
  const slices = range(Math.ceil(cols / width)).map((i) => {
    return { name: `weights ${i}`, first: i * width, cols: Math.min(width, cols - i * width) };
  });
  const places = { a_stride: a_frame.stride, c_stride: c_frame.stride, a_row0: s.a_row0 ?? 0, c_row0: s.c_row0 ?? 0 };
  const launches = slices.map(({ name, first, cols: of_slice }) =>
    launch(
      kernel as Kernel,
      {
        ...{ rows, k, cols: of_slice, true_cols: of_slice, col0: col0 + first, epilogue, ...places },
        ...(eps === undefined ? {} : { eps }),
      },
      { WEIGHT_FORMAT: FORMATS[format] },
      { weights: name },
    ),
  );
  const open = () => {
    const a = n.values(rows * k, eps === undefined ? 1 : 1 / 4);
    const norm = eps === undefined ? undefined : n.values(k);
    const bias = epilogue & EPILOGUE.bias ? n.values(col0 + wide) : undefined;
    const c = n.values(frame_length(c_frame) + c_frame.stride);
    const weights = slices.map((slice) => n.weights(k, slice.cols, format));

    const product = (picked: Picked): Float64Array => {
      let x = rows_of(a, picked.rows, k);
      if (norm !== undefined && eps !== undefined) {
        const d = { rows: picked.rows.length, cols: k, x_stride: k, y_stride: k, x_row0: 0, y_row0: 0, eps };
        x = Float32Array.from(norm_reference(x, norm, new Float32Array(x.length), d));
      }
      const out = new Float64Array(picked.rows.length * picked.cols.length);
      for (const [i, slice] of slices.entries()) {
        const mine = range(picked.cols.length).filter((at) => {
          const col = (picked.cols[at] as number) - slice.first;
          return col >= 0 && col < slice.cols;
        });
        const own = mine.map((at) => picked.cols[at] as number);
        const in_slice = own.map((col) => col - slice.first);
        const add = () => picked.rows.flatMap((row) => own.map((col) => c[place(c_frame, row, col)] as number));
        const y = product_reference(x, gathered(weights[i] as (typeof weights)[number], 0, k, in_slice), {
          ...{ rows: picked.rows.length, k, cols: own.length },
          activation: Math.max(
            0,
            ACTIVATIONS.findIndex((bit) => bit !== 0 && epilogue & bit),
          ),
          bias: bias && own.map((col) => bias[col0 + col] as number),
          add: epilogue & EPILOGUE.accumulate ? add() : undefined,
        });
        for (let j = 0; j < y.length; j++) {
          const at = Math.floor(j / own.length) * picked.cols.length + (mine[j % own.length] as number);
          out[at] = y[j] as number;
        }
      }
      return out;
    };
    return {
      buffers: {
        ...{ a: framed(a, a_frame), c, ...(norm ? { norm } : {}), ...(bias ? { bias } : {}) },
        ...Object.fromEntries(
          weights.map(({ data }, i) => {
            const eights = Math.ceil((slices[i]?.cols ?? 0) / 8);
            return [`weights ${i}`, in_strips(data(), matrix_lines(FORMATS[format], k), eights)];
          }),
        ),
      },
      want: () => {
        const picked = { rows: n.some(rows, 8), cols: n.some(cols, 17) };
        const padding = { cols: wide, value: Number.NaN }; // may hold anything
        return [wanted('c', c, c_frame, picked, product(picked), padding)];
      },
    };
  };
  return { kernel: kernel as Kernel, launches, open };
}

export interface EmbeddingShape {
  readonly d: number;
  /** Rows of the table, and of a slice of it. */
  readonly count: number;
  readonly slice?: number;
  readonly format: PlainFormat;
  /** Those before `id_row0` belong to others; those from `count` on are in no slice, and their rows stay as they are. */
  readonly ids: Uint32Array;
  readonly x_stride?: number;
  readonly id_row0?: number;
  readonly x_row0?: number;
}

export function embedding_case(n: Numbers, s: EmbeddingShape): KernelCase {
  const { d, count, slice = count, format, ids, x_stride = round_up(d, 8), id_row0 = 0, x_row0 = 0 } = s;
  const rows = ids.length - id_row0;
  const p = { rows, d, x_stride, id_row0, x_row0 };
  const slices = range(Math.ceil(count / slice)).map((i) => {
    return { name: `weights ${i}`, first_id: i * slice, id_count: Math.min(slice, count - i * slice) };
  });
  return {
    kernel: embed_tokens as Kernel,
    launches: slices.map(({ name, first_id, id_count }) =>
      launch(
        embed_tokens,
        { ...p, first_id, id_count, rows_counted: rows },
        { WEIGHT_FORMAT: FORMATS[format] },
        { weights: name },
      ),
    ),
    open: () => {
      const tables = slices.map(({ id_count }) => n.weights(id_count, d, format));
      const x = n.values((x_row0 + rows + 1) * x_stride);
      return {
        buffers: { ids, x, ...Object.fromEntries(tables.map(({ data }, i) => [`weights ${i}`, data()])) },
        want: () => {
          // A table of the rows that are asked for: the whole one can be too large to look at.
          const known = (row: number) => (ids[id_row0 + row] as number) < count;
          const taken = range(rows).map((row) => {
            const id = known(row) ? (ids[id_row0 + row] as number) : 0;
            return gathered(tables[Math.floor(id / slice)] as (typeof tables)[number], id % slice, 1, range(d));
          });
          const table = new Float32Array(rows * d);
          for (const [row, values] of taken.entries()) table.set(values, row * d);
          const own = Uint32Array.from({ length: id_row0 + rows }, (_, i) => (known(i - id_row0) ? i - id_row0 : rows));
          return [{ buffer: 'x', values: embed_reference(own, table, x, p) }];
        },
      };
    },
  };
}

const DTYPES = ['F32', 'F16', 'BF16'] as const;
const POISON = 0x7fc0dead;

export interface PackingShape {
  /** [rows][k] of a checkpoint becomes [k][rows]. */
  readonly turn: boolean;
  readonly rows: number;
  readonly k: number;
  readonly format: WeightFormat;
  readonly dtype?: (typeof DTYPES)[number];
  /** Not from a checkpoint: by the formula of this tensor, from some row on. */
  readonly formula?: { readonly name: string; readonly row0: number };
  readonly source_byte0?: number;
  /** What the checkpoint holds, where it matters. */
  readonly values?: (count: number) => Float32Array;
  /** Eights of other tensors beside this one's. */
  readonly before?: number;
  readonly behind?: number;
}

/** A tensor [rows][k] of a checkpoint, or of the formula, into some of the eights of a packed buffer. */
export function packing_case(n: Numbers, s: PackingShape): KernelCase {
  const { turn, rows, k, format, dtype = 'F32', formula, source_byte0 = 0, before = 0, behind = 0 } = s;
  const kernel = turn ? pack_matrix : pack_rows;
  const spec = { name: formula?.name ?? '', shape: [3 + rows, k], role: 'linear' } as const;
  const width = turn ? rows : k;
  const lines = turn ? matrix_lines(FORMATS[format], k) : rows;
  const output_groups = before + Math.ceil(width / 8) + behind;
  const params = {
    ...{
      rows,
      k,
      source_byte0,
      formula_row0: formula?.row0 ?? 0,
      output_base: 0,
      output_group0: before,
      output_groups,
    },
    ...{ stored: DTYPES.indexOf(dtype), flag: 1 },
    ...{ hash: tensor_hash(spec.name, 5), amplitude: amplitude(spec.role, spec.shape) },
  };
  const options = { SOURCE: formula ? SOURCES.formula : SOURCES[dtype], WEIGHT_FORMAT: FORMATS[format] };
  return {
    kernel: kernel as Kernel,
    launches: [launch(kernel, params, options)],
    open: () => {
      const values = (s.values ?? n.values)(rows * k);
      if (formula) fill(spec, 5, formula.row0 * k, values);
      const bytes = new Uint8Array(round_up(source_byte0 + rows * k * (dtype === 'F32' ? 4 : 2), 8));
      encode(values, dtype, bytes.subarray(source_byte0));
      const kept = n.given(values, k, dtype.toLowerCase() as PlainFormat);
      const across = new Float32Array(rows * k);
      for (let i = 0; i < across.length; i++) {
        across[i] = turn ? kept.at(i % rows, Math.floor(i / rows), 0) : kept.at(Math.floor(i / k), i % k, 0);
      }
      const block = new Uint32Array(n.given(across, width, format).data().buffer);
      const size = block.length / lines;
      const eight_words = size / Math.ceil(width / 8);
      const line_words = output_groups * eight_words;
      const output = new Uint32Array(lines * line_words).fill(POISON);
      return {
        buffers: {
          ...{ output, flags: new Uint32Array(3) },
          ...(formula ? {} : { source: new Uint32Array(bytes.buffer) }),
        },
        want: () => {
          const want = output.slice();
          for (let line = 0; line < lines; line++) {
            const own = block.subarray(line * size, (line + 1) * size);
            want.set(own, line * line_words + before * eight_words);
          }
          return [
            { buffer: 'output', values: turn ? in_strips(want, lines, output_groups) : want },
            { buffer: 'flags', values: [0, 0, 0] },
          ];
        },
      };
    },
  };
}
