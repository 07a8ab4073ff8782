import { InputError } from '../errors.ts';
import { type ImageFormat, image_format, image_size_of, start_of } from '../input/image_header.ts';
import { max_pixels as default_max_pixels, type Picture } from '../input/pictures.ts';
import { without_exif } from '../input/without_exif.ts';

const MOST_BYTES = 256 * 2 ** 20;
const BROWSERS_HAVE: readonly ImageFormat[] = ['PNG', 'JPEG', 'WebP', 'GIF'];

export interface DecodeOptions {
  /** Turn the picture as its EXIF orientation says. The pad mode's reference ignores it. */
  readonly orient?: boolean;
  readonly max_pixels?: number;
}

/**
 * A picture's file as 8-bit RGB: its stored numbers, whatever its colour profile, as Node's decoder gives them. Of pictures that
 * are transparent in places a canvas rounds colours (by 1 of 255 at half opacity) and shows black where nothing is to be seen.
 */
export async function decode_image(file: Blob, name: string, options: DecodeOptions = {}): Promise<Picture> {
  const { orient = false, max_pixels = default_max_pixels } = options;
  if (file.size > MOST_BYTES) {
    throw new InputError(
      `${name}: expected a picture of at most ${MOST_BYTES / 2 ** 20} MiB, found ${file.size} bytes`,
    );
  }
  const bytes = new Uint8Array(await file.arrayBuffer());
  const format = image_format(bytes);
  if (format === undefined || !BROWSERS_HAVE.includes(format)) {
    const found = format === undefined ? start_of(bytes) : `${format}, which browsers do not read`;
    throw new InputError(`${name}: expected a PNG, JPEG, WebP or GIF picture, found ${found}`);
  }
  const size = image_size_of(bytes);
  if (size === undefined || size.width < 1 || size.height < 1) {
    throw new InputError(`${name}: expected a whole ${format} picture, found one without a size; save it again`);
  }
  // Before anything is decoded: a small file may hold pixels that fill the memory.
  if (size.width * size.height > max_pixels) {
    throw new InputError(
      `${name}: expected at most ${max_pixels / 1e6} million pixels, found ${size.width}x${size.height}; scale it down`,
    );
  }
  const bitmap = await opened(bytes, name, orient);
  try {
    return pixels_of(bitmap, name);
  } finally {
    bitmap.close();
  }
}

/** Browsers turn every picture as its EXIF says: one that is to stay as it is stored comes to them without. */
async function opened(bytes: Uint8Array, name: string, orient: boolean): Promise<ImageBitmap> {
  try {
    const file = new Blob([(orient ? bytes : without_exif(bytes)) as Uint8Array<ArrayBuffer>]);
    return await createImageBitmap(file, { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
  } catch {
    throw new InputError(`${name}: expected a picture that can be decoded, found a broken one; save it again`);
  }
}

function pixels_of(bitmap: ImageBitmap, name: string): Picture {
  const { width, height } = bitmap;
  const pen = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (pen === null) throw new InputError(`${name}: expected a canvas of ${width}x${height}, found none; scale it down`);
  pen.drawImage(bitmap, 0, 0);
  const { data } = pen.getImageData(0, 0, width, height);
  const rgb = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; to < rgb.length; from += 4) {
    rgb[to++] = data[from] as number;
    rgb[to++] = data[from + 1] as number;
    rgb[to++] = data[from + 2] as number;
  }
  return { width, height, rgb };
}
