import { type PreparedImage, prepare_image } from '../../engine/input/image.ts';
import { image_layout } from '../../engine/input/layout.ts';
import type { Picture } from '../../engine/input/pictures.ts';
import { format_prompt } from '../../engine/input/prompt.ts';
import type { Question } from '../../experiments/datasets/shapes_questions.ts';
import { question_types } from '../../experiments/datasets/shapes_questions.ts';
import type { Mark, Scene } from '../../experiments/datasets/shapes_scene.ts';
import { cell_labels, label_names } from './cell_labels.ts';
import { nano_geometry } from './nano_geometry.ts';
import { special_ids, word_ids } from './words.ts';

/** A picture with its questions, cut by the engine's own code. */
export type Entry = {
  n: number;
  scene: Scene;
  marks: readonly Mark[];
  prepared: PreparedImage;
  questions: readonly Question[];
};

export function entry_of(
  n: number,
  scene: Scene,
  picture: Picture,
  questions: readonly Question[],
  max_crops: number,
  marks: readonly Mark[] = scene.mark ? [scene.mark] : [],
): Entry {
  const prepared = prepare_image(picture, { mode: 'pad', crops: { max_crops }, geometry: nano_geometry });
  return { n, scene, marks, prepared, questions };
}

export const tiling_key = ({ prepared: { tiling } }: Entry): string => `${tiling.rows}x${tiling.cols}`;

export const batch_magic = 0x4f4e414e; // "NANO"

/**
 * One record of the file that PyTorch reads: a header of 8 whole numbers, then whole numbers, then floats. All entries
 * have one tiling, so nothing of a picture is padded; questions are padded with -1 to the longest.
 */
export function batch_bytes(entries: readonly Entry[]): Uint8Array[] {
  const { tiling, views } = (entries[0] as Entry).prepared;
  const { token_ids, input_idx } = image_layout(tiling, special_ids, nano_geometry);
  const prefix = [special_ids.bos, ...token_ids];
  const asked = entries.map(({ questions }) => questions.map(segment_of));
  const count = (asked[0] as Segment[]).length;
  const longest = Math.max(0, ...asked.flat().map(({ ids }) => ids.length));

  const whole: number[] = [
    batch_magic,
    entries.length,
    views,
    prefix.length,
    count,
    longest,
    input_idx.length,
    label_names.length,
  ];
  whole.push(...prefix, ...input_idx, ...entries.map(({ n }) => n));
  for (const segments of asked) {
    for (const { ids } of segments) whole.push(...ids, ...new Array<number>(longest - ids.length).fill(-1));
  }
  for (const segments of asked) whole.push(...segments.map(({ answer_at }) => answer_at));
  for (const { questions } of entries) whole.push(...questions.map(({ type }) => question_types.indexOf(type)));
  const labels = entries.map(({ scene, marks, prepared }) => cell_labels(scene, marks, prepared, nano_geometry));
  const parts: ArrayBufferView[] = [
    Int32Array.from(whole),
    ...labels,
    ...entries.map(({ prepared }) => prepared.masks),
    ...entries.map(({ prepared }) => prepared.images),
  ];
  return parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
}

type Segment = { ids: number[]; answer_at: number };

/** The question as the engine puts it, then the answer and the end of the text. */
function segment_of({ question, answer }: Question): Segment {
  const prompt = word_ids(format_prompt(question));
  return { ids: [...prompt, ...word_ids(answer), special_ids.eos], answer_at: prompt.length };
}
