import type { Knobs } from '../../engine/model/knobs.ts';
import { plan_blocks } from '../../engine/model/knobs.ts';
import type { OpenModel } from '../../engine/node/load.ts';
import type { Experiment, Plan } from '../lab/define.ts';
import type { Subject } from '../lab/inputs.ts';
import type { Cell } from '../lab/plan.ts';
import { prompt_of, sample_request, source_of } from '../lab/sample_request.ts';
import type { Samples } from '../lab/samples.ts';
import type { Protocol, Provenance } from '../lab/schema.ts';
import { type Answerer, type Asking, answer_left } from './answering.ts';
import { batch_size_limit, estimate_batch_size, search_batch_size } from './batch_size.ts';
import { answers_cell, new_tokens_of } from './cell.ts';
import { type Counter, make_counter } from './count.ts';
import { open_answer_log } from './log/answer_log.ts';
import { run_of } from './log/run_file.ts';
import type { AnswersRun, AskedLine } from './log/schema.ts';
import type { Shard } from './log/shard.ts';
import type { Metric } from './metrics/experiment.ts';
import { count_missing, saved_answers, stage_folder } from './saved.ts';
import { check_scorable } from './score.ts';

export interface AnswerRun {
  readonly experiment: Experiment;
  readonly model: OpenModel;
  readonly on: Subject & { readonly samples: Samples };
  readonly plan: Plan;
  readonly options: Readonly<Record<string, unknown>>;
  readonly protocol: Protocol;
  readonly provenance: Provenance;
  readonly folder: string;
  readonly shard: Shard & { readonly from: string };
  /** null: only answers are wanted, and scored later. */
  readonly metric: Metric | null;
  /** Batches grow and shrink by what the adapter holds. */
  readonly adjust: boolean;
  /** Called once, when there is something to answer. */
  readonly load: () => Promise<Answerer>;
  readonly on_stage?: (stage: number, cells: number, left: number, all: number) => void;
  readonly on_progress?: (done: number, total: number) => void;
  readonly on_failed?: (sample: string, reason: string) => void;
  readonly signal?: AbortSignal;
}

export interface AnswerOutcome {
  /** Of its last round: what nobody has answered yet, of this worker's part and of others'. */
  readonly own_missing: number;
  readonly missing: number;
  readonly stage: number;
}

/** Round after round, as far as this worker's part and what others have answered go. */
export async function answer_stages(run: AnswerRun): Promise<AnswerOutcome> {
  const { experiment, folder, on, options, plan } = run;
  if (run.metric !== null) {
    const { name, split } = on.samples.record;
    check_scorable(on.samples.list, run.metric, `${name} ${split}`);
  }
  let counter: Counter | undefined;
  for (let stage = 1, cells = plan.cells; ; stage++) {
    counter ??= make_counter(run.model);
    const asked = stage_run(run, stage, cells);
    const outcome = await answer_stage(run, counter, stage, cells, asked);
    if (outcome.missing > 0) return outcome;
    if (experiment.next === undefined || run.metric === null) return outcome;
    // Whoever comes to this round when others are further chooses what they have chosen: by the same answers.
    const points = experiment.next(await saved_answers(experiment.name, [folder], { rounds: stage }), options);
    if (points.length === 0) return outcome;
    cells = points.map(({ settings, knobs }) => {
      const cell = answers_cell(on, settings, knobs);
      if ('reason' in cell) throw new Error(`${cell.key}: ${cell.reason}`);
      return cell;
    });
  }
}

function stage_run(run: AnswerRun, stage: number, cells: readonly Cell[]): AnswersRun {
  const { experiment, on, plan, provenance, protocol, metric, options } = run;
  const { package_version, commit, dirty, build, model } = provenance;
  return run_of({
    experiment: experiment.name,
    program: { package_version, commit, dirty, build },
    model,
    dataset: on.samples.record,
    protocol,
    options,
    stage,
    skipped: [...plan.skipped],
    settings: { metric, new_tokens: new_tokens_of(on), variant: provenance.variant },
    cells: cells.map(({ knobs, settings }) => ({ knobs: { ...knobs }, cell: settings })),
    samples: on.samples.list.map(({ id }) => id),
  });
}

const asked_lines = ({ samples, tokenizer }: AnswerRun['on']): AskedLine[] =>
  samples.list.map((sample, place) => ({
    ...source_of(sample),
    picture: picture_of(sample.metadata.image_id) ?? sample.picture?.name ?? null,
    question: prompt_of(sample, place, tokenizer),
  }));

const picture_of = (id: unknown): string | undefined =>
  typeof id === 'string' || typeof id === 'number' ? String(id) : undefined;

async function answer_stage(
  run: AnswerRun,
  counter: Counter,
  stage: number,
  cells: readonly Cell[],
  asked: AnswersRun,
): Promise<AnswerOutcome> {
  const { on, folder, shard, provenance, protocol, metric, signal } = run;
  const { list } = on.samples;
  const log = await open_answer_log(stage_folder(folder, stage), {
    ...{ run: asked, asked: asked_lines(on), shard, from: shard.from, provenance },
  });
  try {
    const weights = new Map(asked.fingerprint.configurations.map(({ hash }, i) => [hash, cells[i]?.weight ?? 1]));
    let total = 0;
    let left = 0;
    const most_timed = stage < run.experiment.timed_from ? 0 : (protocol.answers?.timed ?? 0);
    const timed = new Set(list.slice(0, most_timed).map(({ id }) => id));
    for (const { configuration, sample } of log.left()) {
      left += 1;
      total += (weights.get(configuration) ?? 1) * (timed.has(sample) ? 1 + protocol.runs : 1);
    }
    run.on_stage?.(stage, cells.length, left, cells.length * list.length);
    if (left > 0) {
      let done = 0;
      await answer_left({
        ...{ model: await run.load(), counter, log, metric, protocol, signal, timed: most_timed },
        askings: cells.map((cell, i) =>
          asking_of(run, cell, (asked.fingerprint.configurations[i] as { hash: string }).hash),
        ),
        places: new Map(list.map(({ id }, place) => [id, place])),
        on_done: (weight) => {
          done += weight;
          run.on_progress?.(done, total);
        },
        on_failed: run.on_failed ?? (() => {}),
      });
    }
    const own_missing = [...log.left()].length;
    return { own_missing, missing: own_missing || (await count_missing(stage_folder(folder, stage))), stage };
  } finally {
    await log.close();
  }
}

function asking_of({ on, protocol, adjust }: AnswerRun, { knobs, weight }: Cell, hash: string): Asking {
  const { config } = on;
  const plan = plan_blocks(config, knobs);
  const turned = {
    max_crops: most_crops(knobs, config.max_crops),
    top_k: Math.max(1, ...plan),
    active: plan.filter((k) => k > 0).length / config.n_layers,
  };
  const { batch } = protocol;
  const start = adjust ? estimate_batch_size(turned, batch) : batch;
  return {
    hash,
    weight,
    batch: search_batch_size(start, adjust ? batch_size_limit(turned, batch) : batch, adjust),
    request: (place) => sample_request(on, place, { knobs, new_tokens: new_tokens_of(on), ends_at_eos: true }),
  };
}

/** As many high-resolution crops as these knobs allow. */
const most_crops = ({ crops, maxCrops }: Knobs, otherwise: number): number => crops ?? maxCrops ?? otherwise;
