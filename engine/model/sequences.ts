import { row_stride } from '../../kernels/spec.ts';
import { UsageError } from '../errors.ts';
import type { Buffer } from '../gpu/buffers.ts';
import { type Context, even_part } from './context.ts';
import type { BlockPlan } from './knobs.ts';

/**
 * Rows and sequences. A *row* is one token on its way through the decoder. Prompt rows come first, sequence by sequence;
 * then a row a sequence for each decode step. Tokens and the row table are indexed by row, so that decoding several
 * sequences at once is only a matter of more rows a step. Who decodes places its rows.
 */
export interface Sequences {
  readonly count: number;
  readonly lengths: readonly number[];
  readonly prompt_rows: number;
  /** Positions a sequence can hold: the longest prompt and every step. */
  readonly capacity: number;
  readonly tokens: Buffer; // [prompt_rows + most steps * count] u32 ids; argmax writes the later ones
  readonly table: Buffer; // [same] (sequence, position)
  readonly rope: Buffer; // [capacity, head_dim / 2] (cos, sin)
  /** Pairs a block, none where it is skipped: [per_cache * capacity, kv_stride] f32 each, keys after norm and rotation. */
  readonly kv: readonly (readonly Cache[])[];
  readonly kv_stride: number;
  /** Sequences whose keys one binding holds; sequence s lies in pair s / per_cache, at slot s % per_cache. */
  readonly per_cache: number;
}

export interface Cache {
  readonly k: Buffer;
  readonly v: Buffer;
}

/** Neighbouring rows whose keys and values lie in one pair of buffers. */
export interface Span {
  readonly cache: number;
  readonly row: number;
  readonly rows: number;
  /** That these rows attend to, all together: counted in decode. */
  readonly keys: number;
}

/** Of rows in the order of their sequences. */
export function spans_of({ per_cache }: Sequences, rows: readonly { sequence: number; keys: number }[]): Span[] {
  const spans: { cache: number; row: number; rows: number; keys: number }[] = [];
  for (const [row, { sequence, keys }] of rows.entries()) {
    const cache = Math.floor(sequence / per_cache);
    const last = spans.at(-1);
    if (last?.cache !== cache) spans.push({ cache, row, rows: 1, keys });
    else {
      last.rows += 1;
      last.keys += keys;
    }
  }
  return spans;
}

export function check_length(config: Context['config'], prompt: number, steps: number): string | undefined {
  const total = prompt + steps;
  if (total > config.max_position_embeddings) {
    throw new UsageError(
      `the request needs ${total} positions (${prompt} prompt + ${steps} new), the model has ${config.max_position_embeddings}; use a shorter prompt, fewer crops or fewer new tokens`,
    );
  }
  if (total <= config.max_sequence_length) return undefined;
  return `the request needs ${total} positions (${prompt} prompt + ${steps} new), beyond the ${config.max_sequence_length} the model was trained for`;
}

/** `steps` a sequence, or one number for all. `kept`: keys and values that outlive the request, of one sequence. */
export async function open_sequences(
  ctx: Context,
  prompts: readonly (readonly number[])[],
  steps: number | readonly number[],
  plan: BlockPlan,
  kept?: KeptKeys,
): Promise<Sequences> {
  const { config, executor } = ctx;
  const steps_of = (sequence: number): number => (typeof steps === 'number' ? steps : (steps[sequence] ?? 0));
  const count = prompts.length;
  const lengths = prompts.map((prompt) => prompt.length);
  const prompt_rows = lengths.reduce((sum, length) => sum + length, 0);
  const most_steps = Math.max(...lengths.map((_, sequence) => steps_of(sequence)));
  const rows = prompt_rows + most_steps * count;
  const capacity = kept?.capacity ?? Math.max(...lengths.map((length, sequence) => length + steps_of(sequence)));
  const stride = row_stride(config.d_model);
  const pairs = config.head_dim / 2;
  const { create, guard } = executor.buffers;
  const slot_bytes = 4 * capacity * stride;
  const per_cache = even_part(count, Math.max(1, Math.floor(executor.device.max_binding_bytes / slot_bytes)));

  const what = count === 1 ? `a KV cache of ${capacity} positions` : `KV caches of ${count} x ${capacity} positions`;
  const made = await guard(what, () => ({
    tokens: create('tokens', 4 * rows, 'tables'),
    table: create('row table', 8 * rows, 'tables'),
    rope: create('rotary table', 8 * capacity * pairs, 'tables'),
    kv:
      kept?.kv ??
      plan.map((k, block) => {
        if (k === 0) return [];
        return Array.from({ length: Math.ceil(count / per_cache) }, (_, cache) => {
          const bytes = slot_bytes * Math.min(per_cache, count - cache * per_cache);
          return { k: create(`keys ${block}`, bytes, 'kv'), v: create(`values ${block}`, bytes, 'kv') };
        });
      }),
  }));

  const tokens = new Uint32Array(prompt_rows);
  let row = 0;
  for (const prompt of prompts) {
    tokens.set(prompt, row);
    row += prompt.length;
  }
  const places = prompts.flatMap((prompt, sequence) => prompt.map((_, position) => ({ sequence, position })));
  executor.write(made.tokens, 0, tokens);
  executor.write(made.rope, 0, rotary_table(config.rope_theta, config.head_dim, capacity));
  const sequences = { count, lengths, prompt_rows, capacity, kv_stride: stride, per_cache, ...made };
  place_rows(ctx, sequences, 0, places);
  return sequences;
}

