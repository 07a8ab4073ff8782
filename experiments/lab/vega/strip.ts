import type { Strip } from '../charts.ts';
import { text_width } from '../font.ts';
import { words_of } from '../style.ts';
import { axis_of } from './axes.ts';
import { distinct_entries, type Entry, type Label, text_layer } from './layers.ts';
import type { Layer, Room } from './page.ts';
import { labels_beside, slots_channel } from './slots.ts';
import { hatched, SIZE } from './theme.ts';

/** Where every span of a look has a name of its own, the look has one for all. */
export function strip_entries({ tracks }: Strip): Entry[] {
  const spans = distinct_entries(tracks.flatMap((track) => track.spans.map(({ name, look }) => ({ name, look }))));
  const looks = [...new Set(spans.map(({ look }) => look))];
  return looks.map((look) => {
    const names = spans.filter((span) => span.look === look).map(({ name }) => name);
    const common = typeof look === 'number' ? names.join(', ') : words_of(look);
    return { look, name: names.length === 1 ? (names[0] as string) : common };
  });
}

/** In points: narrower spans have no outline, for it would hide them. */
const OUTLINED = 3;

export function strip_layers(chart: Strip, room: Room): Layer[] {
  const { tracks } = chart;
  const slot = room.height / tracks.length;
  const ends = tracks.flatMap(({ spans }) => spans.flatMap(({ from, to }) => [from, to]));
  const x = axis_of(chart.time, ends, { length: room.width, standing: false, margin: [0.01, 0.01] });
  const beside = labels_beside(
    tracks.map(({ name }) => name),
    room,
  );
  const y = (field: string) => slots_channel(field, tracks.length, null, { grid: false }, true);
  const at = (time: number): number => x.share(time) * room.width;
  const half = Math.min(0.36, 18 / slot);
  const known = strip_entries(chart);
  const spans = tracks.flatMap((track, i) =>
    track.spans.map(({ from, to, look, name }) => {
      const wide = at(to) - at(from);
      const told = known.some((entry) => entry.look === look && entry.name === name);
      return {
        ...{ from, to, name, wide, told, middle: (at(from) + at(to)) / 2, y: (i + 0.5) * slot },
        ...{ top: i + 0.5 - half, bottom: i + 0.5 + half, fill: hatched(look), rim: wide > OUTLINED ? 0.6 : 0 },
      };
    }),
  );
  // A name is written into its span where the legend does not tell it and where it fits.
  const names = spans.flatMap(({ name, wide, told, middle, y: line }): Label[] =>
    !told && text_width(name, SIZE.note) + 4 < wide && 2 * half * slot > SIZE.note
      ? [{ x: middle, y: line, text: name }]
      : [],
  );
  return [
    {
      data: { values: spans.map(({ from, to, top, bottom, fill, rim }) => ({ from, to, top, bottom, fill, rim })) },
      mark: { type: 'rect', stroke: 'black' },
      encoding: {
        x: x.channel('from'),
        x2: { field: 'to' },
        y: y('top'),
        y2: { field: 'bottom' },
        fill: { field: 'fill', type: 'nominal', scale: null },
        strokeWidth: { field: 'rim', type: 'quantitative', scale: null },
      },
    },
    ...text_layer(names),
    ...beside.layers,
  ];
}
