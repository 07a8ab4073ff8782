import { type DryMachine, dry_model } from '../../engine/dry_run.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import { type BlockKnobs, plan_blocks } from '../../engine/model/knobs.ts';
import type { WeightFormat } from '../../kernels/spec.ts';
import { type Counted, count_with, type Sizes, sizes_of } from '../estimator/request_work.ts';
import { type Family, type StageWork, type Work, work_of } from '../estimator/work.ts';
import { STAGES } from '../lab/schema.ts';

/** Work of a request under any setting of the knobs, quickly. */
export type Counter = (sizes: Sizes) => Promise<Counted>;

/** Kernels pad rows to tiles of this or a multiple of it: between two steps of that, work goes by lines. */
const TILE = 16;

/**
 * Blocks are alike: a request's work is what it asks without any block, and as often what one block of so many experts adds as
 * there are such blocks. Along the prompt it is counted at both ends of a tile's width and between them by lines, which it
 * follows. So a few dozen counts serve every setting and every prompt; a request's own would take longer than the request.
 */
export async function make_counter(config: ModelConfig, dtype: WeightFormat, machine: DryMachine): Promise<Counter> {
  const model = await dry_model(config, dtype, machine);
  const known = new Map<string, Promise<Work>>();
  let last: Promise<unknown> = Promise.resolve();
  // The model takes one request after the other.
  const once = (key: string, make: () => Promise<Work>): Promise<Work> => {
    const before = known.get(key);
    if (before !== undefined) return before;
    const work = last.then(make);
    last = work.catch(() => undefined);
    known.set(key, work);
    return work;
  };

  /** Encoder, projector, and prefill without a block. */
  const bare = (positions: number, views: number) =>
    once(`picture ${positions} ${views}`, async () => {
      const request = { prompt_tokens: positions, views, maxNewTokens: 1, knobs: { blocks: [] } };
      return work_of((await model.run(request)).ledger.rows());
    });
  /** What blocks do does not depend on what of the prompt is a picture. */
  const text = (positions: number, new_tokens: number, knobs: BlockKnobs) =>
    once(`text ${positions} ${new_tokens} ${JSON.stringify(knobs)}`, async () => {
      const sizes = { picture: null, text_tokens: positions - 1, new_tokens, knobs };
      return (await count_with(model, config, sizes)).work;
    });

  /** What blocks add, each as often as there are such ones. */
  const with_blocks = async (positions: number, { new_tokens, knobs }: Sizes, first: Work): Promise<Work> => {
    const none = await text(positions, new_tokens, { blocks: [] });
    const plan = plan_blocks(config, knobs).filter((k) => k > 0);
    const parts: Part[] = [{ work: first, times: 1 }];
    for (const top_k of new Set(plan)) {
      const times = plan.filter((k) => k === top_k).length;
      parts.push({ work: await text(positions, new_tokens, { topK: top_k, blocks: [0] }), times });
      parts.push({ work: none, times: -times });
    }
    return sum_of(parts);
  };
  const prefill = async (positions: number, views: number, sizes: Sizes) =>
    with_blocks(positions, { ...sizes, new_tokens: 1 }, await bare(positions, views));
  const decode = async (positions: number, sizes: Sizes) => {
    const { decode: first } = await text(positions, sizes.new_tokens, { blocks: [] });
    const { decode: work } = await with_blocks(positions, sizes, first ? { decode: first } : {});
    return work ? { decode: work } : {};
  };
  const most = config.max_position_embeddings;

  return async (sizes) => {
    const counts = sizes_of(config, sizes);
    const { views, positions, steps } = counts.quantities;
    const parts = [await along(positions, most - 1, (at) => prefill(at, views, sizes))];
    // How decode is split goes by the length of its cache, which has room for all of the answer.
    const { new_tokens } = sizes;
    const cache = positions + new_tokens;
    if (steps > 0) parts.push(await along(cache, most, (at) => decode(at - new_tokens, sizes), new_tokens));
    return { ...counts, steps, work: sum_of(parts.map((work) => ({ work, times: 1 }))) };
  };
}

/** At both ends of the step of tiles that a length lies in, and between them by a line; of short ones and the longest as it is. */
async function along(
  length: number,
  most: number,
  count: (length: number) => Promise<Work>,
  before = 0,
): Promise<Work> {
  const low = TILE * Math.floor((length - 1) / TILE) + 1;
  const high = low + TILE - 1;
  if (length === low || low - before <= 2 * TILE || high > most) return count(length);
  const way = (length - low) / (high - low);
  return sum_of([
    { work: await count(low), times: 1 - way },
    { work: await count(high), times: way },
  ]);
}

interface Part {
  readonly work: Work;
  readonly times: number;
}

function sum_of(parts: readonly Part[]): Work {
  return Object.fromEntries(
    STAGES.flatMap((stage) => {
      const sum: Partial<Record<Family, [number, number, number]>> = {};
      for (const { work, times } of parts) {
        for (const [name, amounts] of Object.entries(work[stage] ?? {}) as [Family, [number, number, number]][]) {
          const before = sum[name] ?? [0, 0, 0];
          sum[name] = before.map((value, i) => value + times * (amounts[i] as number)) as [number, number, number];
        }
      }
      return Object.keys(sum).length === 0 ? [] : [[stage, sum as StageWork]];
    }),
  );
}
