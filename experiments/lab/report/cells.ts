import type { Summary } from '../schema.ts';
import type { Column, Table } from '../tables.ts';
import { STAGE_TIME } from '../times.ts';
import { interval_name, interval_of } from '../words.ts';
import { chart_view } from './charts/view.ts';
import type { PageConfiguration, PageData } from './data.ts';
import { el, missing, section, spaced, teach } from './dom.ts';
import { count, interval } from './format.ts';
import { table_view } from './table_view.ts';

const text = (name: string): Column => ({ name, unit: 'text' });
const number = (name: string, unit: Column['unit'] = 'number'): Column => ({ name, unit });

/** What all the runs of these configurations may call their interval. */
const spread_name = (some: readonly PageConfiguration[]): string =>
  interval_name(Math.min(...some.map((one) => one.clean.samples.length)));

/** Unbroken over lines, without the unit that stands in the head. */
const ends_of = (summary: Summary): string =>
  interval(interval_of(summary)).replace(' ms', '').replaceAll(' ', '\u00a0');

/** All configurations, those that could not be measured too. */
export function cells_section({ configurations, skipped, basis }: PageData): HTMLElement {
  const names = [...new Set(configurations.flatMap(({ settings }) => Object.keys(settings)))];
  const table: Table = {
    title: 'Every configuration, in the order of the plan',
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
    skipped_list(skipped),
  );
}

const shown = (value: string | number | null | undefined): string =>
  value === null || value === undefined ? 'none' : String(value);

function skipped_list(skipped: PageData['skipped']): HTMLElement | null {
  if (skipped.length === 0) return null;
  const items = skipped.map(({ key, reason }) => el('li', {}, el('strong', {}, key), `: ${reason}`));
  return el('div', {}, el('h3', {}, 'Left out, and why'), el('ul', { class: 'skipped' }, ...items));
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
  const whole = total ? [['whole request', total.median, ends_of(total), null, null, null, null, null]] : [];
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
    note: 'The whole request has its own median: medians of stages need not add up to it, and the host works between them.',
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
export function steps_section({ clean, tokens }: PageConfiguration): HTMLElement {
  const title = 'Decode, step by step';
  const lead = 'Each step reads all active weights once and makes one token.';
  const longest = Math.max(0, ...clean.samples.map((sample) => sample.T_decode_per_step.length));
  const points = Array.from({ length: longest }, (_, i) => {
    const values = clean.samples.flatMap((sample) => sample.T_decode_per_step[i] ?? []);
    const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
    const ends = values.length > 1 ? { low: Math.min(...values), high: Math.max(...values) } : {};
    return { x: i + 1, y: mean, ...ends };
  });
  if (points.length === 0) {
    return section('steps', title, 'wall', lead, missing('This configuration has no decode steps.'));
  }
  const runs = clean.samples.length;
  const chart = chart_view(
    {
      kind: 'lines',
      x: { label: 'Decode step (count)', from_zero: false },
      y: { label: 'Wall time of a step (ms)' },
      series: [
        {
          name: runs > 1 ? `mean of ${runs} runs; the band goes from the fastest to the slowest` : 'the one run',
          look: 'decode',
          points,
        },
      ],
      band: true,
    },
    'latency of each decode step',
  );
  return section(
    'steps',
    title,
    'wall',
    lead,
    chart,
    teach(
      'A flat line says that a token costs the same wherever it stands. A rising one shows the KV cache: every step reads the keys and values of all positions before it.',
      `Single peaks are the machine, not the model. The first step stands at position ${count(tokens.prompt_length + 1)} of the sequence.`,
    ),
  );
}
