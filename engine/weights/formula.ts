import { UsageError } from '../errors.ts';
import {
  dtype_bytes,
  element_count,
  type StoredDtype,
  type SyntheticSource,
  type TensorSpec,
  type WeightRole,
} from './source.ts';

// Synthetic weights: each value is a pure function of tensor name, flat index and seed, so a checkpoint of any size
// can be made, and checked bit for bit, anywhere. The GPU computes the same from `tensor_hash` and `amplitude`.

export function pcg(v: number): number {
  const s = (Math.imul(v, 747796405) + 2891336453) >>> 0;
  const w = Math.imul((s >>> ((s >>> 28) + 4)) ^ s, 277803737);
  return ((w >>> 22) ^ w) >>> 0;
}

export function fnv1a(text: string): number {
  let hash = 2166136261;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 16777619);
  return hash >>> 0;
}

/** The 32-bit number that tells tensors and seeds apart. */
export function tensor_hash(name: string, seed: number): number {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new UsageError(`seed: expected an integer from 0 to 4294967295, found ${seed}; choose another`);
  }
  return (fnv1a(name) ^ Math.imul(seed, 0x9e3779b9)) >>> 0;
}

/** Half the width of a tensor's value range, as f32. Linear weights keep the variance of what they multiply. */
export function amplitude(role: WeightRole, shape: readonly number[]): number {
  switch (role) {
    case 'linear':
      return Math.fround(Math.sqrt(3 / (shape[1] as number)));
    case 'token_embedding':
      return 1;
    case 'pad_embed':
      return 0.5;
    case 'pos_embedding':
    case 'norm':
      return Math.fround(0.1);
    case 'bias':
      return Math.fround(0.05);
  }
}

/** out[k] = centre + scale * r(start + k) with r in [-1, 1): one f32 product, then one f32 sum. */
export function fill_uniform(
  name: string,
  seed: number,
  centre: number,
  scale: number,
  start: number,
  out: Float32Array,
): void {
  const h = tensor_hash(name, seed);
  for (let k = 0; k < out.length; k++) {
    const u = pcg(pcg((start + k) ^ h) + h);
    out[k] = centre + Math.fround(scale * ((u >>> 8) * 2 ** -23 - 1));
  }
}

/** Values `start`, `start + 1`, ... of a tensor (row-major flat index), as f32. */
export function fill(spec: TensorSpec, seed: number, start: number, out: Float32Array): void {
  fill_uniform(spec.name, seed, spec.role === 'norm' ? 1 : 0, amplitude(spec.role, spec.shape), start, out);
}

/** A source of synthetic weights for these tensors; it holds no values. */
export function synthetic_source(specs: readonly TensorSpec[], seed: number, stored: StoredDtype): SyntheticSource {
  tensor_hash('', seed); // refuses a bad seed before anything is allocated
  const tensors = new Map(
    specs.map((spec) => [
      spec.name,
      { ...spec, dtype: stored, bytes: element_count(spec.shape) * dtype_bytes[stored] },
    ]),
  );
  return { kind: 'synthetic', label: `synthetic, seed ${seed}`, seed, stored, tensors, close: async () => {} };
}
