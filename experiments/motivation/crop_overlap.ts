import { choose_tiling } from '../../engine/input/tiling.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { define } from '../lab/define.ts';
import type { NamedPicture, Subject } from '../lab/inputs.ts';
import { counts } from '../lab/instruments.ts';
import { described, toggle, whole } from '../lab/options.ts';
import { type Cell, cell_of } from '../lab/plan.ts';
import type { Configuration, Skipped } from '../lab/schema.ts';
import { built_in, one_of_each_count, smallest } from './crop_candidates.ts';
import { crop_images } from './crop_images.ts';
import { crop_overlap_figures, crop_overlap_findings, crop_overlap_tables } from './crop_overlap_figures.ts';
import { crop_overlap_shape, geometry_record, overlap_of, tilings_of } from './crop_overlap_file.ts';

/** Motivation 6: crops overlap, so part of what the encoder computes is there twice. How much is known without running it. */
export const crop_overlap = define({
  name: 'crop-overlap',
  aliases: ['motivation-exp6', 'exp6_crop_overlap'],
  group: 'motivation',
  title: 'Crop overlap: what is computed twice, and what no prompt gets',
  question: 'How much of what the encoder computes of a picture is in no prompt, because its crops overlap?',
  options: {
    numSamples: described(whole(1, 5000).default(100), 'pictures of the built-in set to choose from', {
      aliases: ['num_samples'],
    }),
    numImages: described(whole(1, 100).default(5), 'pictures to look at', { aliases: ['num_images', 'analyze_top_k'] }),
    maxSize: described(
      whole(1, 100_000).optional(),
      'the smallest pictures with a side of at most this, instead of one of each number of crops',
      { aliases: ['max_size'] },
    ),
    targetMaxCrops: described(
      whole(1, 100).optional(),
      'the number of crops that is always among them; the most that the model takes when left out',
      { aliases: ['target_max_crops'] },
    ),
    saveCropImages: described(toggle(), 'write the pictures that the encoder sees to crops/'),
  },
  sweeps: ['prompt', 'answer', 'topK', 'topKVision', 'blocks'],
  instrument: counts,
  quick: { options: { numSamples: 20, numImages: 2 } },
  cells: (on, { numSamples, numImages, maxSize, targetMaxCrops, saveCropImages }) => {
    const asked = on.asked.image;
    if (asked === null) return [{ key: 'none', settings: { image: null }, reason: 'there is no picture to cut' }];
    if (asked) return [cell(on, asked, { strategy: 'given' }, saveCropImages)];
    const found = built_in(on, numSamples);
    const small =
      maxSize === undefined ? found : found.filter(({ width, height }) => Math.min(width, height) <= maxSize);
    if (small.length === 0) {
      const reason = `none of ${found.length} pictures has a side of at most ${maxSize}`;
      return [{ key: 'none', settings: { image: null }, reason }];
    }
    const chosen =
      maxSize !== undefined && targetMaxCrops === undefined
        ? smallest(small, numImages)
        : one_of_each_count(small, numImages, targetMaxCrops ?? on.config.max_crops);
    const search = {
      strategy: maxSize === undefined ? 'one of each number of crops' : 'smallest',
      num_samples: found.length,
      num_candidates: small.length,
      max_size: maxSize ?? null,
    };
    return chosen.map((one) => cell(on, one.paint(), search, saveCropImages));
  },
  files: { exp6_crop_overlap_analysis: crop_overlap_shape },
  derive: ({ configurations }, { numSamples, numImages, maxSize = null, saveCropImages }) => {
    const results = configurations.map((one) => overlap_of(one, saveCropImages ? image_names(one) : []));
    return {
      exp6_crop_overlap_analysis: {
        results,
        tilings: tilings_of(configurations),
        summary: {
          num_analyzed: results.length,
          max_size_threshold: maxSize,
          num_samples_searched: numSamples,
          exp2_results_path: null,
          num_images: numImages,
        },
        findings: crop_overlap_findings(results),
      },
    };
  },
  figures: ({ exp6_crop_overlap_analysis: file }) => crop_overlap_figures(file),
  tables: ({ exp6_crop_overlap_analysis: file }) => crop_overlap_tables(file),
  findings: ({ exp6_crop_overlap_analysis: { findings } }) => findings,
});

function cell(on: Subject, image: NamedPicture, search: Record<string, unknown>, save: boolean): Cell | Skipped {
  const made = cell_of(on, { image: image.name }, { image, prompt: 'Describe this image.', new_tokens: 0 });
  if ('reason' in made) return made;
  const max_crops = on.asked.knobs?.maxCrops ?? on.config.max_crops;
  const about = {
    image_id: image.name,
    example_id: image.name,
    search,
    geometry: geometry_record(on.config, max_crops),
  };
  if (!save) return { ...made, about };
  const { rows, cols } = choose_tiling(
    image.picture.width,
    image.picture.height,
    { max_crops },
    geometry_of(on.config),
  );
  // Made all at once, when the first is wanted.
  let images: Map<string, Uint8Array> | undefined;
  const attachments = names_of(rows * cols).map((name) => ({
    name: `crops/${made.key}_${name}.png`,
    make: () => {
      images ??= crop_images(image.picture, max_crops, geometry_of(on.config));
      return images.get(name) as Uint8Array;
    },
  }));
  return { ...made, about, attachments };
}

const names_of = (crops: number): string[] => [
  'overview',
  'canvas',
  ...Array.from({ length: crops }, (_, i) => `crop${i}`),
];

const image_names = ({ key, tokens }: Configuration): string[] =>
  names_of((tokens.tiling?.[0] ?? 0) * (tokens.tiling?.[1] ?? 0)).map((name) => `crops/${key}_${name}.png`);
