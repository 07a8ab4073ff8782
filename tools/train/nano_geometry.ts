import { type ImageGeometry, molmo_geometry } from '../../engine/input/geometry.ts';

/** nano's pictures: crops of 64 pixels, 8x8 patches, 4x4 cells, 16 pixels of margin on each side. */
export const nano_geometry: ImageGeometry = {
  ...molmo_geometry,
  crop_px: 64,
  patch_px: 8,
  margin_patches: 2,
};
export const nano_max_crops = 6;
