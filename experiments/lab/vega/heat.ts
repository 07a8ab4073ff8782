import type { Heat } from '../charts.ts';
import { text_width } from '../font.ts';
import { HEAT, HEAT_AROUND, HEAT_NOTHING, heat_color, heat_range, luminance } from '../style.ts';
import { linear_ticks } from './axes.ts';
import { type Label, text_layer } from './layers.ts';
import type { Layer, Room } from './page.ts';
import { labels_beside, labels_under, slots_channel } from './slots.ts';
import { linear_texts } from './text.ts';
import { SIZE } from './theme.ts';

export function heat_layers(chart: Heat, room: Room): Layer[] {
  const { rows, columns, values, middle, written } = chart;
  const known = values.flat().filter((value) => value !== null);
  const range = heat_range(known, middle);
  const colors = middle === undefined ? HEAT : HEAT_AROUND;
  const cells = values.flatMap((row, r) =>
    row.map((value, c) => {
      const share = value === null ? null : (value - range[0]) / (range[1] - range[0]);
      return { value, row: r, column: c, fill: share === null ? HEAT_NOTHING : heat_color(share, colors) };
    }),
  );
  const [width, height] = [room.width / columns.length, room.height / rows.length];
  const under = labels_under(
    columns.map((column) => [column]),
    [],
    room,
  );
  const beside = labels_beside(rows, room, 180);
  const x = (field: string) =>
    slots_channel(field, columns.length, [chart.column_title], { titlePadding: under.height + 4 });
  const y = (field: string) =>
    slots_channel(field, rows.length, [chart.row_title], { titlePadding: beside.width + 8 }, true);
  const texts = written ? numbers(cells, width, height) : { size: 0, dark: [], light: [] };
  return [
    {
      data: { values: cells.map((cell) => ({ ...cell, right: cell.column + 1, below: cell.row + 1 })) },
      mark: { type: 'rect', stroke: 'white', strokeWidth: Math.min(width, height) > 8 ? 1 : 0 },
      encoding: {
        x: x('column'),
        x2: { field: 'right' },
        y: y('row'),
        y2: { field: 'below' },
        fill: { field: 'fill', type: 'nominal', scale: null },
      },
    },
    ...text_layer(texts.dark, { size: texts.size, rim: false }),
    ...text_layer(texts.light, { size: texts.size, rim: false, color: 'white' }),
    ...under.layers,
    ...beside.layers,
    scale_layer(chart.value, range, colors, room.height),
  ];
}

interface HeatCell {
  readonly value: number | null;
  readonly row: number;
  readonly column: number;
  readonly fill: string;
}

const LEAST_SIZE = 7;

/** Three digits of each value, where the widest of them fits into a cell: dark on light and light on dark. */
function numbers(cells: readonly HeatCell[], width: number, height: number) {
  const text = (value: number): string => linear_texts([Number(value.toPrecision(3))])[0] as string;
  const labels = cells.flatMap(({ value, row, column, fill }) =>
    value === null
      ? []
      : { x: (column + 0.5) * width, y: (row + 0.5) * height, text: text(value), light: luminance(fill) < 0.3 },
  );
  const widest = Math.max(...labels.map((label) => text_width(label.text, 1)));
  const size = Math.min(SIZE.note + 1, (width - 4) / widest, height - 3);
  const some = (light: boolean): Label[] => (size < LEAST_SIZE ? [] : labels.filter((label) => label.light === light));
  return { size, dark: some(false), light: some(true) };
}

/** Nothing but the legend of the colours. */
function scale_layer(
  title: string,
  range: readonly [number, number],
  colors: readonly string[],
  height: number,
): Layer {
  const ticks = linear_ticks(range, { length: height, standing: true });
  const texts = Object.fromEntries(linear_texts(ticks).map((text, i) => [ticks[i] as number, text]));
  return {
    data: { values: [] },
    mark: 'rect',
    encoding: {
      fill: {
        field: 'value',
        type: 'quantitative',
        scale: { domain: [...range], range: [...colors], interpolate: 'rgb', zero: false, nice: false },
        legend: {
          title,
          orient: 'right',
          direction: 'vertical',
          titleOrient: 'right',
          gradientLength: Math.max(height, 40),
          gradientThickness: 14,
          values: ticks,
          labelExpr: `(${JSON.stringify(texts)})[datum.value]`,
        },
      },
    },
  };
}
