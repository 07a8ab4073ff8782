import { prepare_image } from '../../engine/input/image.ts';
import type { Picture } from '../../engine/input/pictures.ts';
import type { ImageGeometry } from '../../engine/model/geometry.ts';
import { png_of } from '../lab/png.ts';
import { PALETTE } from '../lab/style.ts';
import { canvas_of, crop_windows } from './crop_windows.ts';

/** The pictures that the encoder sees, pixel for pixel, and the canvas they are cut from with their outlines. */
export function crop_images(picture: Picture, max_crops: number, geometry: ImageGeometry): Map<string, Uint8Array> {
  const { images, tiling, views } = prepare_image(picture, { mode: 'pad', crops: { max_crops }, geometry });
  const all = Array.from({ length: views }, (_, view) => picture_of_view(images, view, geometry));
  const [overview, ...crops] = all as [Picture, ...Picture[]];
  const canvas = outlined(crops, tiling, geometry);
  return new Map([
    ['overview', png_of(overview)],
    ['canvas', png_of(canvas)],
    ...crops.map((crop, i) => [`crop${i}`, png_of(crop)] as const),
  ]);
}

/** From normalised patches back to pixels. */
function picture_of_view(images: Float32Array, view: number, g: ImageGeometry): Picture {
  const { crop_px, patch_px, patches_per_side, patch_values, patches } = g;
  const rgb = new Uint8Array(crop_px * crop_px * 3);
  let k = view * patches * patch_values;
  for (let patch = 0; patch < patches; patch++) {
    const top = Math.floor(patch / patches_per_side) * patch_px;
    const left = (patch % patches_per_side) * patch_px;
    for (let y = 0; y < patch_px; y++) {
      let to = ((top + y) * crop_px + left) * 3;
      for (let x = 0; x < patch_px * 3; x++, k++, to++) {
        const value = (images[k] as number) * (g.std[x % 3] as number) + (g.mean[x % 3] as number);
        rgb[to] = Math.min(255, Math.max(0, Math.round(255 * value)));
      }
    }
  }
  return { width: crop_px, height: crop_px, rgb };
}

const LINE_PX = 2;

/** Outlines of neighbours overlap, so each is a little inside of its crop and of another colour. */
function outlined(crops: readonly Picture[], tiling: { rows: number; cols: number }, g: ImageGeometry): Picture {
  const { width, height } = canvas_of(tiling, g);
  const rgb = new Uint8Array(width * height * 3);
  const windows = crop_windows(tiling, g);
  for (const [i, { x0, y0 }] of windows.entries()) {
    const from = (crops[i] as Picture).rgb;
    for (let y = 0; y < g.crop_px; y++) {
      rgb.set(from.subarray(3 * y * g.crop_px, 3 * (y + 1) * g.crop_px), 3 * ((y0 + y) * width + x0));
    }
  }
  for (const [i, { x0, y0 }] of windows.entries()) {
    const color = PALETTE[i % PALETTE.length] as string;
    const ink = [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16));
    const inset = LINE_PX * (i % 4);
    const [low, high] = [inset, g.crop_px - 1 - inset];
    for (let y = low; y <= high; y++) {
      for (let x = low; x <= high; x++) {
        const edge = Math.min(x - low, high - x, y - low, high - y) < LINE_PX;
        if (edge) rgb.set(ink, 3 * ((y0 + y) * width + x0 + x));
      }
    }
  }
  return { width, height, rgb };
}
