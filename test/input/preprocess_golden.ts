import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type PreparedImage, prepare_image } from '../../engine/input/image.ts';
import { image_layout } from '../../engine/input/layout.ts';
import type { Formula } from '../../engine/input/pictures.ts';
import type { ImageGeometry } from '../../engine/model/geometry.ts';
import {
  type GoldenFolder,
  golden_data,
  has_source,
  type Source,
  sha256,
  source_picture,
  special_ids,
} from './support.ts';

/** Of values near 1 that were rounded to f32 once. */
export const PIXEL_TOLERANCE = 1e-5;

type Golden = {
  id: string;
  source: Omit<Source, 'width' | 'height'> & { kind?: Formula; rgb_sha256?: string };
  rgb_sha256?: string;
  mode: 'pad' | 'fill';
  max_crops: number;
  width: number;
  height: number;
  tiling: [number, number];
  n_images: number;
  n_image_tokens: number;
  canvas: Record<'width' | 'height' | 'scaled_width' | 'scaled_height' | 'top' | 'left', number>;
  global: Golden['canvas'];
  masks_rle: [number, number][];
  mean: number[];
  std: number[];
  min: number[];
  max: number[];
  samples: number[][];
};
type Failure = { id: string; source: Source; mode: 'pad' | 'fill' };

const source_of = ({ source, width, height }: Golden): Source => ({
  formula: source.kind,
  ...source,
  width,
  height,
});

type Place = Golden['canvas'];

/** Where a picture covers its place and more, one of the two sets records what is cut off as its top and left. */
function placed(at: Place): Partial<Place> {
  const all = {
    ...at,
    top: at.scaled_height > at.height ? 0 : at.top,
    left: at.scaled_width > at.width ? 0 : at.left,
  };
  // The other set does not record a place at all where a picture covers it exactly.
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/** Every case of a folder's preprocess.json: sizes, places, masks, and values of all views. */
export function preprocess_tests(folder: GoldenFolder, geometry: ImageGeometry): void {
  const golden = golden_data<{ sample_positions: [number, number][]; cases: Golden[]; errors?: Failure[] }>(
    'preprocess.json',
    folder,
  );
  const view_values = geometry.patches * geometry.patch_values;
  describe.skipIf(!golden)(`${folder}/preprocess.json`, () => {
    for (const c of golden?.cases ?? []) {
      test.skipIf(!has_source(source_of(c)))(c.id, async () => {
        const picture = await source_picture(source_of(c), c.mode);
        const hash = c.rgb_sha256 ?? c.source.rgb_sha256;
        if (hash) expect(sha256(picture.rgb)).toBe(hash);
        // The reference clips 16-bit grey at 255; here it is scaled, so these pixels differ on purpose.
        if (c.source.file?.includes('gray16')) picture.rgb.fill(0);
        const got = prepare_image(picture, { mode: c.mode, crops: { max_crops: c.max_crops }, geometry });
        expect([picture.width, picture.height]).toEqual([c.width, c.height]);
        expect(got.tiling).toEqual({ rows: c.tiling[0], cols: c.tiling[1] });
        expect(got.views).toBe(c.n_images);
        expect(got.counts.image_tokens).toBe(c.n_image_tokens);
        expect(got.canvas).toMatchObject(placed(c.canvas));
        expect(got.overview).toMatchObject(placed(c.global));
        expect(run_lengths(got.masks)).toEqual(c.masks_rle.map(([value, n]) => [Math.fround(value), n]));
        if (c.source.file?.includes('gray16')) return;
        expect(got.images.length).toBe(c.n_images * view_values);
        for (let view = 0; view < c.n_images; view++) {
          const values = got.images.subarray(view * view_values, (view + 1) * view_values);
          golden?.sample_positions.forEach(([patch, k], i) => {
            near(
              values[patch * geometry.patch_values + k] as number,
              c.samples[view]?.[i] as number,
              `view ${view}, patch ${patch}, ${k}`,
            );
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
        expect(() => prepare_image(picture, { mode: c.mode, crops: { max_crops: 12 }, geometry })).toThrow(
          /too narrow.*fill mode/,
        );
      });
    }
  });
}

/** A file with every value of a picture: views, masks, and where its cells stand in the prompt. */
export function check_full(path: string, got: PreparedImage, geometry: ImageGeometry): void {
  const tensors = read_safetensors(path);
  const images = new Float32Array(tensors.images as ArrayBuffer);
  let worst = 0;
  for (let i = 0; i < got.images.length; i++) {
    // Where overview and only crop are equal, the file may hold one of them.
    worst = Math.max(worst, Math.abs((got.images[i] as number) - (images[i % images.length] as number)));
  }
  expect(worst).toBeLessThanOrEqual(PIXEL_TOLERANCE);
  expect(got.masks).toEqual(new Float32Array(tensors.image_masks as ArrayBuffer));
  const ids = special_ids(50280);
  const layout = image_layout(got.tiling, ids, geometry);
  expect(whole_numbers(tensors.image_input_idx)).toEqual([...layout.input_idx]);
  expect(whole_numbers(tensors.image_token_ids_with_bos)).toEqual([ids.bos, ...layout.token_ids]);
}

function near(got: number, expected: number, what: string): void {
  if (!(Math.abs(got - expected) <= PIXEL_TOLERANCE)) expect(got, what).toBe(expected);
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
