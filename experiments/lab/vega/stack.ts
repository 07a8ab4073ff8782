import type { Bar, Stack } from '../charts.ts';
import { text_width, wrap } from '../font.ts';
import { log_base } from '../log_base.ts';
import { axis_of, percent_axis, type Scale } from './axes.ts';
import { type Label, text_layer } from './layers.ts';
import type { Layer, Room } from './page.ts';
import { labels_beside, labels_under, slots_channel } from './slots.ts';
import { hatched, SIZE } from './theme.ts';

/** Share of its slot that a bar takes, and its largest thickness in points. */
const BAR = { share: 0.75, thickest: 80 } as const;

export const bar_end = (bar: Bar): number => bar.segments.reduce((sum, { value }) => sum + value, 0);

/** `labelled` is false for a lying stack right of another with the same bars. */
export function stack_layers(chart: Stack, room: Room, labelled = true): Layer[] {
  return chart.lying ? lying_layers(chart, room, labelled) : standing_layers(chart, room);
}

interface Drawn {
  readonly i: number;
  readonly from: number;
  readonly to: number;
  readonly fill: string;
  readonly note: string;
}

function segments_of({ bars, shares }: Stack, { log, domain }: Scale): Drawn[] {
  return bars.flatMap((bar, i) => {
    const all = bar_end(bar);
    let end = 0;
    return bar.segments.flatMap(({ look, value, note = '' }): Drawn[] => {
      const from = end;
      end += shares ? (100 * value) / (all || 1) : value;
      return value > 0 ? [{ i, from: log && from === 0 ? domain[0] : from, to: end, fill: hatched(look), note }] : [];
    });
  });
}

/** How far a bar reaches, its error bar included. */
const reach = (bar: Bar): number => Math.max(bar_end(bar), bar.total?.high ?? 0);

const reaches = (chart: Stack): number[] => [
  ...chart.bars.map(reach),
  ...(chart.value.scale === 'log' ? [log_base(chart)] : []),
];

/** Ends of error bars; shares have none. */
const whiskers_of = ({ bars, shares }: Stack) =>
  bars.flatMap(({ total }, i) =>
    shares || total?.low === undefined || total.high === undefined
      ? []
      : [{ i: i + 0.5, low: total.low, high: total.high }],
  );

/** Room along the value's axis for totals of this size: what it must be longer by. */
const margin_for = (points: number, length: number): [number, number] => [
  0,
  Math.max(0.04, points / Math.max(length - points, 1)),
];

function standing_layers(chart: Stack, room: Room): Layer[] {
  const { bars, value: axis, shares } = chart;
  const slot = room.width / bars.length;
  const thick = Math.min(BAR.thickest, BAR.share * slot);
  const half = thick / slot / 2;
  const labels = bars.map(({ total }) => total?.label ?? '');
  const upright = labels.some((text) => text_width(text, SIZE.note) > slot - 4);
  const above = upright ? Math.max(...labels.map((text) => text_width(text, SIZE.note))) + 14 : 20;
  const sized = { length: room.height, standing: true, margin: margin_for(above, room.height) };
  const y = shares ? percent_axis(axis.label, sized) : axis_of(axis, reaches(chart), sized);
  const under = labels_under(
    bars.map(({ label }) => label),
    chart.lines ?? [],
    room,
  );
  const x = (field: string) =>
    slots_channel(field, bars.length, wrap(chart.categories, SIZE.label, room.width), {
      titlePadding: under.height + 4,
    });
  const at = (i: number): number => (i + 0.5) * slot;
  const up = (value: number): number => (1 - y.share(value)) * room.height;
  const segments = segments_of(chart, y);
  const notes = segments.flatMap(({ i, from, to, note }): Label[] => {
    const fits = note !== '' && up(from) - up(to) >= SIZE.note + 3 && text_width(note, SIZE.note) <= thick - 2;
    return fits ? [{ x: at(i), y: (up(from) + up(to)) / 2, text: note }] : [];
  });
  const totals = bars.flatMap((bar, i): Label[] => {
    const end = shares ? 0 : up(reach(bar));
    return bar.total ? [{ x: at(i), y: end - 6, text: bar.total.label }] : [];
  });
  const whiskers = whiskers_of(chart);
  return [
    {
      data: { values: segments.map((one) => ({ ...one, left: one.i + 0.5 - half, right: one.i + 0.5 + half })) },
      mark: { type: 'rect', stroke: 'black', strokeWidth: 0.8 },
      encoding: {
        x: x('left'),
        x2: { field: 'right' },
        y: y.channel('from'),
        y2: { field: 'to' },
        fill: { field: 'fill', type: 'nominal', scale: null },
      },
    },
    ...error_bars(whiskers, x, y, false, Math.min(10, thick * 0.6)),
    ...text_layer(notes),
    ...text_layer(totals, upright ? { upright: true, align: 'left' } : { baseline: 'bottom' }),
    ...under.layers,
  ];
}

