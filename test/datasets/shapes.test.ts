import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { choose_tiling } from '../../engine/input/tiling.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { type Sample, type Split, scene_seed, shapes_sample } from '../../experiments/datasets/shapes.ts';
import { picture_of } from '../../experiments/datasets/shapes_picture.ts';
import { type QuestionType, question_types, shapes_words } from '../../experiments/datasets/shapes_questions.ts';
import { photo_pictures, type Scene, type Shape, scene_of } from '../../experiments/datasets/shapes_scene.ts';
import { nano_geometry } from '../../tools/train/nano_geometry.ts';

const samples = (split: Split, count: number): Sample[] =>
  Array.from({ length: count }, (_, n) => shapes_sample(split, n));

const digest = (list: readonly Sample[]): string => {
  const hash = createHash('sha256');
  for (const { picture, question, answer, seed } of list) {
    hash.update(`${picture.width}x${picture.height} ${seed} ${question} ${answer}`).update(picture.rgb);
  }
  return hash.digest('hex');
};

describe('the built-in set', () => {
  const test_split = samples('test', 2000);
  const of_type = (type: QuestionType) => test_split.filter((sample) => sample.type === type);

  it('is the same everywhere', () => {
    expect(digest(test_split.slice(0, 200))).toBe('e2db5d299a4778dd51db79bf54931fd3537de6a61ebce622fc031de60d88ed9d');
    expect(digest(samples('train', 200))).toBe('72bd6d120b87cbbf96d31cd58dd0c4fdef19aecf3b30060c5b8cce757ed636f8');
    expect(test_split[7]).toEqual(shapes_sample('test', 7));
  });

  it('asks every type equally often', () => {
    for (const type of question_types) expect(of_type(type)).toHaveLength(200);
  });

  it('has no answer that is right often', () => {
    // Twice what an even spread would give, or 45 % for counts: pictures with few things are most.
    const most: Record<QuestionType, number> = {
      color: 2 / 7,
      shape: 2 / 6,
      count: 0.45,
      place: 0.4,
      relation: 0.4,
      larger: 2 / 6,
      exists: 0.6,
      size: 0.62,
      mark: 0.2,
      caption: 0.1,
    };
    for (const type of question_types) {
      const tally = new Map<string, number>();
      for (const { answer } of of_type(type)) tally.set(answer, (tally.get(answer) ?? 0) + 1);
      expect(Math.max(...tally.values()) / 200, type).toBeLessThan(most[type]);
    }
  });

  it('shares no picture between train and test', () => {
    const pixels = (list: readonly Sample[]) =>
      new Set(list.map(({ picture }) => createHash('sha256').update(picture.rgb).digest('hex')));
    const trained = pixels(samples('train', 2000));
    for (const picture of pixels(test_split)) expect(trained.has(picture)).toBe(false);
    for (let n = 0; n < 1e5; n++) {
      expect(scene_seed('train', n) < 2 ** 31 && scene_seed('test', n) >= 2 ** 31).toBe(true);
    }
  });

  it('uses the words of its list only', () => {
    const known = new Set(shapes_words);
    for (const { question, answer } of test_split) {
      for (const word of `${question} ${answer}`.match(/\w+|[^\w\s]/g) ?? []) expect(known, word).toContain(word);
    }
  });

  it('wants all tilings up to six crops', () => {
    const seen = new Set(
      test_split.map(({ picture: { width, height } }) => {
        const { rows, cols } = choose_tiling(width, height, { max_crops: 6 }, nano_geometry);
        return `${rows}x${cols}`;
      }),
    );
    expect([...seen].sort()).toEqual(['1x1', '1x2', '2x1', '2x2', '2x3', '3x2']);
  });

  it('is drawn at the sizes of photographs too', () => {
    const tilings = new Map<string, number>();
    for (let n = 0; n < 100; n++) {
      const { picture, seed } = shapes_sample('test', n, photo_pictures);
      expect(photo_pictures.sizes.some((s) => s.width === picture.width && s.height === picture.height)).toBe(true);
      expect(picture.rgb.length).toBe(picture.width * picture.height * 3);
      expect(scene_of(seed, photo_pictures).shapes.length).toBeGreaterThan(0);
      const { rows, cols } = choose_tiling(
        picture.width,
        picture.height,
        { max_crops: 12 },
        geometry_of(preset_config('molmoe-1b')),
      );
      tilings.set(`${rows}x${cols}`, (tilings.get(`${rows}x${cols}`) ?? 0) + 1);
    }
    expect(tilings.size).toBeGreaterThanOrEqual(3);
    expect(tilings.get('2x3')).toBeGreaterThan(40);
  });
});

