import type { Figure, Heat, Lines } from '../lab/charts.ts';
import type { Table } from '../lab/tables.ts';
import type { E2QualityFiles } from './e2_quality_files.ts';
import { ACCURACY_AXIS, figure_of, knob_pareto, LABELS_NOTE, short_name } from './knob_figures.ts';
import { GRID_KNOBS, KNOB_NAMES } from './knob_grid.ts';
import { in_short } from './sweep.ts';
import { COST_AXES, cost_note, shown_cost, WORKLOAD_NAMES, type Workload } from './workloads.ts';

/** Pictures and tables of E2's quality side. */

const FRONT_FIGURES: Readonly<Record<Workload, string>> = { qa: 'e2_pareto_qa', captioning: 'e2_pareto_captioning' };

export function e2_quality_figures(files: E2QualityFiles): Figure[] {
  const { e2_pareto_frontiers: file, e2_quality_coupling: coupling, e2_quality_cases: cases } = files;
  const { cost, workloads, config } = file;
  const is_exact = cost === 'flops' || undefined;
  const set = `${config.dataset_name} ${config.split}, metric ${config.metric}`;
  const fronts = workloads.flatMap((work) => {
    const { workload, settings, strict, ties, num_samples } = work;
    const on = strict.map(({ key }) => key);
    const more = ties.filter(({ key }) => !on.includes(key)).length;
    const panel = knob_pareto(settings, (row) => shown_cost(cost, row.cost), on, {
      label: COST_AXES[cost],
      name_of: short_name,
    });
    const notes = [
      `${num_samples} samples of ${set}; error bars: 95 % of bootstraps over pictures`,
      cost_note(cost, [work]),
      `dashed: what no other beats; ${more === 0 ? 'the rule that keeps ties adds nothing' : `the rule that keeps ties adds ${more}`}`,
      LABELS_NOTE,
    ];
    const title = `The front of ${WORKLOAD_NAMES[workload]}`;
    return figure_of(FRONT_FIGURES[workload], title, notes, [panel], is_exact);
  });
  const [main] = workloads;
  return [
    ...fronts,
    ...figure_of(
      'e2_coupling_proof',
      'The front of two knobs, with the third fixed at each of its values',
      [
        `${main === undefined ? '' : `${WORKLOAD_NAMES[main.workload]}: ${main.num_samples} samples of ${set}`}`,
        cost_note(cost, main === undefined ? [] : [main]),
        'a knob that acts by itself shifts the front and leaves its places; whether a step is more than chance, the findings say',
      ],
      proof_panels(coupling, main?.workload, cost),
      is_exact,
    ),
    ...figure_of(
      'e2_illustrative_cases',
      'Questions that depend on where the knobs stand',
      [cases.note],
      [cases_heat(cases)],
      true,
    ),
  ];
}

function proof_panels(
  { fronts }: Pick<E2QualityFiles['e2_quality_coupling'], 'fronts'>,
  workload: Workload | undefined,
  cost: E2QualityFiles['e2_quality_coupling']['cost'],
): Lines[] {
  return GRID_KNOBS.flatMap((fixed): Lines[] => {
    const some = fronts.filter((one) => one.workload === workload && one.fixed === fixed);
    if (some.length === 0) return [];
    return [
      {
        ...{ kind: 'lines', title: `${KNOB_NAMES[fixed]} fixed`, legend: KNOB_NAMES[fixed] },
        x: { label: COST_AXES[cost], from_zero: false },
        y: ACCURACY_AXIS,
        series: some.map(({ at, settings }, look) => ({
          ...{ name: String(at), look },
          points: settings.map((one) => ({ x: shown_cost(cost, one.cost), y: 100 * one.accuracy })),
        })),
      },
    ];
  });
}

/** Of a set without types, the question as far as it fits beside a map. */
const MOST_LETTERS = 20;
const cut = (text: string): string => (text.length <= MOST_LETTERS ? text : `${text.slice(0, MOST_LETTERS - 1)}…`);

function cases_heat({ columns, cases }: Pick<E2QualityFiles['e2_quality_cases'], 'columns' | 'cases'>): Heat | null {
  if (cases.length === 0) return null;
  return {
    ...{ kind: 'heat', row_title: 'Question', column_title: 'Settings', value: 'Score (%)', written: true },
    rows: cases.map(({ question, question_type }) => question_type || cut(question)),
    columns: columns.map(({ name }) => name),
    values: cases.map(({ answers }) =>
      columns.map(({ key }) => {
        const found = answers.find((one) => one.key === key);
        return found === undefined ? null : Math.round(100 * found.accuracy);
      }),
    ),
  };
}

export function e2_quality_tables({ e2_pareto_frontiers: file, e2_quality_cases: cases }: E2QualityFiles): Table[] {
  const { cost, workloads } = file;
  const unit = cost === 'latency' ? ('ms' as const) : ('flop' as const);
  const fronts = workloads.map(({ workload, settings, strict, ties }): Table => {
    const on = new Set([...strict, ...ties].map(({ key }) => key));
    return {
      title: `fronts of ${WORKLOAD_NAMES[workload]}`,
      columns: [
        ...['crops', 'experts', 'blocks'].map((name) => ({ name, unit: 'count' as const })),
        { name: cost, unit },
        ...['accuracy', 'from', 'to'].map((name) => ({ name, unit: 'share' as const })),
        { name: '% of full', unit: 'number' },
        ...['strict', 'ties', 'against the full model'].map((name) => ({ name, unit: 'text' as const })),
      ],
      rows: settings
        .filter(({ key }) => on.has(key))
        .toSorted((a, b) => a.cost - b.cost)
        .map((row) => [
          ...[row.max_crops, row.top_k, row.num_active_blocks, row.cost, row.accuracy],
          ...[row.accuracy_ci95?.[0] ?? null, row.accuracy_ci95?.[1] ?? null, row.percent_of_full],
          ...[strict, ties].map((front) => (front.some(({ key }) => key === row.key) ? 'yes' : null)),
          row.against_full === null ? null : in_short(row.against_full),
        ]),
      note: `${settings.length} settings; shown is what is on a front. Strict: none beats it. Ties: the rule that keeps what is as accurate and slower.`,
    };
  });
  const examples: Table = {
    title: 'questions that depend on where the knobs stand',
    columns: ['question', 'right', ...cases.columns.map(({ name }) => name)].map((name) => ({
      name,
      unit: 'text' as const,
    })),
    rows: cases.cases.map(({ question, references, answers }) => [
      question,
      references?.[0] ?? null,
      ...cases.columns.map(({ key }) => answers.find((one) => one.key === key)?.answer ?? null),
    ]),
    note: `${cases.note}.`,
  };
  return cases.cases.length === 0 ? fronts : [...fronts, examples];
}
