import { expect, test } from 'vitest';
import { prepare_image } from '../../engine/input/image.ts';
import { image_layout } from '../../engine/input/layout.ts';
import { type Formula, formula_picture } from '../../engine/input/pictures.ts';
import { choose_tiling } from '../../engine/input/tiling.ts';
import { geometry_of, type ImageGeometry, PUBLISHED_MEAN, PUBLISHED_STD } from '../../engine/model/geometry.ts';
import { golden_path } from '../support/golden.ts';
import { check_full, preprocess_tests } from './preprocess_golden.ts';
import { golden_data, golden_test, MOLMO, special_ids } from './support.ts';

type Recorded = { size: number; patch: number; tok: number; margins: [number, number] };

const colours = { image_mean: PUBLISHED_MEAN, image_std: PUBLISHED_STD };

function recorded_geometry({ size, patch, tok, margins }: Recorded): ImageGeometry {
  const fields = { vit: { image: size, patch }, pooling_h: 2, overlap_margins: margins, ...colours };
  const geometry = geometry_of(fields);
  expect(geometry.cells_per_side).toBe(tok);
  return geometry;
}

test('the published numbers follow from each other', () => {
  expect(MOLMO).toMatchObject({ crop_px: 336, patch_px: 14, patches_per_side: 24, patches: 576, patch_values: 588 });
  expect(MOLMO).toMatchObject({ cells_per_side: 12, cells: 144, margin_px: 112, tile_px: 224 });
});

golden_test(
  'tilings.json',
  'every size and max_crops',
  (text) => {
    type Case = { geometry: string; width: number; height: number; rows_cols: Record<string, [number, number]> };
    const golden = JSON.parse(text) as { geometries: Record<string, Recorded>; tilings: Case[] };
    expect(golden.tilings.length).toBeGreaterThan(100);
    for (const { geometry, width, height, rows_cols } of golden.tilings) {
      const g = recorded_geometry(golden.geometries[geometry] as Recorded);
      for (const [max_crops, [rows, cols]] of Object.entries(rows_cols)) {
        const found = choose_tiling(width, height, { max_crops: Number(max_crops) }, g);
        expect(found, `${width}x${height}, max_crops ${max_crops}`).toEqual({ rows, cols });
      }
    }
  },
  'data_geo',
);

golden_test(
  'layouts.json',
  'token ids and positions of every tiling',
  (text) => {
    type Layout = { input_ids: number[]; image_input_idx: number[][] };
    const golden = JSON.parse(text) as Record<string, { geometry: Recorded; layouts: Record<string, Layout> }>;
    const ids = special_ids(50280);
    for (const { geometry, layouts } of Object.values(golden)) {
      const g = recorded_geometry(geometry);
      expect(Object.keys(layouts).length).toBe(35);
      for (const [tiling, { input_ids, image_input_idx }] of Object.entries(layouts)) {
        const [rows, cols] = tiling.split('x').map(Number) as [number, number];
        const layout = image_layout({ rows, cols }, ids, g);
        expect([ids.bos, ...layout.token_ids], tiling).toEqual(input_ids);
        expect([...layout.input_idx], tiling).toEqual(image_input_idx.flat());
      }
    }
  },
  'data_geo',
);

test('margins that differ drop what each neighbour shows, and every token has one cell', () => {
  const g = recorded_geometry({ size: 112, patch: 14, tok: 4, margins: [4, 2] });
  const ids = special_ids(50280);
  const { token_ids, input_idx } = image_layout({ rows: 2, cols: 3 }, ids, g);
  const used = [...input_idx].filter((position) => position >= 0);
  expect(new Set(used).size).toBe(used.length);
  expect(used.length).toBe(token_ids.filter((id) => id === ids.im_patch).length);
  const crop = [...input_idx].slice(16, 32).map((position) => position >= 0); // the first: its last cells are the next one's
  expect(crop).toEqual([1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0].map(Boolean));
});

const geometry = geometry_of({ vit: { image: 80, patch: 8 }, pooling_h: 2, overlap_margins: [2, 2], ...colours });
preprocess_tests('data_geo', geometry);

type Full = {
  id: string;
  full: string;
  source: { kind: Formula; seed?: number };
  mode: 'pad' | 'fill';
  max_crops: number;
  width: number;
  height: number;
};
for (const c of golden_data<{ cases: Full[] }>('preprocess.json', 'data_geo')?.cases ?? []) {
  const path = golden_path(`data_geo/${c.full}`);
  test.skipIf(!path)(`${c.full}: every value`, () => {
    const picture = formula_picture(c.source.kind, c.width, c.height, c.source);
    const prepared = prepare_image(picture, { mode: c.mode, crops: { max_crops: c.max_crops }, geometry });
    check_full(path as string, prepared, geometry);
  });
}