describe('a question', () => {
  const asked = samples('test', 1000).map((sample) => ({ ...sample, scene: scene_of(sample.seed) }));

  it('has one answer in its scene', () => {
    for (const { scene, question, answer } of asked) expect(answers_to(question, scene), question).toEqual([answer]);
  });

  it('is about things that are seen whole and apart', () => {
    for (const { scene } of asked) {
      for (const [i, a] of scene.shapes.entries()) {
        expect(a.x - a.reach >= 0 && a.x + a.reach < scene.width).toBe(true);
        expect(a.y - a.reach >= 0 && a.y + a.reach < scene.height).toBe(true);
        for (const b of scene.shapes.slice(0, i)) {
          expect(Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y))).toBeGreaterThan(a.reach + b.reach);
          expect(a.kind === b.kind && a.color === b.color).toBe(false);
        }
      }
    }
  });

  it('on a mark shows five dots by seven that nothing covers', () => {
    const scene: Scene = {
      seed: 1,
      width: 64,
      height: 64,
      shapes: [],
      mark: { digit: 1, left: 10, top: 20, dot_px: 2 },
    };
    const { rgb } = picture_of(scene);
    const dark = (x: number, y: number) => (rgb[((20 + y) * 64 + 10 + x) * 3] as number) < 60;
    const rows = Array.from({ length: 7 }, (_, y) =>
      Array.from({ length: 5 }, (_, x) => (dark(2 * x, 2 * y) && dark(2 * x + 1, 2 * y + 1) ? '#' : '.')).join(''),
    );
    expect(rows).toEqual(['.....', '..#..', '.##..', '..#..', '..#..', '.###.', '.....']);
  });
});

/** All answers that the scene allows, worked out from the words of the question alone. */
function answers_to(question: string, scene: Scene): string[] {
  const { shapes, width, height, mark } = scene;
  const named = (name: string): Shape[] => {
    const words = name.split(' ').map((word) => word.replace(/^(crosse|circle|square|triangle|diamond|ring)s$/, '$1'));
    const is = (shape: Shape) => (word: string) =>
      word === 'thing' || word === 'things' || shape.color === word || shape.kind === word.replace(/^crosse$/, 'cross');
    return shapes.filter((shape) => words.every(is(shape)));
  };
  const match = (pattern: RegExp) => pattern.exec(question)?.slice(1) as string[] | undefined;
  let words = match(/^what color is the (\w+)\?$/);
  if (words) return named(words[0] as string).map((s) => s.color);
  words = match(/^what shape is the (.+)\?$/);
  if (words) return named(words[0] as string).map((s) => s.kind);
  words = match(/^how many (.+) are there\?$/);
  if (words) return [String(named(words[0] as string).length)];
  words = match(/^where is the (.+)\?$/);
  if (words) {
    return named(words[0] as string).map(
      (s) => `${s.y < height / 2 ? 'top' : 'bottom'} ${s.x < width / 2 ? 'left' : 'right'}`,
    );
  }
  words = match(/^is the (.+) (?:above or below|left or right of) the (.+)\?$/);
  if (words) {
    const upright = question.includes(' above ');
    return named(words[0] as string).flatMap((a) =>
      named((words as string[])[1] as string).map((b) =>
        upright ? (a.y < b.y ? 'above' : 'below') : a.x < b.x ? 'left' : 'right',
      ),
    );
  }
  words = match(/^which is larger, the (\w+) or the (\w+)\?$/);
  if (words) {
    const [a, b] = [named(words[0] as string), named(words[1] as string)];
    return a.flatMap((one) => b.map((other) => (one.reach > other.reach ? one.kind : other.kind)));
  }
  words = match(/^is there an? (.+)\?$/);
  if (words) return [named(words[0] as string).length > 0 ? 'yes' : 'no'];
  words = match(/^is the (.+) small or big\?$/);
  if (words) return named(words[0] as string).map((s) => ((s.reach * 128) / (width + height) > 10 ? 'big' : 'small'));
  if (question === 'what number is on the card?') return mark ? [String(mark.digit)] : [];
  if (question === 'describe the picture.') {
    const [first, ...rest] = [...shapes].sort((a, b) => a.x - b.x);
    const full = ({ color, kind }: Shape) => `${color === 'orange' ? 'an' : 'a'} ${color} ${kind}`;
    const one = full(first as Shape);
    if (rest.length === 0) return [one];
    return [rest.length === 1 ? `${one} and ${full(rest[0] as Shape)}` : `${one} and ${rest.length} more things`];
  }
  return [];
}
