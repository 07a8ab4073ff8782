/** The numbers that fix how a picture is cut. The model's weights expect the default; nothing else is trained. */
export type ImageGeometry = {
  crop_px: number; // side of the square that the ViT sees
  patch_px: number; // side of one ViT patch
  margin_patches: number; // patches on each side of a crop that only lend context to it
  pool: number; // patches per side that are pooled into one cell
  mean: readonly [number, number, number];
  std: readonly [number, number, number];
};

export const molmo_geometry: ImageGeometry = {
  crop_px: 336,
  patch_px: 14,
  margin_patches: 4,
  pool: 2,
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
};

/** Pixels of the canvas that are margin, both sides together: 112. */
export const margin_px = (g: ImageGeometry): number => 2 * g.margin_patches * g.patch_px;
/** Pixels that one more tile adds to the canvas: 224. */
export const tile_px = (g: ImageGeometry): number => g.crop_px - margin_px(g);
/** ViT patches along one side of a crop: 24. */
export const patches_per_side = (g: ImageGeometry): number => g.crop_px / g.patch_px;
/** Pooled cells along one side of a crop: 12. */
export const cells_per_side = (g: ImageGeometry): number => patches_per_side(g) / g.pool;
