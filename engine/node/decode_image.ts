import { readFile, stat } from 'node:fs/promises';
import sharp, { type Metadata, type Sharp, type SharpOptions } from 'sharp';
import { InputError } from '../errors.ts';
import { image_format, start_of } from '../input/image_header.ts';
import { max_pixels as default_max_pixels, type Picture } from '../input/pictures.ts';

export type DecodeOptions = {
  /** Turn the picture as its EXIF orientation says. The pad mode's reference ignores it, the fill mode's applies it. */
  orient?: boolean;
  /** How error messages call the picture where it comes as bytes. */
  name?: string;
  max_bytes?: number;
  max_pixels?: number;
};

/** A picture, and how its file says it is to be turned. */
export interface DecodedPicture extends Picture {
  /** EXIF's number, 1 where there is none: 2 to 8 mirror or turn it. */
  readonly orientation: number;
}

const decode_seconds = 60;

// ignoreIcc: the reference takes the stored numbers as they are. failOn error: a cut file is no picture.
const settings: SharpOptions = { ignoreIcc: true, failOn: 'error', limitInputPixels: false };

/** Decodes a file or its bytes to 8-bit RGB: PNG, JPEG, WebP, TIFF or GIF, of the last three the first page. */
export async function decode_image(source: string | Uint8Array, options: DecodeOptions = {}): Promise<DecodedPicture> {
  const { orient = false, max_pixels = default_max_pixels } = options;
  return with_header(source, options, async (bytes, header) => {
    const image = sharp(bytes, { ...settings, limitInputPixels: max_pixels }).timeout({ seconds: decode_seconds });
    return { ...(await decode(image, header, orient)), orientation: header.orientation ?? 1 };
  });
}

/** Width and height as the file's header says them: no pixel is decoded. */
export const image_size = (
  source: string | Uint8Array,
  options: DecodeOptions = {},
): Promise<{ width: number; height: number }> =>
  with_header(source, options, async (_bytes, { width, height, orientation = 1 }) =>
    // From 5 on, EXIF's orientations lay the picture on its side.
    options.orient && orientation >= 5 ? { width: height, height: width } : { width, height },
  );

async function with_header<T>(
  source: string | Uint8Array,
  options: DecodeOptions,
  use: (bytes: Uint8Array, header: Metadata) => Promise<T>,
): Promise<T> {
  const { max_bytes = 256 * 2 ** 20, max_pixels = default_max_pixels } = options;
  const name = typeof source === 'string' ? source : (options.name ?? 'image');
  const bytes = typeof source === 'string' ? await read_capped(source, max_bytes) : source;
  if (bytes.byteLength > max_bytes) throw too_many_bytes(name, bytes.byteLength, max_bytes);
  // Only these formats reach the decoder, whatever else it was built to read.
  if (image_format(bytes) === undefined) {
    throw new InputError(`${name}: expected a PNG, JPEG, WebP, GIF or TIFF image, found ${start_of(bytes)}`);
  }
  try {
    const header = await sharp(bytes, settings).metadata();
    if (header.width * header.height > max_pixels) {
      throw new InputError(
        `${name}: expected at most ${max_pixels / 1e6} million pixels, found ${header.width}x${header.height}; scale it down`,
      );
    }
    return await use(bytes, header);
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError(`${name}: cannot be decoded: ${one_line((error as Error).message)}`);
  }
}

async function decode(image: Sharp, header: Metadata, orient: boolean): Promise<Picture> {
  const upright = orient ? image.autoOrient() : image;
  const inks = header.space === 'cmyk' && header.channels >= 4;
  // Inks are asked for raw: on the way through sRGB the decoder would apply a colour profile of its own.
  const pixels = inks
    ? upright.pipelineColourspace('cmyk').toColourspace('cmyk')
    : upright.removeAlpha().toColourspace('srgb');
  const { data, info } = await pixels.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  if (channels === 3) return { width, height, rgb: data };
  const rgb = new Uint8Array(width * height * 3);
  const value = (i: number) => data[i] as number;
  for (let from = 0, to = 0; to < rgb.length; from += channels) {
    for (let c = 0; c < 3; c++, to++) {
      if (inks) rgb[to] = Math.round(((255 - value(from + c)) * (255 - value(from + 3))) / 255);
      else rgb[to] = value(channels < 3 ? from : from + c); // grey is copied
    }
  }
  return { width, height, rgb };
}

async function read_capped(path: string, max_bytes: number): Promise<Uint8Array> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw new InputError(`${path}: expected an image file, found something else`);
    if (found.size > max_bytes) throw too_many_bytes(path, found.size, max_bytes);
    return await readFile(path);
  } catch (error) {
    if (error instanceof InputError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new InputError(`${path}: expected a readable image file, found ${code === 'ENOENT' ? 'no such file' : code}`);
  }
}

function too_many_bytes(name: string, bytes: number, max_bytes: number): InputError {
  return new InputError(`${name}: expected an image file of at most ${max_bytes} bytes, found ${bytes}`);
}

function one_line(message: string): string {
  return message
    .trim()
    .replace(/\s*\n\s*/g, '; ')
    .replace(/:$/, '');
}
