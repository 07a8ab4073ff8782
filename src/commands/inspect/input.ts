import { basename } from 'node:path';
import { UsageError } from '../../../engine/errors.ts';
import type { Picture } from '../../../engine/input/pictures.ts';
import { visible } from '../../../engine/weights/text.ts';
import { type InputFlags, orientation_note, parse_size, read_picture, read_prompt } from '../inputs.ts';

export interface PictureFlags extends InputFlags {
  readonly imageSize?: string;
  readonly orient?: boolean;
  /** How a picture is cut: of no use without one. */
  readonly maxCrops?: number;
  readonly crops?: number;
  readonly tier?: string;
}

/** A picture of the user's, or the size of one to make. */
export interface AskedPicture {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly file: Picture | undefined;
}

export interface Input {
  readonly prompt: string;
  readonly picture: AskedPicture | undefined;
  /** What a user should know of it. */
  readonly notes: readonly string[];
}

const PROMPT = 'Describe this image.';

/** Prompt and picture as asked for; where nothing is said of a picture, one of `side` x `side`. */
export async function read_input(flags: PictureFlags, made: string, side: number): Promise<Input> {
  const { image, imageSize, orient = false, maxCrops, crops, tier } = flags;
  if (image !== undefined && imageSize !== undefined) {
    throw new UsageError('--image and --image-size: expected one picture, found two; leave one out');
  }
  const prompt = (await read_prompt(flags)) ?? PROMPT;
  if (image !== undefined) {
    const file = await read_picture(image, orient);
    const name = image === '-' ? 'stdin' : visible(basename(image));
    return { prompt, picture: { ...file, name, file }, notes: orientation_note(file, orient) };
  }
  const size = imageSize === undefined ? { width: side, height: side } : parse_size(imageSize);
  const cut = Object.entries({ '--max-crops': maxCrops, '--crops': crops, '--tier': tier });
  const given = cut.filter(([, value]) => size === null && value !== undefined).map(([flag]) => flag);
  const unused = [
    ...(orient ? ['--orient: without effect, the picture is no file (--image FILE)'] : []),
    ...(given.length > 0 ? [`${given.join(', ')}: without effect, the request has no picture`] : []),
  ];
  return { prompt, picture: size === null ? undefined : { ...size, name: made, file: undefined }, notes: unused };
}
