import { z } from 'zod';
import type { Saved } from '../lab/define.ts';
import { type Configuration, count, finite } from '../lab/schema.ts';
import type { ScoredSample } from '../lab/schema_answers.ts';
import { COSTS, type Cost, entered } from './knob_files.ts';
import { type Entered, FRONT_RULES, type FrontRule, front_of, front_shape } from './knob_fronts.ts';
import { type GridRow, grid_rows, knobs_shape, of_samples } from './knob_grid.ts';
import { comparison_schema, samples_of } from './quality.ts';
import { scores_of_all } from './score.ts';

/** Short answers and captions: two kinds of work that one data set may hold, each with settings and fronts of its own. */

export const WORKLOADS = ['qa', 'captioning'] as const;
export type Workload = (typeof WORKLOADS)[number];

export const WORKLOAD_NAMES: Readonly<Record<Workload, string>> = { qa: 'short answers', captioning: 'captions' };

/** Sets of which every sample asks for a caption. */
const CAPTION_SETS: readonly string[] = ['coco_caption'];

export const workload_of = ({ metadata }: ScoredSample, { run }: Pick<Saved, 'run'>): Workload =>
  metadata.question_type === 'caption' || CAPTION_SETS.includes(run.fingerprint.dataset?.name ?? '')
    ? 'captioning'
    : 'qa';

/** Requests timed of a workload before its latency is what it costs. */
const LEAST_TIMED = 3;

export interface Worked extends Entered {
  readonly workload: Workload;
  readonly rows: readonly GridRow[];
}

export interface Works {
  /** What a request costs in all of them: latency where each had enough requests timed, else FLOPs. */
  readonly cost: Cost;
  readonly all: readonly Worked[];
}

/** Those that the data set has, each with its own samples in every cell. */
export function works_of(saved: Saved): Works {
  const some = WORKLOADS.flatMap((workload) => {
    const configurations = saved.configurations
      .map((one) => of_samples(one, (sample) => workload_of(sample, saved) === workload))
      .filter((one) => samples_of(one).length > 0);
    return configurations.length === 0
      ? []
      : [{ workload, configurations, rows: rows_of(saved, workload, configurations) }];
  });
  const is_timed = some.every(({ rows }) => rows.every(({ latency }) => (latency?.num_samples ?? 0) >= LEAST_TIMED));
  const cost_of = (row: GridRow) => (is_timed ? (row.latency?.T_total.mean ?? null) : row.flops);
  const all = some.map(({ workload, configurations, rows }) => {
    return { workload, rows, ...entered({ configurations }, rows, cost_of) };
  });
  return { cost: is_timed ? 'latency' : 'flops', all };
}

/** Captions are also scored all together, by what their authors measure them by. */
function rows_of(saved: Saved, workload: Workload, configurations: readonly Configuration[]): GridRow[] {
  const rows = grid_rows({ run: saved.run, configurations });
  if (workload === 'qa') return rows;
  return rows.map((row, i) => {
    const together = scores_of_all(samples_of(configurations[i] as Configuration), 'cider_score');
    return { ...row, scores: { ...row.scores, ...together } };
  });
}

/** A setting in one workload. */
export const setting_schema = z.strictObject({
  key: z.string(),
  ...knobs_shape,
  cost: finite,
  flops: finite,
  accuracy: finite,
  accuracy_ci95: z.tuple([finite, finite]).nullable(),
  percent_of_full: finite.nullable(),
  against_full: comparison_schema.nullable(),
  scores: z.record(z.string(), finite),
});
export type Setting = z.infer<typeof setting_schema>;

export const workload_shape = {
  workload: z.enum(WORKLOADS),
  num_samples: count,
  /** Of these samples, of those timed of them: how many tokens an answer has. */
  mean_num_output_tokens: finite,
  num_timed: count,
  settings: z.array(setting_schema),
};

export function workload_body({ workload, rows, entrants }: Worked) {
  const [first] = rows;
  const costs = new Map(entrants.map(({ one, cost }) => [one.key, cost]));
  return {
    workload,
    num_samples: first?.num_samples ?? 0,
    mean_num_output_tokens: first?.mean_num_output_tokens ?? 0,
    num_timed: first?.latency?.num_samples ?? 0,
    settings: rows.map((row): Setting => {
      const { key, max_crops, top_k, num_active_blocks, flops, accuracy, accuracy_ci95 } = row;
      const { percent_of_full, against_full, scores } = row;
      return {
        ...{ key, max_crops, top_k, num_active_blocks, cost: costs.get(key) ?? flops, flops, accuracy, accuracy_ci95 },
        ...{ percent_of_full, against_full, scores },
      };
    }),
  };
}

export const rules_schema = z.record(z.enum(Object.keys(FRONT_RULES) as [FrontRule, ...FrontRule[]]), z.string());
export const fronts_shape = { strict: front_shape, ties: front_shape };
/** By both rules that the study draws fronts by. */
export const both_fronts = ({ entrants }: Entered) => ({
  strict: front_of(entrants, 'strict'),
  ties: front_of(entrants, 'ties'),
});
export const cost_schema = z.enum(COSTS);
export const COST_AXES: Readonly<Record<Cost, string>> = {
  latency: 'Mean latency (ms)',
  flops: 'FLOPs of a request (GFLOP)',
};
/** As axes have it. */
export const shown_cost = (cost: Cost, value: number): number => (cost === 'flops' ? value / 1e9 : value);

interface Noted {
  readonly num_samples: number;
  readonly num_timed: number;
}

/** What the numbers of a picture of workloads rest on. */
export const cost_note = (cost: Cost, some: readonly Noted[]): string =>
  cost === 'latency'
    ? `latency: mean over ${some.map(({ num_timed }) => num_timed).join(' and ')} samples, each alone, median of its runs; host wall time`
    : 'FLOPs: exact, mean of a request; too few requests of a workload were timed to go by latency';
