import { FMA_COUNT_BYTES, probe_fma_f32 } from '../../kernels/probe_fma/probe_fma.ts';
import type { Executor } from './executor.ts';

/** Two kernels, the second waiting for the first, with four times its work: what stamps must show, roughly. */
export interface SelfTest {
  readonly ratio: number;
  readonly passed: boolean;
}

const ROUNDS = [32, 128] as const;
const WORKGROUPS = 64;
/** Starting a kernel costs too, so a fast GPU shows less than four. */
const BELIEVED = [1.5, 8] as const;

/** Other programs disturb a pass now and then: the shortest of each counts. */
const PAIRS = 3;

/** Records the pairs, after a pass that compiles; `times_ns` then gives every pass's own time. */
export async function self_test(executor: Executor, times_ns: () => Promise<readonly number[]>): Promise<SelfTest> {
  const counts = executor.buffers.create('self-test', FMA_COUNT_BYTES, 'tables');
  try {
    const rounds_of = [ROUNDS[0], ...Array<typeof ROUNDS>(PAIRS).fill(ROUNDS).flat()];
    for (const rounds of rounds_of) {
      const params = { rounds, factor: 1, term: 1, workgroups: WORKGROUPS };
      executor.dispatch(probe_fma_f32, { counts }, params, {}, { stage: 'load', component: 'weights' });
    }
    const [, ...times] = await times_ns();
    const least = (which: number) => Math.min(...times.filter((_, i) => i % 2 === which));
    const ratio = least(1) / least(0);
    return { ratio, passed: ratio >= BELIEVED[0] && ratio <= BELIEVED[1] };
  } finally {
    executor.buffers.destroy(counts);
  }
}
