import { describe, expect, it } from 'vitest';
import { amplitude, fill, tensor_hash } from '../../engine/weights/formula.ts';
import { encode } from '../../engine/weights/half.ts';
import type { StoredDtype } from '../../engine/weights/source.ts';
import { PACK_FAULTS, pack_matrix, pack_rows, SOURCES } from '../../kernels/pack/pack.ts';
import { FORMATS, type Kernel, round_up, type WeightFormat } from '../../kernels/spec.ts';
import { download_u32, noise, TAG, test_executor, upload } from '../support/gpu.ts';
import { ALL_FORMATS, k_for, PLAIN_FORMATS, packed_rows, packed_words } from '../support/weights.ts';

const DTYPES = ['F32', 'F16', 'BF16'] as const satisfies StoredDtype[];
const CANARY = 0xabcdabcd;
const e = await test_executor();

/** Values where rounding goes wrong: ties, subnormals of either format, the largest half, signed zeros. */
function hard_values(count: number): Float32Array {
  const edges = [
    0,
    -0,
    1,
    -1,
    65504,
    -65504,
    2 ** -14,
    2 ** -24,
    2 ** -25,
    3 * 2 ** -25,
    6.1e-5,
    6.097e-5,
    1e-8,
    2049,
    2051,
  ];
  const random = noise(count, 7);
  return random.map((x, i) => (i % 3 === 0 ? (edges[(i / 3) % edges.length] as number) : x * 2 ** ((i % 40) - 25)));
}

/** The words of a stored tensor, as a checkpoint file has them, at a byte offset. */
function source_words(values: Float32Array, dtype: StoredDtype, offset: number): Uint32Array {
  const bytes = new Uint8Array(offset + round_up(values.length * (dtype === 'F32' ? 4 : 2), 16));
  encode(values, dtype, bytes.subarray(offset));
  return new Uint32Array(bytes.buffer);
}

/** As a checkpoint of that type holds it, then as f32 again. */
function through(values: Float32Array, dtype: StoredDtype): Float32Array {
  if (dtype === 'F32') return values;
  const halves = new Uint16Array(values.length);
  encode(values, dtype, new Uint8Array(halves.buffer));
  const scratch = new DataView(new ArrayBuffer(4));
  return Float32Array.from(halves, (h) => {
    if (dtype === 'BF16') {
      scratch.setUint32(0, h << 16);
      return scratch.getFloat32(0);
    }
    const magnitude = h & 0x7fff;
    const value =
      magnitude < 0x400 ? magnitude * 2 ** -24 : (1024 + (magnitude & 0x3ff)) * 2 ** ((magnitude >> 10) - 25);
    return h & 0x8000 ? -value : value;
  });
}

const transposed = (x: Float32Array, rows: number, k: number) =>
  Float32Array.from({ length: x.length }, (_, i) => x[(i % rows) * k + Math.floor(i / rows)] as number);

async function pack(
  kernel: Kernel,
  options: { SOURCE: number; WEIGHT_FORMAT: number },
  params: Record<string, number>,
  words: Uint32Array | undefined,
  output_words: number,
) {
  const output = upload(e, new Uint32Array(output_words + 8).fill(CANARY));
  const flags = upload(e, new Uint32Array(4));
  const source = words && upload(e, words);
  const base = {
    source_byte0: 0,
    formula_row0: 0,
    output_base: 0,
    output_group0: 0,
    hash: 0,
    amplitude: 0,
    stored: 0,
    flag: 2,
  };
  e.dispatch(kernel, { source, output, flags }, { ...base, ...params }, options, TAG);
  return { words: await download_u32(e, output, output_words + 8), flags: await download_u32(e, flags, 4) };
}

