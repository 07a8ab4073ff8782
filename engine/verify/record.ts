import { type RunResult, run_model } from '../generate.ts';
import type { Executor } from '../gpu/executor.ts';
import type { Context, Probe, View } from '../model/context.ts';
import { case_input, type GoldenCase, type GoldenTensor } from './golden.ts';

/** Everything the model let us see of one request. */
export interface SeenRequest {
  /** By `point` or `point.layer`: the rows of the prompt pass, in order. */
  readonly prompt: ReadonlyMap<string, Rows>;
  /** The same of each decode step. */
  readonly steps: readonly ReadonlyMap<string, Rows>[];
  readonly tokens: readonly number[];
  readonly result: RunResult;
}

export interface Rows {
  readonly cols: number;
  readonly values: Float32Array;
  readonly words: Uint32Array;
}

/** Points that the reference data may have. */
const RECORDED = /^(vit\.hidden|vision\.|llm\.|router\.|logits$)/;

export async function record_case(
  base: Omit<Context, 'probe'>,
  described: GoldenCase,
  tensors: ReadonlyMap<string, GoldenTensor>,
  seed: number,
): Promise<SeenRequest> {
  const prompt = new Map<string, Rows>();
  const steps: Map<string, Rows>[] = [];
  const probe: Probe = async (point, layer, view) => {
    if (!RECORDED.test(point)) return;
    const into = steps.at(-1) ?? prompt;
    const key = /^(vit|llm\.hidden|router)/.test(point) ? `${point}.${layer}` : point;
    into.set(key, append(into.get(key), await read_rows(base.executor, view)));
  };
  const run = run_model({ ...base, probe }, case_input(described, tensors, seed), {
    maxNewTokens: described.generation?.count ?? 0,
    knobs: { topK: described.settings.top_k_per_block, blocks: described.settings.active_blocks },
    allLogits: true,
  });
  const tokens: number[] = [];
  for (;;) {
    const next = await run.next();
    if (next.done) return { prompt, steps: steps.slice(0, Math.max(0, tokens.length - 1)), tokens, result: next.value };
    tokens.push(next.value.id);
    steps.push(new Map()); // what is seen from here on belongs to the next step
  }
}

async function read_rows(executor: Executor, { buffer, rows, cols, stride }: View): Promise<Rows> {
  const words = new Uint32Array(await executor.read(buffer, 0, 4 * rows * stride));
  const dense = new Uint32Array(rows * cols);
  for (let row = 0; row < rows; row++) dense.set(words.subarray(row * stride, row * stride + cols), row * cols);
  return { cols, words: dense, values: new Float32Array(dense.buffer) };
}

function append(before: Rows | undefined, more: Rows): Rows {
  if (before === undefined) return more;
  const words = new Uint32Array(before.words.length + more.words.length);
  words.set(before.words);
  words.set(more.words, before.words.length);
  return { cols: more.cols, words, values: new Float32Array(words.buffer) };
}
