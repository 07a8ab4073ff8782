import { trimmed } from './text.ts';

/** Numbers as Python reads, rounds and writes them. */

const DIGITS = '\\d(?:_?\\d)*';
const DECIMAL = new RegExp(`^[+-]?(?:${DIGITS}\\.?(?:(?<=\\.)${DIGITS})?|\\.${DIGITS})(?:e[+-]?${DIGITS})?$`, 'i');
const NOT_FINITE = /^([+-]?)(?:(inf)(?:inity)?|nan)$/i;

const is_digit = (code: number): boolean => /\p{Nd}/u.test(String.fromCodePoint(code));

/** Every script's digits stand in order from 0 to 9, so how far one stands from the first of its run says its value. */
function ascii_digit(digit: string): string {
  const code = digit.codePointAt(0) as number;
  let first = code;
  while (is_digit(first - 1)) first -= 1;
  return String((code - first) % 10);
}

/** `float(text)`: blanks around it, "1_0", "inf" and digits of any script are numbers; null where it is none. */
export function read_number(text: string): number | null {
  const ascii = trimmed(text).replace(/\p{Nd}/gu, ascii_digit);
  if (DECIMAL.test(ascii)) return Number(ascii.replaceAll('_', ''));
  const special = NOT_FINITE.exec(ascii);
  if (special === null) return null;
  if (special[2] === undefined) return Number.NaN;
  return special[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** So many digits past those asked for tell an exact half from a number beside it. */
const MORE_DIGITS = 25;

/** `round(x, places)`: to the nearest, an exact half to the even digit, where `toFixed` takes it up. */
export function rounded(x: number, places: number): number {
  if (!Number.isFinite(x) || Math.abs(x) >= 1e21) return x;
  const digits = Math.abs(x).toFixed(places + MORE_DIGITS);
  const cut = digits.length - MORE_DIGITS;
  const kept = digits.slice(0, cut);
  const is_half = /^50*$/.test(digits.slice(cut));
  const even = /[02468]\.?$/.test(kept);
  const size = is_half && even ? Number(kept) : Number(Math.abs(x).toFixed(places));
  return x < 0 || Object.is(x, -0) ? -size : size;
}

/** `str(x)`: 3 is "3.0", and exponents stand from 1e16 on and below 1e-4. */
export function number_text(x: number): string {
  if (Number.isNaN(x)) return 'nan';
  if (!Number.isFinite(x)) return x > 0 ? 'inf' : '-inf';
  if (Object.is(x, -0)) return '-0.0';
  const [digits, power] = x.toExponential().split('e') as [string, string];
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  if (Number.isInteger(x)) return `${x}.0`;
  // This language writes these small ones without an exponent too.
  return String(x);
}
