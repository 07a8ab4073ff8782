import { createHash } from 'node:crypto';
import type { ImageGeometry } from '../../engine/model/geometry.ts';
import { SHAPES_SIZES } from './catalogue.ts';
import type { Dataset, DatasetSample } from './dataset.ts';
import { type Split, shapes_version, unpainted_sample } from './shapes.ts';
import { picture_of } from './shapes_picture.ts';
import { pictures_for } from './shapes_scene.ts';

/** The built-in set as a data set: pictures sized like the photographs of VQA v2, as this model's crops see those. */
export function shapes_set(split: Split, crops: Pick<ImageGeometry, 'tile_px' | 'margin_px'>): Dataset {
  const geometry = pictures_for(crops);
  const size = SHAPES_SIZES[split];
  const sample_at = (n: number): DatasetSample => {
    const { id, scene, type, question, answer } = unpainted_sample(split, n, geometry);
    const { width, height, seed } = scene;
    return {
      id,
      picture: { name: id, open: async () => picture_of(scene), size: async () => ({ width, height }) },
      question,
      style: 'vqa2',
      answers: [answer],
      metadata: { image_id: id, example_id: id, question_type: type, seed },
    };
  };
  return {
    name: 'shapes',
    split,
    size,
    digest: createHash('sha256')
      .update(JSON.stringify(['shapes', shapes_version, split, size, geometry]))
      .digest('hex'),
    source: `generated, version ${shapes_version}, for tiles of ${crops.tile_px} pixels and ${crops.margin_px} of margin`,
    async *samples(from = 0) {
      for (let n = from; n < size; n++) yield sample_at(n);
    },
  };
}
