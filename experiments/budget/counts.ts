import { type DryMachine, dry_model } from '../../engine/dry_run.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import { plan_blocks } from '../../engine/model/knobs.ts';
import type { WeightFormat } from '../../kernels/spec.ts';
import { type Counted, count_with, type Sizes, sizes_of } from '../estimator/request_work.ts';
import type { Family, StageWork, Work } from '../estimator/work.ts';
import { STAGES } from '../lab/schema.ts';

/** Exact work of a request under any setting of the knobs, quickly. */
export type Counter = (sizes: Sizes) => Promise<Counted>;

/**
 * Blocks are alike: a request's work is what it asks without any block, and as often what one block of so many experts adds as
 * there are such blocks. Two settings that cut a picture alike differ in nothing else, so a handful of counts serves all of
 * them, and later requests of the same lengths.
 */
export async function make_counter(config: ModelConfig, dtype: WeightFormat, machine: DryMachine): Promise<Counter> {
  const model = await dry_model(config, dtype, machine);
  const known = new Map<string, Promise<Work>>();
  let last: Promise<unknown> = Promise.resolve();
  // The model takes one request after the other.
  const count = (sizes: Sizes): Promise<Work> => {
    const work = last.then(async () => (await count_with(model, config, sizes)).work);
    last = work.catch(() => undefined);
    return work;
  };
  const once = (key: string, make: () => Promise<Work>): Promise<Work> => {
    const work = known.get(key) ?? make();
    known.set(key, work);
    return work;
  };
  return async (sizes) => {
    const counts = sizes_of(config, sizes);
    const { views, positions, steps } = counts.quantities;
    const { new_tokens } = sizes;
    // What blocks do does not depend on what of the prompt is a picture.
    const text = { picture: null, text_tokens: positions - 1, new_tokens };
    const bare = (knobs: Sizes['knobs']) =>
      once(`text ${positions} ${new_tokens} ${JSON.stringify(knobs)}`, () => count({ ...text, knobs }));
    const crops = { ...sizes, knobs: { ...sizes.knobs, topK: undefined, blocks: [] } };
    let work = await once(`${views} ${positions} ${new_tokens}`, () => count(crops));
    const plan = plan_blocks(config, sizes.knobs).filter((k) => k > 0);
    const none = plan.length > 0 ? await bare({ blocks: [] }) : {};
    for (const top_k of new Set(plan)) {
      const one = await bare({ topK: top_k, blocks: [0] });
      work = plus(work, one, none, plan.filter((k) => k === top_k).length);
    }
    return { ...counts, steps, work };
  };
}

/** `work` and so many times what `one` has beyond `none`. */
function plus(work: Work, one: Work, none: Work, times: number): Work {
  return Object.fromEntries(
    STAGES.flatMap((stage) => {
      const parts = [work[stage], one[stage], none[stage]].map((part) => part ?? {}) as [
        StageWork,
        StageWork,
        StageWork,
      ];
      const families = [...new Set(parts.flatMap((part) => Object.keys(part)))] as Family[];
      if (families.length === 0) return [];
      const at = (part: StageWork, family: Family, i: 0 | 1 | 2): number => part[family]?.[i] ?? 0;
      const sum = (family: Family, i: 0 | 1 | 2) =>
        at(parts[0], family, i) + times * (at(parts[1], family, i) - at(parts[2], family, i));
      return [[stage, Object.fromEntries(families.map((name) => [name, [sum(name, 0), sum(name, 1), sum(name, 2)]]))]];
    }),
  );
}
