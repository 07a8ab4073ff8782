import type { Heat } from '../../charts.ts';
import { HEAT, HEAT_AROUND, HEAT_NOTHING, heat_color, heat_range, luminance } from '../../style.ts';
import { svg } from '../dom.ts';
import { count, digits, measure, tick } from '../format.ts';
import { fitted, text_width } from '../style.ts';
import { x_name } from './frame.ts';
import { box, type Mark, type Scene, text } from './scene.ts';

export function heat(chart: Heat, width: number): Scene {
  const { rows, columns, values } = chart;
  const all = values.flat().filter((value) => value !== null);
  const range = heat_range(all.length > 0 ? all : [0], chart.middle);
  const left = Math.min(
    width * 0.35,
    12 + Math.max(text_width(chart.row_title, 12, '600'), ...rows.map((name) => text_width(name))),
  );
  const right = width - 8;
  const wide = (right - left) / Math.max(1, columns.length);
  const high = Math.max(18, Math.min(34, wide));
  const top = 26;
  const bottom = top + rows.length * high;
  const gap = wide > 5 ? 1 : 0;
  const nodes: SVGElement[] = [text(2, 10, fitted(chart.row_title, width - 4), 'axis-name', 'start')];
  const marks: Mark[] = [];
  for (const [r, name] of rows.entries()) {
    const y = top + r * high;
    nodes.push(text(left - 8, y + high / 2, fitted(name, left - 8), 'ink', 'end'));
    for (const [c, column] of columns.entries()) {
      const value = values[r]?.[c] ?? null;
      const x = left + c * wide;
      const shade = value === null ? HEAT_NOTHING : shade_of(value, range, chart.middle);
      nodes.push(box(x, y, wide - gap, high - 1, shade));
      const words = value === null ? '' : Number.isInteger(value) ? count(value) : digits(value);
      if (chart.written && text_width(words, 11) + 4 < wide) {
        nodes.push(text(x + wide / 2, y + high / 2, words, luminance(shade) > 0.2 ? 'on-light' : 'on-dark'));
      }
      const shown = value === null ? 'nothing' : measure(value, chart.value);
      const lines = [
        { label: chart.row_title, value: name },
        { label: chart.column_title, value: column },
      ];
      marks.push({ x, y, width: wide, height: high, tip: { title: shown, lines } });
    }
  }
  nodes.push(
    ...column_names(columns, left, wide, bottom, width),
    x_name(chart.column_title, left, right, width, bottom + 33),
  );
  nodes.push(...colour_scale(chart, range, left, right, bottom + 50, width));
  return { height: bottom + 86, nodes, marks };
}

type Range = readonly [number, number];

const shade_of = (value: number, [low, high]: Range, middle: number | undefined): string =>
  heat_color((value - low) / (high - low), middle === undefined ? HEAT : HEAT_AROUND);

/** Every column's name, or every second, third ... so that none touches the next. */
function column_names(columns: readonly string[], left: number, wide: number, y: number, width: number): SVGElement[] {
  const room = Math.max(wide - 2, 40);
  const names = columns.map((name) => fitted(name, room));
  const every = Math.max(1, Math.ceil((Math.max(0, ...names.map((name) => text_width(name))) + 5) / wide));
  return names.flatMap((name, c) => {
    const at = left + (c + 0.5) * wide;
    return c % every > 0 || at + text_width(name) / 2 > width ? [] : [text(at, y + 12, name)];
  });
}

function colour_scale(
  { value, middle }: Heat,
  [low, high]: Range,
  left: number,
  right: number,
  y: number,
  width: number,
) {
  const wide = Math.min(220, right - left);
  const start = (left + right - wide) / 2;
  const steps = 44;
  const cells = Array.from({ length: steps }, (_, i) => {
    const shade = shade_of(low + ((i + 0.5) / steps) * (high - low), [low, high], middle);
    return svg('rect', {
      x: start + (i * wide) / steps,
      y,
      width: wide / steps + 0.5,
      height: 9,
      fill: shade,
    });
  });
  const [from, to] = [tick(Number(low.toPrecision(3))), tick(Number(high.toPrecision(3)))];
  const room = wide - text_width(from) - text_width(to) - 16;
  const name = text_width(value) <= room ? [text(start + wide / 2, y + 20, value)] : [];
  const end = name.length > 0 ? to : fitted(`${to} ${value}`, width - start);
  const last =
    name.length > 0 ? text(start + wide, y + 20, end, 'muted', 'end') : text(width - 2, y + 20, end, 'muted', 'end');
  return [...cells, text(start, y + 20, from, 'muted', 'start'), ...name, last];
}
