import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { prepare_image } from '../../engine/input/image.ts';
import { image_layout } from '../../engine/input/layout.ts';
import { formula_picture } from '../../engine/input/pictures.ts';
import { place, resize } from '../../engine/input/resize.ts';
import { golden_path } from '../support/golden.ts';
import { golden_data, golden_test, has_source, type Source, sha256, source_picture, special_ids } from './support.ts';

const view_values = 576 * 588;
const tolerance = 1e-5;

type Size = { width: number; height: number; target_width: number; target_height: number };

golden_test('resize_dims.json', 'scaled sizes in both modes', (text) => {
  const { cases } = JSON.parse(text) as { cases: (Size & { pad: number[]; fill: number[] })[] };
  expect(cases.length).toBeGreaterThan(0);
  for (const { width, height, target_width, target_height, ...expected } of cases) {
    for (const mode of ['pad', 'fill'] as const) {
      const size = { width, height, rgb: new Uint8Array() };
      const what = `${width}x${height} to ${target_width}x${target_height}, ${mode}`;
      if (expected[mode].includes(0)) {
        expect(() => place(size, target_width, target_height, mode), what).toThrow(/too narrow/);
        continue;
      }
      const at = place(size, target_width, target_height, mode);
      expect([at.scaled_height, at.scaled_width], what).toEqual(expected[mode]);
    }
  }
});

type Golden = {
  id: string;
  source: Source & { rgb_sha256?: string };
  mode: 'pad' | 'fill';
  max_crops: number;
  width: number;
  height: number;
  tiling: [number, number];
  n_images: number;
  n_image_tokens: number;
  canvas: Record<string, number>;
  global: Record<string, number>;
  masks_rle: [number, number][];
  mean: number[];
  std: number[];
  min: number[];
  max: number[];
  samples: number[][];
};
type Failure = Pick<Golden, 'id' | 'source' | 'mode'>;

const golden = golden_data<{ sample_positions: [number, number][]; cases: Golden[]; errors: Failure[] }>(
  'preprocess.json',
);

describe.skipIf(!golden)('preprocess.json', () => {
  for (const c of golden?.cases ?? []) {
    test.skipIf(!has_source(c.source))(c.id, async () => {
      const picture = await source_picture(c.source, c.mode);
      if (c.source.rgb_sha256) expect(sha256(picture.rgb)).toBe(c.source.rgb_sha256);
      // The reference clips 16-bit grey at 255; here it is scaled, so these pixels differ on purpose.
      if (c.source.file?.includes('gray16')) picture.rgb.fill(0);
      const got = prepare_image(picture, { mode: c.mode, crops: { max_crops: c.max_crops } });
      expect([picture.width, picture.height]).toEqual([c.width, c.height]);
      expect(got.tiling).toEqual({ rows: c.tiling[0], cols: c.tiling[1] });
      expect(got.views).toBe(c.n_images);
      expect(got.counts.image_tokens).toBe(c.n_image_tokens);
      expect(got.canvas).toMatchObject(c.canvas);
      expect(got.overview).toMatchObject(c.global);
      expect(run_lengths(got.masks)).toEqual(c.masks_rle.map(([value, n]) => [Math.fround(value), n]));
      if (c.source.file?.includes('gray16')) return;
      expect(got.images.length).toBe(c.n_images * view_values);
      for (let view = 0; view < c.n_images; view++) {
        const values = got.images.subarray(view * view_values, (view + 1) * view_values);
        golden?.sample_positions.forEach(([patch, k], i) => {
          near(values[patch * 588 + k] as number, c.samples[view]?.[i] as number, `view ${view}, patch ${patch}, ${k}`);
        });
        const { mean, std, min, max } = moments(values);
        near(mean, c.mean[view] as number, `view ${view} mean`);
        near(std, c.std[view] as number, `view ${view} std`);
        near(min, c.min[view] as number, `view ${view} min`);
        near(max, c.max[view] as number, `view ${view} max`);
      }
    });
  }
  for (const c of golden?.errors ?? []) {
    test(`${c.id} is refused`, async () => {
      const picture = await source_picture(c.source, c.mode);
      expect(() => prepare_image(picture, { mode: c.mode })).toThrow(/too narrow.*fill mode/);
    });
  }
});

