import { NOTE, SIZE } from '../../lab/figure_theme.ts';
import type { Figure, Panel } from '../../lab/figures.ts';
import { type E1Parts, PARTS } from '../../lab/schema.ts';
import { compact, distinct, headline, label_lines, legend_of, present, settings_note } from './words.ts';

/** One column a stage, one bar a configuration: what share of the stage's GPU time each part takes. */
export function parts_figure(file: E1Parts): Figure {
  const cells = file.configurations;
  const rows = cells.flatMap((one) => one.parts.map((part) => ({ ...part, key: one.key })));
  const stages = present(rows);
  const names = PARTS.filter((part) => rows.some((row) => row.part === part));
  const width_in = stages.length > 2 ? 14 : 10;
  const panels = stages.map((stage, column): Panel => {
    const bars = cells.flatMap((one) => {
      let from = 0;
      return PARTS.flatMap((part) => {
        const row = one.parts.find((candidate) => candidate.stage === stage && candidate.part === part);
        if (row === undefined) return [];
        const percent = 100 * row.share_of_stage;
        const bar = { key: one.key, part, from, to: from + percent, middle: from + percent / 2 };
        from += percent;
        return { ...bar, label: percent >= 16 ? percent.toFixed(0) : '' };
      });
    });
    const totals = cells.flatMap((one) => {
      const all = one.parts.filter((row) => row.stage === stage);
      return all.length === 0
        ? []
        : { key: one.key, label: compact(all.reduce((ms, row) => ms + row.statistics.mean, 0)) };
    });
    const y = {
      field: 'key',
      type: 'nominal' as const,
      sort: null,
      title: column === 0 ? ['Configuration', '(image, prompt, answer)'] : null,
      scale: { domain: cells.map((one) => one.key), paddingInner: 0.3, paddingOuter: 0.25 },
      axis: {
        labels: column === 0,
        ticks: false,
        labelOverlap: false,
        // Below the labels: beside them it would be taller than a few bars.
        titleAngle: 0,
        titleAlign: 'right' as const,
        titleBaseline: 'line-top' as const,
        titleFontSize: SIZE.tick,
        titleX: -14,
        titleY: { expr: 'height + 6' },
        labelExpr: label_lines(cells, (one) => `${one.regime} · ${one.prompt} · ${one.decode}`),
      },
    };
    const x = (field: string) => ({
      field,
      type: 'quantitative' as const,
      title: 'GPU time (%)',
      scale: { domain: [0, 100] },
      axis: { values: [0, 50, 100] },
    });
    return {
      width: 120,
      height: 200,
      title: { text: stage.replace('_', ' '), fontSize: SIZE.label, fontWeight: 'normal', offset: 8, anchor: 'middle' },
      layer: [
        {
          data: { values: bars },
          mark: { type: 'bar', stroke: 'black', strokeWidth: 0.8 },
          encoding: {
            y,
            x: { ...x('from'), stack: null },
            x2: { field: 'to' },
            fill: { field: 'part', type: 'nominal', ...legend_of(names, stages.length > 3 ? 8 : 4) },
          },
        },
        {
          data: { values: bars.filter((row) => row.label !== '') },
          mark: { type: 'text', ...NOTE },
          encoding: { y, x: x('middle'), text: { field: 'label' } },
        },
        {
          data: { values: totals },
          mark: { type: 'text', ...NOTE, align: 'left', dx: 5 },
          encoding: { y, x: { datum: 100, type: 'quantitative' }, text: { field: 'label' } },
        },
      ],
    };
  });
  const runs = distinct(cells.map((one) => String(one.runs.length))).join(' or ');
  const clocks = distinct(cells.map((one) => one.clock)).join(', ');
  const notes = [
    `${runs === '1' ? '1 instrumented run' : `mean of ${runs} instrumented runs`}; ${clocks}; right of each bar: the stage's GPU time in ms`,
    settings_note(cells, false),
  ];
  return {
    name: 'e1_attention_ffn_breakdown',
    width_in,
    height_in: Number((3.6 + 0.32 * cells.length).toFixed(2)),
    spec: {
      title: headline(file, 'What each stage spends its time on', notes, width_in),
      spacing: 56,
      hconcat: panels,
    },
  };
}
