import { default_family } from '../../engine/gpu/pipelines.ts';
import { ratio_of } from '../../experiments/lab/compare.ts';
import { request_of, rings_of_tiling, text_of_length } from '../../experiments/lab/inputs.ts';
import type { VerdictView } from '../protocol.ts';
import type { Session, Tell } from './session.ts';

const PAIRS = 4;

/** Chapter 6: the family of kernels that is chosen for this adapter is faster on it than the one that serves all. */
export async function faster_than_simple(session: Session, tell: Tell, signal: AbortSignal): Promise<VerdictView> {
  const { engine, device } = session.loaded;
  const { executor, tuning } = device;
  const on = { config: engine.facts.config, tokenizer: engine.tokenizer, asked: {}, tokens_per_readback: 1 };
  const image = rings_of_tiling(on.config, [1, 1]);
  const { request } = request_of(on, { image, prompt: text_of_length(on, 20), new_tokens: 4 });
  const own: number[] = [];
  const simple: number[] = [];
  try {
    for (let i = 0; i <= PAIRS; i++) {
      for (const [side, times] of [own, simple].entries()) {
        if (side === 0) executor.prefer('auto', tuning.choices);
        else executor.prefer('simple', {});
        const { total_ms } = await engine.generate({ ...request, signal }).result;
        if (i > 0) times.push(total_ms); // the first run of each compiles
        tell({ kind: 'progress', what: 'runs', done: 2 * i + side + 1, total: 2 * (PAIRS + 1) });
      }
    }
  } finally {
    executor.prefer('auto', tuning.choices);
  }
  const { a_ms, b_ms, ratio, ratio_ci95, significant } = ratio_of(own, simple);
  const family = default_family(executor.device.traits);
  const interval =
    ratio_ci95 === null ? '' : ` (range of the ratio ${ratio_ci95.map((x) => x.toFixed(2)).join(' to ')})`;
  return {
    outcome: significant ? (ratio > 1 ? 'confirmed' : 'refuted') : 'not tested',
    sentence: `${family} kernels take ${a_ms.toFixed(1)} ms, simple ones ${b_ms.toFixed(1)} ms, ${ratio.toFixed(2)} times as long${interval}${significant ? '' : ': that does not settle it'}`,
    test: `the same request on both in turns, ${PAIRS} times each: the ratio of medians is told apart from 1`,
    source: 'chapter 6 of this project',
    n: PAIRS,
    notes: [],
  };
}
