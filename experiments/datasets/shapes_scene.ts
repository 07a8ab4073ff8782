import { below, random_numbers } from '../lab/random.ts';

export const colors = ['red', 'orange', 'yellow', 'green', 'cyan', 'blue', 'purple'] as const;
export const kinds = ['circle', 'square', 'triangle', 'diamond', 'cross', 'ring'] as const;
export type Color = (typeof colors)[number];
export type Kind = (typeof kinds)[number];

/** Whole pixels throughout: the same seed is the same scene on every machine. */
export type Shape = {
  kind: Kind;
  color: Color;
  big: boolean;
  x: number; // centre
  y: number;
  reach: number; // from the centre to the side of its box
};

/** A digit of 3x5 dots on a card of 5x7: in a shrunk picture nobody can read it. */
export type Mark = { digit: number; left: number; top: number; dot_px: number };

export type Scene = {
  seed: number;
  width: number;
  height: number;
  shapes: Shape[];
  mark?: Mark;
};

/** A size and how often it is drawn. */
export type PictureSize = { width: number; height: number; weight: number };

export type ShapesGeometry = {
  sizes: readonly PictureSize[];
  /** One picture in two is up to this share smaller, side by side, than its size says. */
  shrink: number;
  dot_px: number;
};

/** For crops of 64 pixels with 16 of margin on each side: tilings from 1x1 to 2x3 and 3x2. */
export const nano_pictures: ShapesGeometry = {
  sizes: [
    { width: 128, height: 96, weight: 6 },
    { width: 96, height: 128, weight: 4 },
    { width: 96, height: 96, weight: 4 },
    { width: 96, height: 64, weight: 2 },
    { width: 64, height: 96, weight: 2 },
    { width: 64, height: 64, weight: 2 },
  ],
  shrink: 1 / 12,
  dot_px: 1,
};

/** The crops that nano_pictures is for: a model with these is asked about the pictures that nano learnt from. */
const nano_crops = { tile_px: 32, margin_px: 32 } as const;

/**
 * Sizes of the photographs of VQA v2 (COCO 2014), weighted so that crops of 336 pixels are as many as on 5,000 pictures
 * of its validation split: 17 want a grid of one crop, 255 of two, 56 of three, 466 of four, 3,980 of six, 226 of nine.
 */
export const photo_pictures: ShapesGeometry = {
  sizes: [
    { width: 640, height: 480, weight: 1900 },
    { width: 480, height: 640, weight: 640 },
    { width: 640, height: 427, weight: 760 },
    { width: 427, height: 640, weight: 240 },
    { width: 640, height: 428, weight: 170 },
    { width: 640, height: 426, weight: 120 },
    { width: 640, height: 424, weight: 80 },
    { width: 640, height: 360, weight: 70 },
    { width: 500, height: 375, weight: 340 },
    { width: 375, height: 500, weight: 126 },
    { width: 612, height: 612, weight: 140 },
    { width: 640, height: 640, weight: 86 },
    { width: 500, height: 333, weight: 190 },
    { width: 333, height: 500, weight: 65 },
    { width: 640, height: 320, weight: 40 },
    { width: 320, height: 640, weight: 16 },
    { width: 300, height: 225, weight: 17 },
  ],
  shrink: 0,
  dot_px: 2,
};

/** The crops that photo_pictures is for. */
const photo_crops = { tile_px: 224, margin_px: 112 } as const;

/** Photographs for crops of another size: each is cut as the photograph that it stands for. */
export function pictures_for({ tile_px, margin_px }: { tile_px: number; margin_px: number }): ShapesGeometry {
  if (tile_px === nano_crops.tile_px && margin_px === nano_crops.margin_px) return nano_pictures;
  const { sizes, shrink, dot_px } = photo_pictures;
  const share = tile_px / photo_crops.tile_px;
  // Rounded down: a side that fills its crops exactly must not need one more.
  const side = (px: number) => margin_px + Math.floor((px - photo_crops.margin_px) * share);
  return {
    sizes: sizes.map(({ width, height, weight }) => ({ width: side(width), height: side(height), weight })),
    shrink,
    dot_px: Math.max(1, Math.round(dot_px * share)),
  };
}

