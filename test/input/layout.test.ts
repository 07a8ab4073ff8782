import fc from 'fast-check';
import { expect, test } from 'vitest';
import { image_layout, unused_cell, vision_counts } from '../../engine/input/layout.ts';
import { choose_tiling } from '../../engine/input/tiling.ts';
import { golden_test, MOLMO, special_ids } from './support.ts';

const ids = special_ids(50280);

type Layout = { rows: number; cols: number; image_token_ids: number[]; image_input_idx: number[][] };

golden_test('layouts.json', 'token ids and positions of every tiling', (text) => {
  const golden = JSON.parse(text) as { special_ids: Record<string, number>; layouts: Record<string, Layout> };
  expect(ids).toMatchObject(golden.special_ids);
  for (const { rows, cols, image_token_ids, image_input_idx } of Object.values(golden.layouts)) {
    const layout = image_layout({ rows, cols }, ids, MOLMO);
    expect(layout.token_ids).toEqual(image_token_ids);
    expect([...layout.input_idx]).toEqual(image_input_idx.flat());
  }
});

type Counts = {
  label: string;
  width: number;
  height: number;
  max_crops: number;
  rows: number;
  cols: number;
  vit_patches: number;
  pooled_features: number;
  valid_image_input_idx: number;
  image_tokens_in_sequence: number;
};

golden_test('token_counts.json', 'the four counts', (text) => {
  const { cases } = JSON.parse(text) as { cases: Counts[] };
  expect(cases.length).toBeGreaterThan(0);
  for (const c of cases) {
    const tiling = choose_tiling(c.width, c.height, { max_crops: c.max_crops }, MOLMO);
    expect(tiling, c.label).toEqual({ rows: c.rows, cols: c.cols });
    expect(vision_counts(tiling, MOLMO), c.label).toEqual({
      vit_patches: c.vit_patches,
      pooled_cells: c.pooled_features,
      inserted_cells: c.valid_image_input_idx,
      image_tokens: c.image_tokens_in_sequence,
    });
  }
});

test('every used cell has a patch token of its own', () => {
  const grid_side = fc.integer({ min: 1, max: 8 });
  fc.assert(
    fc.property(grid_side, grid_side, (rows, cols) => {
      const { token_ids, input_idx, counts } = image_layout({ rows, cols }, ids, MOLMO);
      const used = [...input_idx].filter((position) => position !== unused_cell);
      expect(new Set(used).size).toBe(used.length);
      expect(used.every((position) => token_ids[position - 1] === ids.im_patch)).toBe(true);
      expect(used.length).toBe(counts.inserted_cells);
      expect(token_ids.filter((id) => id === ids.im_patch).length).toBe(counts.inserted_cells);
      expect(token_ids.length).toBe(counts.image_tokens);
      expect(input_idx.length).toBe(counts.pooled_cells);
    }),
  );
});
