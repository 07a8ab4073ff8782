import type { Picture } from '../../engine/input/pictures.ts';
import { below, random_numbers } from '../lab/random.ts';
import type { Color, Mark, Scene, Shape } from './shapes_scene.ts';

const rgb_of: Readonly<Record<Color, readonly [number, number, number]>> = {
  red: [215, 30, 35],
  orange: [245, 135, 20],
  yellow: [240, 225, 40],
  green: [40, 160, 50],
  cyan: [40, 210, 225],
  blue: [40, 60, 205],
  purple: [140, 40, 170],
};
const color_spread = 12;
const card_rgb = [245, 245, 240] as const;
const ink_rgb = [15, 15, 20] as const;
const noisy_share = 0.6;

/** Rows of three dots, top to bottom. */
const digit_dots = [
  ['111', '101', '101', '101', '111'],
  ['010', '110', '010', '010', '111'],
  ['111', '001', '111', '100', '111'],
  ['111', '001', '011', '001', '111'],
  ['101', '101', '111', '001', '001'],
  ['111', '100', '111', '001', '111'],
  ['111', '100', '111', '101', '111'],
  ['111', '001', '010', '010', '010'],
  ['111', '101', '111', '101', '111'],
  ['111', '101', '111', '001', '111'],
] as const;

/** The scene's pixels, in whole numbers from the first to the last. */
export function picture_of(scene: Scene): Picture {
  const random = random_numbers(scene.seed ^ 0x51ab_7e11);
  const picture = background(scene.width, scene.height, random);
  for (const shape of scene.shapes) draw_shape(picture, shape, random);
  if (scene.mark) paint_mark(picture, scene.mark);
  return picture;
}

function background(width: number, height: number, random: () => number): Picture {
  const grey = 105 + below(90, random);
  const tint = [below(17, random) - 8, below(17, random) - 8, below(17, random) - 8] as const;
  const noise = random() < noisy_share ? 2 + below(14, random) : 0;
  const rgb = new Uint8Array(width * height * 3);
  let k = 0;
  for (let pixel = 0; pixel < width * height; pixel++) {
    const off = noise === 0 ? 0 : below(2 * noise + 1, random) - noise;
    for (let c = 0; c < 3; c++) rgb[k++] = byte(grey + (tint[c] as number) + off);
  }
  return { width, height, rgb };
}

function draw_shape({ width, height, rgb }: Picture, shape: Shape, random: () => number): void {
  const color = rgb_of[shape.color].map((value) => byte(value + below(2 * color_spread + 1, random) - color_spread));
  const { x, y, reach } = shape;
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      if (!covers(shape, dx, dy) || x + dx < 0 || y + dy < 0 || x + dx >= width || y + dy >= height) continue;
      rgb.set(color, ((y + dy) * width + x + dx) * 3);
    }
  }
}

function covers({ kind, reach }: Shape, dx: number, dy: number): boolean {
  const across = Math.abs(dx);
  const down = Math.abs(dy);
  const square = dx * dx + dy * dy;
  switch (kind) {
    case 'circle':
      return square <= reach * reach;
    case 'ring':
      return square <= reach * reach && 25 * square >= 9 * reach * reach;
    case 'square':
      return 8 * Math.max(across, down) <= 7 * reach;
    case 'diamond':
      return across + down <= reach;
    case 'cross':
      return 3 * Math.min(across, down) <= reach;
    case 'triangle':
      return 2 * across <= dy + reach;
  }
}

export function paint_mark({ width, rgb }: Picture, { digit, left, top, dot_px }: Mark): void {
  const dots = digit_dots[digit] as readonly string[];
  for (let y = 0; y < 7 * dot_px; y++) {
    for (let x = 0; x < 5 * dot_px; x++) {
      const dot = dots[Math.floor(y / dot_px) - 1]?.[Math.floor(x / dot_px) - 1];
      rgb.set(dot === '1' ? ink_rgb : card_rgb, ((top + y) * width + left + x) * 3);
    }
  }
}

const byte = (value: number): number => Math.min(255, Math.max(0, value));
