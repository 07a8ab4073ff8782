import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { formula_picture, type Picture } from '../../engine/input/pictures.ts';
import { decode_image, image_size } from '../../engine/node/decode_image.ts';
import { golden_path } from '../support/golden.ts';
import { golden_data, sha256 } from './support.ts';

type Golden = {
  file: string;
  width: number;
  height: number;
  rgb_sha256: string;
  loader_shape: number[];
  rgb_pixels: number[][];
  oriented_png?: string;
  decoded_png?: string;
};

const golden = golden_data<{ images: Golden[] }>('images.json');

describe.skipIf(!golden)('images.json', () => {
  for (const c of golden?.images ?? []) {
    const path = golden_path(`data/${c.file}`);
    test.skipIf(!path)(c.file, async () => {
      const picture = await decode_image(path as string);
      const upright = await decode_image(path as string, { orient: true });
      expect([picture.width, picture.height]).toEqual([c.width, c.height]);
      expect([upright.height, upright.width, 3]).toEqual(c.loader_shape);
      expect(await image_size(path as string)).toEqual({ width: picture.width, height: picture.height });
      expect(await image_size(path as string, { orient: true })).toEqual({
        width: upright.width,
        height: upright.height,
      });
      expect(picture.orientation).toBe(Number(/exif(\d)/.exec(c.file)?.[1] ?? 1));
      if (c.decoded_png && c.oriented_png) {
        // Decoders of JPEG may differ by a few grey levels.
        await expect_close(picture, c.decoded_png, 4);
        await expect_close(upright, c.oriented_png, 4);
      } else if (c.file.includes('gray16')) {
        const sixteen = await sharp(path as string)
          .toColourspace('grey16')
          .raw({ depth: 'ushort' })
          .toBuffer();
        const values = new Uint16Array(sixteen.buffer, sixteen.byteOffset, sixteen.length / 2);
        values.forEach((value, i) => {
          expect([...picture.rgb.subarray(i * 3, i * 3 + 3)]).toEqual([value >> 8, value >> 8, value >> 8]);
        });
      } else {
        expect(sha256(picture.rgb)).toBe(c.rgb_sha256);
        expect(sha256(upright.rgb)).toBe(c.rgb_sha256);
      }
    });
  }
});

async function expect_close(picture: Picture, file: string, tolerance: number): Promise<void> {
  const stored = await decode_image(golden_path(`data/${file}`) as string);
  expect([picture.width, picture.height]).toEqual([stored.width, stored.height]);
  const worst = picture.rgb.reduce((most, v, i) => Math.max(most, Math.abs(v - (stored.rgb[i] as number))), 0);
  expect(worst).toBeLessThanOrEqual(tolerance);
}

const sample = formula_picture('ramp', 24, 16);
const encoder = () => sharp(sample.rgb, { raw: { width: 24, height: 16, channels: 3 } });

