import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/** The font of all figures, shipped as a package: pictures and layouts are then the same on every machine. */
export const FONT = 'DejaVu Sans';

export type Weight = 'normal' | 'bold';

const FILES = { normal: 'DejaVuSans.ttf', bold: 'DejaVuSans-Bold.ttf' } as const;

export const font_file = (weight: Weight): string =>
  createRequire(import.meta.url).resolve(`dejavu-fonts-ttf/ttf/${FILES[weight]}`);

type Advance = (code: number) => number;

const opened = new Map<Weight, Advance>();

/** Width of one line of text, in the unit of `size`. Kerning is left out: it only makes text narrower. */
export function text_width(text: string, size: number, weight: Weight = 'normal'): number {
  let advance = opened.get(weight);
  if (advance === undefined) {
    advance = read_advances(readFileSync(font_file(weight)));
    opened.set(weight, advance);
  }
  let width = 0;
  for (const char of text) width += advance(char.codePointAt(0) as number);
  return width * size;
}

/** Breaks at spaces so that no line is wider than `width`; a longer word stays whole. */
export function wrap(text: string, size: number, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (line !== '' && text_width(longer, size) > width) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line];
}

/** Advances of a TrueType font in ems, by code point: tables `head`, `hhea`, `hmtx` and format 12 of `cmap`. */
function read_advances(file: Buffer): Advance {
  const tables = new Map<string, number>();
  for (let i = 0; i < file.readUInt16BE(4); i++) {
    const entry = 12 + 16 * i;
    tables.set(file.toString('latin1', entry, entry + 4), file.readUInt32BE(entry + 8));
  }
  const at = (name: string): number => tables.get(name) as number;
  const units_per_em = file.readUInt16BE(at('head') + 18);
  const metrics = file.readUInt16BE(at('hhea') + 34);
  const glyph_of = glyphs(file, at('cmap'));
  return (code) => file.readUInt16BE(at('hmtx') + 4 * Math.min(glyph_of(code), metrics - 1)) / units_per_em;
}

function glyphs(file: Buffer, cmap: number): (code: number) => number {
  const count = file.readUInt16BE(cmap + 2);
  const formats = Array.from({ length: count }, (_, i) => cmap + file.readUInt32BE(cmap + 4 + 8 * i + 4));
  const table = formats.find((offset) => file.readUInt16BE(offset) === 12) as number;
  const groups = Array.from({ length: file.readUInt32BE(table + 12) }, (_, i) => {
    const entry = table + 16 + 12 * i;
    return [file.readUInt32BE(entry), file.readUInt32BE(entry + 4), file.readUInt32BE(entry + 8)] as const;
  });
  return (code) => {
    const group = groups.find(([first, last]) => first <= code && code <= last);
    return group === undefined ? 0 : group[2] + code - group[0];
  };
}
