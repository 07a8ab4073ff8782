import type { z } from 'zod';
import type { DATASETS } from '../datasets/catalogue.ts';
import type { Experiment, Saved } from './define.ts';
import { basis_of } from './derive.ts';
import { fenced, markdown_table, markdown_text, shell_word } from './markup.ts';
import { CARD_FILE, CARD_HEAD, CONFIGURATIONS, FAILED_FILE, LIST_FILE, PLAN_FILE, RUN_FILE } from './own_files.ts';
import { kept_name } from './reading.ts';
import { type Finding, head_shape } from './schema.ts';

export interface CardInput {
  readonly experiment: Experiment;
  readonly saved: Saved;
  readonly findings: readonly Finding[];
  /** Words of the command that measured; null where older results do not say. */
  readonly command: readonly string[] | null;
  readonly traces: boolean;
}

/** What lies in a results folder, for whoever finds it: what was measured, on what, how, and how to do it again. */
export function build_card(input: CardInput): string {
  const { experiment, saved, findings, command } = input;
  const { provenance } = saved.run.fingerprint;
  const { package_version, commit, dirty } = provenance;
  const is_reading = Object.keys(experiment.reads).length > 0;
  const from = commit === 'unknown' ? 'of an unknown commit' : `commit ${commit.slice(0, 12)}`;
  const sections = [
    `${CARD_HEAD}: drawn again by molmoe report; keep notes in another file -->`,
    `# ${markdown_text(experiment.title)}`,
    markdown_text(experiment.question),
    `${is_reading ? 'What it rests on was measured' : 'Measured'} with MolmoE Lab ${markdown_text(package_version)} (${markdown_text(from)}${dirty ? ', and changes to it' : ''}), begun ${saved.run.started.slice(0, 10)}. [report.html](report.html) shows all of it.`,
    `## On what\n\n${markdown_table(['', ''], subject_rows(saved))}`,
    `## How\n\n${(is_reading ? reading_lines(experiment) : method_lines(saved)).join('\n')}`,
    `## Again\n\n${again(command, is_reading)}`,
    `## What was found\n\n${finding_lines(findings).join('\n')}`,
    `## Files\n\n${markdown_table(['file', 'what it holds'], file_rows(input))}`,
    `## Licence\n\n${licence(saved, command)}`,
  ];
  return `${sections.join('\n\n')}\n`;
}

function subject_rows({ run, configurations }: Saved): string[][] {
  const { provenance, dataset } = run.fingerprint;
  const { adapter, backend, mode, variant, model, host } = provenance;
  const basis = basis_of(configurations);
  const rows = [
    [
      'model',
      `${model.name}: ${model.weights}, stored as ${model.dtype}; ${model.layers} blocks, ${model.experts} experts`,
    ],
    ...(dataset === undefined ? [] : [['data set', `${dataset.name}, ${dataset.split}: ${dataset.source}`]]),
    ...(basis === undefined ? [] : [['times', basis]]),
    [
      'adapter',
      `${adapter.description || adapter.device} (${adapter.type}), ${backend}, ${mode} mode, kernels: ${variant}`,
    ],
    [
      'machine',
      `${host.cpu}, ${host.cores} cores, ${Math.round(host.memory_bytes / 1e9)} GB; ${host.os}; Node ${host.node}`,
    ],
  ];
  return rows.map((row) => row.map(markdown_text));
}

/** Of what others measured: their own cards say how. */
const reading_lines = ({ reads }: Experiment): string[] => [
  '* nothing was run: what others published was read, and is kept here',
  ...Object.values(reads).map((source) => `* \`${kept_name(source)}\`, of ${markdown_text(source.experiment)}`),
];

const MOST_VALUES = 16;

