import { describe, expect, it } from 'vitest';
import { UsageError } from '../../engine/errors.ts';
import { load_config } from '../../engine/model/load_config.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { node_folder } from '../../engine/node/files.ts';
import { open_checkpoint } from '../../engine/weights/checkpoint.ts';
import {
  amplitude,
  fill,
  fill_uniform,
  fnv1a,
  pcg,
  synthetic_source,
  tensor_hash,
} from '../../engine/weights/formula.ts';
import { encode } from '../../engine/weights/half.ts';
import { element_count, type StoredDtype, type WeightRole } from '../../engine/weights/source.ts';
import { golden_json, golden_path } from '../support/golden.ts';

type Vectors = {
  pcg: { v: number; pcg: string }[];
  fnv1a: Record<string, string>;
  tensors: {
    name: string;
    seed: number;
    shape: number[];
    role: WeightRole;
    h: string;
    a_f32: string;
    values: { i: number; value: number; f32: string }[];
  }[];
  images: { name: string; seed: number; scale: number; values: { i: number; value: number }[] }[];
};

const vectors = golden_json<Vectors>('model/formula.json');
const hex = (n: number) => `0x${n.toString(16).padStart(8, '0')}`;
const f32_hex = (value: number) => hex(new Uint32Array(new Float32Array([value]).buffer)[0] as number);

describe('synthetic weight formula', () => {
  it('matches the recorded hash and generator values', () => {
    for (const { v, pcg: expected } of vectors.pcg) expect(hex(pcg(v))).toBe(expected);
    for (const [text, expected] of Object.entries(vectors.fnv1a)) expect(hex(fnv1a(text))).toBe(expected);
  });

  it.each(vectors.tensors)('matches the recorded values of $name bit for bit', (tensor) => {
    expect(hex(tensor_hash(tensor.name, tensor.seed))).toBe(tensor.h);
    expect(f32_hex(amplitude(tensor.role, tensor.shape))).toBe(tensor.a_f32);
    const out = new Float32Array(1);
    for (const { i, f32 } of tensor.values) {
      fill(tensor, tensor.seed, i, out);
      expect(f32_hex(out[0] as number), `value ${i}`).toBe(f32);
    }
  });

  it.each(vectors.images)('makes the image values of $name', ({ name, seed, scale, values }) => {
    const out = new Float32Array(1);
    for (const { i, value } of values) {
      fill_uniform(name, seed, 0, scale, i, out);
      expect(out[0]).toBe(value);
    }
  });

  it('gives the same values in one piece and in slices', () => {
    const spec = { name: 'x', shape: [10, 100], role: 'norm' } as const;
    const whole = new Float32Array(1000);
    fill(spec, 7, 0, whole);
    const slice = new Float32Array(300);
    fill(spec, 7, 450, slice);
    expect(slice).toEqual(whole.subarray(450, 750));
  });

  it('refuses a seed that is no 32-bit integer', () => {
    for (const seed of [-1, 1.5, 2 ** 32, Number.NaN]) {
      expect(() => synthetic_source([], seed, 'F16')).toThrow(UsageError);
    }
    expect(synthetic_source([{ name: 'x', shape: [2, 3], role: 'linear' }], 5, 'BF16').tensors.get('x')).toEqual({
      name: 'x',
      shape: [2, 3],
      role: 'linear',
      dtype: 'BF16',
      bytes: 12,
    });
  });
});

const checkpoints: [folder: string, file: string, dtype: StoredDtype][] = [
  ['model/tiny', 'model.safetensors', 'F32'],
  ['model/odd', 'model.safetensors', 'F32'],
  ['model/tiny-f16', 'model.safetensors', 'F16'],
  ['model/tiny/sharded-bf16', 'model.safetensors.index.json', 'BF16'],
];

describe('recorded checkpoints', () => {
  for (const [folder, file, dtype] of checkpoints) {
    it.skipIf(!golden_path(`${folder}/${file}`))(`${folder}: every ${dtype} value equals the formula`, async () => {
      const files = node_folder(golden_path(folder) as string);
      const specs = tensor_specs(await load_config(files));
      const source = await open_checkpoint(files, specs);
      expect(source.tensors.size).toBe(specs.length);
      for (const spec of specs) {
        const values = new Float32Array(element_count(spec.shape));
        fill(spec, 1, 0, values);
        const expected = new Uint8Array(source.tensors.get(spec.name)?.bytes ?? 0);
        encode(values, dtype, expected);
        const stored = new Uint8Array(expected.length);
        await source.read(spec.name, 0, stored);
        expect(source.tensors.get(spec.name)?.dtype).toBe(dtype);
        expect(Buffer.compare(stored, expected), spec.name).toBe(0);
      }
      await source.close();
    });
  }
});
