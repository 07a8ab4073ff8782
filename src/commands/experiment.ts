import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { InputError, UsageError } from '../../engine/errors.ts';
import { chrome_trace, stage_spans } from '../../engine/meter/trace.ts';
import type { GenerateResult } from '../../engine/molmoe.ts';
import { decode_image } from '../../engine/node/decode_image.ts';
import { type KnownModel, type OpenModel, open_model } from '../../engine/node/load.ts';
import { visible } from '../../engine/weights/text.ts';
import { new_tokens_of } from '../../experiments/accuracy/cell.ts';
import { run_cells } from '../../experiments/lab/conduct.ts';
import type { Experiment, Plan } from '../../experiments/lab/define.ts';
import { dry_engine } from '../../experiments/lab/dry.ts';
import { type Ask, rings, type Subject } from '../../experiments/lab/inputs.ts';
import { RUN_FILE } from '../../experiments/lab/own_files.ts';
import { ordered } from '../../experiments/lab/plan.ts';
import { provenance_of } from '../../experiments/lab/provenance.ts';
import { publish } from '../../experiments/lab/publish.ts';
import { open_results, type Results } from '../../experiments/lab/record.ts';
import type { Samples } from '../../experiments/lab/samples.ts';
import type { Protocol } from '../../experiments/lab/schema.ts';
import { build } from '../build.ts';
import { interruptible, kebab } from '../options.ts';
import { be_quiet, dim, note, progress } from '../print.ts';
import { type AnswerFlags, type AnswerWork, answer_experiment, shard_of, with_local_adapter } from './answers.ts';
import { ceilings_of } from './ceilings.ts';
import { dry_run } from './dry_run.ts';
import {
  type AdapterFlags,
  answering,
  in_flags,
  knobs_of,
  load_options,
  type ModelFlags,
  wants_answers,
} from './flags.ts';
import { parse_size } from './inputs.ts';
import { own_command } from './own_command.ts';
import { read_others } from './reading.ts';
import { tell } from './report.ts';
import { warn_of_runner } from './runner_lock.ts';
import { type DatasetFlags, samples_for } from './samples.ts';
import { as_begun, self_tuned } from './self_tune.ts';

/** What src/lab.ts parses for every experiment; its own options come besides, by their names. */
export interface ExperimentFlags extends AdapterFlags, ModelFlags, DatasetFlags, AnswerFlags {
  readonly image?: string;
  readonly imageSize?: string;
  readonly prompt?: string;
  readonly promptTokens?: number;
  readonly newTokens?: number;
  readonly maxCrops?: number;
  readonly topK?: readonly number[];
  readonly topKVision?: readonly number[];
  readonly blocks?: string;
  readonly runs?: number;
  readonly warmup?: number;
  readonly instrumented?: number;
  readonly method?: Protocol['method'];
  readonly flush?: number;
  readonly routing?: boolean;
  readonly trace?: boolean;
  readonly recalibrate?: boolean;
  readonly shuffle?: number;
  readonly quick?: boolean;
  readonly dryRun?: boolean;
  readonly out: string;
  readonly fresh?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
}

/** Any experiment, from its flags to its files. */
export async function conduct_experiment(
  experiment: Experiment,
  flags: ExperimentFlags & Readonly<Record<string, unknown>>,
  debug: boolean,
): Promise<undefined> {
  if (flags.quiet) be_quiet();
  const signal = interruptible();
  let protocol = protocol_of(experiment, flags);
  const options = own_options(experiment, flags);
  if (Object.keys(experiment.reads).length > 0) return read_others(experiment, options, flags);
  const asked = await asked_of(experiment, flags);
  const others = await experiment.others(options);
  let planned: Plan | undefined;
  let on: Subject | undefined;
  let samples: Samples | undefined;
  const answers = experiment.instrument.name === 'answers';
  if (answers) shard_of(flags);
  let model = await open_model({
    ...load_options(wants_answers(experiment) ? answering(with_local_adapter(flags)) : flags, debug),
    // As soon as the files of the model are read: a plan that cannot be is refused before a driver is opened.
    on_model: async (known) => {
      samples = await samples_for(experiment, known, flags);
      if (answers && samples) protocol = with_answers(protocol, experiment, flags, asked, samples);
      planned = plan_of(experiment, known, asked, options, protocol, samples);
      on = { ...known, asked, tokens_per_readback: protocol.tokens_per_readback, samples };
    },
  });
  let results: Results | undefined;
  try {
    const plan = planned as Plan;
    say_what_runs(model, flags);
    if (flags.dryRun) return await dry_run(experiment, model, plan, protocol, flags, build);
    await warn_of_runner(model);
    if (answers) {
      const work = { experiment, model, plan, on: on as AnswerWork['on'], options, protocol, signal };
      return await answer_experiment(work, flags);
    }
    if (experiment.instrument.runs) {
      const begun = !flags.fresh && existsSync(join(flags.out, RUN_FILE));
      model = begun
        ? await as_begun(model, flags.out, build)
        : await self_tuned(model, plan.cells, flags.tuning, signal);
    }
    const provenance = await provenance_of(model, build);
    const ceilings = experiment.instrument.runs ? await ceilings_of(model, flags.recalibrate) : null;
    results = await open_results(flags.out, {
      experiment: experiment.name,
      fingerprint: { provenance, protocol, knobs: { ...asked.knobs }, ...(samples && { dataset: samples.record }) },
      plan: {
        options: { ...options, ...(samples && { num_samples: samples.list.length }) },
        cells: plan.cells.map(({ key, settings }) => ({ key, settings })),
        skipped: [...plan.skipped],
        command: own_command(experiment.name, process.argv.slice(2), model),
      },
      fresh: flags.fresh,
      ceilings,
      others,
    });
    if (flags.recalibrate && results.run.ceilings?.date !== ceilings?.date) {
      note('the results here keep the ceilings they were begun with (--fresh begins anew)');
    }
    await measure_cells(experiment, model, plan, results, protocol, flags, signal);
    tell(experiment, results, await publish(experiment, results), flags.json);
  } finally {
    await results?.close();
    await model.close();
  }
}

