import { InputError } from '../../engine/errors.ts';
import { hatched, NOTE, SIZE } from '../lab/figure_theme.ts';
import type { Figure, Panel } from '../lab/figures.ts';
import { text_width, wrap } from '../lab/font.ts';
import {
  type E1Flops,
  type E1Parts,
  type E1Stages,
  PARTS,
  STAGES,
  type StageName,
  type Summary,
} from '../lab/schema.ts';
import { flops_panels, scaling_panels } from './e1_curves.ts';

/** What all figures of one run say under their title. */
type Head = Pick<E1Stages, 'provenance' | 'protocol'>;
type Cell = Pick<
  E1Stages['configurations'][number],
  'key' | 'regime' | 'prompt' | 'decode' | 'image_size' | 'text_tokens' | 'num_output_tokens'
>;

const POINTS_PER_INCH = 72;

/** The four figures; without instrumented runs there are no times of parts and only three. */
export function e1_figures(stages: E1Stages, flops: E1Flops, parts: E1Parts): Figure[] {
  if (stages.configurations.length === 0) {
    throw new InputError(
      'figures: expected at least one measured configuration in e1_stage_latency_breakdown, found none; run the experiment first',
    );
  }
  const figures = [stack_figure(stages), scaling_figure(stages), flops_figure(stages, flops)];
  return parts.configurations.length === 0 ? figures : [...figures, parts_figure(parts)];
}

/** Title and what a reader must know to trust the numbers: model, machine, runs, clock. */
function headline(head: Head, title: string, notes: readonly string[], width_in: number) {
  const { model, adapter } = head.provenance;
  const weights = model.weights_kind === 'synthetic' ? ', synthetic weights' : '';
  const lines = [`${model.name}${weights}, ${model.dtype}; ${adapter.type} adapter ${adapter.device}`, ...notes];
  const width = (width_in - 0.5) * POINTS_PER_INCH;
  return { text: title, subtitle: lines.flatMap((line) => wrap(line, SIZE.note, width)) };
}

function clock_note({ configurations }: E1Stages): string {
  const runs = [...new Set(configurations.flatMap((one) => one.statistics.T_total?.n ?? []))].sort((a, b) => a - b);
  const count = runs.length > 1 ? `${runs[0]} to ${runs.at(-1)} runs` : `${runs[0]} run${runs[0] === 1 ? '' : 's'}`;
  const clocks = [...new Set(configurations.map((one) => one.clock))].join(', ');
  return runs.some((n) => n > 1)
    ? `mean of ${count}, error bars: 95 % interval of the mean; ${clocks}`
    : `${count}, no error bars; ${clocks}`;
}

const distinct = (values: readonly string[]): string[] => [...new Set(values)];

/** What the words of the settings stand for: "prompt S short 20, L long 128 (tokens)". */
function settings_note(cells: readonly Cell[], initials: boolean): string {
  const axis = (name: string, unit: string, value: (cell: Cell) => string, size: (cell: Cell) => string | number) => {
    const entries = cells.map((cell) => `${initials ? `${initial(value(cell))} = ` : ''}${value(cell)} ${size(cell)}`);
    return `${name} ${distinct(entries).join(', ')}${unit}`;
  };
  return [
    axis(
      'image',
      '',
      (cell) => cell.regime,
      (cell) => cell.image_size ?? 'none',
    ),
    axis(
      'prompt',
      ' tokens',
      (cell) => cell.prompt,
      (cell) => cell.text_tokens,
    ),
    axis(
      'answer',
      ' tokens',
      (cell) => cell.decode,
      (cell) => cell.num_output_tokens,
    ),
  ].join('; ');
}

const initial = (word: string): string => word.slice(0, 1).toUpperCase();

/** An expression of vega that puts these lines in place of a key. */
const label_lines = (cells: readonly Cell[], lines: (cell: Cell) => string | string[]): string =>
  `(${JSON.stringify(Object.fromEntries(cells.map((cell) => [cell.key, lines(cell)])))})[datum.value]`;

const STAGE_COLUMN = {
  vision_encoder: 'T_vision_encoder',
  projector: 'T_projector',
  prefill: 'T_LLM_prefill',
  decode: 'T_LLM_decode',
} as const satisfies Record<StageName, string>;

type Measured = E1Stages['configurations'][number];

/** undefined where a request had no such stage. */
export function stage_statistics(one: Measured, stage: StageName): Summary | undefined {
  if (stage === 'decode' && one.decode_steps === 0) return undefined;
  return one.statistics[STAGE_COLUMN[stage]] ?? undefined;
}

const legend_of = (names: readonly (StageName | (typeof PARTS)[number])[], columns: number) => ({
  scale: { domain: [...names], range: names.map(hatched) },
  legend: {
    title: null,
    symbolType: 'square',
    symbolStrokeColor: 'black',
    columns,
    labelExpr: "replace(replace(datum.label, 'moe', 'MoE'), '_', ' ')",
  },
});

const BARS = { fraction: 0.75, least_slots: 7, axis_points: 110 };

