/** ONNX models, written as protobuf by hand: fields of onnx.proto3 by number, those that these models need. */
export type Dtype = 'f32' | 'f16';
export const DTYPE_BYTES = { f32: 4, f16: 2 } as const;
const ELEMENT = { f32: 1, f16: 10, i32: 6, i64: 7 } as const;

export type Attribute = number | { readonly float: number } | { readonly ints: readonly number[] };

export interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

export interface Value {
  readonly name: string;
  readonly element: keyof typeof ELEMENT;
  /** A name where the length differs from run to run. */
  readonly dims: readonly (number | string)[];
}

/** Stays on the device from one run to the next. */
export interface Constant extends Value {
  readonly dims: readonly number[];
  readonly bytes: Uint8Array;
}

export interface Graph {
  readonly constants: readonly Constant[];
  readonly nodes: readonly Node[];
  /** What each run is given. */
  readonly inputs?: readonly Value[];
  readonly outputs: readonly Value[];
}

type Field = readonly Uint8Array[];

/** Negative integers are the 64 bits of their two's complement. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Uint8Array.of(...bytes, Number(rest));
}

const size = (parts: Field): number => parts.reduce((sum, part) => sum + part.length, 0);
const int = (field: number, value: number): Field => [varint(field * 8), varint(value)];
const nested = (field: number, ...parts: Field[]): Field => {
  const inner = parts.flat();
  return [varint(field * 8 + 2), varint(size(inner)), ...inner];
};
const text = (field: number, value: string): Field => nested(field, [new TextEncoder().encode(value)]);
const float = (field: number, value: number): Field => {
  return [varint(field * 8 + 5), new Uint8Array(Float32Array.of(value).buffer)];
};

/** TensorProto */
const constant = ({ name, element, dims, bytes }: Constant): Field => [
  ...dims.flatMap((dim) => int(1, dim)),
  ...int(2, ELEMENT[element]),
  ...text(8, name),
  ...nested(9, [bytes]),
];

/** AttributeProto: an integer, or what it is told to be. */
function attribute(name: string, value: Attribute): Field {
  if (typeof value === 'number') return [...text(1, name), ...int(3, value), ...int(20, 2)];
  if ('float' in value) return [...text(1, name), ...float(2, value.float), ...int(20, 1)];
  return [...text(1, name), ...value.ints.flatMap((each) => int(8, each)), ...int(20, 7)];
}

/** NodeProto */
const node = ({ op, inputs, outputs, domain, attributes }: Node, index: number): Field => [
  ...inputs.flatMap((name) => text(1, name)),
  ...outputs.flatMap((name) => text(2, name)),
  ...text(3, `${op}_${index}`),
  ...text(4, op),
  ...Object.entries(attributes ?? {}).flatMap(([name, value]) => nested(5, attribute(name, value))),
  ...text(7, domain ?? ''),
];

/** ValueInfoProto */
const value = ({ name, element, dims }: Value): Field => {
  const shape = nested(2, ...dims.map((dim) => nested(1, typeof dim === 'string' ? text(2, dim) : int(1, dim))));
  return [...text(1, name), ...nested(2, nested(1, int(1, ELEMENT[element]), shape))];
};

const opset = (domain: string, version: number): Field => nested(8, text(1, domain), int(2, version));

/** ModelProto */
export function encode_model(graph: Graph): Uint8Array {
  const parts = [
    int(1, 10), // IR version
    nested(
      7,
      ...graph.nodes.map((n, i) => nested(1, node(n, i))),
      text(2, 'peer'),
      ...graph.constants.map((c) => nested(5, constant(c))),
      ...(graph.inputs ?? []).map((v) => nested(11, value(v))),
      ...graph.outputs.map((v) => nested(12, value(v))),
    ),
    opset('', 21),
    opset('com.microsoft', 1),
  ].flat();
  return new Uint8Array(Buffer.concat(parts));
}
