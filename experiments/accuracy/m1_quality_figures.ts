import type { Figure, Heat } from '../lab/charts.ts';
import type { Table } from '../lab/tables.ts';
import { figure_of, knob_pareto, LABELS_NOTE, short_name } from './knob_figures.ts';
import type { GridKnob } from './knob_grid.ts';
import type { M1QualityFile } from './m1_quality_files.ts';
import { in_short } from './sweep.ts';
import { COST_AXES, cost_note, shown_cost, WORKLOAD_NAMES, WORKLOADS } from './workloads.ts';

/** Pictures and tables of M1's quality side. */

const SHORT: Readonly<Record<GridKnob, string>> = { max_crops: 'crops', top_k: 'experts', num_active_blocks: 'blocks' };

export function m1_quality_figures(file: M1QualityFile): Figure[] {
  const { cost, workloads, config } = file;
  const is_exact = cost === 'flops' || undefined;
  const set = `${config.dataset_name} ${config.split}, metric ${config.metric}`;
  const counted = workloads.map(({ workload, num_samples }) => `${num_samples} ${WORKLOAD_NAMES[workload]}`).join(', ');
  const note = `${counted} of ${set}; error bars: 95 % of bootstraps over pictures`;
  const panels = workloads.map(({ workload, settings, front, mean_num_output_tokens: tokens }) =>
    knob_pareto(
      settings,
      (row) => shown_cost(cost, row.cost),
      front.map(({ key }) => key),
      {
        label: COST_AXES[cost],
        title: `${capital(WORKLOAD_NAMES[workload])}, ${tokens.toFixed(1)} tokens`,
        name_of: short_name,
      },
    ),
  );
  return [
    ...figure_of(
      'm1_pareto_comparison_quality',
      'The fronts of short answers and captions',
      [note, cost_note(cost, workloads), LABELS_NOTE],
      panels,
      is_exact,
    ),
    ...figure_of(
      'm1_knob_sensitivity_quality',
      'What one knob turned costs in answers',
      [
        `${counted} of ${set}`,
        'the others as the model has them; which differences are more than chance, the table says',
      ],
      [sensitivity_heat(file)],
      true,
    ),
  ];
}

const capital = (text: string): string => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;

const turn_name = ({ knob, from, to }: { knob: GridKnob; from: number; to: number }): string =>
  `${SHORT[knob]} ${from} to ${to}`;

function sensitivity_heat({ sensitivity }: M1QualityFile): Heat | null {
  const turns = [...new Set(sensitivity.map(turn_name))];
  const shown = WORKLOADS.filter((workload) => sensitivity.some((row) => row.workload === workload));
  if (turns.length === 0) return null;
  return {
    ...{ kind: 'heat', rows: turns, columns: shown.map((workload) => WORKLOAD_NAMES[workload]) },
    ...{ row_title: 'Turned', column_title: 'Workload', value: 'Change (points)', middle: 0, written: true },
    values: turns.map((turn) =>
      shown.map((workload) => {
        const row = sensitivity.find((one) => one.workload === workload && turn_name(one) === turn);
        return row === undefined ? null : Math.round(1000 * row.accuracy.difference) / 10;
      }),
    ),
  };
}

export function m1_quality_tables({ cost, optima, sensitivity, workloads }: M1QualityFile): Table[] {
  const text = (name: string) => ({ name, unit: 'text' as const });
  const share = (name: string) => ({ name, unit: 'share' as const });
  const counted = (name: string) => ({ name, unit: 'count' as const });
  return [
    {
      title: `most accurate within a part of the full model's ${cost === 'latency' ? 'latency' : 'FLOPs'}`,
      columns: [
        ...[text('answers'), share('budget'), counted('crops'), counted('experts'), counted('blocks')],
        { name: cost, unit: cost === 'latency' ? 'ms' : 'flop' },
        ...[share('accuracy'), share('from'), share('to')],
      ],
      rows: optima.map(({ workload, budget, setting: found }) => [
        ...[WORKLOAD_NAMES[workload], budget, found?.max_crops ?? null, found?.top_k ?? null],
        ...[found?.num_active_blocks ?? null, found?.cost ?? null, found?.accuracy ?? null],
        ...[found?.accuracy_ci95?.[0] ?? null, found?.accuracy_ci95?.[1] ?? null],
      ]),
      note: 'Chosen by all samples, and so a little better than it is; findings hold settings against each other on samples that did not choose them.',
    },
    {
      title: 'one knob turned',
      columns: [
        ...[text('answers'), text('knob'), counted('from'), counted('to'), share('cost left'), share('accuracy')],
        text('against the full model'),
        { name: 'p', unit: 'number' },
      ],
      rows: sensitivity.map(({ workload, knob, from, to, accuracy, cost_left }) => [
        ...[WORKLOAD_NAMES[workload], SHORT[knob], from, to, cost_left, accuracy.mean_b],
        ...[in_short(accuracy), accuracy.p],
      ]),
      note: `${workloads.map(({ workload, num_samples }) => `${num_samples} ${WORKLOAD_NAMES[workload]}`).join(', ')}.`,
    },
  ];
}
