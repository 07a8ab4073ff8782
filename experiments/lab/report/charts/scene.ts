import { svg } from '../dom.ts';
import type { Tip } from '../tip.ts';

/** A place that tells something when it is pointed at: a box, or a point where it has no size. */
export interface Mark {
  readonly x: number;
  readonly y: number;
  readonly width?: number;
  readonly height?: number;
  readonly tip: Tip;
}

/** A drawn chart, in CSS pixels from its top left. */
export interface Scene {
  readonly height: number;
  readonly nodes: readonly SVGElement[];
  /** In the order in which the keyboard walks them. */
  readonly marks: readonly Mark[];
}

/** What a reader chose to see of a chart. */
export interface Choices {
  /** Names of series. */
  readonly hidden: ReadonlySet<string>;
  readonly shares: boolean;
}

type Anchor = 'start' | 'middle' | 'end';

export const text = (x: number, y: number, words: string, kind = 'muted', anchor: Anchor = 'middle'): SVGTextElement =>
  svg('text', { x, y, class: kind, 'text-anchor': anchor, dy: '0.35em' }, words);

export const line = (x1: number, y1: number, x2: number, y2: number, kind: string): SVGLineElement =>
  svg('line', { x1, y1, x2, y2, class: kind });

export const box = (x: number, y: number, width: number, height: number, fill: string): SVGRectElement =>
  svg('rect', { x, y, width: Math.max(0, width), height: Math.max(0, height), fill });

export const path = (points: readonly (readonly [number, number])[]): string =>
  points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${x.toFixed(2)} ${y.toFixed(2)}`).join('');

/** An error bar along y (or along x) with its caps. */
export function whisker(at: number, from: number, to: number, along: 'x' | 'y', cap = 4): SVGElement {
  const d =
    along === 'y'
      ? `M${at} ${from}V${to}M${at - cap} ${from}h${2 * cap}M${at - cap} ${to}h${2 * cap}`
      : `M${from} ${at}H${to}M${from} ${at - cap}v${2 * cap}M${to} ${at - cap}v${2 * cap}`;
  return svg('path', { d, class: 'whisker' });
}

const REACH_PX = 28;

/** The mark under a pointer: the box around it, else the nearest point within reach. */
export function mark_at(marks: readonly Mark[], x: number, y: number): Mark | undefined {
  let best = REACH_PX;
  let found: Mark | undefined;
  for (const one of marks) {
    const { width = 0, height = 0 } = one;
    if (width > 0 && height > 0) {
      if (x >= one.x && x <= one.x + width && y >= one.y && y <= one.y + height) return one;
    } else {
      const away = Math.hypot(one.x - x, one.y - y);
      if (away < best) [best, found] = [away, one];
    }
  }
  return found;
}
