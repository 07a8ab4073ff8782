import type { BatchAnswer, BatchRefusal } from '../../engine/batch_requests.ts';
import { InputError, OutOfMemoryError, UsageError } from '../../engine/errors.ts';
import type { Engine } from '../../engine/molmoe.ts';
import { type NamedRequest, opened } from '../lab/inputs.ts';
import { measure } from '../lab/measure.ts';
import type { Protocol } from '../lab/schema.ts';
import type { Alone } from '../lab/schema_answers.ts';
import type { BatchSearch } from './batch_size.ts';
import type { Counter } from './count.ts';
import type { AnswerLog } from './log/answer_log.ts';
import type { AnswerLine } from './log/schema.ts';
import { grouped } from './metrics/bootstrap.ts';
import type { Metric } from './metrics/experiment.ts';
import { scores_of } from './score.ts';

export type Answerer = Pick<Engine, 'generate' | 'generate_batch' | 'executor' | 'facts' | 'tokenizer'>;

/** A configuration as the log knows it. */
export interface Asking {
  readonly hash: string;
  readonly batch: BatchSearch;
  /** By the sample's place in the run. */
  readonly request: (place: number) => NamedRequest;
  /** About how much work one answer is, for the estimate of what is left. */
  readonly weight: number;
}

export interface Answering {
  readonly model: Answerer;
  readonly counter: Counter;
  readonly log: AnswerLog;
  readonly askings: readonly Asking[];
  /** Place of each sample. */
  readonly places: ReadonlyMap<string, number>;
  /** null: answers are kept and scored later. */
  readonly metric: Metric | null;
  readonly protocol: Protocol;
  /** Of so many samples, the first ones, answers are timed. */
  readonly timed: number;
  readonly on_done: (weight: number) => void;
  readonly on_failed: (sample: string, reason: string) => void;
  readonly signal?: AbortSignal;
}

type Member = { readonly place: number; readonly sample: string; readonly one: NamedRequest };

/** An answer whose sample is still to be timed. */
interface Held {
  readonly asking: Asking;
  readonly member: Member;
  readonly line: AnswerLine;
}

/**
 * Answers what is left of this worker's part: batch by batch, each on the disk before the next begins. Samples that are
 * timed are asked once more when all batches are through, alone. What cannot be answered is told apart and asked again the
 * next time.
 */
export async function answer_left(work: Answering): Promise<void> {
  const { log, askings, places, timed, signal } = work;
  const left = new Map(askings.map(({ hash }) => [hash, [] as string[]]));
  for (const { configuration, sample } of log.left()) left.get(configuration)?.push(sample);
  const held: Held[] = [];
  for (const asking of askings) {
    const rest = (left.get(asking.hash) ?? []).map((sample): Member => {
      const place = places.get(sample) as number;
      return { place, sample, one: asking.request(place) };
    });
    while (rest.length > 0) {
      signal?.throwIfAborted();
      const group = rest.slice(0, asking.batch.size());
      const lines = await answer_group(work, asking, group);
      if (lines === undefined) continue; // fewer at once
      rest.splice(0, group.length);
      const is_timed = ({ member }: Pick<Held, 'member'>) => member.place < timed;
      held.push(...lines.filter(is_timed).map((one) => ({ asking, ...one })));
      await log.append(lines.filter((one) => !is_timed(one)).map(({ line }) => line));
      work.on_done(group.length * asking.weight);
    }
  }
  await time_held(work, held);
}

/** Sample by sample under all knobs in turn, so that an adapter that grows slower does so for all of them. */
async function time_held(work: Answering, held: readonly Held[]): Promise<void> {
  const { log, protocol, signal } = work;
  const warm = new Set<string>();
  const by_sample = grouped(held, ({ member }) => member.sample);
  for (const of_one of by_sample) {
    for (const { asking, member } of of_one) {
      if (!warm.has(asking.hash)) await warm_up(work, member.one);
      warm.add(asking.hash);
    }
    const times = of_one.map((): Alone[] => []);
    for (let run = 0; run < protocol.runs; run++) {
      for (const [i, { member, asking }] of of_one.entries()) {
        signal?.throwIfAborted();
        times[i]?.push(await time_alone(work, member.one));
        work.on_done(asking.weight);
      }
    }
    await log.append(of_one.map(({ line }, i) => ({ ...line, latency: times[i] as Alone[] })));
  }
}

