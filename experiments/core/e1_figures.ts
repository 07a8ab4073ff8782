import { correlation_note, distinct, runs_note, unbroken } from '../lab/captions.ts';
import type { Figure } from '../lab/charts.ts';
import * as lab from '../lab/latency_charts.ts';
import { type E1Flops, type E1Parts, type E1Stages, STAGES, type StageName } from '../lab/schema.ts';
import { words_of } from '../lab/style.ts';
import { STAGE_TIME } from '../lab/times.ts';
import { DECODES, PROMPTS, REGIMES } from './e1.ts';

type Row = E1Stages['configurations'][number];
type Parts = E1Parts['configurations'][number];

/** All that figures tell of stages rests on these runs, and on these times in them; none where a stage did not run. */
const runs_of = (row: Row) => row.samples;
const times_of = (row: Row, stage: StageName): number[] =>
  stage === 'decode' && row.decode_steps === 0 ? [] : runs_of(row).flatMap((run) => run[STAGE_TIME[stage]] ?? []);

/** The four figures; without instrumented runs there are no times of parts and only three. */
export function e1_figures(stages: E1Stages, flops: E1Flops, parts: E1Parts): Figure[] {
  const rows = in_order(stages.configurations);
  const figures = [stack(rows), scaling(rows, stages.scaling), work(rows, flops)];
  return parts.configurations.length === 0 ? figures : [...figures, breakdown(in_order(parts.configurations))];
}

/** The grid's order, whatever was measured first. */
function in_order<T extends Row | Parts>(cells: readonly T[]): T[] {
  const words = [REGIMES, PROMPTS, DECODES].map((axis) => Object.keys(axis));
  const place = ({ regime, prompt, decode }: T): number =>
    [regime, prompt, decode].reduce((at, word, i) => 10 * at + 1 + (words[i]?.indexOf(word) ?? 0), 0);
  return cells.toSorted((a, b) => place(a) - place(b));
}

/** What else a cell was set to, such as portrait, stands with its image. */
const image_of = ({ key, regime }: Row | Parts): string => [regime, ...key.split('_').slice(3)].join(' ');
const label_of = (cell: Row | Parts): string[] => [image_of(cell), cell.prompt, cell.decode];
const CELL = { categories: 'Configuration', lines: ['image', 'prompt', 'answer'] };

/** "image low 336x336; prompt short 20, long 128 tokens; answer short 8 tokens". */
function settings_note(cells: readonly (Row | Parts)[]): string {
  const each = (of: (cell: Row | Parts) => string) => distinct(cells.map((cell) => unbroken(of(cell)))).join(', ');
  const image = each((cell) => `${image_of(cell)} ${cell.image_size ?? 'no picture'}`);
  const prompt = each((cell) => `${cell.prompt} ${cell.text_tokens}`);
  const answer = each((cell) => `${cell.decode} ${cell.num_output_tokens}`);
  return `image ${image}; prompt ${prompt} tokens; answer ${answer} tokens`;
}

const clocks_of = (cells: readonly (Row | Parts)[]) => cells.map(({ clock }) => clock);

function stack(rows: readonly Row[]): Figure {
  const totals = (row: Row) => runs_of(row).map((run) => run.T_total);
  const bars = rows.flatMap((row) => lab.stage_bars(label_of(row), totals(row), (stage) => times_of(row, stage)));
  const counts = rows.map((row) => runs_of(row).length);
  const notes = [runs_note(counts, clocks_of(rows)), settings_note(rows), lab.BARS_NOTE];
  return { name: 'e1_stage_stack_plot', title: 'Latency by stage', notes, panels: [lab.bars_chart(CELL, bars)] };
}

/** Prefill does not depend on the answer, and decode little on what is asked of an image: there runs are pooled. */
function scaling(rows: readonly Row[], fits: E1Stages['scaling']): Figure {
  const prefills = rows.map((row) => [row.prompt_length, times_of(row, 'prefill')] as const);
  const prefill = [lab.median_series('', 'prefill', prefills)];
  const decode = distinct(rows.map(image_of)).map((image, i) => {
    const some = rows.filter((row) => image_of(row) === image);
    const decodes = some.map((row) => [row.decode_steps, times_of(row, 'decode')] as const);
    return lab.median_series(image, i, decodes);
  });
  const over_prompt = { title: 'Prefill over the prompt', tokens: 'Prompt, vision and text' };
  const over_answer = { title: 'Decode over the answer', tokens: 'Decode steps', legend: 'Image' };
  const panels = [
    ...lab.growth_charts('prefill', over_prompt, prefill, fits.prefill),
    ...lab.growth_charts('decode', over_answer, decode, fits.decode),
  ];
  const pooled = 'runs pooled: of prefill over answers, of decode over prompts with the same image';
  const notes = [lab.medians_note([...prefill, ...decode], clocks_of(rows)), pooled];
  return { name: 'e1_scaling_curves', title: 'How prefill and decode grow', notes, panels };
}

/** Does work predict time? Both counted as dispatched and as published. */
function work(rows: readonly Row[], file: E1Flops): Figure {
  const timed = new Map(rows.map((row) => [row.key, row]));
  const series = (count: 'flops' | 'legacy_S1' | 'legacy_S4', hollow = false): lab.Medians[] =>
    STAGES.map((stage) => {
      const values = file.points.flatMap((point) => {
        const row = point.stage === stage && point[count] > 0 ? timed.get(point.key) : undefined;
        return row === undefined ? [] : [[point[count], times_of(row, stage)] as const];
      });
      return lab.median_series(words_of(stage), stage, values, hollow);
    });
  const said = (flops: string) =>
    correlation_note(file.correlation.find((row) => row.over === 'pooled' && row.flops === flops));
  const exact = series('flops');
  const published = [...series('legacy_S1'), ...series('legacy_S4', true)];
  const panels = [
    ...lab.work_charts('Counted at each dispatch', 'Exact work', [said('exact')], exact),
    ...lab.work_charts(
      'By published formulas',
      'Work by formula',
      [`S1, filled: ${said('S1')}`, `S4, hollow: ${said('S4')}`],
      published,
    ),
  ];
  const pooled = 'correlations over all stages together; runs of equal work pooled';
  return {
    name: 'e1_flops_vs_latency',
    title: 'FLOPs and latency',
    notes: [lab.medians_note(exact, clocks_of(rows)), pooled],
    panels,
  };
}

function breakdown(cells: readonly Parts[]): Figure {
  const bars = cells.map((cell) => {
    const parts = cell.parts.map(({ stage, part, statistics }) => ({ stage, part, ms: statistics.mean }));
    return { label: label_of(cell), parts };
  });
  const counts = cells.map(({ runs }) => runs.length);
  const notes = [lab.parts_note(counts, clocks_of(cells)), settings_note(cells)];
  const title = 'What each stage spends its time on';
  return { name: 'e1_attention_ffn_breakdown', title, notes, panels: lab.parts_charts(CELL, bars) };
}
