import type { RequestResult } from './request.bench.ts';
import type { Target } from './target.ts';

type Run = RequestResult['runs'][number];

/** Without the first, which compiles. What a busy host adds to a run is not the engine's, so the fastest is what counts. */
const fastest = (result: RequestResult | undefined, of: (run: Run) => number | undefined): number | undefined => {
  const times = (result?.runs ?? []).slice(1).flatMap((run) => of(run) ?? []);
  return times.length === 0 ? undefined : Math.min(...times);
};

export const request_ms = (result: RequestResult) => fastest(result, ({ wall_ms }) => wall_ms);

export function decode_rate(result: RequestResult): number | undefined {
  const token_s = fastest(result, ({ tokens_per_s }) => 1 / tokens_per_s);
  return token_s && 1 / token_s;
}

/** Each stage at its fastest. */
export function real_rates(result: RequestResult) {
  const counts = result.runs[0]?.counts;
  const tokens_per_s = decode_rate(result);
  const vision_ms = fastest(result, ({ vision_encoder_ms }) => vision_encoder_ms);
  const prefill_ms = fastest(result, (run) => run.prefill_ms);
  if (counts === undefined || tokens_per_s === undefined || vision_ms === undefined || prefill_ms === undefined) return;
  return {
    tokens_per_s,
    view_s: vision_ms / 1000 / counts.views,
    prefill_rate: (1000 * counts.prompt_tokens) / prefill_ms,
  };
}

const DECODE = { f16: [2, 3.5], q8: [3, 6] } as const;

/** The real dimensions on a software adapter; q4's are among the aims of the whole. */
export function real_targets(result: RequestResult): Target[] {
  const { dtype } = result;
  const rates = real_rates(result);
  const limits = DECODE[dtype as keyof typeof DECODE];
  if (rates === undefined || limits === undefined) return [];
  const [least, goal] = limits;
  const name = `molmoe-1b ${dtype}`;
  return [
    { what: `${name}, decode`, unit: 'tokens/s', value: rates.tokens_per_s, least, goal },
    { what: `${name}, a crop through the ViT`, unit: 's', value: rates.view_s, least: 9, goal: 5.5, fewer: true },
    { what: `${name}, prefill`, unit: 'tokens/s', value: rates.prefill_rate, least: 25, goal: 35 },
  ];
}
