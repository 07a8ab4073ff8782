import { UsageError } from '../errors.ts';
import type { ImageGeometry } from '../model/geometry.ts';

/** How many crops a picture is cut into, as a grid. The overview picture is not counted. */
export type Tiling = { rows: number; cols: number };

/** A band of crop counts; the shape of the picture chooses within it, its size plays no role. */
export type CropTier = { min_crops: number; max_crops: number; preferred_crops: readonly number[] };

export const crop_tiers = {
  low: { min_crops: 1, max_crops: 3, preferred_crops: [2, 3] },
  medium: { min_crops: 4, max_crops: 8, preferred_crops: [6, 4, 8] },
  high: { min_crops: 9, max_crops: 15, preferred_crops: [12, 9, 15] },
} as const satisfies Record<string, CropTier>;
export type CropTierName = keyof typeof crop_tiers;

/** The knob: at most n crops (the model's own rule), a tier, or exactly n crops. */
export type CropChoice = { max_crops: number } | { tier: CropTierName } | { exact_crops: number };

/** Of the published geometry, 64 crops need at least 4912 tokens: more than the model's 4096 positions. */
const crop_limit = 64;

export function choose_tiling(width: number, height: number, choice: CropChoice, g: ImageGeometry): Tiling {
  if ('tier' in choice) {
    const tier: CropTier | undefined = Object.hasOwn(crop_tiers, choice.tier) ? crop_tiers[choice.tier] : undefined;
    if (!tier) {
      throw new UsageError(`tier: expected ${Object.keys(crop_tiers).join(', ')}, found "${choice.tier}"`);
    }
    return tier_tiling(width, height, tier);
  }
  if ('exact_crops' in choice) {
    return closest_grid(check_count('crops', choice.exact_crops), width / height).tiling;
  }
  return adaptive_tiling(width, height, check_count('maxCrops', choice.max_crops), g);
}

/** The grid that has to enlarge the picture least, or failing that shrink it least. */
function adaptive_tiling(width: number, height: number, max_crops: number, g: ImageGeometry): Tiling {
  const inner_w = Math.fround(width - g.margin_px);
  const inner_h = Math.fround(height - g.margin_px);
  let largest: { tiling: Tiling; scale: number } | undefined;
  let smallest_enlarging: { tiling: Tiling; scale: number } | undefined;
  for (let count = 1; count <= max_crops; count++) {
    for (const tiling of grids_of(count)) {
      // Pictures smaller than the margin give negative or infinite scales; the rule takes them as they come.
      const scale = Math.min(
        Math.fround((g.tile_px * tiling.rows) / inner_h),
        Math.fround((g.tile_px * tiling.cols) / inner_w),
      );
      if (!largest || scale > largest.scale) largest = { tiling, scale };
      if (scale >= 1 && (!smallest_enlarging || scale < smallest_enlarging.scale)) {
        smallest_enlarging = { tiling, scale };
      }
    }
  }
  return ((smallest_enlarging ?? largest) as { tiling: Tiling }).tiling;
}

/** The grid that `max_crops` gives as soon as it is large enough: a larger cap changes nothing for this picture. */
export function tiling_wanted(width: number, height: number, g: ImageGeometry): Tiling {
  const [inner_w, inner_h] = [width - g.margin_px, height - g.margin_px];
  // Every scale is negative, and one crop's the largest of them.
  if (inner_w < 0 || inner_h < 0) return { rows: 1, cols: 1 };
  const tiles = (inner: number) => Math.max(1, Math.ceil(inner / g.tile_px));
  return { rows: tiles(inner_h), cols: tiles(inner_w) };
}

function tier_tiling(width: number, height: number, tier: CropTier): Tiling {
  const { min_crops, max_crops, preferred_crops } = tier;
  const others = Array.from({ length: max_crops - min_crops + 1 }, (_, i) => min_crops + i).filter(
    (count) => !preferred_crops.includes(count),
  );
  let best: { tiling: Tiling; distance: number } | undefined;
  for (const count of [...preferred_crops, ...others]) {
    // A prime above 2 leaves only a single row or column: tiers avoid those.
    if (count > 2 && grids_of(count).length === 2) continue;
    const found = closest_grid(count, width / height);
    if (!best || found.distance < best.distance) best = found;
  }
  return (best as { tiling: Tiling }).tiling;
}

/** Of the grids with exactly `count` crops, the one whose shape is nearest to the picture's; fewest rows on a tie. */
function closest_grid(count: number, aspect: number): { tiling: Tiling; distance: number } {
  let best: { tiling: Tiling; distance: number } | undefined;
  for (const tiling of grids_of(count)) {
    const distance = Math.abs(tiling.cols / tiling.rows - aspect);
    if (!best || distance < best.distance) best = { tiling, distance };
  }
  return best as { tiling: Tiling; distance: number };
}

function grids_of(count: number): Tiling[] {
  const grids: Tiling[] = [];
  for (let rows = 1; rows <= count; rows++) {
    if (count % rows === 0) grids.push({ rows, cols: count / rows });
  }
  return grids;
}

function check_count(what: string, count: number): number {
  if (!Number.isInteger(count) || count < 1 || count > crop_limit) {
    throw new UsageError(`${what}: expected a whole number from 1 to ${crop_limit}, found ${count}`);
  }
  return count;
}
