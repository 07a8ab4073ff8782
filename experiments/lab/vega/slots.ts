import { text_width, wrap } from '../font.ts';
import { type Label, text_layer } from './layers.ts';
import type { Layer, Room } from './page.ts';
import { shortened } from './text.ts';
import { SIZE } from './theme.ts';

/** Slots of equal size along one side of a plot, 0 to `count`: bars, groups, rows of a map, tracks. */
export function slots_channel(field: string, count: number, title: string[] | null, axis: object, downwards = false) {
  return {
    field,
    type: 'quantitative' as const,
    title,
    scale: { type: 'linear' as const, domain: downwards ? [count, 0] : [0, count], nice: false, zero: false },
    axis: { labels: false, ticks: false, grid: false, values: [], ...axis },
  };
}

const SIZES = [SIZE.tick, 12, SIZE.note, 10, 9] as const;
const MOST_LINES = 3;
/** Longest name that stands upright under its slot or left of it. */
const LONGEST = 170;

interface Run {
  readonly text: string;
  readonly from: number;
  readonly to: number;
}

/** Neighbours that agree in this line and in all before it share one label; those of the last line stand alone. */
function runs_of(labels: readonly (readonly string[])[], line: number, depth: number): Run[] {
  const runs: { text: string; from: number; to: number }[] = [];
  labels.forEach((label, i) => {
    const before = labels[i - 1];
    const same = before && label.slice(0, line + 1).every((text, k) => text === before[k]);
    const last = runs.at(-1);
    if (last && same && line < depth - 1) last.to = i + 1;
    else runs.push({ text: label[line] ?? '', from: i, to: i + 1 });
  });
  return runs;
}

export interface Under {
  readonly layers: Layer[];
  /** Points below the plot that the labels take. */
  readonly height: number;
}

/**
 * Labels under slots. Of several lines the last stands next to the plot, and what neighbours have in common stands once
 * below them. A line that does not fit lying stands upright; where even that is too much, every second label or fewer.
 */
export function labels_under(labels: readonly (readonly string[])[], names: readonly string[], room: Room): Under {
  const depth = Math.max(...labels.map((label) => label.length));
  const slot = room.width / labels.length;
  const layers: Layer[] = [];
  let y = room.height + 5;
  for (let line = depth - 1; line >= 0; line--) {
    const runs = runs_of(labels, line, depth);
    const middle = ({ from, to }: Run): number => ((from + to) / 2) * slot;
    if (line < depth - 1) {
      layers.push(bracket_layer(runs, slot, y + 1));
      y += 4;
    }
    const top = y;
    const lying = SIZES.find((size) => runs.every((run) => fits_lying(run, size, slot)));
    const thinned = slot < SIZES[4] + 1 ? thinned_by(runs, slot) : undefined;
    if (lying !== undefined) {
      const texts = runs.flatMap((run): Label[] =>
        wrap(run.text, lying, (run.to - run.from) * slot - 5).map((text, i) => ({
          x: middle(run),
          y: top + i * (lying + 3),
          text,
        })),
      );
      layers.push(...text_layer(texts, { size: lying, baseline: 'top', rim: false }));
      y = Math.max(...texts.map((text) => text.y)) + lying + 4;
    } else if (thinned !== undefined) {
      const some = runs.filter((_, i) => i % thinned === 0);
      const texts = some.map((run) => ({ x: middle(run), y: top, text: run.text }));
      layers.push(...text_layer(texts, { size: SIZE.note, baseline: 'top', rim: false }));
      y += SIZE.note + 4;
    } else {
      const size = Math.min(12, Math.max(slot - 3, 8));
      const every = Math.ceil((size + 1) / slot);
      const texts = runs
        .filter((_, i) => i % every === 0)
        .map((run) => ({ x: middle(run), y: top, text: shortened(run.text, size, LONGEST) }));
      layers.push(...text_layer(texts, { size, align: 'right', upright: true, rim: false }));
      y += Math.max(...texts.map(({ text }) => text_width(text, size))) + 4;
    }
    const name = names[line];
    if (name !== undefined) {
      const label = { x: -8, y: (top + y - 4) / 2, text: shortened(name, SIZE.note, 110) };
      layers.push(...text_layer([label], { align: 'right', rim: false }));
    }
  }
  return { layers, height: y - room.height };
}

function fits_lying({ text, from, to }: Run, size: number, slot: number): boolean {
  const width = (to - from) * slot - 5;
  const lines = wrap(text, size, width);
  return lines.length <= MOST_LINES && lines.every((one) => text_width(one, size) <= width);
}

/** Every how many of many short labels fit lying; undefined where they are too few or too long for that. */
function thinned_by(runs: readonly Run[], slot: number): number | undefined {
  const widest = Math.max(...runs.map(({ text }) => text_width(text, SIZE.note))) + 6;
  return [2, 4, 5, 8, 10].find((every) => every * slot >= widest && every * 3 <= runs.length);
}

const bracket_layer = (runs: readonly Run[], slot: number, y: number): Layer => ({
  data: { values: runs.map(({ from, to }) => ({ from: from * slot + 3, to: to * slot - 3, y })) },
  mark: { type: 'rule', color: '#808080', strokeWidth: 1 },
  encoding: { x: in_points('from'), x2: { field: 'to' }, y: in_points('y') },
});

const in_points = (field: string) => ({ field, type: 'quantitative' as const, scale: null, axis: null });

export interface Beside {
  readonly layers: Layer[];
  /** Points left of the plot that the labels take. */
  readonly width: number;
}

/** Labels left of slots that lie one below the other. */
export function labels_beside(labels: readonly string[], room: Room, longest = 260): Beside {
  const slot = room.height / labels.length;
  const size = Math.min(SIZE.tick, Math.max(slot - 2, 8));
  const every = Math.ceil((size + 1) / slot);
  const texts = labels.flatMap((text, i) =>
    i % every === 0 ? { x: -8, y: (i + 0.5) * slot, text: shortened(text, size, longest) } : [],
  );
  const width = Math.max(...texts.map(({ text }) => text_width(text, size))) + 8;
  return { layers: text_layer(texts, { size, align: 'right', rim: false }), width };
}
