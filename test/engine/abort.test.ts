import { describe, expect, it } from 'vitest';
import { run_model } from '../../engine/generate.ts';
import type { Context } from '../../engine/model/context.ts';
import { test_executor } from '../support/gpu.ts';
import { some_ids, synthetic_context, tiny_config } from '../support/run.ts';

const executor = await test_executor('auto', { mode: 'release' });
const context = await synthetic_context(executor, tiny_config());

/** Aborts at the first wait for the GPU after `point` was seen; returns the points seen until the end. */
async function points_until_abort(point: string, input: Parameters<typeof run_model>[1]): Promise<string[]> {
  const controller = new AbortController();
  const seen: string[] = [];
  const watched: Context = {
    ...context,
    executor: {
      ...executor,
      finish: async () => {
        await executor.finish();
        if (seen.includes(point)) controller.abort();
      },
    },
    probe: async (name, layer) => void seen.push(`${name} ${layer}`),
  };
  const run = run_model(watched, input, { maxNewTokens: 4, signal: controller.signal });
  await expect(run.next()).rejects.toMatchObject({ name: 'AbortError' });
  return seen;
}

// On hardware a stage is over in a moment and is not waited for in parts.
describe.skipIf(!executor.device.traits.software)('an abort on a software adapter', () => {
  it('ends the vision encoder between its blocks', async () => {
    const crops = {
      count: 1,
      images: new Float32Array(576 * 588).fill(0.5),
      masks: new Float32Array(576).fill(1),
      index: new Int32Array(144).fill(-1),
    };
    // vit_layers -2 and -9 of 10: tap 1 is block 1, tap 0 is block 8.
    const seen = await points_until_abort('vit.hidden 1', { ids: some_ids(5), crops });
    expect(seen.filter((point) => point.startsWith('vit.hidden'))).toEqual(['vit.hidden 1']);
  });

  it('ends the prompt between its blocks, and everything is freed', async () => {
    const held = executor.buffers.memory().total.current;
    const seen = await points_until_abort('llm.hidden 1', { ids: some_ids(30) });
    expect(seen.at(-1)).toBe('llm.hidden 3');
    expect(seen).not.toContain('logits 0');
    expect(executor.buffers.memory().total.current).toBe(held);
  });
});
