import { getFloat16, setFloat16 } from '@petamoriken/float16';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bf16_bits_to_f32,
  decode,
  encode,
  f16_bits_to_f32,
  f32_to_bf16_bits,
  f32_to_f16_bits,
} from '../../engine/weights/half.ts';

const view = new DataView(new ArrayBuffer(4));
const f32_of_bits = (bits: number) => {
  view.setUint32(0, bits);
  return view.getFloat32(0);
};

/** The nearer neighbour of a value, the even one on a tie, found by search over all finite bfloat16 of its sign. */
function nearest_bf16(value: number): number {
  const at = (bits: number) => f32_of_bits((bits << 16) >>> 0);
  const size = Math.abs(value);
  let low = 0;
  let high = 0x7f80;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (at(middle) <= size) low = middle;
    else high = middle;
  }
  // Beyond the largest finite value the next step counts as if the exponent went on.
  const above = high === 0x7f80 ? 2 ** 128 : at(high);
  const gap = size - at(low) - (above - size);
  const bits = size >= above || gap > 0 || (gap === 0 && low % 2 === 1) ? high : low;
  return bits | (value < 0 || Object.is(value, -0) ? 0x8000 : 0);
}

describe('16-bit floats', () => {
  it('read every half like an independent implementation', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      view.setUint16(0, bits);
      if (!Object.is(f16_bits_to_f32(bits), getFloat16(view, 0))) expect.fail(`half ${bits.toString(16)}`);
    }
  });

  it('survive the way to f32 and back', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const half = f16_bits_to_f32(bits);
      if (!Number.isNaN(half) && f32_to_f16_bits(half) !== bits) expect.fail(`half ${bits.toString(16)}`);
      const brain = bf16_bits_to_f32(bits);
      if (!Number.isNaN(brain) && f32_to_bf16_bits(brain) !== bits) expect.fail(`bfloat16 ${bits.toString(16)}`);
    }
  });

  it('round to the nearest, ties to even, at and beside every midpoint between halves', () => {
    for (let bits = 0; bits < 0x7c00; bits++) {
      const above = bits === 0x7bff ? 65536 : f16_bits_to_f32(bits + 1);
      const middle = (f16_bits_to_f32(bits) + above) / 2;
      view.setFloat32(0, middle);
      const pattern = view.getUint32(0);
      if (f32_to_f16_bits(middle) !== bits + (bits % 2)) expect.fail(`tie above half ${bits.toString(16)}`);
      if (f32_to_f16_bits(f32_of_bits(pattern - 1)) !== bits) expect.fail(`below the tie at ${bits.toString(16)}`);
      if (f32_to_f16_bits(f32_of_bits(pattern + 1)) !== bits + 1) expect.fail(`above the tie at ${bits.toString(16)}`);
    }
  });

  it('round any f32 like independent implementations', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (bits) => {
        const value = f32_of_bits(bits);
        if (Number.isNaN(value)) {
          expect(f16_bits_to_f32(f32_to_f16_bits(value))).toBeNaN();
          expect(bf16_bits_to_f32(f32_to_bf16_bits(value))).toBeNaN();
          return;
        }
        setFloat16(view, 0, value);
        expect(f32_to_f16_bits(value)).toBe(view.getUint16(0));
        expect(f32_to_bf16_bits(value)).toBe(nearest_bf16(value));
      }),
      { numRuns: 20_000 },
    );
  });

  it('decode what they encode, from any place in a buffer', () => {
    const values = new Float32Array([0, -0, 1, -1.5, 65504, 2 ** -24, 0.333251953125]);
    for (const dtype of ['F32', 'F16'] as const) {
      const stored = new Uint8Array(values.length * (dtype === 'F32' ? 4 : 2));
      encode(values, dtype, stored);
      const shifted = new Uint8Array(stored.length + 1);
      shifted.set(stored, 1);
      expect(decode(shifted.subarray(1), dtype)).toEqual(values);
    }
    const stored = new Uint8Array(4);
    encode(new Float32Array([3.140625, -0.0078125]), 'BF16', stored);
    expect(decode(stored, 'BF16')).toEqual(new Float32Array([3.140625, -0.0078125]));
  });
});
