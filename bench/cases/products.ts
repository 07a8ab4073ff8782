import type { Stage } from '../../engine/gpu/executor.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import { FEW_ROWS } from '../../engine/model/context.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import type { StoredDtype } from '../../engine/weights/source.ts';
import { embed_tokens } from '../../kernels/embed_tokens/embed_tokens.ts';
import { EPILOGUE, matmul } from '../../kernels/matmul/matmul.ts';
import { matvec } from '../../kernels/matvec/matvec.ts';
import { pack_matrix, pack_rows, SOURCES } from '../../kernels/pack/pack.ts';
import { bytes_per_weight, FORMATS, type Kernel, round_up, row_stride } from '../../kernels/spec.ts';
import { matmul as product_reference } from '../../test/reference/matmul.ts';
import { type KernelCase, launch, type Maker, pattern, places, range, spread, taken } from './case.ts';

/** The formats that are one value after the other. */
export type Plain = 'f16' | 'bf16' | 'f32';
export const dtype_of = (format: Plain) => format.toUpperCase() as StoredDtype;

interface Linear {
  readonly stage: Stage;
  readonly what: string;
  readonly rows: number;
  readonly k: number;
  readonly cols: number;
  readonly epilogue?: number;
  readonly format?: Plain;
  /** Columns go to as many slices as this asks for, as a checkpoint's do. */
  readonly max_binding_bytes?: number;
}

const ACTIVATIONS = [EPILOGUE.none, EPILOGUE.quick_gelu, EPILOGUE.silu];

/** As the engine launches it: few rows go to the matrix-vector kernel. */
export function linear({
  stage,
  what,
  rows,
  k,
  cols,
  epilogue = 0,
  format = 'f16',
  max_binding_bytes,
}: Linear): KernelCase {
  const kernel: Kernel = (rows <= FEW_ROWS ? matvec : matmul) as Kernel;
  const wide = round_up(cols, 8);
  const [a, weights, bias, before] = [pattern(1), pattern(2, 1 / 32), pattern(3), pattern(4)];
  const most = (max_binding_bytes ?? Number.POSITIVE_INFINITY) / (k * bytes_per_weight(FORMATS[format]));
  const width = Math.min(wide, Math.floor(most / 128) * 128);
  const slices = range(Math.ceil(wide / width)).map((i) => {
    const col0 = i * width;
    return { name: `weights ${i}`, col0, cols: Math.min(width, cols - col0), wide: Math.min(width, wide - col0) };
  });
  const a_stride = row_stride(k); // as the engine lays activations out
  const numbers = { rows, k, a_stride, c_stride: wide, a_row0: 0, c_row0: 0, epilogue };
  return {
    kernel,
    stage,
    shape: `${rows}x${k}x${cols} ${format} ${what}`,
    launches: slices.map(({ name, col0, cols: of_slice }) =>
      launch(
        kernel,
        { ...numbers, cols: of_slice, true_cols: of_slice, col0 },
        { WEIGHT_FORMAT: FORMATS[format] },
        { weights: name },
      ),
    ),
    buffers: () => ({
      a: a.f32(rows * a_stride),
      ...Object.fromEntries(
        slices.map((slice) => [slice.name, weights.stored(k * slice.wide, dtype_of(format), slice.col0 * k)]),
      ),
      bias: bias.f32(wide),
      c: before.f32(rows * wide),
    }),
    want: () => {
      const some_rows = spread(rows, 8);
      const activation = ACTIVATIONS.findIndex((bit) => bit !== 0 && epilogue & bit);
      return slices.map((slice) => {
        const some_cols = spread(slice.cols, 17);
        const in_output = some_cols.map((col) => slice.col0 + col);
        const values = product_reference(
          taken(a, some_rows, range(k), a_stride),
          taken(weights, range(k), some_cols, slice.wide, slice.col0 * k),
          {
            ...{ rows: some_rows.length, k, cols: some_cols.length, activation: Math.max(0, activation) },
            bias: epilogue & EPILOGUE.bias ? taken(bias, [0], in_output, 0) : undefined,
            add: epilogue & EPILOGUE.accumulate ? taken(before, some_rows, in_output, wide) : undefined,
          },
        );
        return { buffer: 'c', at: places(some_rows, in_output, wide), values };
      });
    },
  };
}

