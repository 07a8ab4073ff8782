import { describe, expect, it } from 'vitest';
import type { Executor } from '../../engine/gpu/executor.ts';
import { max_tiles, moe_sort, moe_tiles } from '../../kernels/moe_sort/moe_sort.ts';
import { moe_sort as reference, moe_tiles as reference_tiles } from '../reference/moe_sort.ts';
import { download_u32, TAG, test_executor, upload } from '../support/gpu.ts';
import { random_choices } from '../support/routing.ts';

const CANARY = 0xabcdef01;
const SLOT0 = 5;

async function check(e: Executor, choices: Uint32Array, k: number, experts: number) {
  const rows = choices.length / k;
  const before = Uint32Array.from({ length: SLOT0 }, (_, i) => i % experts); // slots of an earlier part: not counted
  const counts = upload(e, new Uint32Array(experts + 4).fill(CANARY));
  const lists = upload(e, new Uint32Array(experts * rows + 4).fill(CANARY));
  const all = upload(e, Uint32Array.from([...before, ...choices]));
  e.dispatch(
    moe_sort,
    { experts: all, counts, lists },
    { rows, k, experts, slot0: SLOT0, pairs: choices.length },
    {},
    TAG,
  );
  const want = reference(choices, experts);
  const want_lists = want.flatMap((list) => [...list, ...Array(rows - list.length).fill(CANARY)]);
  const want_counts = want.map((list) => list.length);
  const guard = Array(4).fill(CANARY);
  expect([...(await download_u32(e, counts, experts + 4))]).toEqual([...want_counts, ...guard]);
  expect([...(await download_u32(e, lists, experts * rows + 4))]).toEqual([...want_lists, ...guard]);

  for (const tile_rows of [1, 24, 64]) {
    const most = max_tiles(choices.length, experts, tile_rows);
    const tiles = upload(e, new Uint32Array(2 * most + 4).fill(CANARY));
    e.dispatch(moe_tiles, { counts, tiles }, { experts, tile_rows, max_tiles: most }, {}, TAG);
    const want_tiles = reference_tiles(want_counts, tile_rows, most);
    expect(want_tiles.length).toBe(2 * most); // max_tiles was enough
    expect([...(await download_u32(e, tiles, 2 * most + 4))]).toEqual([...want_tiles, ...guard]);
  }
}

for (const variant of ['tiled', 'lanes'] as const) {
  describe(`moe_sort ${variant}`, async () => {
    const e = await test_executor(variant);
    for (const experts of [5, 8, 64]) {
      for (const k of new Set([1, 3, Math.min(8, experts), experts])) {
        it(`${k} of ${experts}`, async () => {
          for (const rows of [1, 17, 130]) await check(e, random_choices(rows, k, experts, rows), k, experts);
        });
      }
    }
    it('all rows on one expert', () => check(e, new Uint32Array(130).fill(2), 1, 5));
    it('experts that nobody chose', () => check(e, random_choices(300, 2, 64, 9, [3, 40, 62]), 2, 64));
    it('more slots than one round of threads', () => check(e, random_choices(1024 + 129, 3, 7, 4), 3, 7));
    const release = await test_executor(variant, { mode: 'release' });
    it('is right without bounds checks', () => check(release, random_choices(131, 3, 13, 2), 3, 13));
  });
}
