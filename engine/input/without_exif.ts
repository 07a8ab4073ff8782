import { image_format } from './image_header.ts';

/** The file without its EXIF data, for decoders that turn every picture as it says there; the same bytes where it has none. */
export function without_exif(bytes: Uint8Array): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    switch (image_format(bytes)) {
      case 'JPEG':
        return without(bytes, jpeg_parts(view));
      case 'PNG':
        return without(bytes, png_parts(view));
      case 'WebP':
        return unnamed(bytes, webp_parts(view));
      default:
        return bytes;
    }
  } catch (error) {
    if (error instanceof RangeError) return bytes; // cut off: its decoder will say so
    throw error;
  }
}

type Part = readonly [from: number, to: number];

const word = (view: DataView, at: number): string =>
  String.fromCharCode(...[0, 1, 2, 3].map((i) => view.getUint8(at + i)));

/** Segments of APP1 that begin with Exif, before the picture's data. */
function jpeg_parts(view: DataView): Part[] {
  const parts: Part[] = [];
  for (let at = 2; at + 4 <= view.byteLength && view.getUint8(at) === 0xff; ) {
    const marker = view.getUint8(at + 1);
    if (marker === 0xda) break; // here the data begins
    const end = at + 2 + view.getUint16(at + 2);
    if (marker === 0xe1 && word(view, at + 4) === 'Exif') parts.push([at, end]);
    at = end;
  }
  return parts;
}

function png_parts(view: DataView): Part[] {
  const parts: Part[] = [];
  for (let at = 8; at + 12 <= view.byteLength; ) {
    const end = at + 12 + view.getUint32(at);
    if (word(view, at + 4) === 'eXIf') parts.push([at, end]);
    at = end;
  }
  return parts;
}

function webp_parts(view: DataView): Part[] {
  const parts: Part[] = [];
  for (let at = 12; at + 8 <= view.byteLength; ) {
    const bytes = view.getUint32(at + 4, true);
    const end = at + 8 + bytes + (bytes % 2);
    if (word(view, at) === 'EXIF') parts.push([at, end]);
    at = end;
  }
  return parts;
}

function without(bytes: Uint8Array, parts: readonly Part[]): Uint8Array {
  if (parts.length === 0) return bytes;
  const kept: Uint8Array[] = [];
  let from = 0;
  for (const [begin, end] of parts) {
    kept.push(bytes.subarray(from, begin));
    from = end;
  }
  kept.push(bytes.subarray(from));
  const all = new Uint8Array(kept.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of kept) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The container's length counts its chunks: they stay, under a name that nobody reads. */
function unnamed(bytes: Uint8Array, parts: readonly Part[]): Uint8Array {
  if (parts.length === 0) return bytes;
  const all = bytes.slice();
  for (const [begin] of parts) all.set([0x5f, 0x5f, 0x5f, 0x5f], begin);
  return all;
}
