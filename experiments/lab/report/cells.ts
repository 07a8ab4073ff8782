import type { Summary } from '../schema.ts';
import { style_of } from '../style.ts';
import type { Column, Table } from '../tables.ts';
import { STAGE_TIME } from '../times.ts';
import { interval_name, interval_of } from '../words.ts';
import { mean, type PageConfiguration, type PageData } from './data.ts';
import { el, missing, section, spaced, teach } from './dom.ts';
import { count, interval } from './format.ts';
import { type StepLine, steps_chart } from './steps.ts';
import { numbers_fold, table_view } from './table_view.ts';

const text = (name: string): Column => ({ name, unit: 'text' });
const number = (name: string, unit: Column['unit'] = 'number'): Column => ({ name, unit });

/** What all the runs of these configurations may call their interval. */
const spread_name = (some: readonly PageConfiguration[]): string =>
  interval_name(Math.min(...some.map((one) => one.clean.samples.length)));

/** Unbroken over lines, without the unit that stands in the head. */
const ends_of = (summary: Summary): string =>
  interval(interval_of(summary)).replace(' ms', '').replaceAll(' ', '\u00a0');

/** All configurations, those that could not be measured too. */
export function cells_section({ configurations, cells, skipped, failed, basis }: PageData): HTMLElement {
  const names = [...new Set(configurations.flatMap(({ settings }) => Object.keys(settings)))];
  const table: Table = {
    title:
      configurations.length < cells
        ? `The first ${count(configurations.length)} of ${count(cells)} configurations; the files beside this page have all`
        : 'Every configuration, in the order of the plan',
    columns: [
      text('configuration'),
      ...names.map((name) => text(spaced(name))),
      number('prompt positions', 'count'),
      number('decode steps', 'count'),
      number('whole request (ms)'),
      text(`${spread_name(configurations)} (ms)`),
    ],
    rows: configurations.map(({ key, settings, tokens, statistics: { T_total } }) => [
      key,
      ...names.map((name) => shown(settings[name])),
      tokens.prompt_length,
      tokens.decode_steps,
      T_total?.median ?? null,
      T_total ? ends_of(T_total) : null,
    ]),
    note: 'Whole request: median of the clean runs, from the first stage to the last token.',
  };
  return section(
    'cells',
    'Configurations',
    'wall',
    basis === undefined ? null : 'As measured: nothing here or in the sections of one configuration is scaled.',
    configurations.length > 0 ? table_view(table) : missing('No configuration was timed.'),
    left_out('Left out, and why', skipped),
    left_out(
      `Failed: ${count(failed.length)} of ${count(failed.length + cells)}; the same command tries them again`,
      failed,
    ),
  );
}

const shown = (value: string | number | null | undefined): string =>
  value === null || value === undefined ? 'none' : String(value);

/** So many are named; of a set of thousands all may be broken. */
const MOST_NAMED = 50;

function left_out(title: string, some: PageData['skipped']): HTMLElement | null {
  if (some.length === 0) return null;
  const items = some.slice(0, MOST_NAMED).map(({ key, reason }) => el('li', {}, el('strong', {}, key), `: ${reason}`));
  const rest = some.length - items.length;
  if (rest > 0) items.push(el('li', {}, `and ${count(rest)} more`));
  return el('div', {}, el('h3', {}, title), el('ul', { class: 'skipped' }, ...items));
}

