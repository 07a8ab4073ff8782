import type { Bar, Segment, Stack } from '../../charts.ts';
import { log_base } from '../../log_base.ts';
import { spaced } from '../dom.ts';
import { measure, percent } from '../format.ts';
import { fitted, hatched, text_width } from '../style.ts';
import type { Tip } from '../tip.ts';
import { plot_height, x_name, x_numbers } from './frame.ts';
import { categories_of } from './rows.ts';
import { type Scale, scale_of } from './scale.ts';
import { box, type Choices, line, type Mark, type Scene, text, whisker } from './scene.ts';

const ROW_PX = 28;
const LINE_PX = 14;
const SHARE_LABEL = 'Share (%)';

/** A segment where it is drawn: from one value of the axis to another. */
interface Piece {
  readonly segment: Segment;
  readonly from: number;
  readonly to: number;
}

/** Bars of pieces: standing where their labels have room side by side, else lying. */
export function stack(chart: Stack, width: number, choices: Choices): Scene {
  const value: Stack['value'] = choices.shares ? { label: SHARE_LABEL } : chart.value;
  const base = value.scale === 'log' ? log_base(chart) : 0;
  const bars = chart.bars.map((bar) => ({ bar, pieces: pieces_of(bar, choices, base) }));
  const whole = choices.hidden.size === 0;
  // The bar's label is its total; of what is shown alone where something is hidden.
  const total_of = ({ total }: Bar, pieces: readonly Piece[]): string =>
    whole && total ? total.label : whole || choices.shares ? '' : measure(pieces.at(-1)?.to ?? 0, chart.value.label);
  const ends = bars.flatMap(({ bar: { total }, pieces }) => [
    pieces.at(-1)?.to ?? 0,
    ...(whole && !choices.shares && total ? [total.value, total.high ?? 0] : []),
    base,
  ]);
  const rows = bars.map((one) => ({
    ...one,
    total: total_of(one.bar, one.pieces),
    tip: bar_tip(chart, one.bar, choices),
  }));
  const drawing = {
    chart,
    rows,
    ends: choices.shares ? [100] : ends,
    width,
    value,
    whiskers: whole && !choices.shares,
  };
  const slot = (width - 60) / Math.max(1, bars.length);
  const widest = Math.max(0, ...chart.bars.flatMap(({ label }) => label.map((words) => text_width(words))));
  const totals = Math.max(0, ...rows.map((row) => text_width(row.total, 11)));
  return chart.lying || slot < Math.max(widest, totals) + 6 ? lying(drawing) : standing(drawing);
}

interface Drawing {
  readonly chart: Stack;
  readonly rows: readonly {
    readonly bar: Bar;
    readonly pieces: readonly Piece[];
    readonly total: string;
    readonly tip: (segment: Segment) => Tip;
  }[];
  readonly ends: readonly number[];
  readonly width: number;
  readonly value: Stack['value'];
  readonly whiskers: boolean;
}

function pieces_of({ segments }: Bar, { hidden, shares }: Choices, base: number): Piece[] {
  const shown = segments.filter(({ name }) => !hidden.has(name));
  const sum = shown.reduce((all, { value }) => all + Math.max(0, value), 0);
  const scale = shares ? (sum > 0 ? 100 / sum : 0) : 1;
  let at = 0;
  return shown.map((segment) => {
    const from = at;
    at += Math.max(0, segment.value) * scale;
    return { segment, from: from || base, to: at || base };
  });
}

function bar_tip({ value: { label } }: Stack, { label: words, segments, total }: Bar, { hidden }: Choices) {
  const shown = segments.filter(({ name }) => !hidden.has(name));
  const sum = shown.reduce((all, { value }) => all + value, 0);
  return (here: Segment): Tip => ({
    title: words.join(' · '),
    lines: [
      ...shown.map((one) => {
        const share = sum > 0 ? `, ${percent(one.value / sum)}` : '';
        return { label: spaced(one.name), value: `${measure(one.value, label)}${share}`, strong: one === here };
      }),
      ...(total ? [{ label: 'total', value: total.label }, ...ends_of(total, label)] : []),
    ],
  });
}

const ends_of = ({ low, high }: NonNullable<Bar['total']>, label: string) =>
  low === undefined || high === undefined
    ? []
    : [{ label: 'from, to', value: `${measure(low, label)} to ${measure(high, label)}` }];

