import type { BatchAnswer } from '../../engine/batch_requests.ts';
import { type DryModel, type DryReport, dry_model } from '../../engine/dry_run.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import type { Knobs } from '../../engine/model/knobs.ts';
import type { OpenModel } from '../../engine/node/load.ts';
import { DEFAULT_NEW_TOKENS, type GenerateRequest } from '../../engine/request.ts';
import type { NamedRequest } from '../lab/inputs.ts';
import { counters, exact_flops, legacy_of, peak_memory, token_counts } from '../lab/measure.ts';
import type { StageName } from '../lab/schema.ts';
import type { AnswerLine } from './log/schema.ts';

/** What answers cost, each as if it had been asked alone: a batch shares its launches. */
export interface Counter {
  /** Exact FLOPs by stage. */
  flops(request: GenerateRequest, answer: BatchAnswer): Promise<Partial<Record<StageName, number>>>;
  /** All that is counted of the request that made this answer; `request` with its picture. */
  whole(one: NamedRequest, request: GenerateRequest, answer: BatchAnswer): Promise<NonNullable<AnswerLine['counted']>>;
}

/** Tokens that were made: the one that ended the answer is none of its text. */
const made = ({ tokens, finish }: BatchAnswer): number => tokens.length + (finish === 'eos' ? 1 : 0);

export function make_counter({ executor, facts, tuning }: OpenModel): Counter {
  const { config, dtype } = facts;
  const fresh = () =>
    dry_model(config, dtype, { device: executor.device, variant: executor.variant, tuning: tuning.choices });
  let shared: Promise<DryModel> | undefined;
  const known = new Map<string, Promise<Partial<Record<StageName, number>>>>();

  const counted = async (
    model: Promise<DryModel>,
    knobs: Knobs,
    maxNewTokens: number,
    answer: BatchAnswer,
  ): Promise<DryReport> => {
    const { views, prompt_tokens, inserted_cells = 0 } = answer.counts;
    const index = new Int32Array(views * geometry_of(config).cells).map((_, i) => (i < inserted_cells ? i + 1 : -1));
    let left = made(answer);
    const until = () => --left <= 0;
    return (await model).run({ prompt_tokens, views, index, maxNewTokens, knobs, until });
  };
  return {
    flops: ({ knobs = {}, maxNewTokens = DEFAULT_NEW_TOKENS }, answer) => {
      const { views, prompt_tokens, inserted_cells } = answer.counts;
      const key = JSON.stringify([views, prompt_tokens, inserted_cells, made(answer), maxNewTokens, knobs]);
      shared ??= fresh();
      const flops =
        known.get(key) ?? counted(shared, knobs, maxNewTokens, answer).then((one) => exact_flops(counters(one)));
      known.set(key, flops);
      return flops;
    },
    whole: async ({ id, image, sample }, { prompt, image: picture, ...request }, answer) => {
      const { knobs = {}, maxNewTokens = DEFAULT_NEW_TOKENS } = request;
      // A model of its own: what a shared one holds of requests before would be in the memory of this one.
      const report = await counted(fresh(), knobs, maxNewTokens, answer);
      const by_stage = counters(report);
      const tokens = token_counts({ ...answer, decode_steps: Math.max(0, made(answer) - 1) }, picture);
      return {
        request: {
          ...{ id, prompt, image, tokens, counters: by_stage },
          ...(sample && { sample }),
          flops: { exact: exact_flops(by_stage), legacy: legacy_of(config, tokens) },
        },
        memory: peak_memory(report),
      };
    },
  };
}