function protocol_of({ repeats, quick, instrument, once_for }: Experiment, flags: ExperimentFlags): Protocol {
  const untimed = { warmup: 0, runs: 0, instrumented: 0 };
  const usual = !instrument.runs ? untimed : flags.quick ? quick.repeats : repeats;
  const protocol: Protocol = {
    batch: 1,
    warmup: flags.warmup ?? usual.warmup,
    runs: flags.runs ?? usual.runs,
    instrumented: flags.instrumented ?? usual.instrumented,
    order: flags.shuffle === undefined ? 'fixed' : 'shuffled',
    order_seed: flags.shuffle ?? null,
    method: flags.method ?? 'direct',
    tokens_per_readback: flags.flush ?? 1,
    ...(once_for && { once_for }),
  };
  if (flags.trace && protocol.instrumented === 0 && instrument.name === 'latency') {
    throw new UsageError('--trace: expected an instrumented run to write, found --instrumented 0; ask for at least 1');
  }
  return protocol;
}

/** How answers are asked for: in batches, so many samples, some of them timed alone. */
function with_answers(
  protocol: Protocol,
  experiment: Experiment,
  flags: ExperimentFlags,
  asked: Ask,
  samples: Samples,
): Protocol {
  const count = samples.list.length;
  const timed = Math.min(
    flags.timed ?? (flags.quick ? Math.min(experiment.timed, QUICK_TIMED) : experiment.timed),
    count,
  );
  if (experiment.needs_times && timed === 0) {
    throw new UsageError(`--timed 0: ${experiment.name} is about times; ask for at least 1`);
  }
  const { warmup, runs } = protocol;
  return {
    ...protocol,
    batch: flags.batchSize ?? protocol.batch,
    answers: { samples: count, new_tokens: new_tokens_of({ asked, samples }), timed },
    warmup: timed > 0 ? warmup : 0,
    runs: timed > 0 ? runs : 0,
    instrumented: 0,
  };
}

/** With --quick so many samples are timed at most. */
const QUICK_TIMED = 2;

/** Options of the definition: as given, by --quick, else by their defaults. */
function own_options(experiment: Experiment, flags: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const options = Object.fromEntries(
    Object.entries(experiment.options).map(([key, type]) => {
      const quick = flags.quick ? experiment.quick.options[key] : undefined;
      const checked = type.safeParse(flags[key] ?? quick);
      if (!checked.success) throw new UsageError(`${key}: ${checked.error.issues[0]?.message}`);
      return [key, checked.data];
    }),
  );
  const given = new Set(Object.keys(options).filter((key) => flags[key] !== undefined));
  in_own_flags(experiment, () => experiment.check(options, given));
  return options;
}

/** What an experiment refuses by the name of its option, with the flag that sets it. */
function in_own_flags<T>({ options }: Experiment, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(error.message.replace(/^\w+(?=:)/, (key) => (key in options ? `--${kebab(key)}` : key)));
  }
}

/** The request that the user describes, as far as the experiment leaves it open. */
async function asked_of({ sweeps }: Experiment, flags: ExperimentFlags): Promise<Ask> {
  if (flags.image !== undefined && flags.imageSize !== undefined) {
    throw new UsageError('--image and --image-size: expected one picture, found two; leave one out');
  }
  if (flags.prompt !== undefined && flags.promptTokens !== undefined && !sweeps.includes('prompt')) {
    throw new UsageError('--prompt and --prompt-tokens: expected one prompt, found two; leave one out');
  }
  const own = <T>(what: Experiment['sweeps'][number], value: T): T | undefined =>
    sweeps.includes(what) ? undefined : value;
  const knobs = knobs_of({
    maxCrops: own('maxCrops', flags.maxCrops),
    topK: own('topK', flags.topK),
    topKVision: own('topKVision', flags.topKVision),
    blocks: own('blocks', flags.blocks),
  });
  return {
    image: await picture_of(flags),
    prompt: own('prompt', flags.prompt),
    prompt_tokens: own('prompt', flags.promptTokens),
    new_tokens: own('answer', flags.newTokens),
    knobs,
  };
}

