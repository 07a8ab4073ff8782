import { UsageError } from '../errors.ts';

/** A decoded picture: 8 bits a channel, rows from the top, RGB RGB ... */
export type Picture = { width: number; height: number; rgb: Uint8Array };

/** Pictures made by a formula in whole numbers, so that every machine gets the same bytes. */
export const formulas = ['ramp', 'rings', 'hash', 'constant'] as const;
export type Formula = (typeof formulas)[number];

/** Larger pictures are refused everywhere: 100 million pixels are 300 MB of RGB. */
export const max_pixels = 100e6;

export function formula_picture(
  formula: Formula,
  width: number,
  height: number,
  { seed = 12345, rgb: constant = [100, 150, 200] as readonly number[] } = {},
): Picture {
  for (const side of [width, height]) {
    if (!Number.isInteger(side) || side < 1) {
      throw new UsageError(`picture size: expected whole numbers of at least 1, found ${width}x${height}`);
    }
  }
  if (width * height > max_pixels) {
    throw new UsageError(`picture size: expected at most ${max_pixels / 1e6} million pixels, found ${width}x${height}`);
  }
  const value = channel_value(formula, width, height, seed, constant);
  const rgb = new Uint8Array(width * height * 3);
  let k = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < 3; channel++) rgb[k++] = value(x, y, channel);
    }
  }
  return { width, height, rgb };
}

type ChannelValue = (x: number, y: number, channel: number) => number;

function channel_value(
  formula: Formula,
  width: number,
  height: number,
  seed: number,
  constant: readonly number[],
): ChannelValue {
  switch (formula) {
    case 'ramp':
      return (x, y, channel) => {
        if (channel === 0) return Math.floor((255 * x) / Math.max(width - 1, 1));
        if (channel === 1) return Math.floor((255 * y) / Math.max(height - 1, 1));
        return (x + 2 * y) & 255;
      };
    case 'rings':
      return (x, y, channel) => {
        // Divisions, not shifts: the squares of a long side do not fit in 32 bits.
        if (channel === 0) return Math.floor(((x - (width >> 1)) ** 2 + (y - (height >> 1)) ** 2) / 32) & 255;
        if (channel === 1) return (Math.floor((x * x) / 16) + y) & 255;
        return Math.floor((x * y) / 8) & 255;
      };
    case 'hash':
      return (x, y, channel) => {
        let u = Math.imul(x, 73856093) ^ Math.imul(y, 19349663) ^ Math.imul(channel, 83492791) ^ seed;
        u = Math.imul(u ^ (u >>> 13), 0x5bd1e995);
        return (u ^ (u >>> 15)) & 255;
      };
    case 'constant':
      if (constant.length !== 3 || constant.some((v) => !Number.isInteger(v) || v < 0 || v > 255)) {
        throw new UsageError(`picture colour: expected three numbers from 0 to 255, found ${constant.join(', ')}`);
      }
      return (_x, _y, channel) => constant[channel] as number;
    default:
      throw new UsageError(`picture: expected one of ${formulas.join(', ')}, found "${formula}"`);
  }
}
