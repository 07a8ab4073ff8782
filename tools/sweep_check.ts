import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { open_model } from '../engine/node/load.ts';
import { run_cells } from '../experiments/lab/conduct.ts';
import { type Ask, rings_of_tiling, type Subject } from '../experiments/lab/inputs.ts';
import { latency } from '../experiments/lab/instruments.ts';
import { type Cell, cell_of } from '../experiments/lab/plan.ts';
import { provenance_of } from '../experiments/lab/provenance.ts';
import { open_results } from '../experiments/lab/record.ts';
import type { Protocol } from '../experiments/lab/schema.ts';

/** What a sweep holds after so many configurations. */
export interface SweepState {
  readonly cells: number;
  readonly pipelines: number;
  readonly gpu_bytes: number;
  /** After a collection. What a sweep must keep, the records of its cells, is in it. */
  readonly heap_bytes: number;
  readonly rss_bytes: number;
}

const PROTOCOL: Protocol = {
  ...{ batch: 1, warmup: 0, runs: 1, instrumented: 1, order: 'fixed', order_seed: null },
  ...{ method: 'direct', tokens_per_readback: 1 },
};
const PICTURE_EVERY = 20;
const NO_BUILD = { version: '0', commit: '', dirty: false, digest: '' };

/** Experts, blocks, prompt and answer go round at paces of their own, so that neighbours differ in all and few are alike. */
function ask_of(i: number, on: Subject): Ask {
  const { n_experts, n_layers } = on.config;
  const masks = 2 ** n_layers - 1;
  const mask = 1 + (i % masks);
  return {
    knobs: {
      topK: 1 + (i % n_experts),
      blocks: Array.from({ length: n_layers }, (_, block) => block).filter((block) => (mask >> block) & 1),
    },
    prompt_tokens: 30 + ((7 * i) % 101),
    new_tokens: 2 + (i % 3),
    image: i % PICTURE_EVERY === 0 ? rings_of_tiling(on.config, [1, 1]) : null,
  };
}

function collected_heap(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

/**
 * One model, loaded once, through so many configurations: its state after every `each` of them, and at the end the heap
 * when their records are let go.
 */
export async function sweep_states(cells: number, each: number) {
  const folder = mkdtempSync(join(tmpdir(), 'molmoe-sweep-'));
  const model = await open_model({ model: 'molmoe-tiny', hush: true });
  const on = { config: model.facts.config, tokenizer: model.tokenizer, asked: {}, tokens_per_readback: 1 };
  const plan = Array.from({ length: cells }, (_, i) => cell_of(on, { i }, ask_of(i, on)) as Cell);
  const { executor } = model;
  const states: SweepState[] = [];
  const read = (done: number) => {
    if (done === 0 || done % each !== 0) return;
    states.push({
      ...{ cells: done, pipelines: executor.pipeline_count(), gpu_bytes: executor.buffers.memory().total.current },
      ...{ heap_bytes: collected_heap(), rss_bytes: process.memoryUsage.rss() },
    });
  };
  const run = async () => {
    const results = await open_results(folder, {
      experiment: 'sweep-check',
      fingerprint: { provenance: await provenance_of(model, NO_BUILD), protocol: PROTOCOL, knobs: {} },
      plan: { options: {}, cells: [], skipped: [] },
      ceilings: null,
    });
    await run_cells(plan, {
      ...{ results, instrument: latency, protocol: PROTOCOL, routing: false },
      load: async () => (await model.load()).engine,
      on_cell: (_, index) => read(index),
    });
    read(cells);
    await results.close();
  };
  try {
    await run();
    return { states, heap_without_records: collected_heap() };
  } finally {
    await model.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Does a sweep of 500 configurations stay as it began? The first tenth may still make what all need. */
export async function bench_sweep({ say, quick }: { readonly say: (line: string) => void; readonly quick: boolean }) {
  const cells = quick ? 30 : 500;
  const { states, heap_without_records } = await sweep_states(cells, cells / 10);
  for (const { cells: done, pipelines, gpu_bytes, heap_bytes, rss_bytes } of states) {
    const [gpu, heap, rss] = [gpu_bytes, heap_bytes, rss_bytes].map(megabytes);
    say(`${done} configurations: ${pipelines} pipelines, MB: GPU ${gpu}, heap ${heap}, process ${rss}`);
  }
  say(`heap without the records of the cells: ${megabytes(heap_without_records)} MB`);
  const [first, last] = [states[0] as SweepState, states.at(-1) as SweepState];
  const mb = (bytes: number) => bytes / 1e6;
  const targets = [
    { what: 'pipelines compiled on the way', unit: '', value: last.pipelines - first.pipelines, goal: 0, fewer: true },
    { what: 'GPU memory added', unit: 'MB', value: mb(last.gpu_bytes - first.gpu_bytes), goal: 0.01, fewer: true },
    {
      ...{ what: 'heap added, records apart', unit: 'MB', goal: 3, fewer: true },
      value: mb(heap_without_records - first.heap_bytes),
    },
  ];
  return { preset: 'molmoe-tiny', states, heap_without_records, targets };
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);