describe('formats', () => {
  const lossless: [string, () => Promise<Buffer>][] = [
    ['png', () => encoder().png().toBuffer()],
    ['16-bit png', () => encoder().toColourspace('rgb16').png().toBuffer()],
    ['interlaced png', () => encoder().png({ progressive: true }).toBuffer()],
    ['half transparent png', () => encoder().ensureAlpha(0.5).png().toBuffer()],
    ['fully transparent webp', () => encoder().ensureAlpha(0).webp({ lossless: true, exact: true }).toBuffer()],
    ['tiff', () => encoder().tiff({ compression: 'lzw' }).toBuffer()],
    ['half transparent tiff', () => encoder().ensureAlpha(0.5).tiff({ compression: 'lzw' }).toBuffer()],
    ['16-bit tiff', () => encoder().toColourspace('rgb16').tiff({ compression: 'deflate' }).toBuffer()],
  ];
  for (const [name, encode] of lossless) {
    test(`${name}: the very pixels, alpha dropped`, async () => {
      const { width, height, rgb } = await decode_image(await encode());
      expect([width, height]).toEqual([24, 16]);
      expect([...rgb]).toEqual([...sample.rgb]);
    });
  }

  test('jpeg and gif: nearly the pixels', async () => {
    const encoded = [await encoder().jpeg({ quality: 100 }).toBuffer(), await encoder().gif().toBuffer()];
    for (const bytes of encoded) {
      const { rgb } = await decode_image(bytes);
      const mean = rgb.reduce((sum, v, i) => sum + Math.abs(v - (sample.rgb[i] as number)), 0) / rgb.length;
      expect(mean).toBeLessThan(6);
    }
  });

  test('grey is copied to three channels', async () => {
    const { rgb } = await decode_image(await encoder().toColourspace('b-w').png().toBuffer());
    for (let i = 0; i < rgb.length; i += 3) expect(rgb[i] === rgb[i + 1] && rgb[i] === rgb[i + 2]).toBe(true);
    expect(new Set(rgb).size).toBeGreaterThan(50);
  });

  test('inks become light: cmyk tiff and jpeg', async () => {
    const tiff = cmyk_tiff([
      [255, 0, 0, 0],
      [0, 255, 0, 0],
      [0, 0, 255, 0],
      [0, 0, 0, 200],
      [100, 50, 0, 51],
    ]);
    expect((await sharp(tiff).metadata()).space).toBe('cmyk');
    const light = [0, 255, 255, 255, 0, 255, 255, 255, 0, 55, 55, 55, 124, 164, 204];
    expect([...(await decode_image(tiff)).rgb]).toEqual(light);
    const jpeg = await sharp(cmyk_tiff(Array.from({ length: 64 }, () => [200, 40, 0, 0])))
      .pipelineColourspace('cmyk')
      .toColourspace('cmyk')
      .jpeg({ quality: 100 })
      .toBuffer();
    const { rgb } = await decode_image(jpeg);
    for (let i = 0; i < 3; i++) expect(Math.abs((rgb[i] as number) - ([55, 215, 255][i] as number))).toBeLessThan(4);
  });

  test('the first frame of an animation', async () => {
    const frames = Buffer.concat([Buffer.alloc(8 * 8 * 3, 250), Buffer.alloc(8 * 8 * 3, 5)]);
    const two = sharp(frames, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } });
    for (const bytes of [await two.clone().gif().toBuffer(), await two.clone().webp({ lossless: true }).toBuffer()]) {
      expect((await sharp(bytes).metadata()).pages).toBe(2);
      const { width, height, rgb } = await decode_image(bytes);
      expect([width, height, rgb[0]]).toEqual([8, 8, 250]);
    }
  });

  test('1 x 20000', async () => {
    const long = formula_picture('ramp', 1, 20000);
    const png = await sharp(long.rgb, { raw: { width: 1, height: 20000, channels: 3 } })
      .png()
      .toBuffer();
    expect(await decode_image(png).then((p) => [p.width, p.height, sha256(p.rgb)])).toEqual([
      1,
      20000,
      sha256(long.rgb),
    ]);
  });
});

