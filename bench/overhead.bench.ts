import type { Timing } from '../engine/gpu/timeline.ts';
import { formula_picture } from '../engine/input/pictures.ts';
import { Molmoe } from '../engine/node/load.ts';
import { percentile } from '../experiments/lab/stats.ts';
import type { Bench } from './bench.ts';

const MODES: readonly (Timing | undefined)[] = [undefined, 'stage', 'kernel'];
const ROUNDS = 7;
/** A picture with a short answer, and a smaller one with a longer answer, where many small kernels are stamped. */
const REQUESTS = [
  { width: 1008, height: 784, new_tokens: 8 },
  { width: 560, height: 560, new_tokens: 32 },
];

/** What stamping costs: one request without stamps, with one a stage and with one a kernel, in turn; medians of wall time. */
export async function bench_overhead({ say }: Bench) {
  const model = await Molmoe.load({ model: 'molmoe-mini', hush: true });
  const results = [];
  try {
    for (const request of REQUESTS) results.push(await overhead_of(model, request, say));
  } finally {
    model.close();
  }
  return { preset: 'molmoe-mini', rounds: ROUNDS, results };
}

async function overhead_of(model: Molmoe, request: (typeof REQUESTS)[number], say: Bench['say']) {
  const { width, height, new_tokens } = request;
  const image = formula_picture('rings', width, height);
  const samples = new Map(MODES.map((mode) => [mode ?? 'off', [] as number[]]));
  const shares: number[] = [];
  for (let round = -1; round < ROUNDS; round++) {
    for (const timing of MODES) {
      const result = await model.generate({ prompt: ' ', image, maxNewTokens: new_tokens, ignoreEos: true, timing })
        .result;
      if (round < 0) continue; // compiles
      samples.get(timing ?? 'off')?.push(result.total_ms);
      if (timing === 'kernel' && result.timeline) shares.push(result.timeline.sum_ns / result.timeline.span_ns);
    }
  }
  say(`${width}x${height}, ${new_tokens} new tokens`);
  const off_ms = percentile(samples.get('off') ?? [], 50);
  const rows = [...samples].map(([mode, samples_ms]) => {
    const median_ms = percentile(samples_ms, 50);
    say(`  ${mode.padEnd(6)} ${median_ms.toFixed(0)} ms  ${(median_ms / off_ms).toFixed(3)}x off`);
    return { mode, median_ms, times_off: median_ms / off_ms, samples_ms };
  });
  const sum_over_span = percentile(shares, 50);
  say(`  sum of kernels over first to last stamp: ${sum_over_span.toFixed(3)}`);
  return { ...request, rows, sum_over_span };
}
