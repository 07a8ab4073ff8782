import { InputError } from '../../../engine/errors.ts';
import type { Axis } from '../charts.ts';
import { text_width, wrap } from '../font.ts';
import { linear_texts, log_texts } from './text.ts';
import { SIZE } from './theme.ts';

type Range = readonly [number, number];

/** Where values lie along one side of a plot. */
export interface Scale {
  readonly domain: Range;
  readonly log: boolean;
  /** 0 at the axis' beginning, 1 at its end. */
  share(value: number): number;
  /** This axis as vega-lite wants it, for a field of the data. */
  channel(field: string): ReturnType<typeof channel>;
}

export interface Sized {
  /** In points. */
  readonly length: number;
  readonly standing: boolean;
  /** Room at both ends that the largest and smallest value leave, as shares of their distance. */
  readonly margin?: readonly [number, number];
  /** Ticks stand no closer: of counts there are no halves. */
  readonly least_step?: number;
}

/** An axis around these values, with round ticks whose labels do not meet. */
export function axis_of(axis: Axis, values: readonly number[], sized: Sized): Scale {
  const log = axis.scale === 'log';
  const least = Math.min(...values);
  if (log && least <= 0) {
    throw new InputError(
      `figures: expected values above 0 along the logarithmic axis "${axis.label}", found ${least}; leave them out or draw it linear`,
    );
  }
  const largest = Math.max(...values);
  const margin = sized.margin ?? [0.05, 0.06];
  const domain = log ? log_domain(least, largest, margin) : linear_domain(axis, least, largest, margin);
  const ticks = (log ? log_ticks : linear_ticks)(domain, sized);
  return scale_of({ label: axis.label, domain, log, ticks, texts: (log ? log_texts : linear_texts)(ticks), sized });
}

/** From 0 to 100, for shares. */
export function percent_axis(label: string, sized: Sized): Scale {
  const ticks = sized.length < 160 ? [0, 50, 100] : [0, 20, 40, 60, 80, 100];
  return scale_of({ label, domain: [0, 100], log: false, ticks, texts: ticks.map(String), sized });
}

interface Parts {
  readonly label: string;
  readonly domain: Range;
  readonly log: boolean;
  readonly ticks: readonly number[];
  readonly texts: readonly string[];
  readonly sized: Sized;
}

function scale_of(parts: Parts): Scale {
  const { domain, log } = parts;
  const along = (value: number): number => (log ? Math.log(value) : value);
  const [from, to] = [along(domain[0]), along(domain[1])];
  return {
    domain,
    log,
    share: (value) => (along(value) - from) / (to - from),
    channel: (field) => channel(field, parts),
  };
}

function channel(field: string, { label, domain, log, ticks, texts, sized }: Parts) {
  const title = wrap(label, SIZE.label, Math.max(sized.length + 40, 160));
  return {
    field,
    type: 'quantitative' as const,
    title,
    scale: {
      type: log ? ('log' as const) : ('linear' as const),
      domain: [...domain],
      nice: false,
      ...(log ? {} : { zero: false }),
    },
    axis: {
      values: [...ticks],
      labelExpr: `(${JSON.stringify(Object.fromEntries(ticks.map((tick, i) => [tick, texts[i]])))})[datum.value]`,
    },
  };
}

function linear_domain({ from_zero = true }: Axis, least: number, largest: number, margin: Range): Range {
  const low = from_zero ? Math.min(0, least) : least;
  const high = from_zero ? Math.max(0, largest) : largest;
  const reach = high - low;
  // Equal values lie in the middle of an axis of some length.
  if (reach < 1e-9 * Math.abs(high)) return [low - 0.1 * Math.abs(low), high + 0.1 * Math.abs(high)];
  if (reach === 0) return [0, 1];
  return [low < 0 || !from_zero ? low - margin[0] * reach : 0, high > 0 || !from_zero ? high + margin[1] * reach : 0];
}

export function linear_ticks([low, high]: Range, sized: Sized): number[] {
  const wanted = sized.standing ? Math.max(2, Math.min(8, sized.length / 40)) : 7;
  for (let most = Math.floor(wanted); ; most--) {
    const step = Math.max(round_step((high - low) / most), sized.least_step ?? 0);
    const first = Math.ceil(low / step - 1e-9);
    const count = Math.floor(high / step + 1e-9) - first + 1;
    const ticks = Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(12)));
    if (most <= 1 || (fits(linear_texts(ticks), (step * sized.length) / (high - low), sized) && count >= 2))
      return ticks;
  }
}

const ROUND = [1, 2, 2.5, 5, 10];

export function round_step(least: number): number {
  const magnitude = 10 ** Math.floor(Math.log10(least));
  return magnitude * (ROUND.find((round) => round * magnitude >= least * (1 - 1e-9)) ?? 10);
}

/** Whether labels this far apart do not meet. */
function fits(texts: readonly string[], apart: number, { standing }: Sized): boolean {
  const needed = standing ? SIZE.tick * 1.6 : Math.max(...texts.map((text) => text_width(text, SIZE.tick))) + 14;
  return needed <= apart;
}

function log_domain(least: number, largest: number, margin: Range): Range {
  const decades = Math.log10(largest / least);
  const room = (share: number): number => 10 ** Math.max(share * decades, 0.08);
  return [least / room(margin[0]), largest * room(margin[1])];
}

/** Digits at which ticks may stand within a decade, coarsest first. */
const LADDER = [
  [1],
  [1, 3],
  [1, 2, 5],
  [1, 1.5, 2, 3, 5, 7],
  [1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9],
];

function log_ticks([low, high]: Range, sized: Sized): number[] {
  const [first, last] = [Math.floor(Math.log10(low)), Math.ceil(Math.log10(high))];
  const decade = sized.length / Math.log10(high / low);
  const inside = (digits: readonly number[], every = 1): number[] =>
    Array.from({ length: last - first + 1 }, (_, i) => first + i)
      .filter((exponent) => exponent % every === 0)
      .flatMap((exponent) => digits.map((digit) => Number(`${digit}e${exponent}`)))
      .filter((tick) => tick >= low && tick <= high);
  const apart = (ticks: readonly number[]): number =>
    Math.min(...ticks.slice(1).map((tick, i) => decade * Math.log10(tick / (ticks[i] as number))));
  for (const digits of LADDER) {
    const ticks = inside(digits);
    if (ticks.length >= 3 && fits(log_texts(ticks), apart(ticks), sized)) return ticks;
  }
  for (let every = 1; every <= last - first; every++) {
    const ticks = inside([1], every);
    if (ticks.length >= 2 && fits(log_texts(ticks), apart(ticks), sized)) return ticks;
  }
  // Less than a decade, and little room: the finest that fit, at worst the ends.
  for (const digits of [...LADDER].reverse()) {
    const ticks = inside(digits);
    if (ticks.length === 2 || (ticks.length > 2 && fits(log_texts(ticks), apart(ticks), sized))) return ticks;
  }
  // The outermost of the finest: rounded ends of the axis would lie beyond it, where nothing is drawn.
  const finest = inside(LADDER.at(-1) as number[]);
  return finest.filter((_, i) => i === 0 || i === finest.length - 1);
}
