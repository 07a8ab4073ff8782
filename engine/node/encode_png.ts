import sharp from 'sharp';
import type { Picture } from '../input/pictures.ts';

/** A picture as the bytes of a PNG file. */
export const encode_png = ({ width, height, rgb }: Picture): Promise<Uint8Array> =>
  sharp(rgb, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
