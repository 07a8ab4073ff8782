type Rgb = readonly [number, number, number];

/** The fields of a configuration that fix how a picture is cut. */
export interface GeometryFields {
  readonly vit: { readonly image: number; readonly patch: number };
  readonly pooling_h: number;
  readonly overlap_margins: readonly [number, number];
  readonly image_mean: Rgb;
  readonly image_std: Rgb;
}

/** All numbers of a crop. Crops are square: what is said of a side holds for both. */
export interface ImageGeometry {
  /** Side of the square that the ViT sees. */
  readonly crop_px: number;
  readonly patch_px: number;
  /** ViT patches along a side, in a crop, and the values of one. */
  readonly patches_per_side: number;
  readonly patches: number;
  readonly patch_values: number;
  /** Patches along a side that are pooled into one cell; cells along a side, in a crop. */
  readonly pool: number;
  readonly cells_per_side: number;
  readonly cells: number;
  /** Patches of a crop's first and last rows and columns that only lend context where a neighbour shows them. */
  readonly margins: readonly [before: number, after: number];
  /** Pixels of the canvas that are margin, both sides together, and those that one more tile adds to it. */
  readonly margin_px: number;
  readonly tile_px: number;
  readonly mean: Rgb;
  readonly std: Rgb;
}

/** The one place that knows how a picture's numbers follow from each other. */
export function geometry_of({ vit, pooling_h, overlap_margins, ...config }: GeometryFields): ImageGeometry {
  const patches_per_side = vit.image / vit.patch;
  const cells_per_side = patches_per_side / pooling_h;
  const margin_px = (overlap_margins[0] + overlap_margins[1]) * vit.patch;
  return {
    crop_px: vit.image,
    patch_px: vit.patch,
    patches_per_side,
    patches: patches_per_side ** 2,
    patch_values: 3 * vit.patch ** 2,
    pool: pooling_h,
    cells_per_side,
    cells: cells_per_side ** 2,
    margins: overlap_margins,
    margin_px,
    tile_px: vit.image - margin_px,
    mean: config.image_mean,
    std: config.image_std,
  };
}

/** Of the published processor: what a model without a preprocessor_config.json was trained with. */
export const PUBLISHED_MEAN: Rgb = [0.48145466, 0.4578275, 0.40821073];
export const PUBLISHED_STD: Rgb = [0.26862954, 0.26130258, 0.27577711];

/** Patches a side: a dispatch has at most 65,535 workgroups a side, and a crop's patches are one of them. */
const MOST_PATCHES = 128;

const vision = 'vision_backbone.';
const GEOMETRY_FIELDS = {
  image: `${vision}image_default_input_size`,
  patch: `${vision}image_patch_size`,
  positions: `${vision}image_num_pos`,
  margins: 'overlap_margins',
} as const;

type Fail = (field: string, expected: string, found: unknown) => never;

/** Reads the published fields and refuses a geometry that cannot be. */
export function read_geometry(get: (field: string) => unknown, fail: Fail) {
  const {
    image: image_field,
    patch: patch_field,
    positions: positions_field,
    margins: margins_field,
  } = GEOMETRY_FIELDS;
  const patch = get(patch_field);
  if (!is_whole(patch, 2, 256) || patch % 2 !== 0) {
    return fail(patch_field, 'an even number from 2 to 256 (3 x patch^2 values are read by fours)', patch);
  }
  const [image, width] = pair(get(image_field));
  if (!is_whole(image, 1, 2 ** 16) || image !== width || image % patch !== 0) {
    return fail(image_field, `the sides of a square, a multiple of the patch (${patch})`, get(image_field));
  }
  const side = image / patch;
  if (side % 2 !== 0 || side > MOST_PATCHES) {
    const expected = `an even number of patches a side, at most ${MOST_PATCHES} (they are pooled two by two)`;
    return fail(image_field, expected, side);
  }
  if (get(positions_field) !== side ** 2 + 1) {
    const why = `one for each of ${side} x ${side} patches and the class token`;
    return fail(positions_field, `${side ** 2 + 1} (${why})`, get(positions_field));
  }
  const [before, after] = pair(get(margins_field));
  const even = (n: unknown): n is number => is_whole(n, 0, side) && n % 2 === 0;
  if (!even(before) || !even(after) || before + after >= side) {
    const expected = `two even numbers of patches (whole cells) that add up to less than ${side}`;
    return fail(margins_field, expected, get(margins_field));
  }
  return { image, patch, positions: side ** 2 + 1, overlap_margins: [before, after] as const };
}

const is_whole = (value: unknown, least: number, most: number): value is number =>
  Number.isInteger(value) && (value as number) >= least && (value as number) <= most;

const pair = (value: unknown): readonly unknown[] => (Array.isArray(value) && value.length === 2 ? value : []);