for (const id of ['hash_200x150_pad', 'hash_200x150_fill', 'hash_400x300_pad']) {
  const path = golden_path(`data/full_${id}.safetensors`);
  test.skipIf(!path)(`full_${id}.safetensors: every value`, () => {
    const tensors = read_safetensors(path as string);
    const [width, height] = (id.match(/\d+/g) as string[]).map(Number) as [number, number];
    const got = prepare_image(formula_picture('hash', width, height), { mode: id.endsWith('fill') ? 'fill' : 'pad' });
    const images = new Float32Array(tensors.images as ArrayBuffer);
    let worst = 0;
    for (let i = 0; i < got.images.length; i++) {
      // Where overview and only crop are equal, the file holds one of them.
      worst = Math.max(worst, Math.abs((got.images[i] as number) - (images[i % images.length] as number)));
    }
    expect(worst).toBeLessThanOrEqual(tolerance);
    expect(got.masks).toEqual(new Float32Array(tensors.image_masks as ArrayBuffer));
    const ids = special_ids(50280);
    const layout = image_layout(got.tiling, ids);
    expect(whole_numbers(tensors.image_input_idx)).toEqual([...layout.input_idx]);
    expect(whole_numbers(tensors.image_token_ids_with_bos)).toEqual([ids.bos, ...layout.token_ids]);
  });
}

test('very long pictures in fill mode need no intermediate of their scaled size', () => {
  // Scaled to cover 336 pixels, this picture is 336 x 6,720,000: 27 GB as float32.
  const long = formula_picture('ramp', 20000, 1);
  const { images, tiling } = prepare_image(long, { mode: 'fill' });
  expect(tiling).toEqual({ rows: 1, cols: 1 });
  expect(images.every(Number.isFinite)).toBe(true);
  expect(() => prepare_image(formula_picture('ramp', 1, 20000))).toThrow(/1x20000 is too narrow/);
});

test('resizing keeps a flat picture flat and stays within the range of the picture', () => {
  const side = fc.integer({ min: 1, max: 90 });
  fc.assert(
    fc.property(side, side, side, side, fc.constantFrom('pad' as const, 'fill' as const), (w, h, tw, th, mode) => {
      const flat = formula_picture('constant', w, h, { rgb: [51, 102, 255] });
      fc.pre(mode === 'fill' || Math.min(tw / w, th / h) * Math.min(w, h) >= 2);
      const { rows, cols, values } = resize(flat, place(flat, tw, th, mode));
      expect(values.length).toBe(rows * cols * 3);
      values.forEach((value, k) => {
        expect(Math.abs(value - ([0.2, 0.4, 1][k % 3] as number))).toBeLessThan(1e-6);
      });
    }),
    { numRuns: 60 },
  );
});

test('pictures whose bytes do not fit their size are refused', () => {
  expect(() => prepare_image({ width: 2, height: 2, rgb: new Uint8Array(11) })).toThrow(/found 2x2, 11 bytes/);
  expect(() => prepare_image({ width: 0, height: 2, rgb: new Uint8Array(0) })).toThrow(/width x height x 3/);
  expect(() => formula_picture('ramp', 0, 5)).toThrow(/found 0x5/);
  expect(() => formula_picture('ramp', 30000, 30000)).toThrow(/100 million pixels/);
});

function near(got: number, expected: number, what: string): void {
  if (!(Math.abs(got - expected) <= tolerance)) expect(got, what).toBe(expected);
}

function run_lengths(values: Float32Array): [number, number][] {
  const runs: [number, number][] = [];
  for (const value of values) {
    const last = runs.at(-1);
    if (last && last[0] === value) last[1]++;
    else runs.push([value, 1]);
  }
  return runs;
}

function moments(values: Float32Array) {
  let sum = 0;
  let squares = 0;
  let min = Infinity;
  let max = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    sum += value;
    squares += value * value;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const mean = sum / values.length;
  return { mean, std: Math.sqrt(Math.max(0, squares / values.length - mean * mean)), min, max };
}

type Stored = { dtype: string; data_offsets: [number, number] };

function read_safetensors(path: string): Record<string, ArrayBuffer> {
  const file = readFileSync(path);
  const header_bytes = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + header_bytes)) as Record<string, Stored>;
  const data = file.subarray(8 + header_bytes);
  return Object.fromEntries(
    Object.entries(header)
      .filter(([name]) => name !== '__metadata__')
      .map(([name, { data_offsets }]) => [name, Uint8Array.from(data.subarray(...data_offsets)).buffer]),
  );
}

function whole_numbers(bytes: ArrayBuffer | undefined): number[] {
  return [...new Int32Array(bytes as ArrayBuffer)];
}