describe('refusals', () => {
  const refused = async (source: string | Uint8Array, message: RegExp, options = {}) => {
    const error = await decode_image(source, options).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(InputError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toContain('\n');
  };

  test('a small file that claims 30000 x 30000 pixels is refused by its header', async () => {
    await refused(png_header(30000, 30000), /bomb.png: expected at most 100 million pixels, found 30000x30000/, {
      name: 'bomb.png',
    });
  });

  test('what is no image, or only a part of one', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>';
    await refused(
      new TextEncoder().encode(svg),
      /expected a PNG, JPEG, WebP, GIF or TIFF image, found 62 bytes starting 3c/,
    );
    await refused(new Uint8Array(), /found no bytes/);
    await refused(new Uint8Array(9), /too long|at most 8 bytes, found 9/, { max_bytes: 8 });
    const whole = await encoder().png().toBuffer();
    await refused(whole.subarray(0, whole.length - 40), /cannot be decoded/);
    const jpeg = await encoder().jpeg().toBuffer();
    await refused(jpeg.subarray(0, jpeg.length >> 1), /cannot be decoded/);
  });

  test('files that cannot be read', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'decode-'));
    try {
      await refused(join(dir, 'none.png'), /none.png: .*no such file/);
      await refused(dir, /expected an image file, found something else/);
      const text = join(dir, 'notes.txt');
      writeFileSync(text, 'not an image');
      await refused(text, /notes.txt: expected a PNG/);
      await refused(text, /at most 4 bytes, found 12/, { max_bytes: 4 });
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

test('thousands of damaged files give a picture or an InputError', async () => {
  const originals = await Promise.all([
    encoder().png().toBuffer(),
    encoder().png({ palette: true }).toBuffer(),
    encoder().jpeg().toBuffer(),
    encoder().webp().toBuffer(),
    encoder().gif().toBuffer(),
    encoder().tiff({ compression: 'lzw' }).toBuffer(),
    encoder().toColourspace('cmyk').jpeg().toBuffer(),
    encoder().withMetadata({ orientation: 6 }).jpeg().toBuffer(),
  ]);
  let whole = 0;
  let refused = 0;
  const change = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.integer({ min: 0, max: 255 }));
  const damage = fc.record({
    original: fc.integer({ min: 0, max: originals.length - 1 }),
    changes: fc.array(change, { maxLength: 6 }),
    keep: fc.oneof(
      { weight: 4, arbitrary: fc.constant(1) },
      { weight: 1, arbitrary: fc.double({ min: 0, max: 1, noNaN: true }) },
    ),
    orient: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(damage, async ({ original, changes, keep, orient }) => {
      const bytes = Uint8Array.from(originals[original] as Buffer);
      for (const [where, value] of changes) bytes[Math.floor(where * (bytes.length - 1))] = value;
      try {
        const part = bytes.subarray(0, Math.ceil(keep * bytes.length));
        const { width, height, rgb } = await decode_image(part, { orient, max_pixels: 1e6 });
        expect(rgb.length).toBe(width * height * 3);
        whole++;
      } catch (error) {
        expect(error).toBeInstanceOf(InputError);
        refused++;
      }
    }),
    { numRuns: 2000 },
  );
  expect(whole).toBeGreaterThan(100);
  expect(refused).toBeGreaterThan(100);
}, 60000);

/** An uncompressed TIFF with one row of pixels in four inks. */
function cmyk_tiff(pixels: number[][]): Buffer {
  const data_at = 200;
  const [short, long] = [3, 4];
  const fields: [tag: number, type: number, count: number, value: number][] = [
    [256, long, 1, pixels.length], // width
    [257, long, 1, 1], // height
    [258, short, 4, 180], // bits per sample, four values at 180
    [259, short, 1, 1], // no compression
    [262, short, 1, 5], // inks
    [273, long, 1, data_at],
    [277, short, 1, 4], // samples per pixel
    [278, long, 1, 1], // rows per strip
    [279, long, 1, pixels.length * 4],
    [332, short, 1, 1], // cyan, magenta, yellow, black
  ];
  const file = Buffer.alloc(data_at + pixels.length * 4);
  file.write('II*\0', 'latin1');
  file.writeUInt32LE(8, 4);
  file.writeUInt16LE(fields.length, 8);
  fields.forEach(([tag, type, count, value], i) => {
    const at = 10 + i * 12;
    file.writeUInt16LE(tag, at);
    file.writeUInt16LE(type, at + 2);
    file.writeUInt32LE(count, at + 4);
    file.writeUInt32LE(value, at + 8);
  });
  for (let i = 0; i < 4; i++) file.writeUInt16LE(8, 180 + i * 2);
  file.set(pixels.flat(), data_at);
  return file;
}

/** A PNG of a few bytes: a sound header and an empty body. */
function png_header(width: number, height: number): Uint8Array {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const chunks = [chunk('IHDR', header), chunk('IDAT', deflateSync(Buffer.alloc(1))), chunk('IEND', Buffer.alloc(0))];
  return Buffer.concat([Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'), ...chunks]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, crc]);
}

function crc32(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}
