import uPlot from 'uplot';
import { style_of } from '../style.ts';
import { plot_height } from './charts/frame.ts';
import { button, el, key, legend } from './dom.ts';
import { count, ms, tick } from './format.ts';
import { font, line_swatch, responsive, text_width, theme } from './style.ts';
import { hide_tip, show_tip } from './tip.ts';

/** A line through all steps. */
export interface StepLine {
  readonly name: string;
  readonly values_ms: readonly number[];
  readonly dash: readonly number[];
}

const { color: COLOR } = style_of('decode');
const LABEL = 'Lines: latency of each decode step; arrows read the values, + and - zoom, 0 shows the whole';
/** There is no half of a step. */
const WHOLE_STEPS = [1, 10, 100, 1000, 10_000].flatMap((power) => [power, 2 * power, 5 * power]);
/** Where the cursor is when it is nowhere. */
const AWAY = { left: -10, top: -10 };

/** On a canvas that can be looked at closer: an answer may have thousands of steps. The first line is the main one. */
export function steps_chart(lines: readonly [StepLine, ...StepLine[]], prompt_length: number): HTMLElement {
  const [main] = lines;
  const last = main.values_ms.length;
  const range = el('output', {});
  const y_name = el('div', { class: 'axis-name' }, 'Wall time of a step (ms)');
  const box = el('div', { class: 'chart', role: 'img', tabindex: '0', 'aria-label': LABEL }, y_name);
  const plot = new uPlot(
    { ...looks(lines, last), width: 600, height: 300, hooks: { setCursor: [tell], setScale: [say_range] } },
    [main.values_ms.map((_, i) => i + 1), ...lines.map((line) => [...line.values_ms])],
    box,
  );

  function tell({ cursor: { left = -1, top = 0, idx }, over, series }: uPlot): void {
    if (left < 0 || typeof idx !== 'number') {
      hide_tip();
      return;
    }
    const at = over.getBoundingClientRect();
    const shown = lines.filter((_, i) => series[i + 1]?.show);
    show_tip(at.left + left, at.top + top, {
      title: `Decode step ${count(idx + 1)}`,
      lines: shown.map(({ name, values_ms }) => ({ label: name, value: ms(values_ms[idx] as number) })),
      note: `Position ${count(prompt_length + idx + 1)} of the sequence`,
    });
  }
  function view_of({ scales: { x } }: uPlot): [number, number] {
    return [x?.min ?? 0, x?.max ?? 0];
  }
  function say_range(self: uPlot): void {
    const [from, to] = view_of(self);
    range.textContent = `Steps ${count(Math.ceil(from))} to ${count(Math.floor(to))} of ${count(last)}`;
  }
  // At once, so that the cursor can be put to its place in the new view.
  const look_at = (min: number, max: number) => plot.batch(() => plot.setScale('x', { min, max }));
  const whole = () => look_at(1, last);
  const read = (i: number) => {
    const [from, to] = view_of(plot);
    const by = Math.min(0, i + 0.5 - from) + Math.max(0, i + 1.5 - to);
    if (by !== 0) look_at(from + by, to + by);
    plot.setCursor({ left: plot.valToPos(i + 1, 'x'), top: plot.valToPos(main.values_ms[i] as number, 'y') });
  };
  /** From what is read, or to the first in view. */
  const step = (by: number) => {
    const at = plot.cursor.idx ?? Math.ceil(view_of(plot)[0]) - 1 - by;
    read(Math.min(Math.max(at + by, 0), last - 1));
  };
  const zoom = (factor: number) => {
    const [from, to] = view_of(plot);
    const { idx } = plot.cursor;
    const at = typeof idx === 'number' ? idx + 1 : (from + to) / 2;
    look_at(at - (at - from) * factor, at + (to - at) * factor);
    if (typeof idx === 'number') read(idx);
  };
  const actions: Readonly<Record<string, () => void>> = {
    ArrowLeft: () => step(-1),
    ArrowRight: () => step(1),
    Home: () => read(0),
    End: () => read(last - 1),
    '+': () => zoom(0.5),
    '=': () => zoom(0.5),
    '-': () => zoom(2),
    '0': whole,
    Escape: () => plot.setCursor(AWAY),
  };
  box.addEventListener('keydown', (event) => {
    const action = actions[event.key];
    if (action === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action();
  });
  box.addEventListener('blur', () => plot.setCursor(AWAY));
  const draw = (width: number) => {
    if (plot.width === width) plot.redraw(false);
    else plot.setSize({ width, height: plot_height(width) - y_name.offsetHeight });
  };
  responsive(box, draw, () => plot.destroy());

  const items = lines.map(({ name, dash }) => ({ name, swatch: line_swatch(COLOR, dash) }));
  const on_change = (hidden: ReadonlySet<string>) => {
    for (const [i, { name }] of lines.entries()) plot.setSeries(i + 1, { show: !hidden.has(name) });
  };
  const zooms = [
    button('whole', 'show the whole', whole),
    button('+', 'zoom in', () => zoom(0.5)),
    button('−', 'zoom out', () => zoom(2)),
  ];
  const zoom_group = el('div', { class: 'choice', role: 'group', 'aria-label': 'Zoom' }, ...zooms);
  const names = lines.length > 1 ? legend(items, on_change) : key(items);
  return el('div', {}, el('div', { class: 'controls' }, names, zoom_group, range), box);
}

/** Lines, their band and axes like those of all other charts. */
function looks(lines: readonly StepLine[], last: number): Omit<uPlot.Options, 'width' | 'height'> {
  const axis: uPlot.Axis = {
    stroke: () => theme().muted,
    font: font(12),
    labelFont: font(12, '600'),
    values: (_, splits) => splits.map(tick),
    grid: { stroke: () => theme().grid, width: 1 },
    ticks: { show: false },
  };
  /** Never beyond the steps that there are, never closer than two of them. */
  const range = (_: uPlot, low: number, high: number): [number, number] => {
    const wide = high - low >= last - 1 ? last : Math.max(high - low, 2);
    const from = Math.min(Math.max(low, 0.5), last + 0.5 - wide);
    return [from, from + wide];
  };
  const drawn = lines.map(({ dash }, i): uPlot.Series => {
    if (i === 0) return { stroke: COLOR, width: 2, points: { size: 6, fill: COLOR } };
    // Paler: where thousands are drawn the main line is still seen through them.
    return { stroke: `${COLOR}99`, width: 1, dash: [...dash], points: { size: 5, fill: () => theme().paper } };
  });
  return {
    legend: { show: false },
    cursor: { y: false, drag: { x: true, y: false, dist: 4 } },
    padding: [8, 18, 0, 0],
    scales: { x: { time: false, range }, y: { range: (_, __, high) => [0, high > 0 ? 1.05 * high : 1] } },
    axes: [
      { ...axis, label: 'Decode step (count)', labelSize: 20, size: 24, space: 70, incrs: WHOLE_STEPS },
      { ...axis, space: 42, size: (_, texts) => 12 + Math.max(16, ...(texts ?? []).map((text) => text_width(text))) },
    ],
    series: [{}, ...drawn],
    bands: lines.length > 1 ? [{ series: [3, 2], fill: `${COLOR}22` }] : [],
  };
}
