import type { Buffer } from '../../engine/gpu/buffers.ts';
import type { VariantChoice } from '../../engine/gpu/pipelines.ts';
import { open_executor } from '../../engine/node/load.ts';
import { encode } from '../../engine/weights/half.ts';
import { attention } from '../../kernels/attention/attention.ts';
import { matmul } from '../../kernels/matmul/matmul.ts';
import { matvec } from '../../kernels/matvec/matvec.ts';
import { moe_combine } from '../../kernels/moe_combine/moe_combine.ts';
import { moe_route } from '../../kernels/moe_route/moe_route.ts';
import { layer_norm, rms_norm } from '../../kernels/norm/norm.ts';
import { ceil_div, FORMATS, type Kernel, type Options, type Params, round_up, row_stride } from '../../kernels/spec.ts';
import { type Case, type Contender, EPS, type Inputs, type Runner } from './cases.ts';
import { DTYPE_BYTES, type Dtype } from './onnx.ts';

interface Launch {
  readonly kernel: Kernel;
  readonly bound: Readonly<Record<string, Buffer | undefined>>;
  readonly params: Params;
  readonly options: Options;
}

export interface Engine extends Contender {
  readonly software: boolean;
  /** How many adapters its Dawn finds. */
  readonly adapters: number;
}

/** The engine's kernels as the engine launches them. */
export async function open_ours(variant: VariantChoice): Promise<Engine> {
  const { executor, adapter } = await open_executor({ variant, hush: true });
  const { device, buffers } = executor;

  const upload = (label: string, data: ArrayBufferView): Buffer => {
    const buffer = buffers.create(label, data.byteLength, 'activations');
    device.gpu.queue.writeBuffer(buffer.gpu, 0, data as Uint8Array<ArrayBuffer>);
    return buffer;
  };

  /** Columns go to as many slices as the largest binding asks for, as a checkpoint's do. */
  const linear = (c: Case & { kind: 'linear' }, inputs: Inputs, dtype: Dtype, out: Buffer): Launch[] => {
    const weights = inputs.weights as Float32Array;
    const count = ceil_div(c.k * c.cols * DTYPE_BYTES[dtype], device.max_binding_bytes);
    const width = round_up(ceil_div(c.cols, count), 128);
    const a_stride = row_stride(c.k); // the engine's own layout: its kernels write rows so
    const a = upload('a', spaced(inputs.a as Float32Array, c.rows, c.k, a_stride));
    return Array.from({ length: ceil_div(c.cols, width) }, (_, slice) => {
      const col0 = slice * width;
      const cols = Math.min(width, c.cols - col0);
      const part = count === 1 ? weights : columns(weights, c.cols, col0, cols);
      const bytes = new Uint8Array(part.length * DTYPE_BYTES[dtype]);
      encode(part, dtype === 'f16' ? 'F16' : 'F32', bytes);
      return {
        kernel: c.rows === 1 ? matvec : matmul,
        bound: { a, weights: upload('weights', bytes), c: out },
        params: {
          rows: c.rows,
          k: c.k,
          cols,
          true_cols: cols,
          a_stride,
          c_stride: c.cols,
          col0,
          a_row0: 0,
          c_row0: 0,
          epilogue: 0,
        },
        options: { WEIGHT_FORMAT: FORMATS[dtype] },
      };
    });
  };

  const launches = (c: Case, inputs: Inputs, dtype: Dtype, out: Buffer): Launch[] => {
    if (c.kind === 'linear') return linear(c, inputs, dtype, out);
    if (c.kind === 'combine') {
      const [y, weights] = [
        upload('y', inputs.parts as Float32Array),
        upload('weights', inputs.weights as Float32Array),
      ];
      device.gpu.queue.writeBuffer(out.gpu, 0, inputs.x as Float32Array<ArrayBuffer>); // it is added to
      const strides = { y_stride: c.cols, x_stride: c.cols, x_row0: 0, slot0: 0 };
      const params = { rows: c.rows, k: c.k, cols: c.cols, ...strides };
      return [{ kernel: moe_combine, bound: { y, weights, x: out }, params, options: {} }];
    }
    const bound = Object.fromEntries(Object.entries(inputs).map(([name, data]) => [name, upload(name, data)]));
    if (c.kind === 'attention') {
      const width = c.heads * c.head_dim;
      const params = {
        groups: 1,
        rows: c.rows,
        keys: c.rows,
        heads: c.heads,
        q_stride: width,
        kv_stride: width,
        o_stride: width,
        q_col0: 0,
        k_col0: 0,
        v_col0: 0,
        q_row0: 0,
        k_row0: 0,
        first_position: 0,
        scale: 1 / Math.sqrt(c.head_dim),
      };
      const options = { HEAD_DIM: c.head_dim, CAUSAL: c.causal };
      return [{ kernel: attention, bound: { ...bound, o: out }, params, options }];
    }
    if (c.kind === 'norm') {
      const strides = { x_stride: c.cols, y_stride: c.cols, x_row0: 0, y_row0: 0 };
      const params = { rows: c.rows, cols: c.cols, ...strides, eps: EPS };
      return [{ kernel: c.bias ? layer_norm : rms_norm, bound: { ...bound, y: out }, params, options: {} }];
    }
    const experts = buffers.create('experts', out.bytes, 'activations');
    const params = { rows: c.rows, experts: c.experts, k: c.k, stride: c.experts, row0: 0 };
    return [{ kernel: moe_route, bound: { ...bound, experts, weights: out }, params, options: {} }];
  };

  const open = async (c: Case, inputs: Inputs, dtype: Dtype): Promise<Runner> => {
    const mark = buffers.mark();
    const bytes = 4 * output_values(c);
    const out = buffers.create('out', bytes, 'activations');
    const list = launches(c, inputs, dtype, out);
    let repeats = 1;
    const dispatch = () => {
      for (const { kernel, bound, params, options } of list) {
        executor.dispatch(kernel, bound, params, options, { stage: 'prefill', component: 'mlp' });
      }
    };
    return {
      async result() {
        dispatch();
        return new Float32Array(await executor.read(out, 0, bytes));
      },
      async repeat(times) {
        repeats = times;
      },
      async run() {
        for (let i = 0; i < repeats; i++) dispatch();
        await executor.finish();
      },
      async close() {
        buffers.sweep(mark);
      },
    };
  };

  const { facts, traits } = device;
  return {
    name: 'molmoe-lab',
    version: typeof __VERSION__ === 'string' ? __VERSION__ : 'source',
    adapter: facts.description || facts.device,
    note: `waits for onSubmittedWorkDone${traits.software ? ', sleeping 1 ms between looks' : ''}`,
    offers: () => true,
    software: traits.software,
    adapters: adapter.found.length,
    open,
  };
}

export function output_values(c: Case): number {
  if (c.kind === 'attention') return c.rows * c.heads * c.head_dim;
  return c.rows * (c.kind === 'route' ? c.k : c.cols);
}

/** Rows `stride` values apart. */
function spaced(matrix: Float32Array, rows: number, cols: number, stride: number): Float32Array {
  const out = new Float32Array(rows * stride);
  for (let row = 0; row < rows; row++) out.set(matrix.subarray(row * cols, (row + 1) * cols), row * stride);
  return out;
}

function columns(matrix: Float32Array, width: number, col0: number, cols: number): Float32Array {
  const rows = matrix.length / width;
  const out = new Float32Array(rows * cols);
  for (let row = 0; row < rows; row++) {
    out.set(matrix.subarray(row * width + col0, row * width + col0 + cols), row * cols);
  }
  return out;
}
