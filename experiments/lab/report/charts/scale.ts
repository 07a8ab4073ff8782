import type { Axis } from '../../charts.ts';
import { name_and_unit, round_ticks, tick } from '../format.ts';

export interface Scale {
  readonly low: number;
  readonly high: number;
  readonly log: boolean;
  /** Pixel of a value. */
  readonly at: (value: number) => number;
  readonly ticks: readonly { readonly value: number; readonly text: string }[];
}

const PADDING = 0.04;
/** Units of which there is no half. */
const WHOLE: ReadonlySet<string> = new Set(['count', 'index', 'tokens', 'steps']);

/** An axis around these values, drawn from one pixel to another, with numbers about `every_px` apart. */
export function scale_of(
  { label, scale, from_zero = true }: Axis,
  values: readonly number[],
  from_px: number,
  to_px: number,
  every_px: number,
): Scale {
  const wanted = Math.max(2, Math.abs(to_px - from_px) / every_px);
  if (scale === 'log') {
    const [low, high] = log_range(values);
    const per_px = (to_px - from_px) / Math.log(high / low);
    const at = (value: number) => from_px + Math.log(value / low) * per_px;
    return { low, high, log: true, at, ticks: log_ticks(low, high, wanted).map(written) };
  }
  const [low, high] = linear_range(values, from_zero);
  const at = (value: number) => from_px + ((value - low) / (high - low)) * (to_px - from_px);
  const whole = WHOLE.has(name_and_unit(label)[1]);
  const ticks = round_ticks(low, high, wanted).filter((value) => !whole || Number.isInteger(value));
  return { low, high, log: false, at, ticks: ticks.map(written) };
}

const written = (value: number) => ({ value, text: tick(value) });

function linear_range(values: readonly number[], from_zero: boolean): [number, number] {
  const all = from_zero ? [0, ...values] : values;
  let low = all.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  let high = all.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (!(low <= high)) [low, high] = [0, 1];
  if (low === high) [low, high] = low === 0 ? [0, 1] : [low - Math.abs(low) / 10, high + Math.abs(high) / 10];
  const room = PADDING * (high - low);
  return [from_zero && low === 0 ? 0 : low - room, from_zero && high === 0 ? 0 : high + room];
}

function log_range(values: readonly number[]): [number, number] {
  const positive = values.filter((value) => value > 0);
  const low = positive.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = positive.reduce((a, b) => Math.max(a, b), 0);
  if (high === 0) return [1, 10];
  // Half a step of a decade at least, so that two equal values do not touch both ends.
  const room = Math.max(10 ** 0.05, (high / low) ** PADDING, high / low < 2 ? 1.5 : 1);
  return [low / room, high * room];
}

/** Powers of ten, thinned where they are many; with 2 and 5 between them where they are few. */
function log_ticks(low: number, high: number, wanted: number): number[] {
  const decades = Math.log10(high / low);
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const exponents = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  const inside = (value: number) => value >= low * 0.999 && value <= high * 1.001;
  const of = (mantissas: readonly number[]) =>
    exponents.flatMap((e) => mantissas.map((m) => Number(`${m}e${e}`))).filter(inside);
  if (decades > 1.5) {
    const every = Math.ceil(decades / wanted);
    const powers = of([1]).filter((value) => Math.round(Math.log10(value)) % every === 0);
    if (powers.length >= 2 && (every > 1 || 3 * powers.length > wanted)) return powers;
  }
  const some = [of([1, 2, 5]), of([1, 3]), of([1])].find((ticks) => ticks.length <= wanted + 1) ?? [];
  return some.length >= 2 ? some : round_ticks(low, high, wanted).filter((value) => value > 0);
}
