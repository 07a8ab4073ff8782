import type { Timing } from '../engine/gpu/timeline.ts';
import { formula_picture } from '../engine/input/pictures.ts';
import { Molmoe } from '../engine/node/load.ts';
import type { Bench } from './main.ts';

const MODES: readonly (Timing | undefined)[] = [undefined, 'stage', 'kernel'];
const ROUNDS = 7;

/** What stamping costs: one request without stamps, with one a stage and with one a kernel, in turn; medians of wall time. */
export async function bench_overhead({ say }: Bench) {
  const model = await Molmoe.load({ model: 'molmoe-mini', hush: true });
  const image = formula_picture('rings', 560, 560);
  const samples = new Map(MODES.map((mode) => [mode ?? 'off', [] as number[]]));
  const sums: number[] = [];
  try {
    for (let round = -1; round < ROUNDS; round++) {
      for (const timing of MODES) {
        const result = await model.generate({ prompt: ' ', image, maxNewTokens: 32, ignoreEos: true, timing }).result;
        if (round < 0) continue; // compiles
        (samples.get(timing ?? 'off') as number[]).push(result.total_ms);
        if (timing === 'kernel' && result.timeline) sums.push(result.timeline.sum_ns / result.timeline.span_ns);
      }
    }
  } finally {
    model.close();
  }
  const off_ms = median(samples.get('off') as number[]);
  const rows = [...samples].map(([mode, ms]) => ({
    mode,
    median_ms: median(ms),
    times_off: median(ms) / off_ms,
    samples_ms: ms,
  }));
  for (const { mode, median_ms, times_off } of rows) {
    say(`${mode.padEnd(6)} ${median_ms.toFixed(0)} ms  ${times_off.toFixed(3)}x off`);
  }
  const sum_over_span = median(sums);
  say(`sum of kernels over first to last stamp: ${sum_over_span.toFixed(3)}`);
  return { preset: 'molmoe-mini', image: '560x560', new_tokens: 32, rounds: ROUNDS, rows, sum_over_span };
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] as number) + (sorted[sorted.length >> 1] as number)) / 2;
};
