import { InputError } from './errors.ts';
import type { Dispatch } from './gpu/executor.ts';
import type { Context } from './model/context.ts';
import { choose, type DecoderWork, decoder_work, embed, head, run_blocks, type Sampling } from './model/decoder.ts';
import type { BlockPlan } from './model/knobs.ts';
import { place_rows, type Sequences } from './model/sequences.ts';
import type { RunOptions, RunToken } from './model_request.ts';
import type { StageClock } from './stage_clock.ts';

/** The token that prefill chose, then a step for each further one. Returns the wall time of each step. */
export async function* decode(
  ctx: Context,
  sequences: Sequences,
  plan: BlockPlan,
  options: RunOptions,
  clock: StageClock,
): AsyncGenerator<RunToken, readonly number[], void> {
  const { executor } = ctx;
  const steps = options.maxNewTokens;
  const step_ms: number[] = [];
  if (steps === 0) return step_ms;
  const [first] = (await read_tokens(ctx, sequences, 0, 1)) as [RunToken];
  let ended = options.until?.(first.id) === true;
  let left_ms = performance.now();
  yield first;
  clock.came_back(left_ms);
  if (steps === 1 || ended) return step_ms;
  const work = await decoder_work(ctx, 1, 1, plan, { decode_keys: sequences.capacity });
  const position0 = sequences.prompt_rows;
  place_rows(
    ctx,
    sequences,
    position0,
    Array.from({ length: steps }, (_, step) => ({ sequence: 0, position: position0 + step })),
  );
  const group = Math.max(1, options.tokensPerReadback ?? 1);
  let last: readonly Dispatch[] | undefined;
  const submit_group = async (made: number): Promise<Group> => {
    const count = Math.min(group, steps - made);
    for (let i = 0; i < count; i++) {
      options.signal?.throwIfAborted();
      last = await decode_step(ctx, sequences, plan, made - 1 + i, options.sampling, work, last);
    }
    return { count, end: made + count, arrive: await tokens_later(ctx, sequences, made, count) };
  };
  // The next group can go out before the last one's tokens are read: they are on the GPU already, which then never
  // idles. Not where the GPU is the host's own cores: there encoding takes time from the work it would overlap.
  const overlap = !executor.device.traits.software;
  clock.begin('decode');
  const started_ms = performance.now();
  let before_ms = started_ms;
  let ahead: Group | undefined;
  try {
    ahead = await submit_group(1);
    while (ahead !== undefined && !ended) {
      const { count, end, arrive }: Group = ahead;
      const more: boolean = end < steps;
      ahead = more && overlap ? await submit_group(end) : undefined;
      const tokens = await arrive();
      const each_ms = (performance.now() - before_ms) / count;
      for (let i = 0; i < count; i++) step_ms.push(each_ms);
      for (const token of tokens) {
        ended = options.until?.(token.id) === true;
        left_ms = performance.now();
        yield token;
        clock.came_back(left_ms);
        if (ended) break; // tokens made ahead of the end are dropped
      }
      before_ms = performance.now();
      if (more && !overlap && !ended) ahead = await submit_group(end);
    }
    const wall_ms = step_ms.reduce((sum, ms) => sum + ms, 0); // not the time the caller took between tokens
    clock.add('decode', started_ms, wall_ms);
    return step_ms;
  } finally {
    await ahead?.arrive().catch(() => undefined); // the caller left or the text ended: its readback is given back
  }
}

/** Feeds the token of `step` (already on the GPU) and puts the next one behind it. `last`: what the step before launched. */
async function decode_step(
  ctx: Context,
  sequences: Sequences,
  plan: BlockPlan,
  step: number,
  sampling: Sampling | undefined,
  work: DecoderWork,
  last: readonly Dispatch[] | undefined,
): Promise<readonly Dispatch[]> {
  const { executor } = ctx;
  if (last !== undefined && ctx.probe === undefined) {
    const launched = executor.again(last, 1);
    await executor.flush();
    return launched;
  }
  const row0 = sequences.prompt_rows + step;
  const spans = [{ cache: 0, row: 0, rows: 1, keys: row0 + 1 }];
  embed(ctx, sequences, row0, 1, work, { stage: 'decode', component: 'embed' });
  await ctx.probe?.('llm.embeds', 0, { ...work.x, rows: 1 });
  await run_blocks(ctx, { stage: 'decode', row0, rows: 1, spans }, plan, sequences, work);
  await head(ctx, 'decode', 0, 1, work);
  choose(ctx, 'decode', 1, work, sequences.tokens, row0 + 1, sampling);
  const launched = executor.recorded();
  await executor.flush();
  return launched;
}

/** Decode steps whose tokens are read together. */
interface Group {
  readonly count: number;
  /** Tokens made when it is done. */
  readonly end: number;
  readonly arrive: () => Promise<RunToken[]>;
}

const read_tokens = async (...range: Parameters<typeof tokens_later>): Promise<RunToken[]> =>
  (await tokens_later(...range))();

async function tokens_later(
  ctx: Context,
  sequences: Sequences,
  index: number,
  count: number,
): Promise<() => Promise<RunToken[]>> {
  const read = await ctx.executor.read_later(sequences.tokens, 4 * (sequences.prompt_rows + index), 4 * count);
  return async () => checked_tokens(ctx, await read(), index);
}

function checked_tokens(ctx: Context, bytes: ArrayBuffer, index: number): RunToken[] {
  return Array.from(new Uint32Array(bytes), (id, i) => {
    if (id < ctx.config.embedding_size) return { id, index: index + i };
    throw new InputError(
      `token ${index + i}: the logits are not numbers; the weights or the driver are at fault: run \`molmoe verify\``,
    );
  });
}
