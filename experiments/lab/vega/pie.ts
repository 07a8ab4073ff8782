import type { Pie } from '../charts.ts';
import { text_width } from '../font.ts';
import { type Entry, type Label, text_layer } from './layers.ts';
import type { Layer, Room } from './page.ts';
import { shortened } from './text.ts';
import { hatched, SIZE } from './theme.ts';

/** Of the whole radius. */
const HOLE = 0.55;
/** Room around the pie for the shares beside it. */
const AROUND = 16;

const whole_of = ({ slices }: Pie): number => slices.reduce((sum, { value }) => sum + value, 0);

const percent = (share: number): string => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;

/** Every share stands in the legend: beside thin slices there is no room for it. */
export const pie_entries = (chart: Pie): Entry[] =>
  chart.slices.map(({ name, look, value }) => ({ look, name: `${name} · ${percent(value / whole_of(chart))}` }));

export function pie_layers(chart: Pie, room: Room): Layer[] {
  const radius = Math.max(Math.min(room.width, room.height) / 2 - AROUND, 20);
  const middle = { x: room.width / 2, y: room.height / 2 };
  const whole = whole_of(chart);
  let end = 0;
  const arcs = chart.slices.flatMap(({ value, look, note }) => {
    if (value === 0) return [];
    const from = end;
    end += (2 * Math.PI * value) / whole;
    return [{ from, to: end, fill: hatched(look), text: note ?? percent(value / whole) }];
  });
  const labels: Label[] = [];
  for (const { from, to, text } of arcs) {
    const angle = (from + to) / 2;
    const reach = radius + 9 + (Math.abs(Math.sin(angle)) * text_width(text, SIZE.note)) / 2;
    const label = { x: middle.x + reach * Math.sin(angle), y: middle.y - reach * Math.cos(angle), text };
    const meets = (other: Label): boolean =>
      Math.abs(other.y - label.y) < SIZE.note + 2 &&
      Math.abs(other.x - label.x) < (text_width(other.text, SIZE.note) + text_width(text, SIZE.note)) / 2 + 4;
    if (!labels.some(meets)) labels.push(label);
  }
  const inner = 2 * HOLE * radius - 12;
  const size = [SIZE.label, SIZE.tick, SIZE.note].find((one) => text_width(chart.total ?? '', one) <= inner) ?? 9;
  const total = { ...middle, text: shortened(chart.total ?? '', size, inner) };
  return [
    {
      data: { values: arcs },
      mark: {
        type: 'arc',
        theta: { expr: 'datum.from' },
        theta2: { expr: 'datum.to' },
        innerRadius: HOLE * radius,
        outerRadius: radius,
        stroke: 'black',
        strokeWidth: 0.8,
      },
      encoding: { fill: { field: 'fill', type: 'nominal', scale: null } },
    },
    ...text_layer(labels, { rim: false }),
    ...text_layer(chart.total === undefined ? [] : [total], { size, rim: false }),
  ];
}
