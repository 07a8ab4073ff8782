import { row_stride } from '../../kernels/spec.ts';
import { UsageError } from '../errors.ts';
import type { Buffer } from '../gpu/buffers.ts';
import type { Context } from './context.ts';
import type { BlockPlan } from './knobs.ts';

/**
 * Rows and sequences. A *row* is one token on its way through the decoder. Prompt rows come first, sequence by sequence;
 * then a row a sequence for each decode step. Tokens and the row table are indexed by row, so that decoding several
 * sequences at once is only a matter of more rows a step.
 */
export interface Sequences {
  readonly count: number;
  readonly lengths: readonly number[];
  readonly prompt_rows: number;
  readonly steps: number;
  /** Positions a sequence can hold: the longest prompt and every step. */
  readonly capacity: number;
  readonly tokens: Buffer; // [prompt_rows + steps * count] u32 ids; argmax writes the later ones
  readonly table: Buffer; // [same] (sequence, position)
  readonly rope: Buffer; // [capacity, head_dim / 2] (cos, sin)
  /** One pair a block, none where it is skipped: [count * capacity, kv_stride] f32, keys after norm and rotation. */
  readonly kv: readonly ({ readonly k: Buffer; readonly v: Buffer } | undefined)[];
  readonly kv_stride: number;
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

export async function open_sequences(
  ctx: Context,
  prompts: readonly (readonly number[])[],
  steps: number,
  plan: BlockPlan,
): Promise<Sequences> {
  const { config, executor } = ctx;
  const lengths = prompts.map((prompt) => prompt.length);
  const prompt_rows = lengths.reduce((sum, length) => sum + length, 0);
  const rows = prompt_rows + steps * prompts.length;
  const capacity = Math.max(...lengths) + steps;
  const stride = row_stride(config.d_model);
  const pairs = config.head_dim / 2;
  const { create } = executor.buffers;

  const made = await executor.buffers.guard(`a KV cache of ${capacity} positions`, () => ({
    tokens: create('tokens', 4 * rows, 'tables'),
    table: create('row table', 8 * rows, 'tables'),
    rope: create('rotary table', 8 * capacity * pairs, 'tables'),
    kv: plan.map((k, block) => {
      if (k === 0) return undefined;
      const bytes = 4 * prompts.length * capacity * stride;
      return { k: create(`keys ${block}`, bytes, 'kv'), v: create(`values ${block}`, bytes, 'kv') };
    }),
  }));

  const tokens = new Uint32Array(rows);
  const table = new Uint32Array(2 * rows);
  let row = 0;
  const add = (sequence: number, position: number) => {
    table.set([sequence, position], 2 * row);
    row += 1;
  };
  for (const [sequence, prompt] of prompts.entries()) {
    tokens.set(prompt, row);
    for (let position = 0; position < prompt.length; position++) add(sequence, position);
  }
  for (let step = 0; step < steps; step++) {
    for (const [sequence, length] of lengths.entries()) add(sequence, length + step);
  }
  executor.write(made.tokens, 0, tokens);
  executor.write(made.table, 0, table);
  executor.write(made.rope, 0, rotary_table(config.rope_theta, config.head_dim, capacity));
  return { count: prompts.length, lengths, prompt_rows, steps, capacity, kv_stride: stride, ...made };
}

export function close_sequences(ctx: Context, sequences: Sequences): void {
  const kv = sequences.kv.flatMap((pair) => (pair === undefined ? [] : [pair.k, pair.v]));
  ctx.executor.buffers.destroy(sequences.tokens, sequences.table, sequences.rope, ...kv);
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
