import { crc32, deflateSync } from 'node:zlib';
import type { Picture } from '../../engine/input/pictures.ts';

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** A picture as a PNG file, pixel for pixel. */
export function png_of({ width, height, rgb }: Picture): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2], 8); // bits a channel; red, green and blue
  const lines = Buffer.alloc(height * (1 + 3 * width));
  for (let y = 0; y < height; y++) lines.set(rgb.subarray(3 * y * width, 3 * (y + 1) * width), y * (1 + 3 * width) + 1);
  const chunks = [chunk_of('IHDR', header), chunk_of('IDAT', deflateSync(lines)), chunk_of('IEND', Buffer.alloc(0))];
  return Buffer.concat([SIGNATURE, ...chunks]);
}

function chunk_of(name: string, data: Uint8Array): Buffer {
  const chunk = Buffer.alloc(12 + data.length);
  chunk.writeUInt32BE(data.length, 0);
  chunk.write(name, 4, 'latin1');
  chunk.set(data, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length);
  return chunk;
}

/** Signature and header of every PNG: 8 bytes, then IHDR with its length, name and checksum. */
const HEADER_BYTES = 8 + 4 + 4 + 13 + 4;

/** The same picture with its print resolution in it: a pHYs chunk right after the header. */
export function with_dpi(png: Uint8Array, dpi: number): Uint8Array {
  const dots_per_metre = Math.round(dpi / 0.0254);
  const size = Buffer.alloc(9);
  size.writeUInt32BE(dots_per_metre, 0);
  size.writeUInt32BE(dots_per_metre, 4);
  size.writeUInt8(1, 8); // unit: metre
  return Buffer.concat([png.subarray(0, HEADER_BYTES), chunk_of('pHYs', size), png.subarray(HEADER_BYTES)]);
}