function method_lines({ run, configurations, skipped, failed = [] }: Saved): string[] {
  const { protocol } = run.fingerprint;
  const { runs, warmup, instrumented, method, order, order_seed, tokens_per_readback, once_for } = protocol;
  const axes = [...new Set(configurations.flatMap(({ settings }) => Object.keys(settings)))];
  const values_of = (axis: string) => [...new Set(configurations.map(({ settings }) => settings[axis] ?? 'none'))];
  const clocks = [...new Set(configurations.map(({ clean }) => clean.clock))];
  const timed = clocks.some((clock) => clock !== 'not timed');
  const n = [...new Set(configurations.map(({ clean }) => clean.samples.length))];
  return [
    `* ${configurations.length} cell${configurations.length === 1 ? '' : 's'}${skipped.length > 0 ? `, ${skipped.length} skipped (plan.json says why)` : ''}${failed.length > 0 ? `, ${failed.length} failed (${FAILED_FILE} says why)` : ''}`,
    ...axes.map((axis) => {
      const values = values_of(axis);
      const more = values.length > MOST_VALUES ? `, ... (${values.length})` : '';
      return `* ${markdown_text(`${axis}: ${values.slice(0, MOST_VALUES).join(', ')}`)}${more}`;
    }),
    ...(timed
      ? [
          `* runs of a cell, batch 1: ${warmup} to warm up, ${runs} timed (n = ${n.join(' or ')}), ${instrumented} with a stamp around every kernel${once_for === undefined ? '' : `; warm-up and stamps once a ${once_for}`}`,
          `* ${clocks.join(', ')}; method ${method}; ${order === 'fixed' ? 'cells in their order' : `cells shuffled with seed ${order_seed}`}; tokens read back ${tokens_per_readback} at a time`,
        ]
      : ['* nothing was timed: exact counts of what would be dispatched']),
  ];
}

function again(command: readonly string[] | null, is_reading: boolean): string {
  if (command === null)
    return `The command was not kept: these results are older. [${PLAN_FILE}](${PLAN_FILE}) has its options.`;
  const line = fenced('sh', ['molmoe', ...command].map(shell_word).join(' '));
  if (is_reading) return `${line}\n\nIt reads what lies there by then; \`inputs/\` is what it read.`;
  return `${line}\n\nIn this folder (\`--out\`) it goes on with what is missing; elsewhere it measures anew, and \`molmoe compare\` holds the two together.`;
}

const finding_lines = (findings: readonly Finding[]): string[] =>
  findings.length === 0
    ? ['Nothing was expected of it.']
    : findings.map(
        ({ expectation, outcome, because }) =>
          `* **${outcome}**: ${markdown_text(expectation)}: ${markdown_text(because)}`,
      );

function file_rows({ experiment, saved, traces }: CardInput): string[][] {
  const heads = ['schema', 'experiment', ...Object.keys(head_shape)];
  const bodies = Object.entries(experiment.schemas).map(([file, schema]) => {
    const keys = Object.keys((schema as z.ZodObject).shape).filter((key) => !heads.includes(key));
    return [
      `${file}.json`,
      `published: ${keys.join(', ')}; begins with provenance, protocol, knobs, ceilings and dates`,
    ];
  });
  const rows = [
    [RUN_FILE, 'what all cells have in common: provenance, protocol, knobs, ceilings of the adapter'],
    [PLAN_FILE, 'what the last command wanted here: options, cells, those skipped with the reason'],
    Object.keys(experiment.reads).length > 0
      ? ['inputs/', 'what was read, as it was']
      : [`${CONFIGURATIONS}/`, 'a file a cell: raw samples, counts, every kernel'],
    ...(saved.failed?.length
      ? [[FAILED_FILE, 'cells that were tried and could not be measured, with the reason']]
      : []),
    ...bodies,
    ['figures/', 'PNG (300 DPI) and SVG'],
    ...(traces ? [['traces/', 'for Perfetto (ui.perfetto.dev)']] : []),
    ['report.html', 'one page, no network'],
    [LIST_FILE, 'names of what was written here'],
    [CARD_FILE, 'this card'],
  ];
  return rows.map(([file, what]) => [`\`${file}\``, markdown_text(what as string)]);
}

/** The data set that is generated. */
const BUILT_IN: keyof typeof DATASETS = 'shapes';

function licence({ run }: Saved, command: readonly string[] | null): string {
  const { provenance, dataset } = run.fingerprint;
  const { model } = provenance;
  const given = command?.some((word) => /^--(image|prompt)(=|$)/.test(word)) === true;
  const weights =
    model.weights_kind === 'synthetic'
      ? 'Weights are synthetic, made by a formula: words mean nothing, times do not depend on them.'
      : 'Weights are those of a checkpoint, under its own licence.';
  const of_set = dataset !== undefined && dataset.name !== BUILT_IN;
  const inputs = of_set
    ? `Questions and reference answers of ${markdown_text(dataset.name)} are in ${CONFIGURATIONS}/, under the licence of those who made the set (${markdown_text(dataset.source)}); of its pictures only names and sizes are here.`
    : given
      ? 'Pictures or prompts were given by the user: their licence is their owner’s. Of pictures only names and sizes are in these files, of prompts their words.'
      : 'Pictures and prompts are made by MolmoE Lab (Apache-2.0).';
  return `The numbers belong to whoever measured them; MolmoE Lab (Apache-2.0) claims no right in them, and its CITATION.cff says how to cite it. ${weights} ${inputs}`;
}
