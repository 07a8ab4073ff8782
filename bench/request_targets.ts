import type { HistoryRecord } from './history.ts';
import type { RequestResult } from './request.bench.ts';
import type { Target } from './target.ts';

type Run = RequestResult['runs'][number];

/** Without the first, which compiles. What a busy host adds to a run is not the engine's, so the fastest is what counts. */
const fastest = (result: RequestResult | undefined, of: (run: Run) => number | undefined): number | undefined => {
  const times = (result?.runs ?? []).slice(1).flatMap((run) => of(run) ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
};

/** A whole request against the first of its kind on this adapter that the history holds. */
export function mini_targets(result: RequestResult, history: readonly HistoryRecord[]): Target[] {
  const target = { what: 'molmoe-mini, a whole request, high regime', unit: 'times as fast', least: 2, goal: 4 };
  const [before] = history.flatMap(({ results }) => (results.request as RequestResult | undefined) ?? []);
  const [now_ms, then_ms] = [result, before].map((one) => fastest(one, (run) => run.wall_ms));
  if (now_ms === undefined || then_ms === undefined) {
    return [{ ...target, reason: 'no earlier request of this adapter in bench/history' }];
  }
  const what = `${target.what}: ${then_ms.toFixed(0)} to ${now_ms.toFixed(0)} ms`;
  return [{ ...target, what, value: then_ms / now_ms }];
}

/** Each stage at its fastest. */
export function real_rates(result: RequestResult) {
  const counts = result.runs[0]?.counts;
  const token_s = fastest(result, ({ tokens_per_s }) => 1 / tokens_per_s);
  const vision_ms = fastest(result, ({ vision_encoder_ms }) => vision_encoder_ms);
  const prefill_ms = fastest(result, (run) => run.prefill_ms);
  if (counts === undefined || token_s === undefined || vision_ms === undefined || prefill_ms === undefined) return;
  return {
    tokens_per_s: 1 / token_s,
    view_s: vision_ms / 1000 / counts.views,
    prefill_rate: (1000 * counts.prompt_tokens) / prefill_ms,
  };
}

const DECODE = { f16: [2, 3.5], q8: [3, 6], q4: [6, 9] } as const;
const VIEW = { f16: [9, 5.5], q8: [9, 5.5], q4: [6, 5] } as const;

/** The real dimensions on a software adapter. */
export function real_targets(result: RequestResult): Target[] {
  const { dtype } = result;
  const rates = real_rates(result);
  if (rates === undefined) return [];
  const [least, goal] = DECODE[dtype as keyof typeof DECODE] ?? [];
  const [least_s, goal_s] = VIEW[dtype as keyof typeof VIEW] ?? [];
  const name = `molmoe-1b ${dtype}`;
  return [
    { what: `${name}, decode`, unit: 'tokens/s', value: rates.tokens_per_s, least, goal },
    {
      what: `${name}, a crop through the ViT`,
      unit: 's',
      value: rates.view_s,
      least: least_s,
      goal: goal_s,
      fewer: true,
    },
    { what: `${name}, prefill`, unit: 'tokens/s', value: rates.prefill_rate, least: 25, goal: 35 },
  ];
}
