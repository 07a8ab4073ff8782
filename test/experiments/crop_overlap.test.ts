import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { image_layout } from '../../engine/input/layout.ts';
import { formula_picture } from '../../engine/input/pictures.ts';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { closed_form_flops } from '../../engine/meter/closed_forms.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { crop_overlap } from '../../experiments/index.ts';
import { rings } from '../../experiments/lab/inputs.ts';
import type { Cell } from '../../experiments/lab/plan.ts';
import { png_of } from '../../experiments/lab/png.ts';
import type { Configuration } from '../../experiments/lab/schema.ts';
import { crop_images } from '../../experiments/motivation/crop_images.ts';
import { type CropOverlapFile, tiling_row } from '../../experiments/motivation/crop_overlap_file.ts';
import {
  canvas_of,
  crop_windows,
  overlap_by_study,
  tilings_up_to,
  views_of_cells,
} from '../../experiments/motivation/crop_windows.ts';
import { FAKE_RUN, fake_configuration } from '../support/records.ts';

const config = preset_config('molmoe-1b');
const g = geometry_of(config);
const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
const on = (asked = {}) => ({ config, tokenizer, asked, tokens_per_readback: 1 });
const options = (over: Readonly<Record<string, unknown>> = {}) =>
  Object.fromEntries(Object.entries(crop_overlap.options).map(([key, type]) => [key, type.parse(over[key])]));

describe('windows', () => {
  it.each(tilings_up_to(12))('of $rows x $cols give the prompt the cells that the layout gives it', (tiling) => {
    const { input_idx } = image_layout(tiling, config.special, g);
    const windows = crop_windows(tiling, g);
    const inserted = windows.map(({ cells }) => cells.w * cells.h);
    const in_layout = windows.map((_, i) => {
      const from = (i + 1) * g.cells;
      return [...input_idx.slice(from, from + g.cells)].filter((at) => at >= 0).length;
    });
    expect(inserted).toEqual(in_layout);
    const canvas = canvas_of(tiling, g);
    // Together they are the canvas, each cell once.
    expect(inserted.reduce((a, b) => a + b, 0)).toBe((canvas.width / 28) * (canvas.height / 28));
    const views = views_of_cells(tiling, g).flat();
    expect(Math.min(...views)).toBe(1);
    expect(views.reduce((a, b) => a + b, 0)).toBe(windows.length * g.cells);
  });

  it('cost what the tables of the study’s inventory say', () => {
    const row = (rows: number, cols: number) => {
      const { num_crops, vit_patches, pooled_tokens_computed, inserted_tokens, unused_share } = tiling_row(
        { rows, cols },
        g,
      );
      return [num_crops, vit_patches, pooled_tokens_computed, inserted_tokens, Number((100 * unused_share).toFixed(1))];
    };
    expect([row(1, 1), row(2, 2), row(2, 3), row(3, 3), row(3, 4), row(1, 12)]).toEqual([
      [2, 1152, 288, 288, 0],
      [5, 2880, 720, 544, 24.4],
      [7, 4032, 1008, 704, 30.2],
      [10, 5760, 1440, 928, 35.6],
      [13, 7488, 1872, 1152, 38.5],
      [13, 7488, 1872, 1344, 28.2],
    ]);
    // Per crop 366.03 GFLOP of 22 + 1 blocks.
    const vit = closed_form_flops(config, { views: 1, prompt_tokens: 1, new_tokens: 0, keep_dead_blocks: true }).totals
      .vision_encoder;
    expect(vit / 1e9).toBeCloseTo(366.03, 1);
  });
});

describe('the study’s overlap', () => {
  it('is none where the picture is not enlarged, however many crops share its cells', () => {
    const { overlap_ratio, redundancy_ratio, overlapping_patches } = overlap_by_study(
      { width: 560, height: 560 },
      { rows: 2, cols: 2 },
      g,
    );
    expect([overlap_ratio, redundancy_ratio, overlapping_patches]).toEqual([0, 1, 0]);
    expect(
      views_of_cells({ rows: 2, cols: 2 }, g)
        .flat()
        .filter((n) => n > 1).length,
    ).toBe(20 * 20 - 4 * 8 * 8);
  });

  it('rises with enlargement, to about 1 - 1 / enlargement squared', () => {
    fc.assert(
      fc.property(fc.integer({ min: 120, max: 560 }), (side) => {
        const { overlap_ratio } = overlap_by_study({ width: side, height: side }, { rows: 2, cols: 2 }, g);
        expect(Math.abs(overlap_ratio - (1 - (side / 560) ** 2))).toBeLessThan(0.12);
      }),
      { numRuns: 40, seed: 1 },
    );
  });
});

