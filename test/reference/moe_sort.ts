/** Per expert, the slots that chose it, ascending. */
export function moe_sort(choices: ArrayLike<number>, experts: number): number[][] {
  const lists: number[][] = Array.from({ length: experts }, () => []);
  for (let slot = 0; slot < choices.length; slot++) lists[choices[slot] as number]?.push(slot);
  return lists;
}

/** (expert, first place in its list) for every tile_rows slots of every expert, filled up with (2^32 - 1, 0). */
export function moe_tiles(counts: readonly number[], tile_rows: number, max_tiles: number): number[] {
  const tiles = counts.flatMap((count, expert) =>
    Array.from({ length: Math.ceil(count / tile_rows) }, (_, i) => [expert, i * tile_rows]),
  );
  while (tiles.length < max_tiles) tiles.push([0xffffffff, 0]);
  return tiles.flat();
}
