import { distinct, runs_note } from '../lab/captions.ts';
import type { Bar, Figure } from '../lab/charts.ts';
import { BARS_NOTE, bars_chart, stage_bars } from '../lab/latency_charts.ts';
import { STAGES } from '../lab/schema.ts';
import { percentile_name } from '../lab/stats.ts';
import type { Table } from '../lab/tables.ts';
import { STAGE_TIME } from '../lab/times.ts';
import { LEAST_FOR_INTERVAL } from '../lab/words.ts';
import { KNOBS, type M1File, type M1Knob, WORKLOADS, type Workload, type WorkloadRow } from './m1_files.ts';

const NAMES: Readonly<Record<Workload, string>> = { qa: 'short answers', captions: 'long answers' };
const KNOB_NAMES: Readonly<Record<M1Knob, string>> = {
  crops: 'crops',
  'top-k': 'experts',
  blocks: 'blocks',
  'new-tokens': 'new tokens',
};

const runs_of = (row: WorkloadRow) => row.scaled?.samples ?? row.samples;
const CLOCK = ['host wall time between fences'];

export function m1_figures(file: M1File): Figure[] {
  const usual = file.configurations.filter(({ halved }) => halved === 'nothing');
  const bars = usual.flatMap((row) =>
    stage_bars(
      [NAMES[row.workload], String(row.num_output_tokens)],
      runs_of(row).map(({ T_total }) => T_total),
      (stage) => runs_of(row).flatMap((run) => run[STAGE_TIME[stage]] ?? []),
    ),
  );
  const notes = [
    runs_note(
      usual.map((row) => row.samples.length),
      CLOCK,
    ),
  ];
  const groups = WORKLOADS.flatMap((workload, look) => {
    const values = usual
      .filter((row) => row.workload === workload)
      .flatMap((row) => runs_of(row).map(({ T_total }) => T_total));
    return values.length > 0 ? [{ name: NAMES[workload], look, values }] : [];
  });
  const figures: Figure[] = [
    {
      name: 'm1_stage_breakdown',
      title: 'Short answers and long ones by stage',
      notes: [...notes, BARS_NOTE],
      panels: bars.length === 0 ? [] : [bars_chart({ categories: 'Workload', lines: ['answers', 'tokens'] }, bars)],
    },
    {
      name: 'm1_latency_cdf',
      title: 'How latencies are spread, short answers and long ones',
      notes: [
        CLOCK.join(),
        `every length equally often: ${file.workloads.map(({ workload, lengths }) => `${NAMES[workload]} ${lengths.join(', ')} tokens`).join('; ')}`,
      ],
      panels:
        groups.length === 0
          ? []
          : [{ kind: 'distribution', shape: 'cdf', value: { label: 'Total latency (ms)' }, groups }],
    },
    {
      name: 'm1_knob_sensitivity',
      title: 'What halving one knob does to the latency',
      notes: sensitivity_notes(file),
      panels: sensitivity_panels(file),
    },
  ];
  return figures.filter(({ panels }) => panels.length > 0);
}

function sensitivity_notes({ workloads, sensitivity, configurations }: M1File): string[] {
  const lengths = workloads.map(({ workload, representative }) => `${NAMES[workload]} of ${representative} tokens`);
  const measured = distinct(
    sensitivity.filter(({ basis }) => basis === 'measured').map(({ knob }) => KNOB_NAMES[knob]),
  );
  return [
    `median of ${distinct(configurations.map((row) => row.samples.length)).join(' or ')} runs; error bars: 95 % interval by bootstrap, from ${LEAST_FOR_INTERVAL} runs on; ${CLOCK.join()}`,
    `${lengths.join(', ')}; 100 %: no effect`,
    ...(measured.length > 0
      ? [`${measured.join(', ')}: as measured on the slice, whose times with these cannot be scaled`]
      : []),
  ];
}

function sensitivity_panels({ sensitivity }: M1File): Figure['panels'] {
  const knobs = KNOBS.filter((knob) => sensitivity.some((row) => row.knob === knob));
  if (knobs.length === 0) return [];
  const at = (workload: Workload, knob: M1Knob) =>
    sensitivity.find((row) => row.workload === workload && row.knob === knob);
  const bars = knobs.flatMap((knob) =>
    WORKLOADS.flatMap((workload, look): Bar[] => {
      const row = at(workload, knob);
      if (row === undefined) return [];
      const { value: change, ci95 } = row.percent_change;
      const value = 100 + change;
      const ends = ci95 === null ? {} : { low: Math.min(value, 100 + ci95[0]), high: Math.max(value, 100 + ci95[1]) };
      return [
        {
          label: [`${KNOB_NAMES[knob]} ${row.from} to ${row.to}`, NAMES[workload]],
          segments: [{ look, name: NAMES[workload], value }],
          total: { value, ...ends, label: value.toFixed(0) },
        },
      ];
    }),
  );
  return [
    {
      kind: 'stack',
      title: 'What is left of it',
      bars,
      categories: 'Knob',
      value: { label: 'Latency left (%)' },
      lying: true,
    },
    {
      kind: 'heat',
      title: 'Change',
      rows: knobs.map((knob) => KNOB_NAMES[knob]),
      columns: WORKLOADS.map((workload) => NAMES[workload]),
      row_title: 'Halved',
      column_title: 'Workload',
      values: knobs.map((knob) => WORKLOADS.map((workload) => at(workload, knob)?.percent_change.value ?? null)),
      value: 'Latency change (%)',
      middle: 0,
      written: true,
    },
  ];
}

export function m1_tables({ workloads, sensitivity }: M1File): Table[] {
  const text = (name: string) => ({ name, unit: 'text' as const });
  const ms = (name: string) => ({ name, unit: 'ms' as const });
  const share = (name: string) => ({ name, unit: 'share' as const });
  return [
    {
      title: 'workloads',
      columns: [text('answers'), text('tokens'), ms('mean'), ms('P50'), ms('P95'), ms('P99'), ...STAGES.map(share)],
      rows: workloads.map(({ workload, lengths, latency, shares }) => [
        NAMES[workload],
        lengths.join(', '),
        latency.mean,
        latency.P50,
        latency.P95,
        latency.P99,
        ...STAGES.map((stage) => shares[stage] ?? null),
      ]),
      note: `Every length equally often. ${workloads.map(({ workload, latency: { n } }) => `${NAMES[workload]}: ${[95, 99].map((q) => percentile_name(q, n)).join(', ')}`).join('. ')}.`,
    },
    {
      title: 'a knob halved',
      columns: [
        text('answers'),
        text('knob'),
        { name: 'from', unit: 'count' },
        { name: 'to', unit: 'count' },
        ms('before'),
        ms('after'),
        { name: 'change, %', unit: 'number' },
        text('95 % interval'),
        text('times'),
      ],
      rows: sensitivity.map((row) => [
        NAMES[row.workload],
        row.knob,
        row.from,
        row.to,
        ...row.ms,
        row.percent_change.value,
        row.percent_change.ci95?.map((x) => x.toFixed(1)).join(' to ') ?? null,
        row.basis,
      ]),
    },
  ];
}
