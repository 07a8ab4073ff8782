import { expect, it } from 'vitest';
import { formula_picture } from '../../engine/input/pictures.ts';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { closed_form_flops } from '../../engine/meter/closed_forms.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { Engine } from '../../engine/molmoe.ts';
import { synthetic_source } from '../../engine/weights/formula.ts';
import { test_executor } from '../support/gpu.ts';
import { tiny_config } from '../support/run.ts';

it('a picture goes through a model of another geometry: crops of 80 pixels, patches of 8, margins of 4 and 2', async () => {
  const config = tiny_config({
    overlap_margins: [4, 2],
    vision_backbone: { image_default_input_size: [80, 80], image_patch_size: 8, image_num_pos: 101 },
  });
  const engine = await Engine.create({
    ...{ name: 'test', config, dtype: 'f16', executor: await test_executor() },
    source: synthetic_source(tensor_specs(config), 1, 'F32'),
    tokenizer: byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special }),
  });
  // Tiles of 4 patches: two beside each other make a canvas of 112 x 80 pixels, 7 x 5 cells.
  const request = { prompt: 'x', image: formula_picture('rings', 112, 80), maxNewTokens: 3, ignoreEos: true };
  const { counts, tiling, tokens, stages } = await engine.generate(request).result;
  expect(tiling).toEqual({ rows: 1, cols: 2 });
  expect(counts).toMatchObject({ views: 3, vit_patches: 300, pooled_cells: 75, inserted_cells: 25 + 35 });
  expect(counts.image_tokens).toBe(1 + 5 * 6 + 1 + 1 + 5 * 8 + 1);
  expect(tokens).toHaveLength(3);
  const { prompt_tokens } = counts;
  const { totals } = closed_form_flops(config, { views: 3, prompt_tokens, new_tokens: 3 });
  for (const { stage, flops } of stages) expect([stage, flops]).toEqual([stage, totals[stage]]);
});