/** The half of the side that reaches of this many pixels are for, were the picture 64x64. */
const reach_of = { small: [7, 9], big: [13, 16] } as const;
const shapes_tried = 9;
const mark_share = 0.7;
const places_tried = 40;

/** What a seed shows. Fewer shapes than drawn where no free place is found for them. */
export function scene_of(seed: number, geometry: ShapesGeometry = nano_pictures): Scene {
  const random = random_numbers(seed);
  const { width, height } = draw_size(geometry, random);
  const scene: Scene = { seed, width, height, shapes: [] };

  const mark = random() < mark_share ? draw_mark(scene, geometry.dot_px, random) : undefined;
  if (mark) scene.mark = mark;
  const wanted = weighted([1, 2, 3, 4], (count) => 4 + count, random);
  for (let tries = 0; scene.shapes.length < wanted && (tries < shapes_tried || scene.shapes.length === 0); tries++) {
    const shape = draw_shape(scene, random);
    if (shape) scene.shapes.push(shape);
  }
  return scene;
}

/** One of the items, each as often as its weight asks. */
export function weighted<T>(items: readonly T[], weight: (item: T) => number, random: () => number): T {
  let left = random() * items.reduce((sum, item) => sum + weight(item), 0);
  for (const item of items) {
    left -= weight(item);
    if (left < 0) return item;
  }
  return items.at(-1) as T;
}

function draw_size({ sizes, shrink }: ShapesGeometry, random: () => number): { width: number; height: number } {
  const drawn = weighted(sizes, ({ weight }) => weight, random);
  const shorter = (side: number, off: number) => side - Math.floor(off * (Math.floor(side * shrink) + 1));
  if (random() < 0.5) return { width: drawn.width, height: drawn.height };
  return { width: shorter(drawn.width, random()), height: shorter(drawn.height, random()) };
}

export function draw_mark({ width, height }: Scene, dot_px: number, random: () => number): Mark {
  const digit = below(10, random);
  const left = 1 + below(width - 5 * dot_px - 1, random);
  const top = 1 + below(height - 7 * dot_px - 1, random);
  return { digit, left, top, dot_px };
}

function draw_shape(scene: Scene, random: () => number): Shape | undefined {
  const { width, height, shapes } = scene;
  // Some shapes share colour or kind with an earlier one: counting and two-word names need that.
  const earlier = shapes[below(Math.max(shapes.length, 1), random)];
  const shared = random();
  const drawn_color = colors[below(colors.length, random)] as Color;
  const drawn_kind = kinds[below(kinds.length, random)] as Kind;
  const color = earlier && shared < 0.25 ? earlier.color : drawn_color;
  const kind = earlier && shared >= 0.25 && shared < 0.5 ? earlier.kind : drawn_kind;
  if (shapes.some((other) => other.color === color && other.kind === kind)) return draw_shape(scene, random);

  const big = random() < 0.5;
  const [least, most] = reach_of[big ? 'big' : 'small'];
  const side = Math.floor(random() * (most - least + 1)) + least;
  const reach = Math.floor((side * (width + height)) / 128);
  for (let i = 0; i < places_tried; i++) {
    const x = reach + 1 + below(Math.max(width - 2 * reach - 2, 1), random);
    const y = reach + 1 + below(Math.max(height - 2 * reach - 2, 1), random);
    const shape: Shape = { kind, color, big, x, y, reach };
    if (x + reach < width && y + reach < height && is_free(scene, shape)) return shape;
  }
  return undefined;
}

const gap_px = 2;

/** Whether the card touches nothing of the shape. */
export function is_beside({ left, top, dot_px }: Mark, { x, y, reach }: Shape): boolean {
  return (
    x + reach + gap_px < left ||
    x - reach - gap_px > left + 5 * dot_px ||
    y + reach + gap_px < top ||
    y - reach - gap_px > top + 7 * dot_px
  );
}

function is_free({ shapes, mark }: Scene, shape: Shape): boolean {
  if (mark && !is_beside(mark, shape)) return false;
  const { x, y, reach } = shape;
  return shapes.every((other) => Math.max(Math.abs(other.x - x), Math.abs(other.y - y)) > other.reach + reach + gap_px);
}
