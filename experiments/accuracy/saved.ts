import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { InputError } from '../../engine/errors.ts';
import type { Saved } from '../lab/define.ts';
import { digest_of } from '../lab/fingerprint.ts';
import { key_of } from '../lab/plan.ts';
import type { Configuration, DatasetRecord, Run } from '../lab/schema.ts';
import type { AnswersRecord, ScoredSample } from '../lab/schema_answers.ts';
import { ANSWERS_FILE, answers_in, type FoundAnswer, worker_files } from './log/read_answers.ts';
import { grid_of_run, read_answers_run, read_asked } from './log/run_file.ts';
import type { AnswerLine, AnswersRun, AskedLine, Head } from './log/schema.ts';
import type { Metric } from './metrics/experiment.ts';
import { scores_of, scores_of_all } from './score.ts';

/** Where answers lie in a results folder: a folder for each round of configurations. */
export const ANSWERS = 'answers';
export const stage_folder = (folder: string, stage: number): string => join(folder, ANSWERS, String(stage));

/** Folders of the rounds that have begun, in their order. */
export function stage_folders(folder: string): string[] {
  const found: string[] = [];
  for (let stage = 1; existsSync(join(stage_folder(folder, stage), 'run.json')); stage++) {
    found.push(stage_folder(folder, stage));
  }
  return found;
}

/** How many questions of a round nobody has answered. */
export async function count_missing(folder: string): Promise<number> {
  const { run, rows } = await read_stage([folder]);
  return rows.reduce((sum, row) => sum + run.samples.length - row.found, 0);
}

interface Row {
  readonly answers: (AnswerLine | undefined)[];
  found: number;
  readonly workers: Map<string, AnswersRecord['workers'][number]>;
  /** Adapters and hosts' processors that answers were timed on. */
  readonly clocks: Set<string>;
}

interface Stage {
  readonly run: AnswersRun;
  /** By configuration, in the order of the run. */
  readonly rows: readonly Row[];
  /** Of the first worker, by its place among all: of its adapter and host results are said to be. */
  readonly head: Head | undefined;
  readonly ended: string;
}

async function read_stage(folders: readonly string[]): Promise<Stage> {
  const [folder = ''] = folders;
  const run = await read_answers_run(folder);
  if (run === undefined) throw no_answers(folder);
  const grid = grid_of_run(run);
  const rows = run.fingerprint.configurations.map(
    (): Row => ({
      answers: new Array(run.samples.length).fill(undefined),
      found: 0,
      workers: new Map(),
      clocks: new Set(),
    }),
  );
  let first: Head | undefined;
  let ended = 0;
  for (const one of folders) {
    for (const path of await worker_files(one, ANSWERS_FILE)) {
      for (const found of answers_in(path, run, grid)) {
        first ??= found.head;
        keep(rows, run, found);
      }
      ended = Math.max(ended, statSync(path).mtimeMs);
    }
  }
  return { run, rows, head: first, ended: new Date(ended).toISOString() };
}

/** Of two answers to one question, which only differ in their times, the first counts. */
function keep(rows: readonly Row[], { samples }: AnswersRun, { head, answer, slot }: FoundAnswer): void {
  const row = rows[Math.floor(slot / samples.length)] as Row;
  const place = slot % samples.length;
  if (row.answers[place] !== undefined) return;
  row.answers[place] = answer;
  row.found += 1;
  const { shard, provenance } = head.worker;
  const { adapter, host } = provenance;
  const name = adapter.description || adapter.device;
  const key = `${shard} ${host.name} ${name}`;
  const worker = row.workers.get(key) ?? { shard, adapter: name, host: host.name, answers: 0 };
  row.workers.set(key, { ...worker, answers: worker.answers + 1 });
  if (answer.latency) row.clocks.add(`${name} of ${host.cpu}`);
}

/**
 * The lab's view of all answers in results folders of one run: cells whose samples are all answered, whoever answered them.
 * `metric`: scores them by another than they were scored by, or at all where they were only kept.
 */
