import { text_width } from '../font.ts';

/** What XML forbids, and what would change how its neighbours are read: controls, halves of pairs, marks of direction. */
const UNPRINTABLE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
  /[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffe\uffff]|\p{Surrogate}/gu;

/** ESC -> \x1b: every character of a name is shown, and none can break the picture. */
export const printable = (text: string): string =>
  text.replace(UNPRINTABLE, (char) => {
    const code = char.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`;
  });

/** The text, or as much of its beginning as is no wider than `width`, with an ellipsis. */
export function shortened(text: string, size: number, width: number): string {
  if (text_width(text, size) <= width) return text;
  const letters = [...text];
  let kept = letters.length;
  while (kept > 1 && text_width(`${letters.slice(0, kept).join('')}…`, size) > width) kept -= 1;
  return `${letters.slice(0, kept).join('').trimEnd()}…`;
}

const SUPERSCRIPTS = '⁰¹²³⁴⁵⁶⁷⁸⁹';
const power = (exponent: number): string =>
  `10${exponent < 0 ? '⁻' : ''}${[...String(Math.abs(exponent))].map((digit) => SUPERSCRIPTS[Number(digit)]).join('')}`;

const decimal = new Intl.NumberFormat('en-US', { maximumFractionDigits: 10, maximumSignificantDigits: 10 });
const PREFIXES = ['', ' k', ' M', ' G', ' T', ' P', ' E'];

/** 1234.5 -> "1,234.5", with a true minus. */
const plain = (value: number): string => decimal.format(value).replace('-', '−');

/** Ticks of a linear axis, all written the same way: 0, 20,000; 0, 2 M; 0, 3 × 10⁻⁶. */
export function linear_texts(values: readonly number[]): string[] {
  const largest = Math.max(...values.map(Math.abs));
  const magnitude = largest > 0 ? Math.floor(Math.log10(largest) + 1e-9) : 0;
  const thousands = Math.floor(magnitude / 3);
  if (magnitude >= 6 && thousands < PREFIXES.length) {
    return values.map((value) => (value === 0 ? '0' : plain(value / 1000 ** thousands) + PREFIXES[thousands]));
  }
  if (magnitude >= -4 && magnitude < 6) return values.map(plain);
  return values.map((value) => (value === 0 ? '0' : `${plain(scaled(value, magnitude))} × ${power(magnitude)}`));
}

/** In two steps: a single power of ten may be too large or too small for a number. */
const scaled = (value: number, magnitude: number): number => {
  const half = Math.trunc(magnitude / 2);
  return Number((value / 10 ** half / 10 ** (magnitude - half)).toPrecision(10));
};

/** Ticks of a logarithmic axis: 0.1, 1, 10; 10⁸, 10⁹; 2 × 10⁹. */
export function log_texts(values: readonly number[]): string[] {
  const magnitudes = values.map((value) => Math.floor(Math.log10(value) + 1e-9));
  if (magnitudes.every((magnitude) => magnitude >= -4 && magnitude < 5)) return values.map(plain);
  return values.map((value, i) => {
    const magnitude = magnitudes[i] as number;
    const digits = Number(scaled(value, magnitude).toPrecision(4));
    return digits === 1 ? power(magnitude) : `${plain(digits)} × ${power(magnitude)}`;
  });
}
