import { attention } from '../../kernels/attention/attention.ts';
import { in_strips } from '../../kernels/common/strips.ts';
import { expert_matmul, expert_tile_rows } from '../../kernels/expert_matmul/expert_matmul.ts';
import { EPILOGUE, matmul } from '../../kernels/matmul/matmul.ts';
import { FORMATS, type Kernel, type Options, type Params, runs_on, type Variant } from '../../kernels/spec.ts';
import { InputError } from '../errors.ts';
import type { Buffer } from './buffers.ts';
import type { Device } from './device.ts';
import { type Executor, make_executor } from './executor.ts';

/** WGSL's matrices are experimental and drivers differ: nobody's results depend on them before this adapter has shown these right. */
interface Case {
  readonly kernel: Kernel;
  readonly params: Params;
  readonly options: Options;
  readonly inputs: Readonly<Record<string, Float32Array | Uint32Array>>;
  /** The result, row after row, and how far each value may be off. */
  readonly want: Float64Array;
  readonly slack: Float64Array;
  readonly output: string;
  readonly cols: number;
}

/** Kernels for matrix units, by what they are in the model; tests put emulated ones in their place. */
const KERNELS = { matmul, expert_matmul, attention };
export type MatrixKernels = typeof KERNELS;

/** Numbers that f16 holds exactly, below a power of two: their products show how sums are rounded, and nothing else. */
function spread(count: number, seed: number, below: number): Float32Array {
  let state = seed;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return Float32Array.from({ length: count }, () => {
    const sign = next() < 0.5 ? -1 : 1;
    return (sign * below * Math.round(64 + 900 * next())) / 1024 / 2 ** Math.floor(12 * next());
  });
}

/** Sums in f32 are right to some 2^-18 of what was added up, however it was ordered; sums in f16 are not. */
const SUM_SLACK = 2 ** -18;

/** Rows of `a`, the matrix [k][cols], and what their products sum up to. */
function products(a: Float32Array, w: Float32Array, rows: number, k: number, cols: number) {
  const want = new Float64Array(rows * cols);
  const slack = new Float64Array(rows * cols);
  for (let at = 0; at < want.length; at++) {
    const [row, col] = [Math.floor(at / cols), at % cols];
    for (let i = 0; i < k; i++) {
      const product = (a[row * k + i] as number) * (w[i * cols + col] as number);
      want[at] = (want[at] as number) + product;
      slack[at] = (slack[at] as number) + SUM_SLACK * Math.abs(product);
    }
  }
  return { want, slack, cols };
}

/** Activations come near 62000, where f16 ends at 65504. */
const ACTIVATIONS_BELOW = 2 ** 16;

function matmul_case(kernel: MatrixKernels['matmul']): Case {
  const [rows, k, cols] = [131, 84, 136];
  const a = spread(rows * k, 1, ACTIVATIONS_BELOW);
  const w = spread(k * cols, 2, 1);
  return {
    kernel: kernel as Kernel,
    params: {
      ...{ rows, k, cols, true_cols: cols, a_stride: k, c_stride: cols, col0: 0, a_row0: 0, c_row0: 0 },
      epilogue: EPILOGUE.none,
    },
    options: { WEIGHT_FORMAT: FORMATS.f32 },
    inputs: { a, weights: in_strips(w, k, cols / 8), c: new Float32Array(rows * cols) },
    ...products(a, w, rows, k, cols),
    output: 'c',
  };
}

/** 70 rows, all of the second of two experts, in reverse order. */
function expert_case(kernel: MatrixKernels['expert_matmul'], name: Variant['name']): Case {
  const [rows, k, cols] = [70, 36, 72];
  const a = spread(rows * k, 3, ACTIVATIONS_BELOW);
  const w = spread(2 * k * cols, 4, 1);
  const tile_rows = expert_tile_rows({ name });
  const max_tiles = Math.ceil(rows / tile_rows) + 1;
  const tiles = Array.from({ length: max_tiles }, (_, i) => (i * tile_rows < rows ? [1, i * tile_rows] : [2, 0]));
  return {
    kernel: kernel as Kernel,
    params: {
      ...{ k, cols, a_stride: k, c_stride: cols, expert0: 0, expert_count: 2, list_stride: rows, a_div: 1, a_row0: 0 },
      ...{
        max_tiles,
        pairs_counted: rows,
        a_rows_counted: rows,
        most_pairs: rows,
        expert_count_total: 2,
        flop_k: k,
        flop_cols: cols,
      },
    },
    options: { WEIGHT_FORMAT: FORMATS.f32 },
    inputs: {
      ...{
        a,
        weights: in_strips(w, k, cols / 8, 2),
        tiles: Uint32Array.from(tiles.flat()),
        counts: Uint32Array.of(0, rows),
      },
      lists: Uint32Array.from({ length: 2 * rows }, (_, i) => rows - 1 - (i % rows)),
      c: new Float32Array(rows * cols),
    },
    ...products(a, w.subarray(k * cols), rows, k, cols),
    output: 'c',
  };
}