export function product_cases(config: ModelConfig, prompts: readonly number[]): Maker[] {
  const { d_model: d, vit } = config;
  const { bias, accumulate, quick_gelu } = EPILOGUE;
  const views = 2;
  const rows = views * vit.positions;
  const { patches, patch_values, cells: view_cells } = geometry_of(config);
  const cells = views * view_cells;
  const features = config.vit_layers.length * vit.emb;
  const product = (of: Linear) => () => linear(of);
  const vision = (what: string, m: number, k: number, cols: number, epilogue = 0) =>
    product({ stage: 'vision_encoder', what, rows: m, k, cols, epilogue });
  const projector = (what: string, m: number, k: number, cols: number, epilogue = 0) =>
    product({ stage: 'projector', what, rows: m, k, cols, epilogue });
  return [
    vision('patch embedding', views * patches, patch_values, vit.emb),
    vision('qkv', rows, vit.emb, 3 * vit.emb, bias),
    vision('out', rows, vit.emb, vit.emb, bias | accumulate),
    vision('out', vit.positions, vit.emb, vit.emb, bias | accumulate),
    vision('mlp up', rows, vit.emb, vit.mlp, bias | quick_gelu),
    vision('mlp down', rows, vit.mlp, vit.emb, bias | accumulate),
    projector('pooling q', cells, features, vit.emb, bias),
    projector('pooling kv', 4 * cells, features, 2 * vit.emb, bias),
    projector('pooling out', cells, vit.emb, vit.emb, bias),
    projector('gate up', cells, vit.emb, 2 * config.projector_hidden),
    projector('down', cells, config.projector_hidden, d),
    ...prompts.map((n) => product({ stage: 'prefill', what: 'qkv', rows: n, k: d, cols: 3 * d })),
    ...[prompts.find((n) => n > FEW_ROWS) ?? 18, 512].map((n) =>
      product({ stage: 'prefill', what: 'out', rows: n, k: d, cols: d, epilogue: accumulate }),
    ),
    product({ stage: 'prefill', what: 'router', rows: 512, k: d, cols: config.n_experts }),
    ...(['f32', 'bf16'] as const).flatMap((format) =>
      [1, 512].map((n) => product({ stage: n === 1 ? 'decode' : 'prefill', what: '', rows: n, k: d, cols: d, format })),
    ),
    product({ stage: 'prefill', what: 'odd', rows: 333, k: 516, cols: 1001, epilogue: bias }),
    product({ stage: 'decode', what: 'qkv', rows: 1, k: d, cols: 3 * d }),
    product({ stage: 'decode', what: 'out', rows: 1, k: d, cols: d, epilogue: accumulate }),
    product({ stage: 'decode', what: 'out', rows: 4, k: d, cols: d, epilogue: accumulate }),
    product({ stage: 'decode', what: 'router', rows: 1, k: d, cols: config.n_experts }),
    ({ max_binding_bytes }) =>
      linear({ stage: 'decode', what: 'head', rows: 1, k: d, cols: config.embedding_size, max_binding_bytes }),
    product({ stage: 'decode', what: 'odd', rows: 3, k: 516, cols: 1001, epilogue: bias }),
    ...[1, 512].map((n) => () => embedding(n, d, 16384)),
    () => packing(pack_matrix as Kernel, 4 * vit.emb, vit.emb),
    () => packing(pack_rows as Kernel, 4096, d),
  ];
}

function embedding(rows: number, d: number, id_count: number): KernelCase {
  const table = pattern(2);
  const ids = Uint32Array.from({ length: rows }, (_, r) => (r * 7919 + 5) % id_count);
  const params = { rows, d, x_stride: d, id_row0: 0, first_id: 0, id_count, x_row0: 0, rows_counted: rows };
  return {
    kernel: embed_tokens as Kernel,
    stage: rows === 1 ? 'decode' : 'prefill',
    shape: `${rows}x${d} f16`,
    launches: [launch(embed_tokens, params, { WEIGHT_FORMAT: FORMATS.f16 })],
    buffers: () => ({ ids, weights: table.stored(id_count * d, 'F16'), x: new Float32Array(rows * d) }),
    want: () => [{ buffer: 'x', values: taken(table, [...ids], range(d), d) }],
  };
}

/** f32 of a checkpoint into halves; `rows` outputs of `k` inputs. */
function packing(kernel: Kernel, rows: number, k: number): KernelCase {
  const source = pattern(5);
  const turn = kernel.name === pack_matrix.name;
  const [lines, width] = turn ? [k, rows] : [rows, k];
  const params = {
    ...{ rows, k, source_byte0: 0, formula_row0: 0, output_group0: 0, output_groups: width / 8 },
    ...{ hash: 0, amplitude: 1, stored: 0, flag: 0 },
  };
  return {
    kernel,
    stage: 'load',
    shape: `${rows}x${k} f32 to f16`,
    launches: [launch(kernel, params, { SOURCE: SOURCES.F32, WEIGHT_FORMAT: FORMATS.f16 })],
    buffers: () => ({
      source: source.f32(rows * k),
      output: new Uint16Array((lines * width * bytes_per_weight(FORMATS.f16)) / 2),
      flags: new Uint32Array(1),
    }),
    want: () => {
      const [some_lines, some_cols] = [spread(lines, 16), spread(width, 64)];
      const all = source.stored(rows * k, 'F16');
      const values = some_lines.flatMap((line) =>
        some_cols.map((col) => all[turn ? col * k + line : line * k + col] as number),
      );
      return [
        { buffer: 'output', at: places(some_lines, some_cols, width), values },
        { buffer: 'flags', values: [0] },
      ];
    },
  };
}
