import { InferenceSession, type OnnxOptions } from 'onnxruntime-node';
import { decode, encode } from '../../engine/weights/half.ts';
import { type Constant, DTYPE_BYTES, type Dtype, encode_model, type Graph, type Node } from './onnx.ts';
import {
  causal_mask,
  EPS,
  type Inputs,
  type Operation,
  output_values,
  type Peer,
  type Runner,
  version_of,
} from './operations.ts';

const OPTIONS: OnnxOptions = {
  executionProviders: ['webgpu'],
  // Inputs are constants of the graph, so that they stay on the device; nothing may be worked out ahead of a run.
  graphOptimizationLevel: 'disabled',
  extra: { session: { disable_cpu_ep_fallback: '1' } },
  logSeverityLevel: 4,
};

/**
 * onnxruntime's WebGPU execution provider with its own Dawn. A session that would use the CPU for a node is refused.
 * Attention comes twice: as its own fused operation, and composed of products and softmax as a plain export has it.
 */
export const open_onnxruntime = (adapter: string): Peer[] => [peer(adapter, false), peer(adapter, true)];

function peer(adapter: string, composed: boolean): Peer {
  const open = async (c: Operation, inputs: Inputs, dtype: Dtype): Promise<Runner> => {
    const tensors = Object.entries(inputs).map(([name, data]) => tensor(c, name, data, dtype));
    const constants = [...tensors, ...integers(c), ...(composed ? parts_of_attention(c) : [])];
    const make = (times: number, read: Read) => {
      const nodes = Array.from({ length: times }, (_, i) => (composed ? composed_attention(c, i) : operation(c, i)));
      return InferenceSession.create(
        encode_model(graph(c, constants, nodes.flat(), `y${times - 1}`, dtype, read)),
        OPTIONS,
      );
    };
    const once = await make(1, 'whole');
    let repeated: InferenceSession | undefined;
    return {
      async result() {
        const { data } = (await once.run({})).y as { readonly data: unknown } as { data: Float32Array | Uint16Array };
        if (data instanceof Float32Array) return data;
        return decode(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 'F16');
      },
      async repeat(times) {
        await repeated?.release();
        repeated = await make(times, 'corner');
      },
      async run() {
        await repeated?.run({});
      },
      async close() {
        await once.release();
        await repeated?.release();
      },
    };
  };
  return {
    name: composed ? 'onnxruntime (composed)' : 'onnxruntime',
    version: version_of('onnxruntime-node'),
    adapter,
    note: 'session.run blocks in native code until four values of the last result are read back',
    offers: (c) => !composed || c.kind === 'attention',
    open,
  };
}

function tensor(c: Operation, name: string, data: Float32Array, dtype: Dtype): Constant {
  const bytes = new Uint8Array(data.length * DTYPE_BYTES[dtype]);
  encode(data, dtype === 'f16' ? 'F16' : 'F32', bytes);
  return { name, element: dtype, dims: dims(c, name, data.length), bytes };
}

function dims(c: Operation, name: string, length: number): number[] {
  if (c.kind === 'attention') return [1, c.rows, c.heads * c.head_dim];
  if (c.kind === 'combine' && name !== 'x') return name === 'parts' ? [c.rows, c.k, c.cols] : [c.rows, 1, c.k];
  if (name === 'weight' || name === 'bias') return [length];
  if (c.kind === 'linear' && name === 'weights') return [c.k, c.cols];
  return [c.rows, length / c.rows];
}

const int64 = (name: string, ...values: number[]): Constant => {
  const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  return { name, element: 'i64', dims: [values.length], bytes };
};
const int32 = (name: string, value: number): Constant => {
  return { name, element: 'i32', dims: [1], bytes: new Uint8Array(Int32Array.of(value).buffer) };
};

/** Constants beside the inputs: sizes, and the corner that a timed run reads back. */
function integers(c: Operation): Constant[] {
  const corner =
    c.kind === 'attention' ? [int64('from', 0, 0, 0), int64('to', 1, 1, 4)] : [int64('from', 0, 0), int64('to', 1, 4)];
  if (c.kind === 'attention' && c.causal) return [...corner, int32('last_key', c.rows - 1), int32('keys', c.rows)];
  if (c.kind === 'combine') return [...corner, int64('flat', c.rows, c.cols)];
  return c.kind === 'route' ? [...corner, int64('top', c.k)] : corner;
}

