import type { Axis } from '../../charts.ts';
import { svg } from '../dom.ts';
import { fitted, text_width } from '../style.ts';
import { type Scale, scale_of } from './scale.ts';
import { line, text } from './scene.ts';

export interface Frame {
  readonly x: Scale;
  readonly y: Scale;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly height: number;
  readonly nodes: readonly SVGElement[];
}

const TOP_PX = 30;
const BOTTOM_PX = 44;
const RIGHT_PX = 14;

/** What a plot of this width gets of the page's height. */
export const plot_height = (width: number): number => Math.round(Math.min(400, Math.max(270, width * 0.62)));

/** Two axes with their numbers and grid. The name of y stands above its numbers, where it can be read. */
export function frame_of(
  x_axis: Axis,
  y_axis: Axis,
  xs: readonly number[],
  ys: readonly number[],
  width: number,
): Frame {
  const height = plot_height(width);
  const bottom = height - BOTTOM_PX;
  const y = scale_of(y_axis, ys, bottom, TOP_PX, 42);
  const left = 10 + Math.max(16, ...y.ticks.map((one) => text_width(one.text)));
  const right = width - RIGHT_PX;
  const x = scale_of(x_axis, xs, left, right, 70);
  const nodes = [
    svg('rect', { x: left, y: TOP_PX, width: right - left, height: bottom - TOP_PX, class: 'plot-area' }),
    ...y.ticks.flatMap(({ value, text: number }) => [
      line(left, y.at(value), right, y.at(value), 'grid'),
      text(left - 6, y.at(value), number, 'muted', 'end'),
    ]),
    ...x_numbers(x, TOP_PX, bottom, width),
    text(2, 11, fitted(y_axis.label, width - 4), 'axis-name', 'start'),
    x_name(x_axis.label, left, right, width, bottom + 33),
  ];
  return { x, y, left, right, top: TOP_PX, bottom, height, nodes };
}

/** Numbers of a horizontal axis; none is cut at the edge or touches the one before. */
export function x_numbers(x: Scale, top: number, bottom: number, width: number): SVGElement[] {
  let end = Number.NEGATIVE_INFINITY;
  return x.ticks
    .flatMap(({ value, text: number }) => {
      const at = x.at(value);
      const half = text_width(number) / 2;
      const shown = at - half > end + 6 && at + half < width;
      if (shown) end = at + half;
      return [line(at, top, at, bottom, 'grid'), shown ? text(at, bottom + 13, number) : null];
    })
    .filter((node) => node !== null);
}

/** Under the middle of the plot, moved inward where it would be cut. */
export function x_name(name: string, left: number, right: number, width: number, y: number): SVGElement {
  const shown = fitted(name, width - 4);
  const half = text_width(shown, 12, '600') / 2;
  const middle = Math.min(Math.max((left + right) / 2, half + 2), width - half - 2);
  return text(middle, y, shown, 'axis-name');
}
