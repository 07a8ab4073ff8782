import { createWriteStream } from 'node:fs';
import { parseArgs } from 'node:util';
import type { Picture } from '../../engine/input/pictures.ts';
import { questions_about, type Split, scene_seed, shapes_sample } from '../../experiments/datasets/shapes.ts';
import { paint_mark, picture_of } from '../../experiments/datasets/shapes_picture.ts';
import { type QuestionType, question_types } from '../../experiments/datasets/shapes_questions.ts';
import {
  draw_mark,
  is_beside,
  type Mark,
  nano_pictures,
  type Scene,
  scene_of,
} from '../../experiments/datasets/shapes_scene.ts';
import { below, random_numbers } from '../../experiments/lab/random.ts';
import { batch_bytes, type Entry, entry_of, tiling_key } from './batches.ts';
import { nano_max_crops } from './nano_geometry.ts';

/**
 * Writes records for PyTorch: `--samples N` that many samples of a split, one question each; else pictures from `--from` on with many questions each, without end.
 */
const { values: options } = parseArgs({
  options: {
    out: { type: 'string' }, // a file; else stdout
    split: { type: 'string', default: 'train' },
    batch: { type: 'string', default: '16' },
    samples: { type: 'string' },
    from: { type: 'string', default: '0' },
    'max-crops': { type: 'string', default: String(nano_max_crops) },
    questions: { type: 'string', default: '10' },
    weights: { type: 'string', default: '' }, // type=weight,type=weight; 1 where not named
    'more-marks': { type: 'string', default: '0' }, // further cards a picture, for vision alone
    'fewer-crops': { type: 'string', default: '0' }, // share of pictures with less than the most crops
  },
});

const out = options.out === undefined ? process.stdout : createWriteStream(options.out);
const batch = Number(options.batch);
const waiting = new Map<string, Entry[]>();

if (options.samples === undefined) await write_endless();
else await write_samples(Number(options.samples));
if (options.out !== undefined) await new Promise<void>((done) => out.end(() => done()));

async function write_samples(count: number): Promise<void> {
  const first = Number(options.from);
  for (let n = first; n < first + count; n++) {
    const sample = shapes_sample(options.split as Split, n);
    await add(entry_of(n, scene_of(sample.seed), sample.picture, [sample], Number(options['max-crops'])));
  }
  for (const entries of waiting.values()) if (entries.length > 0) await write(entries);
}

async function write_endless(): Promise<void> {
  const weights = weights_of(options.weights);
  for (let n = Number(options.from); ; n++) {
    const seed = scene_seed('train', n);
    const random = random_numbers(seed ^ 0x0c40_9500);
    const fewer = random() < Number(options['fewer-crops']);
    const max_crops = fewer ? 1 + below(nano_max_crops - 1, random) : Number(options['max-crops']);
    const scene = scene_of(seed, nano_pictures);
    const questions = questions_about(scene, Number(options.questions), weights);
    const picture = picture_of(scene);
    const marks = add_marks(scene, picture, Number(options['more-marks']), random);
    await add(entry_of(n, scene, picture, questions, max_crops, marks));
  }
}

/** Cards are rare in a picture, and digits are slow to learn: several at once where no question is asked. */
function add_marks(scene: Scene, picture: Picture, count: number, random: () => number): Mark[] {
  const marks = scene.mark ? [scene.mark] : [];
  for (let i = 0; i < count; i++) {
    const mark = draw_mark(scene, nano_pictures.dot_px, random);
    const apart = (other: Mark) => Math.max(Math.abs(other.left - mark.left), Math.abs(other.top - mark.top)) > 8;
    if (!scene.shapes.every((shape) => is_beside(mark, shape)) || !marks.every(apart)) continue;
    paint_mark(picture, mark);
    marks.push(mark);
  }
  return marks;
}

async function add(entry: Entry): Promise<void> {
  const key = tiling_key(entry);
  const entries = [...(waiting.get(key) ?? []), entry];
  waiting.set(key, entries.length === batch ? [] : entries);
  if (entries.length === batch) await write(entries);
}

async function write(entries: readonly Entry[]): Promise<void> {
  for (const bytes of batch_bytes(entries)) {
    if (!out.write(bytes)) await new Promise<void>((drained) => out.once('drain', () => drained()));
  }
}

function weights_of(text: string): Record<QuestionType, number> {
  const weights = Object.fromEntries(question_types.map((type) => [type, 1])) as Record<QuestionType, number>;
  for (const pair of text.split(',').filter((part) => part !== '')) {
    const [type, weight] = pair.split('=') as [QuestionType, string];
    if (!Object.hasOwn(weights, type) || !(Number(weight) >= 0)) {
      throw new Error(`--weights: expected one of ${question_types.join(', ')} = a number, found "${pair}"`);
    }
    weights[type] = Number(weight);
  }
  return weights;
}
