import { Answer, type Answered } from './answer.ts';
import { type BatchItem, type BatchRunResult, run_batch } from './batch.ts';
import { InputError, OutOfMemoryError, UsageError } from './errors.ts';
import type { Reading } from './generation.ts';
import type { MemoryCount, Purpose } from './gpu/buffers.ts';
import type { Tokenizer } from './input/tokenizer.ts';
import type { ModelConfig } from './model/config.ts';
import type { Context } from './model/context.ts';
import { type Knobs, plan_blocks } from './model/knobs.ts';
import { close_sequences, open_sequences } from './model/sequences.ts';
import { type Prepared, prepare } from './prepare.ts';
import { DEFAULT_NEW_TOKENS, type GenerateRequest } from './request.ts';
import { shown } from './weights/text.ts';

export interface BatchRequestOptions {
  /** Ends all of them; a request's own signal ends that one alone. */
  readonly signal?: AbortSignal;
}

export interface BatchTextToken {
  /** Place of its request in the batch. */
  readonly request: number;
  readonly id: number;
  readonly index: number;
  readonly text: string;
}

export type BatchAnswer = Answered;

/** Why a request gave no answer: it could not run, or was ended by its own signal. */
export interface BatchRefusal {
  readonly error: Error;
}

export interface BatchResult extends BatchRunResult {
  /** In the order of the requests. */
  readonly answers: readonly (BatchAnswer | BatchRefusal)[];
  readonly memory: Readonly<Record<Purpose | 'total', MemoryCount>>;
}

export type BatchGeneration = Reading<BatchTextToken, BatchResult>;

type Member = { readonly request: GenerateRequest; readonly input: Prepared } | BatchRefusal;

export interface Batch extends BatchRequestOptions {
  readonly members: readonly Member[];
  readonly knobs: Knobs;
  readonly keepDeadBlocks?: boolean;
}

/** What looks into one request, or ends it early, has no meaning where many share every launch. */
const ALONE = ['timing', 'routing', 'stopAfter', 'probe', 'allLogits'] as const;

/** Prepares every request; those that cannot run are kept with their reason. */
export function batch_of(
  requests: readonly GenerateRequest[],
  config: ModelConfig,
  tokenizer: Tokenizer,
  { signal }: BatchRequestOptions,
): Batch {
  if (!Array.isArray(requests) || requests.length === 0) {
    throw new UsageError('a batch: expected a list of requests, found none; give at least one');
  }
  const [{ knobs = {}, keepDeadBlocks }] = requests as [GenerateRequest];
  const same = JSON.stringify(sorted(knobs));
  for (const [i, request] of requests.entries()) {
    const own = request.knobs ?? {};
    if (JSON.stringify(sorted(own)) !== same || request.keepDeadBlocks !== keepDeadBlocks) {
      throw new UsageError(
        `request ${i}: expected the knobs of request 0 (${shown(knobs)}), found ${shown(own)}; make a batch for each`,
      );
    }
    const alone = ALONE.find((name) => request[name] !== undefined && request[name] !== false);
    if (alone !== undefined) {
      throw new UsageError(`request ${i}: ${alone} is for a request alone; use generate`);
    }
  }
  const members = requests.map((request): Member => {
    try {
      return { request, input: prepare(request, config, tokenizer) };
    } catch (error) {
      if (error instanceof UsageError || error instanceof InputError) return { error };
      throw error;
    }
  });
  return { members, knobs, keepDeadBlocks, signal };
}

const sorted = (knobs: Knobs) => Object.entries(knobs).sort(([a], [b]) => (a < b ? -1 : 1));

/** Runs those that can; yields their tokens as they come. */
export async function* run_requests(
  ctx: Context,
  tokenizer: Tokenizer,
  { members, knobs, keepDeadBlocks, signal }: Batch,
): AsyncGenerator<BatchTextToken, BatchResult, void> {
  const running = members.flatMap((member, place) => ('error' in member ? [] : [{ ...member, place }]));
  const failed = members.flatMap((member, place) => ('error' in member ? [{ place, error: member.error }] : []));
  if (running.length === 0) {
    throw new InputError(`none of ${members.length} requests can run; request 0: ${failed[0]?.error.message}`);
  }
  const answers = running.map(({ request }) => new Answer(tokenizer, ctx.config.eos_id, request));
  const items = running.map(
    ({ request, input }, i): BatchItem => ({
      input,
      maxNewTokens: request.maxNewTokens ?? DEFAULT_NEW_TOKENS,
      sampling: request.sampling,
      until: (id) => (answers[i] as Answer).take(id),
      left: () => request.signal?.aborted === true,
    }),
  );
  const run = run_batch(ctx, items, { knobs, keepDeadBlocks, signal });
  try {
    for (;;) {
      const next = await run.next();
      if (next.done) {
        const told: (BatchAnswer | BatchRefusal)[] = members.map((member) => member as BatchRefusal);
        for (const [i, { place, request, input }] of running.entries()) {
          const answer = answers[i] as Answer;
          const rest = answer.end();
          if (rest !== '')
            yield { request: place, id: answer.ids.at(-1) as number, index: answer.ids.length - 1, text: rest };
          told[place] = request.signal?.aborted ? { error: aborted(request.signal) } : answer_of(answer, input);
        }
        return { ...next.value, answers: told, memory: ctx.executor.buffers.memory() };
      }
      const { request: i, ...token } = next.value;
      const answer = answers[i] as Answer;
      const place = (running[i] as (typeof running)[number]).place;
      if (answer.finish !== 'eos') yield { ...token, request: place, text: answer.settled };
    }
  } catch (error) {
    throw error instanceof OutOfMemoryError ? await told_what_fits(ctx, items, knobs, error) : error;
  } finally {
    await run.return(undefined as never);
  }
}

const answer_of = (answer: Answer, { counts, tiling, preprocess_ms }: Prepared): BatchAnswer => ({
  text: answer.text,
  tokens: answer.ids,
  finish: answer.finish,
  counts: { ...counts, new_tokens: answer.ids.length },
  tiling,
  preprocess_ms,
});

const aborted = (signal: AbortSignal): Error =>
  signal.reason instanceof Error ? signal.reason : new DOMException('This operation was aborted', 'AbortError');

/** Halves the batch until the keys and values of what is left can be held. */
async function told_what_fits(
  ctx: Context,
  items: readonly BatchItem[],
  knobs: Knobs,
  error: OutOfMemoryError,
): Promise<OutOfMemoryError> {
  const plan = plan_blocks(ctx.config, knobs);
  for (let count = Math.floor(items.length / 2); count > 0; count = Math.floor(count / 2)) {
    const some = items.slice(0, count);
    try {
      const prompts = some.map(({ input }) => input.ids);
      close_sequences(
        ctx,
        await open_sequences(
          ctx,
          prompts,
          some.map(({ maxNewTokens }) => maxNewTokens),
          plan,
        ),
      );
      ctx.executor.drop();
      return new OutOfMemoryError(
        `a batch of ${items.length}: ${error.message}; the keys and values of ${count} of these requests fit`,
      );
    } catch (again) {
      if (!(again instanceof OutOfMemoryError)) return error;
    }
  }
  return new OutOfMemoryError(`a batch of ${items.length}: ${error.message}; not even one of these requests fits`);
}