async function picture_of({ image, imageSize }: ExperimentFlags): Promise<Ask['image']> {
  if (image !== undefined) return { name: visible(basename(image)), picture: await decode_image(image) };
  if (imageSize === undefined) return undefined;
  const size = parse_size(imageSize);
  return size && rings(size.width, size.height);
}

/** Impossible cells are skipped with their reason; a plan of nothing else is an error. */
export function plan_of(
  experiment: Experiment,
  { config, tokenizer }: KnownModel,
  asked: Ask,
  options: Readonly<Record<string, unknown>>,
  protocol: Pick<Protocol, 'tokens_per_readback'>,
  samples?: Samples,
): Plan {
  const { tokens_per_readback } = protocol;
  const plan = in_own_flags(experiment, () =>
    experiment.plan({ config, tokenizer, asked, tokens_per_readback, samples }, options),
  );
  const [first] = plan.skipped;
  if (plan.cells.length === 0) {
    const why = first === undefined ? 'its options leave no cell' : `${first.key}: ${in_flags(first.reason, true)}`;
    throw new UsageError(`${experiment.name}: expected a cell to run, found none; ${why}`);
  }
  const keys = new Set<string>();
  for (const { key } of plan.cells) {
    if (keys.has(key)) throw new UsageError(`${experiment.name}: ${key} is asked for twice; name each value once`);
    keys.add(key);
  }
  return plan;
}

function say_what_runs({ executor, facts }: OpenModel, { quick }: ExperimentFlags): void {
  const adapter = executor.device.facts;
  note(dim(`adapter  ${adapter.description || adapter.device} (${adapter.type})`));
  note(dim(`model    ${facts.name}: ${facts.weights}, stored as ${facts.dtype}`));
  if (quick) note(dim('quick    few cells and runs: to see that all works, not to publish'));
}

async function measure_cells(
  experiment: Experiment,
  model: OpenModel,
  { cells, skipped }: Plan,
  results: Results,
  protocol: Protocol,
  flags: ExperimentFlags,
  signal: AbortSignal,
): Promise<void> {
  const of_some = tell_some();
  for (const { key, reason } of skipped) of_some(`skipped ${key}: ${in_flags(reason, true)}`);
  const known = cells.filter((cell) => results.finished().has(cell.key)).length;
  const folder = resolve(flags.out);
  if (known > 0)
    note(`${known} of ${cells.length} configurations are already in ${folder}: not measured again (--fresh does)`);
  const bar = progress('measuring');
  const { provenance } = results.run.fingerprint;
  try {
    await run_cells(ordered(cells, protocol.order, protocol.order_seed ?? 0), {
      results,
      instrument: experiment.instrument,
      protocol,
      signal,
      load: async () =>
        experiment.instrument.runs ? (await model.load(undefined, signal)).engine : await dry_engine(model),
      routing: flags.routing === true,
      trace_of: flags.trace
        ? (cell, result) =>
            trace_of(result, { provenance, experiment: experiment.name, settings: cell.settings, knobs: cell.knobs })
        : undefined,
      on_cell: (cell, index, count) => {
        if (count <= MOST_NOTES) note(`configuration ${index + 1} of ${count}: ${cell.key}`);
      },
      on_failed: ({ key }, reason) => of_some(`failed ${key}: ${reason}`),
      on_progress: bar.update,
    });
  } catch (error) {
    bar.end();
    if ((error as Error).name === 'AbortError') {
      const saved = cells.filter((cell) => results.finished().has(cell.key)).length;
      note(`${saved} of ${cells.length} configurations are saved in ${folder}; the same command goes on from there`);
      if (saved > 0) tell(experiment, results, await publish(experiment, results), flags.json);
    }
    throw error;
  } finally {
    bar.end();
  }
}

/** Of more configurations the bar tells how far they are. */
const MOST_NOTES = 40;
/** Of many lines of a kind the first few, and that there are more. */
function tell_some(most = 10): (line: string) => void {
  let told = 0;
  return (line) => {
    told += 1;
    if (told <= most) note(line);
    if (told === most + 1) note('... and more such, listed in the results');
  };
}

function trace_of(result: GenerateResult, about: Readonly<Record<string, unknown>>): string {
  if (result.timeline === undefined) throw new InputError('trace: expected an instrumented run, found a plain one');
  const trace = chrome_trace([...result.preprocess, ...stage_spans(result.stages)], result.timeline);
  return JSON.stringify({ ...trace, otherData: about });
}