function stack_figure(stages: E1Stages): Figure {
  const cells = stages.configurations;
  const width_in = cells.length <= 6 ? 8 : 12;
  const step = (width_in * POINTS_PER_INCH - BARS.axis_points) / Math.max(cells.length, BARS.least_slots);
  const tallest = Math.max(...cells.map((one) => one.statistics.T_total?.mean ?? 0));
  const segments = cells.flatMap((one) => {
    let from = 0;
    return STAGES.flatMap((stage) => {
      const mean = stage_statistics(one, stage)?.mean;
      if (mean === undefined) return [];
      const share = `${(100 * (one.shares[stage] ?? 0)).toFixed(0)}%`;
      const row = { key: one.key, stage, from, to: from + mean, middle: from + mean / 2 };
      from += mean;
      // A number where it fits into its segment.
      const fits = mean > 0.06 * tallest && text_width(share, SIZE.note) < BARS.fraction * step;
      return { ...row, share: fits ? share : '' };
    });
  });
  const totals = cells.flatMap((one) => {
    const total = one.statistics.T_total;
    if (!total) return [];
    const [low, high] = total.mean_ci95 ?? [total.mean, total.mean];
    return { key: one.key, low, high, label: compact(total.mean), spread: total.mean_ci95 !== null };
  });
  const upright = totals.some(({ label }) => text_width(label, SIZE.note) > step - 4);
  const words = cells.flatMap((one) => [one.regime, one.prompt, one.decode]);
  const initials = words.some((word) => text_width(word, SIZE.tick) > step - 4);
  const short = initials ? initial : (word: string) => word;
  const empty_slots = Math.max(0, BARS.least_slots - cells.length);
  const x = {
    field: 'key',
    type: 'nominal' as const,
    sort: null,
    title: 'Configuration (rows: image, prompt, answer)',
    scale: { paddingInner: 1 - BARS.fraction, paddingOuter: (1 - BARS.fraction) / 2 + empty_slots / 2 },
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
    axis: { format: ',', tickCount: 6 },
  });
  const panel: Panel = {
    width: 600,
    height: 300,
    layer: [
      {
        data: { values: segments },
        mark: { type: 'bar', stroke: 'black', strokeWidth: 0.8 },
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
        data: { values: segments },
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
  const shares = 'above the bars: mean total in ms; inside: share of the total';
  const notes = [clock_note(stages), settings_note(cells, initials), shares];
  return {
    name: 'e1_stage_stack_plot',
    width_in,
    height_in: width_in === 8 ? 6 : 8,
    spec: { title: headline(stages, 'Latency by stage', notes, width_in), hconcat: [panel] },
  };
}

const present = (rows: readonly { stage: StageName }[]): StageName[] =>
  STAGES.filter((stage) => rows.some((row) => row.stage === stage));

/** Three digits at least, thousands apart. */
const compact = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : Number(value.toPrecision(3)).toString();

function scaling_figure(stages: E1Stages): Figure {
  const width_in = 12;
  return {
    name: 'e1_scaling_curves',
    width_in,
    height_in: 7,
    spec: {
      title: headline(stages, 'How prefill and decode grow', [clock_note(stages)], width_in),
      resolve: {
        scale: { color: 'independent', fill: 'independent', shape: 'independent', strokeDash: 'independent' },
      },
      hconcat: scaling_panels(stages),
    },
  };
}

function flops_figure(stages: E1Stages, flops: E1Flops): Figure {
  const width_in = 12;
  const title = headline(stages, 'FLOPs and latency', [clock_note(stages)], width_in);
  return {
    name: 'e1_flops_vs_latency',
    width_in,
    height_in: 7,
    spec: { title, hconcat: flops_panels(stages, flops) },
  };
}

/** One column a stage, one bar a configuration: what share of the stage's GPU time each part takes. */
function parts_figure(file: E1Parts): Figure {
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
        return { ...bar, label: percent >= 15 ? percent.toFixed(0) : '' };
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
      title: column === 0 ? 'Configuration (image, prompt, answer)' : null,
      scale: { domain: cells.map((one) => one.key), paddingInner: 0.3, paddingOuter: cells.length < 4 ? 1 : 0.25 },
      axis: {
        labels: column === 0,
        ticks: false,
        labelOverlap: false,
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
            fill: { field: 'part', type: 'nominal', ...legend_of(names, 8) },
          },
        },
        {
          data: { values: bars },
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
    `mean of ${runs} instrumented run${runs === '1' ? '' : 's'}; ${clocks}; right of each bar: the stage's GPU time in ms`,
    settings_note(cells, false),
  ];
  return {
    name: 'e1_attention_ffn_breakdown',
    width_in,
    height_in: Number((3.2 + Math.max(cells.length, 3) * (cells.length > 8 ? 0.32 : 0.45)).toFixed(2)),
    spec: {
      title: headline(file, 'What each stage spends its time on', notes, width_in),
      spacing: 56,
      hconcat: panels,
    },
  };
}