/** One configuration: what each stage took, and what was counted in it. */
export function stages_section(one: PageConfiguration, { stages }: PageData): HTMLElement {
  const { statistics, tokens, counters, flops } = one;
  const total = statistics.T_total;
  const ran = stages.flatMap((stage) => {
    const summary = statistics[STAGE_TIME[stage]];
    return summary ? [{ stage, summary }] : [];
  });
  const sum = ran.reduce((all, { summary }) => all + summary.median, 0);
  const tokens_of: Readonly<Record<string, number>> = { prefill: tokens.prompt_length, decode: tokens.decode_steps };
  const rows: Table['rows'] = ran.map(({ stage, summary }) => {
    const work = counters[stage];
    return [
      spaced(stage),
      summary.median,
      ends_of(summary),
      sum > 0 ? summary.median / sum : null,
      tokens_of[stage] === undefined ? null : (1000 * tokens_of[stage]) / summary.median,
      work?.dispatches ?? null,
      work?.flops ?? null,
      work ? (1000 * work.flops) / summary.median : null,
    ];
  });
  if (!total)
    return section('stages', 'Stages', null, null, missing('Not timed: this configuration was only counted.'));
  const first = statistics.T_first_token;
  const whole = [
    ...(first ? [['first token', first.median, ends_of(first), null, null, null, null, null]] : []),
    ['whole request', total.median, ends_of(total), null, null, null, null, null],
  ];
  const table: Table = {
    title: `Median of ${one.clean.samples.length === 1 ? 'one clean run' : `${one.clean.samples.length} clean runs`}`,
    columns: [
      text('stage'),
      number('median (ms)'),
      text(`${spread_name([one])} (ms)`),
      number('share of the stages', 'share'),
      number('tokens a second'),
      number('launches', 'count'),
      number('work (FLOP)', 'flop'),
      number('rate (FLOP/s)', 'flop'),
    ],
    rows: [...rows, ...whole],
    note: `${first ? 'First token: from the request on, its preparation included. ' : ''}The whole request has its own median: medians of stages need not add up to it, and the host works between them.`,
  };
  return section(
    'stages',
    'Stages',
    'wall',
    'What the host waited for, stage by stage. A stage that did not run is not listed.',
    table_view(table),
    formulas(
      ran.map(({ stage }) => stage),
      flops,
    ),
    teach(
      'A stage begins and ends at a fence: the host waits until the GPU has finished, then reads its clock. These clean runs carry no other instruments, so they are the latencies to quote.',
      one.clean.samples.length > 1
        ? `Where the ${spread_name([one])}s of two configurations overlap, do not call one of them faster.`
        : 'There is one run of this: no interval can be given, and small differences mean nothing.',
    ),
  );
}

/** What formulas say of the work, beside what was counted. */
function formulas(
  ran: readonly (keyof PageConfiguration['flops']['exact'])[],
  { exact, legacy }: PageConfiguration['flops'],
): HTMLElement | null {
  const rows = ran.map((stage) => [
    spaced(stage),
    exact[stage] ?? null,
    legacy.S1[stage] ?? null,
    legacy.S4[stage] ?? null,
  ]);
  if (rows.every(([, , s1, s4]) => s1 === null && s4 === null)) return null;
  const columns = [text('stage'), ...['exact (FLOP)', 'S1 (FLOP)', 'S4 (FLOP)'].map((name) => number(name, 'flop'))];
  return el(
    'details',
    {},
    el('summary', {}, 'Work by published formulas'),
    table_view({ title: 'Work, counted and by formula', columns, rows }),
  );
}

/** Latency of each decode step of one configuration. */
export function steps_section({ clean: { samples }, tokens }: PageConfiguration): HTMLElement {
  const title = 'Decode, step by step';
  const lead = 'Each step reads all active weights once and makes one token.';
  const longest = Math.max(0, ...samples.map((sample) => sample.T_decode_per_step.length));
  const steps = Array.from({ length: longest }, (_, i) => samples.flatMap((one) => one.T_decode_per_step[i] ?? []));
  if (longest === 0) {
    return section('steps', title, 'wall', lead, missing('This configuration has no decode steps.'));
  }
  const runs = samples.length;
  const line = (name: string, look: number, of: (values: readonly number[]) => number): StepLine => ({
    name: `${name} of ${runs} runs`,
    values_ms: steps.map(of),
    dash: style_of(look).dash,
  });
  const main = line('mean', 0, mean);
  const ends = [
    line('fastest', 2, (values) => Math.min(...values)),
    line('slowest', 1, (values) => Math.max(...values)),
  ];
  const lines = runs > 1 ? ([main, ...ends] as const) : ([{ ...main, name: 'the one run' }] as const);
  const table = (): Table => ({
    title: 'Latency of each decode step (ms)',
    columns: [number('decode step', 'count'), ...lines.map(({ name }) => number(name))],
    rows: steps.map((_, i) => [i + 1, ...lines.map(({ values_ms }) => values_ms[i] as number)]),
  });
  return section(
    'steps',
    title,
    'wall',
    lead,
    el('figure', { class: 'plot' }, steps_chart(lines, tokens.prompt_length), numbers_fold(table)),
    teach(
      'A flat line says that a token costs the same wherever it stands. A rising one shows the KV cache: every step reads the keys and values of all positions before it.',
      `Single peaks are the machine, not the model: look whether the fastest has them too. The first step stands at position ${count(tokens.prompt_length + 1)} of the sequence.`,
      'Drag across a stretch to look closer; double-click shows the whole again. With the keyboard: arrows go from step to step, + and − zoom, 0 shows the whole.',
    ),
  );
}
