import { describe, expect, it } from 'vitest';
import { run_model } from '../../engine/generate.ts';
import { dry_executor } from '../../engine/gpu/dry.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { load_weights } from '../../engine/model/weights.ts';
import { synthetic_source } from '../../engine/weights/formula.ts';
import { dry_device } from '../support/dry.ts';

const GPU = { subgroup_size: 32, software: false };
const CPU = { subgroup_size: 8, software: true };
const MiB = 2 ** 20;

async function launches_a_token(preset: string, traits: typeof GPU, max_binding_bytes: number, prompt: number) {
  const executor = dry_executor(dry_device(traits, max_binding_bytes));
  const config = preset_config(preset);
  const source = synthetic_source(tensor_specs(config), 1, 'F32');
  const weights = await load_weights(executor, config, source, 'f16');
  const run = run_model({ executor, config, weights }, { ids: new Array(prompt).fill(1) }, { maxNewTokens: 3 });
  let next = await run.next();
  while (!next.done) next = await run.next();
  const decode = next.value.stages.find(({ stage }) => stage === 'decode');
  return (decode?.dispatches ?? 0) / 2;
}

// A launch costs a GPU microseconds, whatever it computes: a token of the real model takes 2 ms there.
describe('launches a decode token, 16 blocks', () => {
  it('are seven a block, and eight where keys are split', async () => {
    expect(await launches_a_token('molmoe-mini', CPU, 128 * MiB, 20)).toBe(7 * 16 + 4);
    expect(await launches_a_token('molmoe-mini', CPU, 128 * MiB, 600)).toBe(8 * 16 + 4);
    expect(await launches_a_token('molmoe-1b', GPU, 2048 * MiB, 600)).toBe(8 * 16 + 4);
  });

  it('are more where a binding does not hold the experts of a block', async () => {
    const slices = 4 - 1 + (2 - 1); // of gate and up, and of down
    expect(await launches_a_token('molmoe-1b', CPU, 128 * MiB, 600)).toBe((7 + slices) * 16 + 6);
  });
});