describe('pictures', () => {
  it('are one of each number of crops, the target among them', () => {
    const crops = (over = {}) => crop_overlap.plan(on(), options(over)).cells.map(({ requests }) => requests[0]?.image);
    expect(crops().length).toBe(5);
    expect(crops({ numImages: 2, targetMaxCrops: 9 }).length).toBe(2);
    expect(new Set(crops({ numImages: 3 })).size).toBe(3);
    expect(crops({ maxSize: 300 })).toEqual(crops({ maxSize: 300, numImages: 50 }).slice(0, 5));
  });

  it('are the user’s own where that is given', () => {
    const { cells, skipped } = crop_overlap.plan(on({ image: rings(1008, 784) }), options());
    expect([cells.map(({ key }) => key), skipped]).toEqual([['rings%201008x784'], []]);
    expect(crop_overlap.plan(on({ image: null }), options()).skipped[0]?.reason).toBe('there is no picture to cut');
    expect(crop_overlap.plan(on(), options({ maxSize: 10 })).skipped[0]?.reason).toBe(
      'none of 100 pictures has a side of at most 10',
    );
  });
});

const measured = ({ key, settings, about }: Cell, tiling: [number, number], size: string): Configuration => {
  const one = fake_configuration('low', 'short', 'short');
  const tokens = { ...one.tokens, image_size: size, tiling };
  return {
    ...one,
    ...{ experiment: 'crop-overlap', key, settings, about, tokens },
    instrumented: null,
    clean: { clock: 'not timed', samples: [] },
  };
};

describe('results', () => {
  const [cell] = crop_overlap.plan(on({ image: rings(640, 480) }), options()).cells as [Cell];
  const derived = (saveCropImages = false) =>
    crop_overlap.derive({
      run: FAKE_RUN,
      configurations: [measured(cell, [2, 3], '640x480')],
      skipped: [],
      options: { saveCropImages },
    });

  it('follow from the cell alone, by the study’s keys', () => {
    const { files, figures, findings, tables } = derived();
    const file = crop_overlap.schemas.exp6_crop_overlap_analysis?.parse(
      files.exp6_crop_overlap_analysis,
    ) as unknown as CropOverlapFile;
    const [image] = file.results as [CropOverlapFile['results'][number]];
    expect(image).toMatchObject({
      original_size: { height: 480, width: 640 },
      resized_size: { height: 560, width: 784 },
      tiling: { rows: 2, cols: 3, total_crops: 6 },
      crop_config: {
        max_crops: 12,
        overlap_margins: [4, 4],
        crop_window_size: 224,
        crop_patches: 24,
        crop_window_patches: 16,
      },
      redundancy: { num_crops: 7, pooled_tokens_computed: 1008, inserted_tokens: 704, unused_tokens: 304 },
    });
    expect(image.crops[1]).toMatchObject({
      tiling_pos: [0, 1],
      resized_coords: { y0: 0, y1: 336, x0: 224, x1: 560 },
      patch_coords: { y0: 0, h: 20, x0: 20, w: 16 },
      pooled_dims: { h: 10, w: 8 },
      num_patches: 320,
    });
    expect(image.crop_control.filter(({ chosen }) => chosen).map(({ rows, cols }) => [rows, cols])).toEqual([[2, 3]]);
    // The rule takes the tiling that enlarges least.
    const enlarging = image.crop_control
      .filter(({ enlargement }) => enlargement >= 1)
      .map(({ enlargement }) => enlargement);
    expect(image.crop_control.find(({ chosen }) => chosen)?.enlargement).toBe(Math.min(...enlarging));
    expect(file.summary).toEqual({
      num_analyzed: 1,
      max_size_threshold: null,
      num_samples_searched: 100,
      exp2_results_path: null,
      num_images: 5,
    });
    expect(findings.map(({ outcome }) => outcome)).toEqual(['refuted']);
    expect(figures.map(({ name }) => name)).toEqual([
      'exp6_crop_overlap_image_rings%20640x480_crops',
      'exp6_crop_overlap_image_rings%20640x480_statistics',
      'exp6_crop_overlap_comparison',
    ]);
    expect(tables[1]?.rows.length).toBe(tilings_up_to(12).length);
  });

  it('name the pictures that were written, and refuse a cell that does not know its geometry', () => {
    const { files } = derived(true);
    const { results } = files.exp6_crop_overlap_analysis as CropOverlapFile;
    expect(results[0]?.crop_image_paths.length).toBe(8);
    const { about: _, ...bare } = measured(cell, [2, 3], '640x480');
    expect(() => crop_overlap.derive({ run: FAKE_RUN, configurations: [bare], skipped: [] })).toThrow(
      'expected a picture and the geometry',
    );
  });
});

describe('written pictures', () => {
  it('are what the encoder sees: at its own size a picture comes back pixel for pixel', async () => {
    const picture = formula_picture('rings', 560, 560);
    const images = crop_images(picture, 12, g);
    expect([...images.keys()]).toEqual(['overview', 'canvas', 'crop0', 'crop1', 'crop2', 'crop3']);
    const { data, info } = await sharp(images.get('crop3')).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, info.channels]).toEqual([336, 336, 3]);
    let off = 0;
    for (let y = 0; y < 336; y++) {
      for (let k = 0; k < 336 * 3; k++) {
        const original = picture.rgb[3 * ((224 + y) * 560 + 224) + k] as number;
        off = Math.max(off, Math.abs((data[y * 336 * 3 + k] as number) - original));
      }
    }
    expect(off).toBe(0);
  });

  it('are PNG files of any size', async () => {
    const picture = formula_picture('hash', 7, 5);
    const { data, info } = await sharp(png_of(picture)).raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height, [...data]]).toEqual([7, 5, [...picture.rgb]]);
  });
});