function lying_layers(chart: Stack, room: Room, labelled: boolean): Layer[] {
  const { bars, value: axis, shares } = chart;
  const slot = room.height / bars.length;
  const thick = Math.min(BAR.thickest / 2, BAR.share * slot);
  const half = thick / slot / 2;
  const labels = bars.map(({ total }) => total?.label ?? '');
  const right = Math.max(...labels.map((text) => text_width(text, SIZE.note))) + 12;
  const sized = { length: room.width, standing: false, margin: margin_for(right, room.width) };
  const x = shares ? percent_axis(axis.label, sized) : axis_of(axis, reaches(chart), sized);
  const beside = labels_beside(
    bars.map(({ label }) => label.join(' · ')),
    room,
  );
  const lines = chart.lines === undefined ? [] : [`(${chart.lines.join(', ')})`];
  // Below the labels: beside them it would be taller than a few bars.
  const below = {
    titleAngle: 0,
    titleAlign: 'right',
    titleBaseline: 'line-top',
    titleFontSize: SIZE.tick,
    titleX: -14,
  };
  const y = (field: string) =>
    slots_channel(
      field,
      bars.length,
      labelled ? [chart.categories, ...lines] : null,
      { ...below, titleY: room.height + 6 },
      true,
    );
  const along = (value: number): number => x.share(value) * room.width;
  const segments = segments_of(chart, x);
  const notes = segments.flatMap(({ i, from, to, note }): Label[] => {
    const fits = note !== '' && along(to) - along(from) >= text_width(note, SIZE.note) + 4 && thick >= SIZE.note;
    return fits ? [{ x: (along(from) + along(to)) / 2, y: (i + 0.5) * slot, text: note }] : [];
  });
  const totals = bars.flatMap((bar, i): Label[] => {
    const end = shares ? room.width : along(reach(bar));
    return bar.total ? [{ x: end + 6, y: (i + 0.5) * slot, text: bar.total.label }] : [];
  });
  return [
    {
      data: { values: segments.map((one) => ({ ...one, top: one.i + 0.5 - half, bottom: one.i + 0.5 + half })) },
      mark: { type: 'rect', stroke: 'black', strokeWidth: 0.8 },
      encoding: {
        y: y('top'),
        y2: { field: 'bottom' },
        x: x.channel('from'),
        x2: { field: 'to' },
        fill: { field: 'fill', type: 'nominal', scale: null },
      },
    },
    ...error_bars(whiskers_of(chart), y, x, true, Math.min(10, thick * 0.6)),
    ...text_layer(notes),
    ...text_layer(totals, { align: 'left' }),
    ...(labelled ? beside.layers : []),
  ];
}

type Slots = (field: string) => ReturnType<typeof slots_channel>;

function error_bars(
  whiskers: readonly { i: number; low: number; high: number }[],
  slots: Slots,
  values: Scale,
  lying: boolean,
  cap: number,
): Layer[] {
  if (whiskers.length === 0) return [];
  const [across, along] = lying ? (['y', 'x'] as const) : (['x', 'y'] as const);
  const data = { values: whiskers };
  const caps = (field: 'low' | 'high'): Layer => ({
    data,
    mark: {
      type: 'tick',
      orient: lying ? 'vertical' : 'horizontal',
      size: cap,
      thickness: 1.3,
      opacity: 1,
      color: 'black',
    },
    encoding: { [across]: slots('i'), [along]: values.channel(field) },
  });
  return [
    {
      data,
      mark: { type: 'rule', color: 'black', strokeWidth: 1.3 },
      encoding: { [across]: slots('i'), [along]: values.channel('low'), [`${along}2`]: { field: 'high' } },
    },
    caps('low'),
    caps('high'),
  ];
}
