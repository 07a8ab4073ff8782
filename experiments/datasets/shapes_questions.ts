import { below } from '../lab/random.ts';
import { type Color, colors, type Kind, kinds, type Scene, type Shape } from './shapes_scene.ts';

export const question_types = [
  'color',
  'shape',
  'count',
  'place',
  'relation',
  'larger',
  'exists',
  'size',
  'mark',
  'caption',
] as const;
export type QuestionType = (typeof question_types)[number];

export type Question = { type: QuestionType; question: string; answer: string };

type Random = () => number;

/** A question of this type that the scene answers in one way only; undefined where it has none. */
export function ask(scene: Scene, type: QuestionType, random: Random): Question | undefined {
  const found = askers[type](scene, random);
  return found && { type, question: found[0], answer: found[1] };
}

type Asker = (scene: Scene, random: Random) => [question: string, answer: string] | undefined;

const askers: Readonly<Record<QuestionType, Asker>> = {
  color(scene, random) {
    const shape = any(scene.shapes.filter(alone_by_kind(scene)), random);
    return shape && [`what color is the ${shape.kind}?`, shape.color];
  },

  shape(scene, random) {
    const shape = any(scene.shapes.filter(alone_by_color(scene)), random);
    return shape && [`what shape is the ${shape.color} thing?`, shape.kind];
  },

  count(scene, random) {
    if (random() < 0.5) return ['how many things are there?', String(scene.shapes.length)];
    const by_color = random() < 0.5;
    const words: readonly string[] = by_color ? colors : kinds;
    const counts = words.map((word) => scene.shapes.filter((s) => (by_color ? s.color : s.kind) === word).length);
    // The answer first, then a word that has it: else nearly every answer were 0.
    const answers = [...new Set(counts)];
    const answer = answers[below(answers.length, random)] as number;
    const word = any(
      words.filter((_, i) => counts[i] === answer),
      random,
    ) as string;
    return [by_color ? `how many ${word} things are there?` : `how many ${plural(word)} are there?`, String(answer)];
  },

  place(scene, random) {
    const { width, height } = scene;
    const clear = ({ x, y }: Shape) =>
      10 * Math.abs(2 * x - width) >= 2 * width && 10 * Math.abs(2 * y - height) >= 2 * height;
    const shape = any(scene.shapes.filter(clear), random);
    if (!shape) return undefined;
    const place = `${2 * shape.y < height ? 'top' : 'bottom'} ${2 * shape.x < width ? 'left' : 'right'}`;
    return [`where is the ${name_of(scene, shape, random)}?`, place];
  },

  relation(scene, random) {
    const pairs = pairs_of(scene.shapes);
    const upright = random() < 0.5;
    const clear = ([a, b]: Pair) =>
      upright ? 6 * Math.abs(a.y - b.y) >= scene.height : 6 * Math.abs(a.x - b.x) >= scene.width;
    const pair = any(pairs.filter(clear), random);
    if (!pair) return undefined;
    const [a, b] = pair;
    const [sides, answer] = upright
      ? ['above or below', a.y < b.y ? 'above' : 'below']
      : ['left or right of', a.x < b.x ? 'left' : 'right'];
    return [`is the ${name_of(scene, a, random)} ${sides} the ${name_of(scene, b, random)}?`, answer];
  },

  larger(scene, random) {
    const clear = ([a, b]: Pair) => a.big !== b.big && a.kind !== b.kind;
    const usable = scene.shapes.filter(alone_by_kind(scene));
    const pair = any(pairs_of(usable).filter(clear), random);
    if (!pair) return undefined;
    const [a, b] = pair;
    return [`which is larger, the ${a.kind} or the ${b.kind}?`, a.big ? a.kind : b.kind];
  },

  exists(scene, random) {
    if (random() < 0.5) {
      const shape = any(scene.shapes, random) as Shape;
      return [`is there ${full_name(shape)}?`, 'yes'];
    }
    // Half of those that are not there have their colour or their kind from one that is.
    const near = random() < 0.5 ? any(scene.shapes, random) : undefined;
    const keep_color = random() < 0.5;
    for (;;) {
      const color = near && keep_color ? near.color : (any(colors, random) as Color);
      const kind = near && !keep_color ? near.kind : (any(kinds, random) as Kind);
      if (scene.shapes.every((shape) => shape.color !== color || shape.kind !== kind)) {
        return [`is there ${full_name({ color, kind })}?`, 'no'];
      }
    }
  },

  size(scene, random) {
    // Big ones find a place less often, so the answer is drawn first.
    const big = random() < 0.5;
    const alike = scene.shapes.filter((shape) => shape.big === big);
    const shape = any(alike.length > 0 ? alike : scene.shapes, random) as Shape;
    return [`is the ${name_of(scene, shape, random)} small or big?`, shape.big ? 'big' : 'small'];
  },

  mark(scene) {
    return scene.mark && ['what number is on the card?', String(scene.mark.digit)];
  },

  caption(scene) {
    const [first, second, ...rest] = [...scene.shapes].sort((a, b) => a.x - b.x);
    if (!first) return undefined;
    const question = 'describe the picture.';
    if (!second) return [question, full_name(first)];
    if (10 * (second.x - first.x) < scene.width) return undefined;
    if (rest.length === 0) return [question, `${full_name(first)} and ${full_name(second)}`];
    return [question, `${full_name(first)} and ${rest.length + 1} more things`];
  },
};

type Pair = [Shape, Shape];

/** Each two shapes, in both orders. */
const pairs_of = (shapes: readonly Shape[]): Pair[] =>
  shapes.flatMap((a) => shapes.filter((b) => b !== a).map((b): Pair => [a, b]));

const alone_by_kind = (scene: Scene) => (shape: Shape) =>
  scene.shapes.every((other) => other === shape || other.kind !== shape.kind);
const alone_by_color = (scene: Scene) => (shape: Shape) =>
  scene.shapes.every((other) => other === shape || other.color !== shape.color);

/** By one property where that is enough, else by both; no two shapes of a scene share both. */
function name_of(scene: Scene, shape: Shape, random: Random): string {
  const names = [`${shape.color} ${shape.kind}`];
  if (alone_by_kind(scene)(shape)) names.push(shape.kind);
  if (alone_by_color(scene)(shape)) names.push(`${shape.color} thing`);
  return any(names, random) as string;
}

const full_name = ({ color, kind }: Pick<Shape, 'color' | 'kind'>): string =>
  `${color === 'orange' ? 'an' : 'a'} ${color} ${kind}`;
const plural = (kind: string): string => (kind === 'cross' ? 'crosses' : `${kind}s`);

function any<T>(list: readonly T[], random: Random): T | undefined {
  return list[below(Math.max(list.length, 1), random)];
}

/** Every word of questions and answers, punctuation included. */
export const shapes_words: readonly string[] = [
  ...colors,
  ...kinds,
  ...kinds.map(plural),
  ...Array.from({ length: 10 }, (_, digit) => String(digit)),
  ...'what color is the shape thing things how many are there where top bottom left right above below of or'.split(' '),
  ...'which larger small big a an yes no number on card describe picture and more'.split(' '),
  ...['?', '.', ',', ':', 'User', 'Assistant'],
];
