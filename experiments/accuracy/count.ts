import type { BatchAnswer } from '../../engine/batch_requests.ts';
import { type DryModel, dry_model } from '../../engine/dry_run.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import type { Knobs } from '../../engine/model/knobs.ts';
import type { Engine } from '../../engine/molmoe.ts';
import type { OpenModel } from '../../engine/node/load.ts';
import { dry_engine } from '../lab/dry.ts';
import type { NamedRequest } from '../lab/inputs.ts';
import { counts } from '../lab/instruments.ts';
import type { Protocol, StageName } from '../lab/schema.ts';
import type { AnswerLine } from './log/schema.ts';

/** What answers cost, each as if it had been asked alone: a batch shares its launches. */
export interface Counter {
  /** Exact FLOPs by stage. */
  flops(answer: BatchAnswer, knobs: Knobs): Promise<Partial<Record<StageName, number>>>;
  /** All that is counted of a request that made this answer. */
  whole(one: NamedRequest, answer: BatchAnswer): Promise<NonNullable<AnswerLine['counted']>>;
}

/** Tokens that were made: the one that ended the answer is none of its text. */
const made = ({ tokens, finish }: BatchAnswer): number => tokens.length + (finish === 'eos' ? 1 : 0);

export function make_counter(model: OpenModel, protocol: Protocol): Counter {
  const { executor, facts, tuning } = model;
  const { config, dtype } = facts;
  let lean: Promise<DryModel> | undefined;
  let full: Promise<Engine> | undefined;
  const known = new Map<string, Promise<Partial<Record<StageName, number>>>>();

  const counted = async (answer: BatchAnswer, knobs: Knobs) => {
    lean ??= dry_model(config, dtype, { device: executor.device, variant: executor.variant, tuning: tuning.choices });
    const { views, prompt_tokens, inserted_cells = 0 } = answer.counts;
    const index = new Int32Array(views * geometry_of(config).cells).map((_, i) => (i < inserted_cells ? i + 1 : -1));
    const report = await (await lean).run({ prompt_tokens, views, index, maxNewTokens: made(answer), knobs });
    return Object.fromEntries(report.stages.map(({ stage, flops }) => [stage, flops]));
  };
  return {
    flops: (answer, knobs) => {
      const { views, prompt_tokens, inserted_cells } = answer.counts;
      const key = JSON.stringify([views, prompt_tokens, inserted_cells, made(answer), knobs]);
      let flops = known.get(key);
      if (flops === undefined) {
        flops = counted(answer, knobs);
        known.set(key, flops);
      }
      return flops;
    },
    whole: async (one, answer) => {
      full ??= dry_engine(model);
      const request = { ...one.request, maxNewTokens: made(answer), ignoreEos: true };
      const seen = await counts.observe(await full, [{ ...one, request }], protocol, { on_run: () => {} });
      const { memory, clean, methods, instrumented, requests, warnings, prompt, image, answer: _, ...rest } = seen;
      const said = { text: answer.text, text_full: answer.text, finish: answer.finish, forced: false };
      return { request: { id: one.id, prompt: prompt ?? '', image, ...rest, answer: said }, memory };
    },
  };
}
