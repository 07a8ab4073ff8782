import type { HistoryRecord } from './history.ts';
import type { RequestResult } from './request.bench.ts';
import type { Target } from './target.ts';

/** A whole request against the first of its kind on this adapter that the history holds. */
export function mini_targets(result: RequestResult, history: readonly HistoryRecord[]): Target[] {
  const target = { what: 'molmoe-mini, a whole request, high regime', unit: 'times as fast', least: 2, goal: 4 };
  const [before] = history.flatMap(({ results }) => (results.request as RequestResult | undefined) ?? []);
  const [now_ms, then_ms] = [result, before].map((one) => one?.runs.at(-1)?.wall_ms);
  if (now_ms === undefined || then_ms === undefined) {
    return [{ ...target, reason: 'no earlier request of this adapter in bench/history' }];
  }
  const what = `${target.what}: ${then_ms.toFixed(0)} to ${now_ms.toFixed(0)} ms`;
  return [{ ...target, what, value: then_ms / now_ms }];
}

const DECODE = { f16: [2, 3.5], q8: [3, 6], q4: [4, 9] } as const;

/** The real dimensions on a software adapter. */
export function real_targets({ dtype, runs }: RequestResult): Target[] {
  const last = runs.at(-1);
  if (last === undefined) return [];
  const { vision_encoder_ms = 0, prefill_ms = 0, counts, tokens_per_s } = last;
  const [least, goal] = DECODE[dtype as keyof typeof DECODE] ?? [];
  return [
    { what: `molmoe-1b ${dtype}, decode`, unit: 'tokens/s', value: tokens_per_s, least, goal },
    {
      ...{ what: `molmoe-1b ${dtype}, a crop through the ViT`, unit: 's', least: 9, goal: 5.5, fewer: true },
      value: vision_encoder_ms / 1000 / counts.views,
    },
    {
      ...{ what: `molmoe-1b ${dtype}, prefill`, unit: 'tokens/s', least: 25, goal: 35 },
      value: (1000 * counts.prompt_tokens) / prefill_ms,
    },
  ];
}
