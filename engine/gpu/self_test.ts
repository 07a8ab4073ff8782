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

/** Records the pair, after one that compiles; `times_ns` then gives the three passes' own times. */
export async function self_test(executor: Executor, times_ns: () => Promise<readonly number[]>): Promise<SelfTest> {
  const counts = executor.buffers.create('self-test', FMA_COUNT_BYTES, 'tables');
  try {
    for (const rounds of [ROUNDS[0], ...ROUNDS]) {
      const params = { rounds, factor: 1, term: 1, workgroups: WORKGROUPS };
      executor.dispatch(probe_fma_f32, { counts }, params, {}, { stage: 'load', component: 'weights' });
    }
    const [, short_ns = 0, long_ns = 0] = await times_ns();
    const ratio = long_ns / short_ns;
    return { ratio, passed: ratio >= BELIEVED[0] && ratio <= BELIEVED[1] };
  } finally {
    executor.buffers.destroy(counts);
  }
}
