import { dtype_bytes, type StoredDtype } from './source.ts';

// One value seen as f32 and as its bits.
const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Nearest half, ties to even. 65520 and more become infinity; a NaN stays a (quiet) NaN. */
export function f32_to_f16_bits(value: number): number {
  float[0] = value;
  const x = bits[0] as number;
  const sign = (x >>> 16) & 0x8000;
  const magnitude = x & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // Below 2^-14 a half counts steps of 2^-24; adding 2^52 makes float64 do the rounding to a whole step.
  if (magnitude < 0x38800000) return sign | (Math.abs(float[0] as number) * 2 ** 24 + 2 ** 52 - 2 ** 52);
  return sign | ((magnitude + 0xfff + ((magnitude >>> 13) & 1) - 0x38000000) >>> 13);
}

export function f16_bits_to_f32(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 31;
  const mantissa = half & 0x3ff;
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : Number.NaN;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

/** Nearest bfloat16, ties to even; a NaN stays a (quiet) NaN. */
export function f32_to_bf16_bits(value: number): number {
  float[0] = value;
  const x = bits[0] as number;
  if ((x & 0x7fffffff) > 0x7f800000) return (x >>> 16) | 0x40;
  return (x + 0x7fff + ((x >>> 16) & 1)) >>> 16;
}

export function bf16_bits_to_f32(half: number): number {
  bits[0] = half << 16;
  return float[0] as number;
}

/** Writes values in the stored form, little-endian as every supported host is. `out` begins at a multiple of 4 in its buffer. */
export function encode(values: Float32Array, dtype: StoredDtype, out: Uint8Array): void {
  if (dtype === 'F32') {
    new Float32Array(out.buffer, out.byteOffset, values.length).set(values);
    return;
  }
  const to_bits = dtype === 'F16' ? f32_to_f16_bits : f32_to_bf16_bits;
  const halves = new Uint16Array(out.buffer, out.byteOffset, values.length);
  for (let i = 0; i < values.length; i++) halves[i] = to_bits(values[i] as number);
}

/** The inverse of `encode`; `stored` may begin anywhere in its buffer. */
export function decode(stored: Uint8Array, dtype: StoredDtype): Float32Array {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength);
  const step = dtype_bytes[dtype];
  const out = new Float32Array(stored.byteLength / step);
  for (let i = 0; i < out.length; i++) {
    const at = i * step;
    if (dtype === 'F32') out[i] = view.getFloat32(at, true);
    else out[i] = (dtype === 'F16' ? f16_bits_to_f32 : bf16_bits_to_f32)(view.getUint16(at, true));
  }
  return out;
}
