import { expect, it } from 'vitest';
import { dry_executor } from '../../engine/gpu/dry.ts';
import { formula_picture } from '../../engine/input/pictures.ts';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { check_finite } from '../../engine/model_request.ts';
import { Engine } from '../../engine/molmoe.ts';
import { synthetic_source } from '../../engine/weights/formula.ts';
import { dry_device } from '../support/dry.ts';

it('a request takes no time that it does not report: preparing and stages are all of it', async () => {
  const config = preset_config('molmoe-tiny');
  const engine = await Engine.create({
    ...{ name: 'tiny', config, dtype: 'f16' },
    executor: dry_executor(dry_device({ subgroup_size: 32, software: false })),
    source: synthetic_source(tensor_specs(config), 1, 'F32'),
    tokenizer: byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special }),
  });
  const image = formula_picture('rings', 1008, 784); // 13 views, 4.4 million values
  const unreported = async () => {
    const started_ms = performance.now();
    const { preprocess_ms, total_ms } = await engine.generate({ prompt: 'x', image, maxNewTokens: 1 }).result;
    return performance.now() - started_ms - preprocess_ms - total_ms;
  };
  const images = new Float32Array(13 * 576 * 588);
  const look = async () => {
    const started_ms = performance.now();
    check_finite({ count: 13, images, masks: images });
    return performance.now() - started_ms;
  };
  // The quickest of several: other work on this machine only adds.
  const least = async (measure: () => Promise<number>) => {
    const times: number[] = [];
    for (let i = 0; i < 5; i++) times.push(await measure());
    return Math.min(...times);
  };
  expect(await least(unreported)).toBeLessThan((await least(look)) / 4);
});

it('crops from elsewhere than a picture are looked at where they are read', () => {
  const masks = new Float32Array(4);
  const crops = (value: number) => ({ count: 1, images: Float32Array.of(0, value), masks });
  expect(() => check_finite(crops(1))).not.toThrow();
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) expect(() => check_finite(crops(bad))).toThrow(/finite/);
});
