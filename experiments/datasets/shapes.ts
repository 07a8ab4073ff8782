import type { Picture } from '../../engine/input/pictures.ts';
import { random_numbers } from '../lab/random.ts';
import { picture_of } from './shapes_picture.ts';
import { ask, type Question, type QuestionType, question_types } from './shapes_questions.ts';
import { nano_pictures, type Scene, type ShapesGeometry, scene_of, weighted } from './shapes_scene.ts';

export type Split = 'train' | 'test';

/** One question about one picture; its seed makes it again. */
export type Sample = {
  id: string;
  seed: number;
  type: QuestionType;
  question: string;
  answer: string;
  picture: Picture;
};

type Unpainted = Omit<Sample, 'seed' | 'picture'> & { scene: Scene };

/** The n-th scene of a split. The top bit of a seed is the split, so no seed is in both. */
export function scene_seed(split: Split, n: number): number {
  let x = Math.imul(n ^ (n >>> 16), 0x45d9_f3b);
  x = Math.imul(x ^ (x >>> 15), 0x2c1b_3c6d);
  x ^= x >>> 16;
  return split === 'test' ? (x | 0x8000_0000) >>> 0 : x & 0x7fff_ffff;
}

/** Raised when any seed shows, asks or answers something else than before. */
export const shapes_version = 1;

/** Sample n of the built-in set: types take turns, so every type is asked equally often. */
export function shapes_sample(split: Split, n: number, geometry: ShapesGeometry = nano_pictures): Sample {
  const { scene, ...asked } = unpainted_sample(split, n, geometry);
  return { ...asked, seed: scene.seed, picture: picture_of(scene) };
}

/** The same before its picture is painted: the scene says all of it. */
export function unpainted_sample(split: Split, n: number, geometry: ShapesGeometry): Unpainted {
  const type = question_types[n % question_types.length] as QuestionType;
  for (let attempt = 0; ; attempt++) {
    const scene = scene_of(scene_seed(split, Math.imul(n, 64) + attempt), geometry);
    const asked = ask(scene, type, question_random(scene));
    if (asked) return { id: `shapes-${split}-${n}`, scene, ...asked };
  }
}

/** `count` different questions about one scene, types drawn by weight; for training, where a picture serves many questions. */
export function questions_about(
  scene: Scene,
  count: number,
  weights: Readonly<Record<QuestionType, number>>,
): Question[] {
  const random = question_random(scene);
  const questions: Question[] = [];
  while (questions.length < count) {
    const type = weighted(question_types, (name) => weights[name], random);
    const asked = ask(scene, type, random);
    if (asked && questions.every(({ question }) => question !== asked.question)) questions.push(asked);
  }
  return questions;
}

// Not the scene's own numbers: a question must not follow from how the scene was drawn.
const question_random = (scene: Scene) => random_numbers(scene.seed ^ 0x2f6e_2b1d);
