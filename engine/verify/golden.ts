import { InputError } from '../errors.ts';
import type { tensor_specs } from '../model/tensors.ts';
import { check_finite, type ModelInput } from '../model_request.ts';
import { fill_uniform } from '../weights/formula.ts';
import { decode } from '../weights/half.ts';
import type { StoredDtype, WeightSource } from '../weights/source.ts';

/** Reads files of a golden folder by their path inside it. */
export interface GoldenFiles {
  readonly label: string;
  readonly bytes: (path: string) => Promise<Uint8Array>;
  /** Undefined where the set holds no checkpoint of its own. */
  readonly checkpoint: (set: string, specs: ReturnType<typeof tensor_specs>) => Promise<WeightSource>;
}

/** Noise by a formula; other images lie in the case's own tensors. */
interface FormulaImages {
  readonly shape: readonly [number, number, number];
  readonly formula_name: string;
  readonly scale: number;
  readonly overrides: readonly { readonly crop: number; readonly value: number }[];
}

/** A case file, as far as it is read. */
export interface GoldenCase {
  readonly case: string;
  readonly settings: { readonly top_k_per_block: readonly number[]; readonly active_blocks: readonly number[] };
  readonly prompt: { readonly length: number };
  readonly images?: FormulaImages | { readonly shape: readonly [number, number, number]; readonly tensor: string };
  readonly generation?: { readonly count: number };
  readonly samples: Readonly<Record<string, unknown>>;
  readonly flops: unknown;
  readonly file: string;
}

export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array;
}

/** The request of a case: pictures as recorded, or made by the formula that made the reference's. */
export function case_input(
  described: GoldenCase,
  tensors: ReadonlyMap<string, GoldenTensor>,
  seed: number,
): ModelInput {
  const get = (name: string): Float32Array | Int32Array => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new InputError(`${described.file}: expected tensor ${name}, found none`);
    return tensor.values;
  };
  const ids = [...get('input.ids')];
  if (described.images === undefined) return { ids };
  const { shape } = described.images;
  const images =
    'tensor' in described.images ? Float32Array.from(get(described.images.tensor)) : by_formula(described.images, seed);
  const masks = Float32Array.from(get('input.image_masks'));
  const index = Int32Array.from(get('input.image_input_idx'));
  const crops = { count: shape[0], images, masks, index };
  check_finite(crops);
  return { ids, crops };
}

function by_formula({ shape, formula_name, scale, overrides }: FormulaImages, seed: number): Float32Array {
  const size = shape[1] * shape[2];
  const images = new Float32Array(shape[0] * size);
  fill_uniform(formula_name, seed, 0, scale, 0, images);
  for (const { crop, value } of overrides) images.fill(value, crop * size, (crop + 1) * size);
  return images;
}

const SIZES: Readonly<Record<string, number>> = { F32: 4, F16: 2, I32: 4 };

function values_of(dtype: string, bytes: ArrayBuffer): Float32Array | Int32Array {
  if (dtype === 'I32') return new Int32Array(bytes);
  return decode(new Uint8Array(bytes), dtype as StoredDtype);
}

/** A small safetensors file of F32, F16 and I32, held whole. */
export function read_tensors(bytes: Uint8Array, name: string): Map<string, GoldenTensor> {
  const fail = (what: string): never => {
    throw new InputError(`${name}: expected a golden safetensors file, found ${what}`);
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < 10) fail(`${bytes.byteLength} bytes`);
  const length = Number(view.getBigUint64(0, true));
  if (8 + length > bytes.byteLength) fail('a truncated header');
  let header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  } catch {
    return fail('a header that is no JSON');
  }
  const tensors = new Map<string, GoldenTensor>();
  for (const [key, { dtype, shape, data_offsets }] of Object.entries(header)) {
    if (key === '__metadata__') continue;
    const [begin, end] = data_offsets;
    const data = Uint8Array.from(bytes.subarray(8 + length + begin, 8 + length + end)); // a Node buffer's slice would be a view
    const size = SIZES[dtype];
    if (size === undefined || data.byteLength !== size * shape.reduce((a, b) => a * b, 1)) {
      fail(`tensor ${key} as ${dtype} [${shape}] in ${data.byteLength} bytes`);
    }
    tensors.set(key, { shape, values: values_of(dtype, data.buffer) });
  }
  return tensors;
}
