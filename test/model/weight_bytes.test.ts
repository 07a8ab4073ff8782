import { describe, expect, it } from 'vitest';
import { dry_model } from '../../engine/dry_run.ts';
import { preset_config, preset_names } from '../../engine/model/presets.ts';
import { weight_bytes } from '../../engine/model/weight_bytes.ts';
import { FORMATS, type WeightFormat } from '../../kernels/spec.ts';
import { dry_device } from '../support/dry.ts';
import { tiny_config } from '../support/run.ts';

const HARDWARE = { subgroup_size: 32, software: false };

/** What the model's own loading allocates. */
async function allocated(config: ReturnType<typeof preset_config>, format: WeightFormat): Promise<number> {
  const model = await dry_model(config, format, { device: dry_device(HARDWARE, 2 ** 31) });
  const { memory } = await model.run({ prompt_tokens: 1, views: 0, maxNewTokens: 0 });
  return memory.weights.current;
}

describe('bytes of the weights are those that loading allocates', () => {
  it.each(preset_names)('%s, every format', async (name) => {
    const config = preset_config(name);
    for (const format of Object.keys(FORMATS) as WeightFormat[]) {
      expect([format, weight_bytes(config, format)]).toEqual([format, await allocated(config, format)]);
    }
  });

  it('widths that need padding', async () => {
    const config = tiny_config({ embedding_size: 501, additional_vocab_size: 131, moe_num_experts: 5 });
    for (const format of ['f16', 'q8', 'q4'] as const) {
      expect(weight_bytes(config, format)).toBe(await allocated(config, format));
    }
  });

  it('are what docs/weights.md says', () => {
    const gigabytes = (name: string) =>
      (['f16', 'q8', 'q4'] as const).map((format) => (weight_bytes(preset_config(name), format) / 1e9).toFixed(1));
    expect(gigabytes('molmoe-1b')).toEqual(['14.4', '7.8', '4.3']);
    expect(gigabytes('molmoe-slice')).toEqual(['2.2', '1.3', '0.8']);
  });
});
