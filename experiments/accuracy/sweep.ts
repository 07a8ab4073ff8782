import { z } from 'zod';
import type { Figure, Heat, Lines } from '../lab/charts.ts';
import type { Saved, Shape } from '../lab/define.ts';
import { type Configuration, count, type Finding, finding_schema, finite } from '../lab/schema.ts';
import { scored_sample_schema } from '../lab/schema_answers.ts';
import type { Table } from '../lab/tables.ts';
import {
  answers_note,
  config_of,
  config_shape,
  full_of,
  type Quality,
  quality_of,
  quality_shape,
  samples_of,
  scored_of,
} from './quality.ts';

/** What experiments share that turn one knob and see what becomes of the answers. */

export interface Turn {
  /** As files name it: max_crops. */
  readonly axis: string;
  /** As charts do. */
  readonly label: string;
  /** File of the figure. */
  readonly figure: string;
}

/** One of a cell's samples in the file of all: its answer lies in the cell's own file. */
export const brief_sample_schema = z.strictObject({ cell: z.string(), sample_id: z.string(), accuracy: finite });

/** Of the file of all cells and of a cell's own; `more` is what a row says besides. */
export function sweep_shapes(axis: string, more: Shape = {}): { readonly final: Shape; readonly each: Shape } {
  const row = z.strictObject({ [axis]: count, ...quality_shape, ...more });
  const config = z.strictObject(config_shape);
  return {
    final: {
      summary: z.array(row),
      all_samples: z.array(brief_sample_schema),
      config,
      note: z.string(),
      findings: z.array(finding_schema),
    },
    each: { summary: z.array(row), all_samples: z.array(scored_sample_schema), config },
  };
}

/** With where the knob stands, under the axis's name. */
export type SweepRow = Quality & { readonly [axis: string]: unknown };

export const rows_of = (
  axis: string,
  { configurations }: Pick<Saved, 'configurations'>,
  more: (one: Configuration) => object = () => ({}),
): SweepRow[] => {
  const full = full_of(configurations);
  return configurations.map((one) => ({ [axis]: Number(one.settings[axis]), ...quality_of(one, full), ...more(one) }));
};

export const brief_samples = (configurations: readonly Configuration[]) =>
  configurations.flatMap((one) =>
    scored_of(one).map(({ id, score }) => ({ cell: one.key, sample_id: id, accuracy: score })),
  );

export const cell_body = (one: Configuration, saved: Saved, row: object) => ({
  summary: [row],
  all_samples: samples_of(one),
  config: config_of(saved, [one]),
});

export const note_of = (saved: Saved, [first]: readonly Quality[]): string =>
  first === undefined ? 'no answers' : answers_note(saved, first, saved.configurations[0]?.answers?.metric ?? '');

const ends = (ci95: readonly [number, number] | null) =>
  ci95 === null ? {} : { low: 100 * ci95[0], high: 100 * ci95[1] };

/** Accuracy of each type of question in each cell; null where the set names no types. */
export function types_heat(
  rows: readonly Pick<Quality, 'by_type'>[],
  { title, columns }: { readonly title: string; readonly columns: readonly string[] },
): Heat | null {
  const types = [...new Set(rows.flatMap(({ by_type }) => by_type.map(({ question_type }) => question_type)))];
  if (types.length < 2) return null;
  const share = ({ by_type }: Pick<Quality, 'by_type'>, type: string) =>
    by_type.find(({ question_type }) => question_type === type)?.accuracy;
  return {
    ...{ kind: 'heat', title: 'By type of question', rows: types, columns, row_title: 'Question', column_title: title },
    values: types.map((type) =>
      rows.map((row) => {
        const accuracy = share(row, type);
        return accuracy === undefined ? null : Math.round(100 * accuracy);
      }),
    ),
    ...{ value: 'Accuracy (%)', written: true },
  };
}

/** Accuracy along the knob, and beside it that of each type of question. */
export function accuracy_figure({ axis, label, figure }: Turn, summary: readonly SweepRow[], note: string): Figure[] {
  if (summary.length === 0) return [];
  const x = { label, from_zero: false };
  const y = { label: 'Accuracy (%)', from_zero: false };
  const all: Lines = {
    ...{ kind: 'lines', x, y, title: 'All questions' },
    series: [
      {
        ...{ name: 'all questions', look: 0 },
        points: summary.map((row) => ({
          x: Number(row[axis]),
          y: 100 * row.accuracy,
          n: row.num_samples,
          ...ends(row.accuracy_ci95),
        })),
      },
    ],
  };
  const by_type = types_heat(summary, { title: label, columns: summary.map((row) => String(row[axis])) });
  const panels = by_type === null ? [all] : [all, by_type];
  const title = `Answers against ${label.toLowerCase()}`;
  return [{ name: figure, title, notes: [note], panels, untimed: true }];
}

export function accuracy_table({ axis, label }: Turn, summary: readonly SweepRow[]): Table {
  return {
    title: 'accuracy',
    columns: [
      { name: label.toLowerCase(), unit: 'count' },
      { name: 'samples', unit: 'count' },
      { name: 'accuracy', unit: 'share' },
      { name: 'from', unit: 'share' },
      { name: 'to', unit: 'share' },
      { name: '% of full', unit: 'number' },
      { name: 'FLOPs', unit: 'flop' },
      { name: 'against the full model', unit: 'text' },
    ],
    rows: summary.map((row) => [
      Number(row[axis]),
      row.num_samples,
      row.accuracy,
      row.accuracy_ci95?.[0] ?? null,
      row.accuracy_ci95?.[1] ?? null,
      row.percent_of_full,
      row.flops,
      row.against_full === null ? null : in_short(row.against_full),
    ]),
    note: 'From, to: 95 % interval, bootstrap over pictures. FLOPs: mean of a request, exact.',
  };
}

/** A verdict fits a table, its numbers lie in the files. */
export function in_short(found: NonNullable<Quality['against_full']>): string {
  const points = `${found.difference >= 0 ? '+' : '−'}${Math.abs(100 * found.difference).toFixed(1)} points`;
  return `${points}, ${told_apart(found) ? 'told apart' : 'not told apart'}`;
}

/** Whether two cells' answers can be told apart, in the words of the comparison. */
export const told_apart = ({ ci95, p }: { ci95: readonly [number, number] | null; p: number }): boolean =>
  ci95 !== null && (ci95[0] > 0 || ci95[1] < 0) && p < 0.05;

/** The end of the sweep that turns most scores less than the full model. */
export function costs_answers(
  expectation: string,
  axis: string,
  summary: readonly SweepRow[],
  which: (rows: readonly SweepRow[]) => SweepRow | undefined,
): Finding {
  const turned = which(summary);
  if (turned?.against_full == null) {
    return {
      expectation,
      outcome: 'not tested',
      because: 'there is no cell of the full model and another to hold against it',
    };
  }
  const { against_full, accuracy } = turned;
  const because = `${axis} ${turned[axis]} scores ${(100 * accuracy).toFixed(1)} %: ${against_full.text}`;
  // What cannot be told apart is no verdict either way: more samples may.
  if (!told_apart(against_full)) return { expectation, outcome: 'not tested', because };
  return { expectation, outcome: against_full.difference < 0 ? 'confirmed' : 'refuted', because };
}
