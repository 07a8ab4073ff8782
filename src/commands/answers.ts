import { hostname } from 'node:os';
import { UsageError } from '../../engine/errors.ts';
import type { OpenModel } from '../../engine/node/load.ts';
import { choose_shard, type Shard } from '../../experiments/accuracy/log/shard.ts';
import { local_rank } from '../../experiments/accuracy/log/worker_env.ts';
import { type Metric, metric_for_dataset } from '../../experiments/accuracy/metrics/experiment.ts';
import { publish_answers } from '../../experiments/accuracy/publish.ts';
import { remove_answers } from '../../experiments/accuracy/remove.ts';
import { type AnswerOutcome, answer_stages } from '../../experiments/accuracy/stages.ts';
import type { Experiment, Plan } from '../../experiments/lab/define.ts';
import type { Subject } from '../../experiments/lab/inputs.ts';
import { HeldError } from '../../experiments/lab/lock.ts';
import { provenance_of } from '../../experiments/lab/provenance.ts';
import type { Samples } from '../../experiments/lab/samples.ts';
import type { Protocol } from '../../experiments/lab/schema.ts';
import { build } from '../build.ts';
import { note, progress, warn } from '../print.ts';
import { own_command } from './own_command.ts';
import { tell } from './report.ts';

/** What src/lab.ts parses besides, for experiments on answers. */
export interface AnswerFlags {
  readonly batchSize?: number;
  readonly fixedBatch?: boolean;
  /** The study's way to say so. */
  readonly no_auto_adjust_batch_size?: boolean;
  readonly metric?: string;
  readonly predictOnly?: boolean;
  readonly shard?: string;
  readonly timed?: number;
}

/** Of every experiment. */
interface ResultFlags {
  readonly out: string;
  readonly fresh?: boolean;
  readonly json?: boolean;
}

export interface AnswerWork {
  readonly experiment: Experiment;
  readonly model: OpenModel;
  readonly plan: Plan;
  readonly on: Subject & { readonly samples: Samples };
  readonly options: Readonly<Record<string, unknown>>;
  readonly protocol: Protocol;
  readonly signal: AbortSignal;
}

/** Which part of the work is this process's: refused before anything is opened. */
export function shard_of(flags: AnswerFlags & Pick<ResultFlags, 'fresh'>): Shard & { readonly from: string } {
  const shard = choose_shard(flags.shard, process.env);
  if (flags.fresh && shard.count > 1) {
    throw new UsageError(
      `--fresh: expected one worker, found part ${shard.index}/${shard.count} of the work (${shard.from}), whose start would remove the answers of others; delete the folder before they start`,
    );
  }
  return shard;
}

/** Of several adapters alike, processes of one machine take one each, by their local rank. */
export function with_local_adapter<F extends { readonly adapter: string }>(flags: F): F {
  const rank = flags.adapter === 'auto' ? local_rank(process.env) : undefined;
  return rank === undefined ? flags : { ...flags, adapter: `rank:${rank.rank}` };
}

/** Answers this worker's part; whoever finds all answered publishes. */
export async function answer_experiment(work: AnswerWork, flags: ResultFlags & AnswerFlags): Promise<undefined> {
  const { experiment, model, plan, on, signal, protocol, options } = work;
  const shard = shard_of(flags);
  const { facts } = model.executor.device;
  const { found } = model.adapter;
  const number = found.findIndex(
    ({ device, description }) => device === facts.device && description === facts.description,
  );
  const which = found.length > 1 ? ` (adapter ${number} of ${found.length})` : '';
  const whose = shard.from === 'nothing' ? 'all of the work' : `part ${shard.index}/${shard.count} (${shard.from})`;
  note(`worker   ${whose} on ${hostname()}, pid ${process.pid}, ${facts.description || facts.device}${which}`);
  if (flags.fresh) await remove_answers(flags.out);
  const { name } = on.samples.record;
  const metric = flags.predictOnly ? null : ((flags.metric as Metric | undefined) ?? metric_for_dataset(name));
  if (metric === null && experiment.next !== undefined) {
    throw new UsageError(`--predict-only: ${experiment.name} chooses by scores what to answer next; leave it out`);
  }
  const bar = progress('answering');
  let failed = 0;
  let outcome: AnswerOutcome;
  try {
    outcome = await answer_stages({
      ...{ experiment, model, on, plan, options, protocol, shard, metric, signal },
      provenance: await provenance_of(model, build),
      folder: flags.out,
      adjust: !(flags.fixedBatch || flags.no_auto_adjust_batch_size),
      load: async () => (await model.load(undefined, signal)).engine,
      on_stage: (stage, cells, left, all) => {
        const round = experiment.next === undefined ? '' : `round ${stage}: `;
        note(`${round}${cells} configurations, ${on.samples.list.length} samples: ${left} answers to give of ${all}`);
      },
      on_progress: bar.update,
      on_failed: (sample, reason) => {
        failed += 1;
        if (failed <= MOST_TOLD) warn(`no answer to ${sample}: ${reason}`);
      },
    });
  } finally {
    bar.end();
  }
  if (outcome.own_missing > 0) {
    warn(
      `${outcome.own_missing} questions have no answer, the reasons lie beside the answers; the same command asks again`,
    );
  }
  if (outcome.missing > 0) {
    const round = experiment.next === undefined ? '' : ` of round ${outcome.stage}`;
    note(
      `${outcome.missing} answers${round} are still missing: when all workers have ended, molmoe merge ${flags.out} says which, or makes the results`,
    );
    return;
  }
  if (metric === null) {
    note(`all answers are in ${flags.out}; molmoe merge ${flags.out} --metric <name> scores them`);
    return;
  }
  await finish(work, flags);
}

const MOST_TOLD = 5;

async function finish({ experiment, model }: AnswerWork, flags: ResultFlags): Promise<void> {
  try {
    const command = own_command(experiment.name, process.argv.slice(2), model);
    const { results, published } = await publish_answers(experiment, [flags.out], { command, fresh: flags.fresh });
    try {
      tell(experiment, results, published, flags.json);
    } finally {
      await results.close();
    }
  } catch (error) {
    // Of several workers that end together one publishes for all.
    if (!(error instanceof HeldError)) throw error;
    note('all answers are given; another worker writes the results');
  }
}
