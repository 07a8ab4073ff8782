import fc from 'fast-check';
import { expect, test } from 'vitest';
import { prepare_image } from '../../engine/input/image.ts';
import { formula_picture } from '../../engine/input/pictures.ts';
import { place, resize } from '../../engine/input/resize.ts';
import { golden_path } from '../support/golden.ts';
import { check_full, preprocess_tests } from './preprocess_golden.ts';
import { golden_test, MOLMO } from './support.ts';

/** As the published processor does it. */
const usual = { mode: 'pad', crops: { max_crops: 12 }, geometry: MOLMO } as const;

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

preprocess_tests('data', MOLMO);

for (const id of ['hash_200x150_pad', 'hash_200x150_fill', 'hash_400x300_pad']) {
  const path = golden_path(`data/full_${id}.safetensors`);
  test.skipIf(!path)(`full_${id}.safetensors: every value`, () => {
    const [width, height] = (id.match(/\d+/g) as string[]).map(Number) as [number, number];
    const mode = id.endsWith('fill') ? 'fill' : 'pad';
    check_full(path as string, prepare_image(formula_picture('hash', width, height), { ...usual, mode }), MOLMO);
  });
}

test('very long pictures in fill mode need no intermediate of their scaled size', () => {
  // Scaled to cover 336 pixels, this picture is 336 x 6,720,000: 27 GB as float32.
  const long = formula_picture('ramp', 20000, 1);
  const { images, tiling } = prepare_image(long, { ...usual, mode: 'fill' });
  expect(tiling).toEqual({ rows: 1, cols: 1 });
  expect(images.every(Number.isFinite)).toBe(true);
  expect(() => prepare_image(formula_picture('ramp', 1, 20000), usual)).toThrow(/1x20000 is too narrow/);
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
  expect(() => prepare_image({ width: 2, height: 2, rgb: new Uint8Array(11) }, usual)).toThrow(/found 2x2, 11 bytes/);
  expect(() => prepare_image({ width: 0, height: 2, rgb: new Uint8Array(0) }, usual)).toThrow(/width x height x 3/);
  expect(() => formula_picture('ramp', 0, 5)).toThrow(/found 0x5/);
  expect(() => formula_picture('ramp', 30000, 30000)).toThrow(/100 million pixels/);
});
