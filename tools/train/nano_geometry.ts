import { geometry_of, PUBLISHED_MEAN, PUBLISHED_STD } from '../../engine/model/geometry.ts';

/** nano's pictures: crops of 64 pixels, 8x8 patches, 4x4 cells, 16 pixels of margin on each side. */
export const nano_geometry = geometry_of({
  vit: { image: 64, patch: 8 },
  pooling_h: 2,
  overlap_margins: [2, 2],
  image_mean: PUBLISHED_MEAN,
  image_std: PUBLISHED_STD,
});
export const nano_max_crops = 6;