/** Says which position of which sequence the rows row0 .. are. */
export function place_rows(
  ctx: Context,
  { table, per_cache }: Pick<Sequences, 'table' | 'per_cache'>,
  row0: number,
  places: readonly { readonly sequence: number; readonly position: number }[],
): void {
  const data = new Uint32Array(2 * places.length);
  for (const [i, { sequence, position }] of places.entries()) data.set([sequence % per_cache, position], 2 * i);
  if (places.length > 0) ctx.executor.write(table, 8 * row0, data);
}

export function close_sequences(ctx: Context, { tokens, table, rope, kv }: Sequences, kept?: KeptKeys): void {
  const own = kept === undefined ? kv : [];
  ctx.executor.buffers.destroy(tokens, table, rope, ...own.flat().flatMap(({ k, v }) => [k, v]));
}

/** Keys and values of one sequence that a later request may begin with. */
export interface KeptKeys {
  /** Whose keys are there, from the first position on. */
  ids: readonly number[];
  capacity: number;
  kv: readonly (readonly Cache[])[];
}

const ROOM = 256;

/** Makes room for so many positions; what is there is copied. */
export async function make_room(ctx: Context, kept: KeptKeys, positions: number, plan: BlockPlan): Promise<void> {
  if (positions <= kept.capacity) return;
  const { buffers, copy, flush } = ctx.executor;
  const row_bytes = 4 * row_stride(ctx.config.d_model);
  const capacity = Math.ceil(positions / ROOM) * ROOM;
  const made = await buffers.guard(`a KV cache of ${capacity} positions`, () =>
    plan.map((k, block): Cache[] => {
      if (k === 0) return [];
      const bytes = capacity * row_bytes;
      return [{ k: buffers.create(`keys ${block}`, bytes, 'kv'), v: buffers.create(`values ${block}`, bytes, 'kv') }];
    }),
  );
  const held = kept.ids.length * row_bytes;
  for (const [block, pairs] of kept.kv.entries()) {
    for (const [i, { k, v }] of pairs.entries()) {
      const to = made[block]?.[i] as Cache;
      if (held > 0) copy(k, 0, to.k, 0, held);
      if (held > 0) copy(v, 0, to.v, 0, held);
    }
  }
  await flush();
  forget_keys(ctx, kept);
  kept.kv = made;
  kept.capacity = capacity;
}

export function forget_keys(ctx: Context, { kv }: KeptKeys): void {
  ctx.executor.buffers.destroy(...kv.flat().flatMap(({ k, v }) => [k, v]));
}

/** (cos, sin) of position x inverse frequency; both factors and the product in f32, as the reference has them. */
export function rotary_table(theta: number, head_dim: number, positions: number): Float32Array {
  const pairs = head_dim / 2;
  const table = new Float32Array(2 * positions * pairs);
  for (let j = 0; j < pairs; j++) {
    const frequency = Math.fround(1 / Math.fround(theta ** Math.fround((2 * j) / head_dim)));
    for (let position = 0; position < positions; position++) {
      const angle = Math.fround(position * frequency);
      const at = 2 * (position * pairs + j);
      table[at] = Math.cos(angle);
      table[at + 1] = Math.sin(angle);
    }
  }
  return table;
}
