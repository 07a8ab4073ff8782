import { expect, it } from 'vitest';
import { compile_ahead } from '../../engine/compile_ahead.ts';
import { dry_executor } from '../../engine/gpu/dry.ts';
import { formula_picture } from '../../engine/input/pictures.ts';
import { preset_config, preset_names } from '../../engine/model/presets.ts';
import { Molmoe } from '../../engine/node/load.ts';
import { dry_device } from '../support/dry.ts';

it('leaves nothing to compile for a picture, a prompt and greedy decoding', async () => {
  const model = await Molmoe.load({ model: 'molmoe-tiny', mode: 'validated' });
  try {
    const { executor } = model.engine;
    const before = executor.pipeline_count();
    const request = { prompt: 'What is this?', image: formula_picture('rings', 336, 336), maxNewTokens: 3 };
    await model.generate(request).result;
    expect(before).toBeGreaterThan(15);
    expect(executor.pipeline_count()).toBe(before);
  } finally {
    model.close();
  }
});

it('runs nothing and holds nothing, whatever the size of the model', async () => {
  const traits = { subgroup_size: 32, software: false };
  for (const name of preset_names) {
    const executor = dry_executor(dry_device(traits));
    await compile_ahead(executor, preset_config(name), 'f16');
    expect(executor.pipeline_count()).toBeGreaterThan(15);
    expect(executor.buffers.memory().weights.peak).toBe(0);
  }
});
