import { from_zero, NOTE, POINTS_PER_INCH, SIZE } from '../../lab/figure_theme.ts';
import type { Figure, Panel } from '../../lab/figures.ts';
import { text_width } from '../../lab/font.ts';
import { type E1Stages, STAGES } from '../../lab/schema.ts';
import {
  clock_note,
  compact,
  headline,
  initial,
  label_lines,
  legend_of,
  present,
  settings_note,
  stage_statistics,
} from './words.ts';

/** Share of its slot that a bar takes and its largest width; what axes and heading take of the page. In points. */
const BARS = { share: 0.75, widest: 80, beside: 110, above_and_below: 220 };

/** One column a configuration, one segment a stage. */
export function stack_figure(stages: E1Stages): Figure {
  const cells = stages.configurations;
  const [width_in, height_in] = cells.length <= 6 ? [8, 6] : [12, 8];
  const slot = (width_in * POINTS_PER_INCH - BARS.beside) / cells.length;
  const bar = Math.min(BARS.widest, BARS.share * slot);
  const tallest = Math.max(...cells.map((one) => one.statistics.T_total?.median ?? 0));
  // A segment of this many ms is as high as its number.
  const legible = (1.2 * tallest * (SIZE.note + 5)) / (height_in * POINTS_PER_INCH - BARS.above_and_below);
  const segments = cells.flatMap((one) => {
    let from = 0;
    return STAGES.flatMap((stage) => {
      const middle_ms = stage_statistics(one, stage)?.median;
      if (middle_ms === undefined) return [];
      const share = (100 * (one.shares[stage] ?? 0)).toFixed(0);
      const row = { key: one.key, stage, from, to: from + middle_ms, middle: from + middle_ms / 2 };
      from += middle_ms;
      // A number where it fits into its segment.
      const fits = middle_ms > legible && text_width(share, SIZE.note) < bar;
      return { ...row, share: fits ? share : '' };
    });
  });
  const totals = cells.flatMap((one) => {
    const total = one.statistics.T_total;
    if (!total) return [];
    const [low, high] = total.median_ci95 ?? [total.median, total.median];
    return { key: one.key, low, high, label: compact(total.median), spread: total.median_ci95 !== null };
  });
  const upright = totals.some(({ label }) => text_width(label, SIZE.note) > slot - 4);
  const words = cells.flatMap((one) => [one.regime, one.prompt, one.decode]);
  const initials = words.some((word) => text_width(word, SIZE.tick) > slot - 4);
  const short = initials ? initial : (word: string) => word;
  const x = {
    field: 'key',
    type: 'nominal' as const,
    sort: null,
    title: 'Configuration (rows: image, prompt, answer)',
    axis: {
      labelAngle: 0,
      labelOverlap: false,
      labelLineHeight: SIZE.tick + 3,
      ticks: false,
      labelExpr: label_lines(cells, (one) => [short(one.regime), short(one.prompt), short(one.decode)]),
    },
  };
  const y = (field: string) => ({
    field,
    type: 'quantitative' as const,
    title: 'Latency (ms)',
    ...from_zero(Math.max(...totals.map(({ high }) => high)) * (upright ? 1.2 : 1.1), 7),
  });
  const panel: Panel = {
    width: 600,
    height: 300,
    layer: [
      {
        data: { values: segments },
        mark: { type: 'bar', width: bar, stroke: 'black', strokeWidth: 0.8 },
        encoding: {
          x,
          y: { ...y('from'), stack: null },
          y2: { field: 'to' },
          fill: { field: 'stage', type: 'nominal', ...legend_of(present(segments), 4) },
        },
      },
      {
        data: { values: totals.filter((row) => row.spread) },
        mark: { type: 'errorbar', ticks: { size: 8 }, rule: true, color: 'black' },
        encoding: { x, y: y('low'), y2: { field: 'high' } },
      },
      {
        data: { values: segments.filter((row) => row.share !== '') },
        mark: { type: 'text', ...NOTE },
        encoding: { x, y: y('middle'), text: { field: 'share' } },
      },
      {
        data: { values: totals },
        mark: { type: 'text', ...NOTE, ...(upright ? { angle: 270, align: 'left', dx: 6 } : { dy: -10 }) },
        encoding: { x, y: y('high'), text: { field: 'label' } },
      },
    ],
  };
  const shares = 'above the bars: median total in ms; inside: share of the total in %';
  const notes = [clock_note(stages), settings_note(cells, initials), shares];
  return {
    name: 'e1_stage_stack_plot',
    width_in,
    height_in,
    spec: { title: headline(stages, 'Latency by stage', notes, width_in), hconcat: [panel] },
  };
}
