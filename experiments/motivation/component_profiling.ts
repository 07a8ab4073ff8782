import type { Figure, Pie } from '../lab/charts.ts';
import { define } from '../lab/define.ts';
import { latency } from '../lab/instruments.ts';
import { parts_charts, parts_note } from '../lab/latency_charts.ts';
import { short_ms, short_number, type Table } from '../lab/tables.ts';
import { sum } from '../lab/typical.ts';
import { type Components, component_body, component_shape } from './component_file.ts';
import { crops_table, methods_table, named_after_set, prompt_cells, samples_note } from './on_samples.ts';

/** The study's three components: what each is called here, and by which keys its parameters and its time go. */
const COMPONENTS = [
  { name: 'vision encoder', look: 'vision_encoder', all: 'params_vision_encoder', time: 'T_vision_encoder' },
  { name: 'projector', look: 'projector', all: 'params_projector', time: 'T_projector' },
  { name: 'language model', look: 'prefill', all: 'params_llm', time: 'T_LLM_prefill' },
] as const;

const counted = ({ parameters, whole_parameters }: Components) => whole_parameters ?? parameters;
const averaged = (file: Components) => file.scaled_average_latencies ?? file.average_latencies;

function parameter_pies(file: Components): Pie[] {
  const count = counted(file);
  const of = (key: string): number => count[key] ?? 0;
  const pie = (title: string, values: readonly number[]): Pie => ({
    ...{ kind: 'pie', title, total: short_number(sum(values)) },
    slices: COMPONENTS.map(({ name, look }, i) => ({ name, look, value: values[i] as number })),
  });
  const active = of('params_llm_active') + of('params_lm_head');
  return [
    pie(
      'All, as the study counts them: without the output head',
      COMPONENTS.map(({ all }) => of(all)),
    ),
    pie('Those that a token goes through, output head included', [
      of('params_vision_encoder'),
      of('params_projector'),
      active,
    ]),
  ];
}

function latency_pie(file: Components): Pie {
  const average = averaged(file);
  const slices = COMPONENTS.map(({ name, look, time }) => ({ name, look, value: average[time] ?? 0 }));
  return { kind: 'pie', slices, total: short_ms(sum(slices.map(({ value }) => value))) };
}

function figures(file: Components): Figure[] {
  const { results, dataset, parts } = file;
  if (results.length === 0) return [];
  const whole = results.map(({ scaled }) => scaled?.model).find((model) => model !== undefined);
  const in_parameters = {
    title: 'Parameters by component',
    notes: whole === undefined ? [] : [`counted, of ${whole}`],
    panels: parameter_pies(file),
    untimed: true,
  } as const;
  const in_time = {
    title: 'Prompt latency by component',
    notes: [samples_note(results, dataset, 'no token generated'), 'means over the samples'],
    panels: [latency_pie(file)],
  };
  const cells = parts.map(({ num_crops, parts: rows }) => ({
    label: [String(num_crops)],
    parts: rows.map(({ stage, part, statistics, scaled_ms }) => ({ stage, part, ms: scaled_ms ?? statistics.mean })),
  }));
  const inside: Figure = {
    name: 'exp2_component_parts',
    title: 'What the components spend their time on',
    notes: [
      parts_note(
        parts.map((one) => one.parts[0]?.statistics.n ?? 1),
        parts.map(({ clock }) => clock),
      ),
      'of the first sample with so many crops',
    ],
    panels: parts_charts({ categories: 'Crops, the overview included' }, cells),
  };
  const long = (what: string) => named_after_set(`exp2_component_profiling_${what}`, dataset);
  return [
    { name: 'exp2_parameters', ...in_parameters },
    { name: 'exp2_latency', ...in_time },
    ...(inside.panels.length > 0 ? [inside] : []),
    { name: long('parameters'), ...in_parameters, files_only: true },
    { name: long('latency'), ...in_time, files_only: true },
  ];
}

function component_table(file: Components): Table {
  const [count, average] = [counted(file), averaged(file)];
  const whole = (values: readonly (number | undefined)[]) => sum(values.map((value) => value ?? 0)) || 1;
  const all = whole(COMPONENTS.map((one) => count[one.all]));
  const time = whole(COMPONENTS.map((one) => average[one.time]));
  return {
    title: 'components',
    columns: [
      { name: 'component', unit: 'text' },
      { name: 'parameters', unit: 'number' },
      { name: 'share of them', unit: 'share' },
      { name: 'mean time', unit: 'ms' },
      { name: 'share of it', unit: 'share' },
    ],
    rows: COMPONENTS.map((one) => {
      const [of_all, of_time] = [count[one.all] ?? 0, average[one.time] ?? 0];
      return [one.name, of_all, of_all / all, of_time, of_time / time];
    }),
    note: `Means over ${file.results.length} samples; parameters as the study counts them, without the output head.`,
  };
}

/** Which of three components a prompt's time goes to, and which of them holds the parameters. */
export const component_profiling = define({
  name: 'motivation-exp2',
  aliases: ['exp2_component_profiling'],
  group: 'motivation',
  title: 'Vision encoder, projector, language model: parameters and time',
  question: 'Which component holds the parameters of the model, and which takes the time of a prompt?',
  options: {},
  sweeps: ['image', 'prompt', 'answer'],
  instrument: latency,
  dataset: { samples: 1000, built_in: 50, quick: 2 },
  once_for: 'shape',
  repeats: { runs: 1, warmup: 1 },
  quick: { repeats: { runs: 1 } },
  cells: prompt_cells,
  files: { exp2_component_profiling: component_shape },
  derive: (saved) => ({ exp2_component_profiling: component_body(saved) }),
  figures: ({ exp2_component_profiling: file }) => figures(file),
  tables: ({ exp2_component_profiling: file }) => [
    component_table(file),
    crops_table(file.results),
    ...methods_table(file.results),
  ],
  findings: ({ exp2_component_profiling: { findings } }) => findings,
});
