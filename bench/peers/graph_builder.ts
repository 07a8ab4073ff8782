import { encode } from '../../engine/weights/half.ts';
import { type Attribute, type Constant, DTYPE_BYTES, type Dtype, encode_model, type Node, type Value } from './onnx.ts';

type Attributes = Readonly<Record<string, Attribute>>;

/** Operations that the standard does not have, of the runtime's own domain. */
const OWN = new Set(['MultiHeadAttention', 'RotaryEmbedding', 'QuickGelu']);

/** Puts a graph together a node at a time; what adds one gives the names of its results. */
export class GraphBuilder {
  readonly dtype: Dtype;
  private readonly constants = new Map<string, Constant>();
  private readonly nodes: Node[] = [];
  private readonly inputs: Value[] = [];
  private readonly outputs: Value[] = [];

  constructor(dtype: Dtype) {
    this.dtype = dtype;
  }

  ops(count: number, op: string, inputs: readonly string[], attributes?: Attributes): string[] {
    const outputs = Array.from({ length: count }, (_, i) => `${op}_${this.nodes.length}_${i}`);
    this.nodes.push({ op, inputs, outputs, attributes, ...(OWN.has(op) ? { domain: 'com.microsoft' } : {}) });
    return outputs;
  }

  op(op: string, inputs: readonly string[], attributes?: Attributes): string {
    return this.ops(1, op, inputs, attributes)[0] as string;
  }

  /** Real numbers, stored in the graph's type. The same name twice is the same tensor. */
  reals(name: string, dims: readonly number[], values: () => Float32Array): string {
    if (this.constants.has(name)) return name;
    const made = values();
    const bytes = new Uint8Array(made.length * DTYPE_BYTES[this.dtype]);
    encode(made, this.dtype === 'f16' ? 'F16' : 'F32', bytes);
    this.constants.set(name, { name, element: this.dtype, dims, bytes });
    return name;
  }

  integers(...values: readonly number[]): string {
    return this.longs(`integers_${values.join('_')}`, values);
  }

  /** From 0 on. */
  counting(length: number): string {
    return this.longs(
      `counting_${length}`,
      Array.from({ length }, (_, i) => i),
    );
  }

  input(name: string, element: Value['element'], dims: Value['dims']): string {
    this.inputs.push({ name, element, dims });
    return name;
  }

  output(name: string, from: string, element: Value['element'], dims: Value['dims']): void {
    this.nodes.push({ op: 'Identity', inputs: [from], outputs: [name] });
    this.outputs.push({ name, element, dims });
  }

  /** Four values of a result: reading them back waits until it is there. */
  corner(from: string, rank: number): void {
    const four = Array.from({ length: rank }, (_, axis) => (axis === rank - 1 ? 4 : 1));
    const bounds = [this.integers(...four.map(() => 0)), this.integers(...four)];
    this.output('corner', this.op('Slice', [from, ...bounds]), this.dtype, four);
  }

  encoded(): Uint8Array {
    const { nodes, inputs, outputs } = this;
    return encode_model({ constants: [...this.constants.values()], nodes, inputs, outputs });
  }

  private longs(name: string, values: readonly number[]): string {
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    this.constants.set(name, { name, element: 'i64', dims: [values.length], bytes });
    return name;
  }
}
