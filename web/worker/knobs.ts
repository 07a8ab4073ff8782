import type { Knobs } from '../../engine/model/knobs.ts';
import type { GenerateResult } from '../../engine/molmoe.ts';
import { ratio_of } from '../../experiments/lab/compare.ts';
import { random_numbers } from '../../experiments/lab/random.ts';
import { STAGES } from '../../experiments/lab/schema.ts';
import { interval95, percentile, resample } from '../../experiments/lab/stats.ts';
import type { AskRequest, KnobView, Side } from '../protocol.ts';
import { request_of } from './ask.ts';
import type { Loaded, Tell } from './session.ts';

/**
 * The request as it is and with the knobs turned, in turns, so that what disturbs the machine disturbs both alike. One run of
 * each compiles and is not counted.
 */
export async function compare_knobs(
  { engine }: Loaded,
  asked: AskRequest,
  turned: Knobs,
  pairs: number,
  tell: Tell,
  signal: AbortSignal,
): Promise<KnobView> {
  const sides = [asked.knobs, turned].map((knobs) => request_of({ ...asked, knobs }, signal));
  const runs: [GenerateResult[], GenerateResult[]] = [[], []];
  for (let i = 0; i <= pairs; i++) {
    for (const [side, request] of sides.entries()) {
      const result = await engine.generate(request).result;
      if (i > 0) runs[side as 0 | 1].push(result);
      tell({ kind: 'progress', what: 'runs', done: 2 * i + side + 1, total: 2 * (pairs + 1) });
    }
  }
  const [plain, other] = runs.map(side_of) as [Side, Side];
  const { ratio, ratio_ci95, significant } = ratio_of(plain.total_ms, other.total_ms);
  return {
    plain,
    turned: other,
    difference_ms: percentile(other.total_ms, 50) - percentile(plain.total_ms, 50),
    difference_ci95: pairs > 1 ? difference_interval(plain.total_ms, other.total_ms) : null,
    ratio,
    ratio_ci95,
    significant,
    pairs,
  };
}

/** Of the difference of medians, by resampling both. */
function difference_interval(a: readonly number[], b: readonly number[]): [number, number] {
  const random = random_numbers(1);
  const [of_a, of_b] = [resample(a, random).medians, resample(b, random).medians];
  return interval95(of_b.map((median, i) => median - (of_a[i] as number)));
}

function side_of(results: readonly GenerateResult[]): Side {
  const last = results.at(-1) as GenerateResult;
  return {
    text: last.text,
    total_ms: results.map(({ total_ms, preprocess_ms }) => total_ms + preprocess_ms),
    stages: STAGES.flatMap((stage) => {
      const times = results.flatMap(({ stages }) =>
        stages.filter((one) => one.stage === stage).map((one) => one.wall_ms),
      );
      return times.length > 0 ? [{ stage, median_ms: percentile(times, 50) }] : [];
    }),
    flops: last.stages.reduce((sum, { flops }) => sum + flops, 0),
  };
}
