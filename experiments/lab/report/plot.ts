import uPlot from 'uplot';
import { tick } from './format.ts';
import { font, responsive, theme } from './style.ts';
import { hide_tip, show_tip, type Tip } from './tip.ts';

/** Without uPlot's own legend and cursor: the page has a legend of buttons and one tooltip. */
export const QUIET: Pick<uPlot.Options, 'legend' | 'cursor'> = {
  legend: { show: false },
  cursor: { x: false, y: false, points: { show: false }, drag: { x: false, y: false, setScale: false } },
};

export const axis = (label: string | undefined, options: uPlot.Axis = {}): uPlot.Axis => ({
  label,
  labelSize: label === undefined ? 0 : 24,
  labelFont: font(12, '600'),
  font: font(12),
  stroke: () => theme().muted,
  values: (_, splits) => splits.map((split) => (split === null ? null : tick(split))),
  ...options,
  grid: { stroke: () => theme().grid, width: 1, ...options.grid },
  ticks: { stroke: () => theme().grid, width: 1, size: 4, ...options.ticks },
});

/** Room for the numbers of a vertical axis. */
export const number_size: uPlot.Axis.Size = (_, values) =>
  16 + 7 * Math.max(2, ...(values ?? []).map((text) => String(text ?? '').length));

/** A chart that fills its box; `make` is called once, when the box has a width. */
export function plot(
  box: HTMLElement,
  height: (width: number) => number,
  make: (width: number) => { options: Omit<uPlot.Options, 'width' | 'height'>; data: uPlot.AlignedData },
): { readonly change: (change: (chart: uPlot) => void) => void } {
  let chart: uPlot | undefined;
  responsive(box, (width) => {
    const size = { width, height: height(width) };
    if (chart === undefined) {
      const { options, data } = make(width);
      chart = new uPlot({ ...options, ...size }, data, box);
    } else if (chart.width !== width) {
      chart.setSize(size);
      chart.setData(chart.data); // a range may depend on the width
    } else chart.redraw(false);
  });
  return {
    change: (change) => {
      if (chart !== undefined) change(chart);
    },
  };
}

/** Shows what `find` sees under the pointer, given in CSS pixels of the plotting area. */
export function on_hover(
  find: (chart: uPlot, left: number, top: number) => Tip | null,
): uPlot.Hooks.Arrays['setCursor'] {
  return [
    (chart) => {
      const { left = -1, top = -1, event } = chart.cursor;
      const tip = left < 0 || event === undefined ? null : find(chart, left, top);
      if (tip === null || event === undefined) hide_tip();
      else show_tip(event.clientX, event.clientY, tip);
    },
  ];
}
