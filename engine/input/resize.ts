import { InputError } from '../errors.ts';
import type { Picture } from './pictures.ts';

/** pad: the whole picture fits in, the rest is black. fill: the picture covers all, what sticks out is cut off. */
export type ResizeMode = 'pad' | 'fill';

/** Where the scaled picture lies in its target. */
export type Placement = {
  width: number; // target
  height: number;
  scaled_width: number;
  scaled_height: number;
  top: number; // black above and left of the picture, pad mode
  left: number;
  crop_top: number; // cut off above and left, fill mode
  crop_left: number;
};

/** Scales and sides are rounded to float32 as the reference does: in double precision one size in twenty differs. */
export function place(picture: Picture, width: number, height: number, mode: ResizeMode): Placement {
  const scale_y = Math.fround(height / picture.height);
  const scale_x = Math.fround(width / picture.width);
  const scale = mode === 'pad' ? Math.min(scale_x, scale_y) : Math.max(scale_x, scale_y);
  const exact_height = Math.fround(picture.height * scale);
  const exact_width = Math.fround(picture.width * scale);
  const scaled_height = mode === 'pad' ? Math.trunc(exact_height) : Math.max(height, Math.ceil(exact_height));
  const scaled_width = mode === 'pad' ? Math.trunc(exact_width) : Math.max(width, Math.ceil(exact_width));
  if (scaled_height === 0 || scaled_width === 0) {
    throw new InputError(
      `image: ${picture.width}x${picture.height} is too narrow: scaled to fit ${width}x${height} ` +
        'one side has no pixel left; crop it or use the fill mode',
    );
  }
  const half_slack = (target: number, scaled: number) => Math.max(0, Math.floor((target - scaled) / 2));
  return {
    width,
    height,
    scaled_width,
    scaled_height,
    top: half_slack(height, scaled_height),
    left: half_slack(width, scaled_width),
    crop_top: half_slack(scaled_height, height),
    crop_left: half_slack(scaled_width, width),
  };
}

/** One side of a separable filter: output i is the weighted sum of inputs first[i] .. first[i] + count[i] - 1. */
type Taps = { first: Int32Array; count: Int32Array; weights: Float32Array; stride: number };

/** Triangle filter, widened when shrinking, for outputs start .. start + length - 1 of n_in -> n_out. */
function triangle_taps(n_in: number, n_out: number, start: number, length: number): Taps {
  const scale = Math.fround(n_in / n_out);
  const support = Math.max(scale, 1);
  const inverse = scale >= 1 ? Math.fround(1 / scale) : 1;
  const stride = Math.ceil(support) * 2 + 1;
  const taps: Taps = {
    first: new Int32Array(length),
    count: new Int32Array(length),
    weights: new Float32Array(length * stride),
    stride,
  };
  for (let i = 0; i < length; i++) {
    const centre = Math.fround(scale * (start + i + 0.5));
    const first = Math.max(Math.trunc(Math.fround(centre - support) + 0.5), 0);
    const end = Math.min(Math.trunc(Math.fround(centre + support) + 0.5), n_in);
    let total = 0;
    for (let j = first; j < end; j++) {
      const distance = Math.abs(Math.fround((Math.fround(j - centre) + 0.5) * inverse));
      const weight = distance < 1 ? Math.fround(1 - distance) : 0;
      taps.weights[i * stride + j - first] = weight;
      total = Math.fround(total + weight);
    }
    for (let j = 0; j < end - first; j++) {
      taps.weights[i * stride + j] = Math.fround((taps.weights[i * stride + j] as number) / total);
    }
    taps.first[i] = first;
    taps.count[i] = end - first;
  }
  return taps;
}

const unit_of_byte = Float32Array.from({ length: 256 }, (_, byte) => byte / 255);

/**
 * The part of the scaled picture that lands in the target, antialiased bilinear, values 0..1, [rows, cols, 3].
 * Width first, then height, one source row at a time: nothing of the size of the scaled picture is ever held.
 */
export function resize(picture: Picture, at: Placement): { rows: number; cols: number; values: Float32Array } {
  const rows = Math.min(at.height, at.scaled_height);
  const cols = Math.min(at.width, at.scaled_width);
  const across = triangle_taps(picture.width, at.scaled_width, at.crop_left, cols);
  const down = triangle_taps(picture.height, at.scaled_height, at.crop_top, rows);
  const values = new Float32Array(rows * cols * 3);
  const line = new Float32Array(cols * 3); // one source row after the width pass

  let first_open = 0; // output rows before this one need no further source row
  const last_row = rows - 1;
  const source_end = (down.first[last_row] as number) + (down.count[last_row] as number);
  for (let y = down.first[0] as number; y < source_end; y++) {
    resize_line(picture.rgb, y * picture.width * 3, across, line);
    while ((down.first[first_open] as number) + (down.count[first_open] as number) <= y) first_open++;
    for (let i = first_open; i < rows && (down.first[i] as number) <= y; i++) {
      const weight = down.weights[i * down.stride + y - (down.first[i] as number)] as number;
      const out = i * cols * 3;
      for (let k = 0; k < line.length; k++) {
        values[out + k] = (values[out + k] as number) + weight * (line[k] as number);
      }
    }
  }
  for (let k = 0; k < values.length; k++) values[k] = Math.min(Math.max(values[k] as number, 0), 1);
  return { rows, cols, values };
}

function resize_line(rgb: Uint8Array, row: number, taps: Taps, line: Float32Array): void {
  const cols = line.length / 3;
  for (let i = 0; i < cols; i++) {
    let pixel = row + (taps.first[i] as number) * 3;
    const first = i * taps.stride;
    const end = first + (taps.count[i] as number);
    let r = 0;
    let g = 0;
    let b = 0;
    for (let t = first; t < end; t++, pixel += 3) {
      const weight = taps.weights[t] as number;
      r = Math.fround(r + weight * (unit_of_byte[rgb[pixel] as number] as number));
      g = Math.fround(g + weight * (unit_of_byte[rgb[pixel + 1] as number] as number));
      b = Math.fround(b + weight * (unit_of_byte[rgb[pixel + 2] as number] as number));
    }
    line[i * 3] = r;
    line[i * 3 + 1] = g;
    line[i * 3 + 2] = b;
  }
}
