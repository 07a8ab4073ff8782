import uPlot from 'uplot';
import { choice, el, legend } from './dom.ts';
import { digits, ms, percent } from './format.ts';
import { axis, on_hover, plot, QUIET } from './plot.ts';
import { fill_swatch, font, hatched, type Look, text_width, theme } from './style.ts';
import type { Tip } from './tip.ts';

export interface StackSeries {
  readonly name: string;
  readonly label: string;
  readonly look: Look;
  /** A value a category; null where there is none. */
  readonly values: readonly (number | null)[];
}

export interface StackOptions {
  readonly label: string;
  readonly categories: readonly string[];
  readonly series: readonly StackSeries[];
  readonly ms_axis: string;
  readonly share_axis: string;
  readonly start_as: Unit;
  /** Of the whole bar, drawn as a whisker while all series are shown. */
  readonly interval?: (category: number) => readonly [number, number] | null;
  readonly tip: (category: number, lines: Tip['lines']) => Tip;
  /** Stands behind a series' value in the tooltip. */
  readonly remark?: (series: string, category: number) => string;
}

export type Unit = 'ms' | 'share';
const ROW_PX = 28;

/** Lying bars, a row a category, one piece a series. */
export function stack_chart(options: StackOptions): HTMLElement {
  const { categories, series } = options;
  let unit = options.start_as;
  let hidden: ReadonlySet<string> = new Set();
  const shown = () => series.filter(({ name }) => !hidden.has(name));
  const size_of = (one: StackSeries, i: number) => Math.max(0, one.values[i] ?? 0);
  const total = (i: number) => shown().reduce((sum, one) => sum + size_of(one, i), 0);
  const scaled = (value: number, i: number) => (unit === 'ms' ? value : total(i) > 0 ? (100 * value) / total(i) : 0);

  /** Longest first, so that each piece is drawn over the sum it ends. */
  const data = (): uPlot.AlignedData => {
    const ends = series.map(() => [] as (number | null)[]);
    for (const i of categories.keys()) {
      let sum = 0;
      for (const [s, one] of series.entries()) {
        if (!hidden.has(one.name)) sum += size_of(one, i);
        ends[s]?.push(hidden.has(one.name) ? null : scaled(sum, i));
      }
    }
    return [[...categories.keys()], ...ends.reverse()];
  };

  const find = (chart: uPlot, left: number, top: number): Tip | null => {
    const i = Math.round(chart.posToVal(top, 'x'));
    if (categories[i] === undefined) return null;
    const at = chart.posToVal(left, 'y');
    let sum = 0;
    const lines = shown().flatMap((one) => {
      const value = one.values[i];
      if (value === null || value === undefined) return [];
      const begin = sum;
      sum += scaled(Math.max(0, value), i);
      const share = total(i) > 0 ? `, ${percent(value / total(i))}` : '';
      const remark = options.remark?.(one.name, i) ?? '';
      return [{ label: one.label, value: `${ms(value)}${share}${remark}`, strong: at >= begin && at < sum }];
    });
    return options.tip(i, lines);
  };

  const end_labels = (chart: uPlot) => {
    if (unit === 'share') return;
    const { ctx } = chart;
    const scale = uPlot.pxRatio;
    ctx.save();
    ctx.fillStyle = theme().ink;
    ctx.strokeStyle = theme().ink;
    ctx.lineWidth = 1.5 * scale;
    ctx.font = font(12 * scale);
    ctx.textAlign = 'left';
    ctx.textBaseline = 'middle';
    for (const i of categories.keys()) {
      const y = chart.valToPos(i, 'x', true);
      const ci = hidden.size === 0 ? options.interval?.(i) : null;
      let end = chart.valToPos(total(i), 'y', true);
      if (ci) {
        const [low, high] = ci.map((value) => chart.valToPos(value, 'y', true)) as [number, number];
        ctx.beginPath();
        ctx.moveTo(low, y);
        ctx.lineTo(high, y);
        for (const x of [low, high]) {
          ctx.moveTo(x, y - 4 * scale);
          ctx.lineTo(x, y + 4 * scale);
        }
        ctx.stroke();
        end = Math.max(end, high);
      }
      ctx.fillText(ms(total(i)), end + 6 * scale, y);
    }
    ctx.restore();
  };

  const names_px = 14 + Math.ceil(Math.max(...categories.map((name) => text_width(name, 12))));
  const box = el('div', { class: 'chart', role: 'img', 'aria-label': options.label });
  const chart = plot(
    box,
    () => categories.length * ROW_PX + 62,
    () => ({
      data: data(),
      options: {
        ...QUIET,
        padding: [4, 12, 0, 0],
        scales: {
          x: { time: false, ori: 1, dir: -1, range: [-0.5, categories.length - 0.5] },
          y: {
            ori: 0,
            dir: 1,
            range: (self, _, high) => {
              if (unit === 'share') return [0, 100];
              const room = Math.max(100, self.width - Math.min(names_px, self.width * 0.4) - 90);
              const whiskers = hidden.size === 0 ? categories.map((_, i) => options.interval?.(i)?.[1] ?? 0) : [];
              return [0, (Math.max(high, ...whiskers) || 1) * (1 + 80 / room)];
            },
          },
        },
        axes: [
          axis(undefined, {
            scale: 'x',
            side: 3,
            splits: () => [...categories.keys()],
            values: (self) => categories.map((name) => short_name(name, self.width)),
            size: (self) => Math.min(names_px, self.width * 0.4),
            stroke: () => theme().ink,
            grid: { show: false },
            ticks: { show: false },
            gap: 8,
          }),
          axis(undefined, {
            scale: 'y',
            side: 2,
            size: 32,
            space: 60,
            label: () => (unit === 'ms' ? options.ms_axis : options.share_axis),
            labelSize: 24,
          }),
        ],
        series: [
          {},
          ...[...series].reverse().map(
            ({ look }): uPlot.Series => ({
              scale: 'y',
              fill: (self) => hatched(self.ctx, look, uPlot.pxRatio),
              stroke: () => theme().paper,
              width: 1,
              points: { show: false },
              paths: uPlot.paths.bars?.({ size: [0.72, 22] }),
            }),
          ),
        ],
        hooks: { setCursor: on_hover(find), draw: [end_labels] },
      },
    }),
  );
  const update = () => chart.change((self) => self.setData(data()));
  const units = choice(
    'Unit of the bars',
    [
      { value: 'ms', text: 'milliseconds' },
      { value: 'share', text: 'shares' },
    ],
    unit,
    (value) => {
      unit = value;
      update();
    },
  );
  const items = series.map(({ name, label, look }) => ({ name, label, swatch: fill_swatch(look) }));
  const toggles = legend(items, (now) => {
    hidden = now;
    update();
  });
  return el('figure', { class: 'plot' }, el('div', { class: 'controls' }, toggles, units), box);
}

/** Names get two fifths of the width; the tooltip has them whole. */
function short_name(name: string, width: number): string {
  const room = 0.4 * width - 14;
  let shown = name;
  while (shown.length > 1 && text_width(shown, 12) > room) shown = `${shown.slice(0, -2)}…`;
  return shown;
}

export const with_interval = (ci: readonly [number, number] | null | undefined): string =>
  ci ? ` [${digits(ci[0])} to ${digits(ci[1])}]` : '';