/** undefined: they do not fit the adapter's memory together, and the batch is smaller from now on. */
async function answer_group(
  work: Answering,
  asking: Asking,
  group: readonly Member[],
): Promise<{ member: Member; line: AnswerLine }[] | undefined> {
  const { model, log, signal } = work;
  const fail = async ({ sample }: Member, { message }: Error) => {
    await log.fail({ sample, configuration: asking.hash }, message);
    work.on_failed(sample, message);
  };
  const open: { member: Member; request: NamedRequest['request'] }[] = [];
  for (const member of group) {
    try {
      open.push({ member, request: (await opened(member.one)).request });
    } catch (error) {
      if (!is_of_the_sample(error)) throw error;
      await fail(member, error);
    }
  }
  if (open.length === 0) return [];
  let answers: readonly (BatchAnswer | BatchRefusal)[];
  try {
    const requests = open.map(({ request }) => request);
    ({ answers } = await model.generate_batch(requests, { signal }).result);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    model.executor.device.check(); // a lost device answers nothing else either
    if (error instanceof OutOfMemoryError && asking.batch.failed(group.length)) return undefined;
    for (const { member } of open) await fail(member, error);
    return [];
  }
  asking.batch.worked(group.length);
  const lines: { member: Member; line: AnswerLine }[] = [];
  for (const [i, { member, request }] of open.entries()) {
    const answer = answers[i] as BatchAnswer | BatchRefusal;
    if ('error' in answer) {
      if (!is_of_the_sample(answer.error)) throw answer.error;
      await fail(member, answer.error);
    } else lines.push({ member, line: await line_of(work, asking, member, request, answer) });
  }
  return lines;
}

/** A picture that cannot be read, a question that is too long: the others are answered. */
const is_of_the_sample = (error: unknown): error is Error => error instanceof InputError || error instanceof UsageError;

async function line_of(
  { counter, metric }: Answering,
  { hash }: Asking,
  { place, sample, one }: Member,
  request: NamedRequest['request'],
  answer: BatchAnswer,
): Promise<AnswerLine> {
  const { sample: source } = one;
  const text = answer.text.trim();
  const { views, prompt_tokens, inserted_cells = 0 } = answer.counts;
  return {
    sample,
    configuration: hash,
    answer: text,
    finish: answer.finish,
    scores: metric === null || source === undefined ? {} : scores_of(text, source, metric),
    tokens: {
      num_crops: views,
      inserted_vision_tokens: inserted_cells,
      prompt_length: prompt_tokens,
      num_output_tokens: answer.tokens.length,
    },
    flops: await counter.flops(request, answer),
    ...(place === 0 ? { counted: await counter.whole(one, request, answer) } : {}),
  };
}

async function warm_up({ model, protocol, signal }: Answering, one: NamedRequest): Promise<void> {
  const { request } = await opened(one);
  for (let i = 0; i < protocol.warmup; i++) await measure(model, { ...request, signal });
}

/** Each stage between fences, nothing beside it. */
async function time_alone({ model, signal }: Answering, one: NamedRequest): Promise<Alone> {
  const { request } = await opened(one);
  const { sample, result } = await measure(model, { ...request, signal });
  const { T_vision_encoder, T_projector, T_LLM_prefill, T_LLM_decode, T_decode_per_step, T_total } = sample;
  const num_output_tokens = result.counts.new_tokens;
  const stages = { T_vision_encoder, T_projector, T_LLM_prefill, T_LLM_decode, T_decode_per_step };
  return { ...stages, T_total, num_output_tokens };
}
