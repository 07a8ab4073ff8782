import { crc32 } from 'node:zlib';

/** Signature and header of every PNG: 8 bytes, then IHDR with its length, name and checksum. */
const HEADER_BYTES = 8 + 4 + 4 + 13 + 4;

/** The same picture with its print resolution in it: a pHYs chunk right after the header. */
export function with_dpi(png: Uint8Array, dpi: number): Uint8Array {
  const chunk = Buffer.alloc(4 + 4 + 9 + 4);
  const dots_per_metre = Math.round(dpi / 0.0254);
  chunk.writeUInt32BE(9, 0);
  chunk.write('pHYs', 4, 'latin1');
  chunk.writeUInt32BE(dots_per_metre, 8);
  chunk.writeUInt32BE(dots_per_metre, 12);
  chunk.writeUInt8(1, 16); // unit: metre
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 17)), 17);
  return Buffer.concat([png.subarray(0, HEADER_BYTES), chunk, png.subarray(HEADER_BYTES)]);
}