/** The operation's nodes; several times over, with a result each, they are that many operations in one run. */
function operation(c: Operation, i: number): Node[] {
  const y = `y${i}`;
  if (c.kind === 'linear') return [{ op: 'MatMul', inputs: ['a', 'weights'], outputs: [y] }];
  if (c.kind === 'norm') {
    const attributes = { epsilon: { float: EPS } };
    if (c.bias) return [{ op: 'LayerNormalization', inputs: ['x', 'weight', 'bias'], outputs: [y], attributes }];
    return [{ op: 'SimplifiedLayerNormalization', inputs: ['x', 'weight'], outputs: [y], attributes }];
  }
  if (c.kind === 'route') {
    return [
      { op: 'Softmax', inputs: ['logits'], outputs: [`shares${i}`] },
      { op: 'TopK', inputs: [`shares${i}`, 'top'], outputs: [y, `experts${i}`] },
    ];
  }
  if (c.kind === 'combine') {
    return [
      { op: 'MatMul', inputs: ['weights', 'parts'], outputs: [`sums${i}`] },
      { op: 'Reshape', inputs: [`sums${i}`, 'flat'], outputs: [`rows${i}`] },
      { op: 'Add', inputs: ['x', `rows${i}`], outputs: [y] },
    ];
  }
  const domain = 'com.microsoft';
  if (!c.causal) {
    const attributes = { num_heads: c.heads };
    return [{ op: 'MultiHeadAttention', domain, inputs: ['q', 'k', 'v'], outputs: [y], attributes }];
  }
  const attributes = { num_heads: c.heads, kv_num_heads: c.heads };
  const inputs = ['q', 'k', 'v', '', '', 'last_key', 'keys'];
  return [{ op: 'GroupQueryAttention', domain, inputs, outputs: [y], attributes }];
}

function parts_of_attention(c: Operation): Constant[] {
  if (c.kind !== 'attention') return [];
  const float = (name: string, dims: number[], values: Float32Array): Constant => {
    return { name, element: 'f32', dims, bytes: new Uint8Array(values.buffer) };
  };
  return [
    int64('by_head', c.rows, c.heads, c.head_dim),
    int64('rows', 1, c.rows, c.heads * c.head_dim),
    float('scale', [1], Float32Array.of(1 / Math.sqrt(c.head_dim))),
    float('mask', [1, c.rows, c.rows], causal_mask(c.rows)),
  ];
}

function composed_attention(c: Operation, i: number): Node[] {
  if (c.kind !== 'attention') return [];
  const node = (op: string, inputs: string[], output: string, ints?: number[]): Node => {
    const attributes = ints && { perm: { ints } };
    return { op, inputs: inputs.map((x) => (GIVEN.has(x) ? x : x + i)), outputs: [output + i], attributes };
  };
  return [
    node('Reshape', ['q', 'by_head'], 'q_rows'),
    node('Transpose', ['q_rows'], 'q_heads', [1, 0, 2]),
    node('Reshape', ['k', 'by_head'], 'k_rows'),
    node('Transpose', ['k_rows'], 'k_heads', [1, 2, 0]),
    node('Reshape', ['v', 'by_head'], 'v_rows'),
    node('Transpose', ['v_rows'], 'v_heads', [1, 0, 2]),
    node('Mul', ['q_heads', 'scale'], 'q_scaled'),
    node('MatMul', ['q_scaled', 'k_heads'], 'scores'),
    ...(c.causal ? [node('Add', ['scores', 'mask'], 'seen')] : []),
    node('Softmax', [c.causal ? 'seen' : 'scores'], 'shares'),
    node('MatMul', ['shares', 'v_heads'], 'o_heads'),
    node('Transpose', ['o_heads'], 'o_rows', [1, 0, 2]),
    node('Reshape', ['o_rows', 'rows'], 'y'),
  ];
}

/** Names that all repeats share. */
const GIVEN = new Set(['q', 'k', 'v', 'by_head', 'rows', 'scale', 'mask']);

type Read = 'whole' | 'corner';

function graph(c: Operation, constants: Constant[], nodes: Node[], last: string, dtype: Dtype, read: Read): Graph {
  const batch = c.kind === 'attention' ? [1] : [];
  const [op, inputs] = read === 'whole' ? ['Identity', [last]] : ['Slice', [last, 'from', 'to']];
  const dims = read === 'whole' ? [...batch, c.rows, output_values(c) / c.rows] : [...batch, 1, 4];
  return {
    constants,
    nodes: [...nodes, { op, inputs, outputs: ['y'] }],
    outputs: [{ name: 'y', element: dtype, dims }],
  };
}
