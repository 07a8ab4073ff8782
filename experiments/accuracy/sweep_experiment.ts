import type { Knobs } from '../../engine/model/knobs.ts';
import { define, type Experiment, type OnDataset, type Shape, type Values } from '../lab/define.ts';
import type { Subject, Swept } from '../lab/inputs.ts';
import { answers } from '../lab/instruments.ts';
import { key_of } from '../lab/plan.ts';
import type { Finding, Settings, Skipped } from '../lab/schema.ts';
import { answers_cell } from './cell.ts';
import { config_of } from './quality.ts';
import {
  accuracy_figure,
  accuracy_table,
  brief_samples,
  cell_body,
  note_of,
  rows_of,
  type SweepRow,
  sweep_shapes,
  type Turn,
} from './sweep.ts';

/** As many samples as the study takes of a set of files, and what shows a trend on the built-in one. */
export const ON_SAMPLES: OnDataset = { samples: 5000, built_in: 500, quick: 60 };

/** A point of a sweep: the knob's value and what it turns; or why this model does not have it. */
export type SweepPoint = { readonly value: number; readonly knobs: Knobs; readonly reason?: string };

export interface Sweep<O extends Shape> extends Turn {
  readonly name: string;
  readonly aliases?: readonly string[];
  readonly title: string;
  readonly question: string;
  readonly options: O;
  readonly sweeps: readonly Swept[];
  readonly quick: Partial<Values<O>>;
  readonly check?: (options: Values<O>) => void;
  readonly points: (on: Subject, options: Values<O>) => readonly SweepPoint[];
  readonly findings: (summary: readonly SweepRow[]) => readonly Finding[];
  /** Of the published file, and the name of a cell's own: exp2_accuracy_results, top_k. */
  readonly file: string;
  readonly cell_file: string;
}

/** An experiment that turns one knob, from what is its own. */
export function accuracy_sweep<O extends Shape>(sweep: Sweep<O>): Experiment {
  const { axis, file, cell_file, points, findings, ...rest } = sweep;
  const { final, each } = sweep_shapes(axis);
  const own_file = (value: number) => `${file}_${cell_file}_${value}`;
  return define({
    ...rest,
    group: 'accuracy',
    instrument: answers,
    dataset: ON_SAMPLES,
    quick: { options: sweep.quick },
    repeats: { runs: 3, warmup: 1, instrumented: 0 },
    check: (options) => sweep.check?.(options),
    cells: (on, options) => points(on, options).map((point) => cell_of(on, axis, point)),
    files: { [file]: final },
    each: {
      name: `${file}_${cell_file}`,
      shape: each,
      of: (one, saved) => ({
        name: own_file(Number(one.settings[axis])),
        body: cell_body(one, saved, rows_of(axis, saved)[saved.configurations.indexOf(one)] as object),
      }),
    },
    derive: (saved) => {
      const summary = rows_of(axis, saved);
      const body = {
        summary,
        all_samples: brief_samples(saved.configurations),
        config: config_of(saved, saved.configurations),
        note: note_of(saved, summary),
        findings: [...findings(summary)],
      };
      return { [file]: body };
    },
    figures: (files) => accuracy_figure(sweep, body_of(files, file).summary, body_of(files, file).note),
    tables: (files) => [accuracy_table(sweep, body_of(files, file).summary)],
    findings: (files) => body_of(files, file).findings,
  });
}

interface Body {
  readonly summary: readonly SweepRow[];
  readonly note: string;
  readonly findings: readonly Finding[];
}
const body_of = (files: object, file: string): Body => (files as Record<string, unknown>)[file] as Body;

function cell_of(on: Subject, axis: string, { value, knobs, reason }: SweepPoint) {
  const settings: Settings = { [axis]: value };
  if (reason !== undefined) return { key: key_of(settings), settings, reason } satisfies Skipped;
  return answers_cell(on, settings, knobs);
}