export async function saved_answers(
  experiment: string,
  places: readonly string[],
  { metric, rounds = Number.POSITIVE_INFINITY }: { readonly metric?: Metric; readonly rounds?: number } = {},
): Promise<Saved> {
  const [folder = ''] = places;
  const stages: Stage[] = [];
  const begun = Math.max(...places.map((place) => stage_folders(place).length));
  for (let stage = 1; stage <= Math.min(begun, rounds); stage++) {
    stages.push(await read_stage(places.map((place) => stage_folder(place, stage)).filter(existsSync)));
  }
  if (stages.length === 0) throw no_answers(folder);
  const asked = await read_asked(stage_folder(folder, 1), (stages[0] as Stage).run);
  const head = stages[0]?.head;
  if (head === undefined) throw no_answers(folder);
  check_one_clock(folder, stages);
  const { fingerprint } = (stages[0] as Stage).run;
  const { protocol, dataset, options, skipped } = fingerprint;
  const shared = { provenance: head.worker.provenance, protocol, knobs: {}, dataset };
  const run: Run = {
    schema: 'molmoe.run/1',
    experiment,
    fingerprint: shared,
    run: digest_of(shared),
    started: head.worker.started,
    ceilings: null,
  };
  const configurations = stages.flatMap((stage) => configurations_of(run, stage, asked, metric));
  return { run, configurations, skipped, options };
}

function configurations_of(
  run: Run,
  stage: Stage,
  asked: readonly AskedLine[],
  other_metric: Metric | undefined,
): Configuration[] {
  const { fingerprint } = stage.run;
  const metric = other_metric ?? fingerprint.settings.metric;
  return stage.rows.flatMap(({ answers, found, workers }, row) => {
    const { knobs, cell, hash } = fingerprint.configurations[row] as (typeof fingerprint.configurations)[number];
    const counted = answers[0]?.counted;
    if (found < answers.length || counted === undefined || typeof metric !== 'string') return [];
    const { id: _, sample: __, answer: ___, ...request } = counted.request;
    const samples = (answers as AnswerLine[]).map((answer, place) => {
      const one = asked[place] as AskedLine;
      return scored(other_metric === undefined ? answer : rescored(answer, one, other_metric), one);
    });
    return {
      schema: 'molmoe.configuration/2' as const,
      experiment: run.experiment,
      key: key_of(cell),
      run: run.run,
      settings: cell,
      knobs,
      asked: hash,
      started: run.started,
      ended: stage.ended,
      ...request,
      clean: { clock: 'not timed' as const, samples: [] },
      methods: [],
      instrumented: null,
      requests: [],
      memory: counted.memory,
      scaled: null,
      routing: null,
      answers: {
        metric,
        samples,
        of_all: scores_of_all(samples, metric),
        workers: [...workers.values()].sort((a, b) => (a.shard < b.shard ? -1 : 1)),
      },
      warnings: [],
    };
  });
}

const rescored = (line: AnswerLine, asked: AskedLine, metric: Metric): AnswerLine => ({
  ...line,
  scores: scores_of(line.answer, asked, metric),
});

function scored({ answer, finish, scores, tokens, flops, latency }: AnswerLine, asked: AskedLine): ScoredSample {
  const { id, picture, question, answers, options, metadata } = asked;
  return {
    ...{ sample_id: id, picture, question, references: answers, metadata, answer, finish, scores, tokens, flops },
    ...(options && { options }),
    ...(latency && { latency }),
  };
}

/** Times of two adapters say nothing of either. */
function check_one_clock(folder: string, stages: readonly Stage[]): void {
  const names = new Set(stages.flatMap(({ rows }) => rows.flatMap(({ clocks }) => [...clocks])));
  if (names.size < 2) return;
  throw new InputError(
    `${folder}: expected times of one adapter, found those of ${[...names].sort().join(', ')}; delete the answers of all but one under ${ANSWERS}/*/workers, or answer anew with --timed 0`,
  );
}

/** Tells a folder without answers from one whose answers are there. */
const no_answers = (folder: string): InputError =>
  new InputError(
    `${folder}: expected answers, found none in ${ANSWERS}/; name the folder that an accuracy experiment wrote to, and let it answer first`,
  );

export const dataset_of = ({ run }: Pick<Saved, 'run'>): DatasetRecord => run.fingerprint.dataset as DatasetRecord;