/** One piece, with its note where that fits; then the mark that tells of it. */
function piece(x: number, y: number, width: number, height: number, { look, note }: Segment): SVGElement[] {
  const node = box(x, y, width, height, hatched(look));
  node.setAttribute('class', 'piece');
  if (note === undefined || text_width(note, 11) + 8 > width || height < 16) return [node];
  return [node, text(x + width / 2, y + height / 2, note, 'on-fill')];
}

const mark_of = (x: number, y: number, width: number, height: number, tip: Tip): Mark => ({
  x,
  y,
  width: Math.max(1, width),
  height: Math.max(1, height),
  tip,
});

function lying({ chart, rows, ends, width, value, whiskers }: Drawing): Scene {
  const names = rows.map(({ bar }) => bar.label.map(spaced).join(' · '));
  const widest = 10 + Math.max(0, ...names.map((name) => text_width(name)));
  // Names that would take too much of the width stand above their bars.
  const above = widest > width * 0.35;
  const left = above ? 4 : widest;
  const row_px = ROW_PX + (above ? LINE_PX : 0);
  const room = 12 + Math.max(0, ...rows.map(({ total }) => text_width(total, 11)));
  const right = width - room;
  const top = 24;
  const bottom = top + rows.length * row_px;
  const x: Scale = scale_of(value, ends, left, right, 70);
  const nodes: SVGElement[] = [text(2, 9, fitted(categories_of(chart), width - 4), 'axis-name', 'start')];
  nodes.push(...x_numbers(x, top, bottom, width), x_name(value.label, left, right, width, bottom + 33));
  const marks: Mark[] = [];
  for (const [i, { bar, pieces, total, tip }] of rows.entries()) {
    const y = top + (i + 1) * row_px - ROW_PX + 4;
    const high = ROW_PX - 8;
    nodes.push(
      above
        ? text(left, y - 9, fitted(names[i] ?? '', width - left), 'ink', 'start')
        : text(left - 8, y + high / 2, names[i] ?? '', 'ink', 'end'),
    );
    let end = left;
    for (const { segment, from, to } of pieces) {
      end = x.at(to);
      nodes.push(...piece(x.at(from), y, end - x.at(from), high, segment));
      marks.push(mark_of(x.at(from), y, end - x.at(from), high, tip(segment)));
    }
    const { low, high: most } = bar.total ?? {};
    if (whiskers && low !== undefined && most !== undefined) {
      nodes.push(whisker(y + high / 2, x.at(low), x.at(most), 'x'));
      end = Math.max(end, x.at(most));
    }
    if (total !== '') nodes.push(text(end + 6, y + high / 2, total, 'note', 'start'));
  }
  return { height: bottom + 44, nodes, marks };
}

function standing({ chart, rows, ends, width, value, whiskers }: Drawing): Scene {
  const lines = Math.max(1, ...rows.map(({ bar }) => bar.label.length));
  const under = lines * LINE_PX + 30;
  const top = 46;
  const bottom = plot_height(width) - 44;
  const y = scale_of(value, ends, bottom, top, 42);
  const left = 10 + Math.max(16, ...y.ticks.map((one) => text_width(one.text)));
  const right = width - 8;
  const slot = (right - left) / Math.max(1, rows.length);
  const wide = Math.min(64, slot * 0.72);
  const nodes: SVGElement[] = [
    ...y.ticks.flatMap(({ value: at, text: number }) => [
      line(left, y.at(at), right, y.at(at), 'grid'),
      text(left - 6, y.at(at), number, 'muted', 'end'),
    ]),
    text(2, 11, fitted(value.label, width - 4), 'axis-name', 'start'),
    x_name(categories_of(chart), left, right, width, bottom + under - 12),
  ];
  const marks: Mark[] = [];
  for (const [i, { bar, pieces, total, tip }] of rows.entries()) {
    const middle = left + (i + 0.5) * slot;
    const x = middle - wide / 2;
    for (const [n, words] of bar.label.entries()) {
      nodes.push(text(middle, bottom + 12 + n * LINE_PX, fitted(spaced(words), slot - 2), 'ink'));
    }
    let end = bottom;
    for (const { segment, from, to } of pieces) {
      end = y.at(to);
      nodes.push(...piece(x, end, wide, y.at(from) - end, segment));
      marks.push(mark_of(x, end, wide, y.at(from) - end, tip(segment)));
    }
    const { low, high } = bar.total ?? {};
    if (whiskers && low !== undefined && high !== undefined) {
      nodes.push(whisker(middle, y.at(low), y.at(high), 'y'));
      end = Math.min(end, y.at(high));
    }
    if (total !== '') nodes.push(text(middle, end - 10, total, 'note'));
  }
  return { height: bottom + under, nodes, marks };
}