describe('checkpoint values keep their bits', () => {
  for (const dtype of DTYPES) {
    for (const format of ALL_FORMATS) {
      for (const [rows, wanted_k] of [
        [5, 20],
        [331, 72],
        [24, 588],
      ] as const) {
        const k = k_for(format, wanted_k);
        it(`${dtype} to ${format}, [${rows}, ${k}] transposed`, async () => {
          const values = hard_values(rows * k);
          const want = packed_words(transposed(through(values, dtype), rows, k), k, rows, format);
          const params = { rows, k, output_groups: Math.ceil(rows / 8), source_byte0: 24 };
          const options = { SOURCE: SOURCES[dtype], WEIGHT_FORMAT: FORMATS[format] };
          const got = await pack(pack_matrix as Kernel, options, params, source_words(values, dtype, 24), want.length);
          expect(got.words.subarray(0, want.length)).toEqual(want);
          expect([...got.words.subarray(want.length)]).toEqual(new Array(8).fill(CANARY));
          // 65504 as bf16 is 65536, which no half can hold, and no scale either.
          const fault = dtype === 'BF16' && !['f32', 'bf16'].includes(format) ? PACK_FAULTS.too_large : 0;
          expect([...got.flags]).toEqual([0, 0, fault, 0]);
        });
      }
    }
  }

  for (const format of PLAIN_FORMATS) {
    it(`rows stay rows in ${format}`, async () => {
      const [rows, k] = [7, 20];
      const values = hard_values(rows * k);
      const want = packed_rows(values, rows, k, format);
      const options = { SOURCE: SOURCES.F32, WEIGHT_FORMAT: FORMATS[format] };
      const params = { rows, k, output_groups: 3 };
      const got = await pack(pack_rows as Kernel, options, params, source_words(values, 'F32', 0), want.length);
      expect(got.words.subarray(0, want.length)).toEqual(want);
      expect(got.words[want.length]).toBe(CANARY);
    });
  }
});

describe('synthetic values are the formula, bit for bit', () => {
  for (const [stored, format] of [
    ['F32', 'f32'],
    ['F32', 'f16'],
    ['F16', 'f32'],
    ['BF16', 'f32'],
    ['BF16', 'bf16'],
    ['F32', 'q8'],
    ['BF16', 'q4'],
  ] as [StoredDtype, WeightFormat][]) {
    it(`stored as ${stored}, kept as ${format}`, async () => {
      const spec = { name: 'model.transformer.blocks.3.mlp.gate.weight', shape: [40, 64], role: 'linear' } as const;
      const seed = 77;
      const values = new Float32Array(40 * 64);
      fill(spec, seed, 0, values);
      // Rows 16 .. 39 only: a slice of the tensor, as a large one is made.
      const part = through(values, stored).subarray(16 * 64);
      const want = packed_words(transposed(part, 24, 64), 64, 24, format);
      const params = {
        rows: 24,
        k: 64,
        formula_row0: 16,
        output_groups: 3,
        hash: tensor_hash(spec.name, seed),
        amplitude: amplitude(spec.role, spec.shape),
        stored: { F32: 0, F16: 1, BF16: 2 }[stored],
      };
      const options = { SOURCE: SOURCES.formula, WEIGHT_FORMAT: FORMATS[format] };
      const got = await pack(pack_matrix as Kernel, options, params, undefined, want.length);
      expect(got.words.subarray(0, want.length)).toEqual(want);
    });
  }
});

describe('values that cannot be weights are noticed', () => {
  const cases: [string, number, StoredDtype, WeightFormat, number][] = [
    ['NaN', Number.NaN, 'F32', 'f32', PACK_FAULTS.not_finite],
    ['infinity', Number.POSITIVE_INFINITY, 'BF16', 'bf16', PACK_FAULTS.not_finite],
    ['minus infinity', Number.NEGATIVE_INFINITY, 'F16', 'f16', PACK_FAULTS.not_finite],
    ['65520, the first that rounds to infinity', 65520, 'F32', 'f16', PACK_FAULTS.too_large],
    ['65519', 65519, 'F32', 'f16', 0],
    ['1e30 in bf16', 1e30, 'F32', 'bf16', 0],
    ['NaN', Number.NaN, 'F32', 'q8', PACK_FAULTS.not_finite],
    ['minus infinity', Number.NEGATIVE_INFINITY, 'BF16', 'q4', PACK_FAULTS.not_finite],
    ['65520', 65520, 'F32', 'q8', PACK_FAULTS.too_large],
    ['-65520', -65520, 'F32', 'q4', PACK_FAULTS.too_large],
    ['65519', 65519, 'F32', 'q4', 0],
  ];
  for (const [what, value, dtype, format, fault] of cases) {
    it(`${what} from ${dtype} to ${format}`, async () => {
      const k = k_for(format, 12);
      const values = noise(9 * k);
      values[100] = value;
      const params = { rows: 9, k, output_groups: 2 };
      const options = { SOURCE: SOURCES[dtype], WEIGHT_FORMAT: FORMATS[format] };
      const got = await pack(pack_matrix as Kernel, options, params, source_words(values, dtype, 0), k * 16);
      expect([...got.flags]).toEqual([0, 0, fault, 0]);
    });
  }
});
