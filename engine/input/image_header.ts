/** What the first bytes of a picture's file say: its format, and for those that browsers decode its size. Nothing is decoded. */
export type ImageFormat = 'PNG' | 'JPEG' | 'WebP' | 'GIF' | 'TIFF';

const SIGNATURES: readonly (readonly [ImageFormat, (at: At) => boolean])[] = [
  ['PNG', (at) => at(0, '\x89PNG\r\n\x1a\n')],
  ['JPEG', (at) => at(0, '\xff\xd8\xff')],
  ['WebP', (at) => at(0, 'RIFF') && at(8, 'WEBP')],
  ['GIF', (at) => at(0, 'GIF8')],
  ['TIFF', (at) => at(0, 'II*\0') || at(0, 'MM\0*')],
];
type At = (offset: number, signature: string) => boolean;

export function image_format(bytes: Uint8Array): ImageFormat | undefined {
  const at: At = (offset, signature) => [...signature].every((char, i) => bytes[offset + i] === char.charCodeAt(0));
  return SIGNATURES.find(([, matches]) => matches(at))?.[0];
}

/** For an error about bytes that are no picture. */
export function start_of(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'no bytes';
  const hex = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return `${bytes.length} bytes starting ${hex}`;
}

export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

/** Width and height as the header says them; undefined where it is cut off, or of a TIFF. */
export function image_size_of(bytes: Uint8Array): ImageSize | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    switch (image_format(bytes)) {
      case 'PNG':
        return { width: view.getUint32(16), height: view.getUint32(20) };
      case 'GIF':
        return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
      case 'JPEG':
        return jpeg_size(view);
      case 'WebP':
        return webp_size(view);
      default:
        return undefined;
    }
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Segments follow each other until the frame's own; FF C4, C8 and CC are no frames. */
function jpeg_size(view: DataView): ImageSize | undefined {
  for (let at = 2; ; ) {
    if (view.getUint8(at) !== 0xff) return undefined;
    const marker = view.getUint8(at + 1);
    if (marker === 0xff) {
      at += 1; // a fill byte
      continue;
    }
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    at += 2 + view.getUint16(at + 2);
  }
}

function webp_size(view: DataView): ImageSize | undefined {
  const kind = String.fromCharCode(...[12, 13, 14, 15].map((at) => view.getUint8(at)));
  const three = (at: number) => view.getUint16(at, true) + (view.getUint8(at + 2) << 16);
  if (kind === 'VP8X') return { width: 1 + three(24), height: 1 + three(27) };
  if (kind === 'VP8 ') return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
  if (kind !== 'VP8L') return undefined;
  const bits = view.getUint32(21, true);
  return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >>> 14) & 0x3fff) };
}