/** Scores and weights are rounded to f16: a result may be off by some 2^-8 of the largest value. */
const ATTENTION_SLACK = 2 ** -8;

function attention_case(kernel: MatrixKernels['attention'], head_dim: number, CAUSAL: boolean): Case {
  const [rows, heads, first_position] = [67, 2, CAUSAL ? 9 : 0];
  const keys = CAUSAL ? first_position + rows : 75;
  const width = heads * head_dim;
  const [q, k, v] = [spread(rows * width, 5, 1), spread(keys * width, 6, 1), spread(keys * width, 7, 1)];
  const scale = 2 / Math.sqrt(head_dim);
  const want = new Float64Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let head = 0; head < heads; head++) {
      const at = head * head_dim;
      const scores = Array.from({ length: CAUSAL ? first_position + row + 1 : keys }, (_, key) => {
        let sum = 0;
        for (let d = 0; d < head_dim; d++)
          sum += (q[row * width + at + d] as number) * (k[key * width + at + d] as number);
        return scale * sum;
      });
      const largest = Math.max(...scores);
      const weights = scores.map((s) => Math.exp(s - largest));
      const total = weights.reduce((sum, x) => sum + x, 0);
      for (let d = 0; d < head_dim; d++) {
        want[row * width + at + d] = weights.reduce(
          (sum, x, key) => sum + (x / total) * (v[key * width + at + d] as number),
          0,
        );
      }
    }
  }
  return {
    kernel: kernel as Kernel,
    params: {
      ...{ groups: 1, rows, keys, heads, q_stride: width, kv_stride: width, o_stride: width, first_position, scale },
      ...{ q_col0: 0, k_col0: 0, v_col0: 0, q_row0: 0, k_row0: 0 },
    },
    options: { HEAD_DIM: head_dim, CAUSAL },
    inputs: { q, k, v, o: new Float32Array(rows * width) },
    want,
    slack: new Float64Array(want.length).fill(ATTENTION_SLACK),
    output: 'o',
    cols: width,
  };
}

async function fault_of(executor: Executor, c: Case): Promise<string | undefined> {
  const buffers: Record<string, Buffer> = {};
  try {
    for (const [name, data] of Object.entries(c.inputs)) {
      buffers[name] = executor.buffers.create(`matrix check ${name}`, data.byteLength, 'tables');
      executor.write(buffers[name], 0, data);
    }
    executor.dispatch(c.kernel, buffers, c.params, c.options, { stage: 'load', component: 'weights' });
    const got = new Float32Array(await executor.read(buffers[c.output] as Buffer, 0, 4 * c.want.length));
    const is_off = (i: number) => !(Math.abs((got[i] as number) - (c.want[i] as number)) <= (c.slack[i] as number));
    const off = [...got.keys()].filter(is_off);
    const at = off[0];
    if (at === undefined) return undefined;
    const where = `row ${Math.floor(at / c.cols)} column ${at % c.cols}`;
    const values = `expected ${c.want[at]?.toPrecision(7)}, found ${got[at]?.toPrecision(7)}`;
    return `${where} ${values} (${off.length} of ${got.length} values are off)`;
  } catch (error) {
    return (error as Error).message;
  } finally {
    executor.buffers.destroy(...Object.values(buffers));
  }
}

/** Runs every kernel for matrix units on known numbers: undefined where all are right, else what is wrong, in a line. */
export async function matrix_check(device: Device, kernels: MatrixKernels = KERNELS): Promise<string | undefined> {
  const { matrix } = device.traits;
  if (matrix === undefined) {
    return `no matrix units: ${device.matrix_misfit ?? 'the kernels know of none'}`;
  }
  const cases: [Variant['name'], Case][] = [];
  const add = (kernel: Kernel, make: (name: Variant['name']) => Case[]) => {
    for (const v of kernel.variants) {
      if (v.name.startsWith('matrix') && runs_on(v, device.traits)) {
        for (const c of make(v.name)) cases.push([v.name, c]);
      }
    }
  };
  add(kernels.matmul as Kernel, () => [matmul_case(kernels.matmul)]);
  add(kernels.expert_matmul as Kernel, (name) => [expert_case(kernels.expert_matmul, name)]);
  add(kernels.attention as Kernel, () => [
    attention_case(kernels.attention, 64, false),
    attention_case(kernels.attention, 128, true),
  ]);
  for (const [name, c] of cases) {
    const fault = await fault_of(make_executor(device, name), c);
    if (fault !== undefined) {
      const on = `${matrix.m}x${matrix.n}x${matrix.k} held by ${matrix.subgroup}`;
      const options = Object.entries(c.options).map(([key, value]) => ` ${key} ${value}`);
      return `${c.kernel.name} ${name}${options.join('')} with ${on}: ${fault}`;
    }
  }
  return undefined;
}

/** For those who ask for matrix units by name. */
export async function require_matrix_units(device: Device): Promise<void> {
  const fault = await matrix_check(device);
  if (fault === undefined) return;
  device.destroy();
  throw new InputError(
    `variant: matrix units of ${device.facts.description} cannot be used: ${fault}; use another variant or adapter`,
  );
}
