import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { config_to_json, parse_config } from '../../engine/model/config.ts';
import { load_config } from '../../engine/model/load_config.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { fixtures_dir } from '../support/golden.ts';

type Json = Record<string, unknown>;
const real_text = readFileSync(join(fixtures_dir, 'golden/model/config.real.json'), 'utf8');
const real = (): Json => JSON.parse(real_text);
const real_config = parse_config(real(), 'config.json');

describe('the geometry of a picture', () => {
  it.each([
    [112, 14, 65, [2, 2]],
    [80, 8, 101, [4, 2]],
    [224, 16, 197, [0, 0]],
  ])('reads another geometry: crops of %i, patches of %i', (side, patch, positions, overlap_margins) => {
    const json = real();
    const backbone = { image_default_input_size: [side, side], image_patch_size: patch, image_num_pos: positions };
    Object.assign(json.vision_backbone as Json, backbone);
    const config = parse_config({ ...json, overlap_margins }, 'c');
    expect(config).toMatchObject({ vit: { image: side, patch, positions }, overlap_margins });
    expect(parse_config(config_to_json(config), 'c')).toEqual(config);
    const table = tensor_specs(config).find(({ name }) => name.endsWith('.positional_embedding'));
    expect(table?.shape).toEqual([positions, 1024]);
  });

  it('names what of a geometry cannot be', () => {
    const parse = (...changes: [string, unknown][]) => {
      const json = real();
      for (const [field, value] of changes) {
        const [parent, child] = field.split('.') as [string, string | undefined];
        const target = child === undefined ? json : (json[parent] as Json);
        target[child ?? parent] = value;
      }
      return () => parse_config(json, 'c');
    };
    const [size, patch, table] = [
      'vision_backbone.image_default_input_size',
      'vision_backbone.image_patch_size',
      'vision_backbone.image_num_pos',
    ];
    expect(parse([size, [112, 112]])).toThrow(
      'image_num_pos: expected 65 (one for each of 8 x 8 patches and the class token), found 577',
    );
    expect(parse([size, [112, 110]])).toThrow(
      /the sides of a square, a multiple of the patch \(14\), found \[112,110\]/,
    );
    expect(parse([patch, 16])).toThrow(/an even number of patches a side, .*found 21/);
    expect(parse([patch, 7])).toThrow(
      /an even number from 2 to 256 \(3 x patch\^2 values are read by fours\), found 7/,
    );
    expect(parse([size, [112, 112]], [table, 65])).toThrow(
      /overlap_margins: expected two even numbers .* less than 8, found \[4,4\]/,
    );
  });
});

describe('load_config', () => {
  const folder = (text: string, preprocessor?: Json) => ({
    label: 'm',
    list: async () => (preprocessor === undefined ? [] : ['preprocessor_config.json']),
    open: () => Promise.reject(),
    text: async (name: string) => (name === 'config.json' ? text : JSON.stringify(preprocessor)),
  });
  const published = {
    ...{ base_image_input_size: [336, 336], image_patch_size: 14, image_token_length_h: 12, image_token_length_w: 12 },
    ...{ max_crops: 12, overlap_margins: [4, 4], do_normalize: true, image_padding_mask: true },
  };

  it('reads config.json of a folder', async () => {
    expect(await load_config(folder(real_text))).toEqual(real_config);
  });

  it('takes the colours of preprocessor_config.json, which must agree with it in all else', async () => {
    expect(await load_config(folder(real_text, published))).toEqual(real_config);
    const other = { ...published, image_mean: [0.5, 0.4, 0.3], image_std: [0.2, 0.3, 0.25] };
    expect(await load_config(folder(real_text, other))).toEqual({
      ...real_config,
      image_mean: [0.5, 0.4, 0.3],
      image_std: [0.2, 0.3, 0.25],
    });
  });

  it.each<[string, unknown]>([
    ['base_image_input_size', [224, 224]],
    ['image_patch_size', 16],
    ['image_token_length_h', 13],
    ['image_token_length_w', '12'],
    ['overlap_margins', [2, 4]],
    ['max_crops', 6],
    ['do_normalize', false],
    ['image_padding_mask', false],
    ['image_mean', [0, 0]],
    ['image_std', [0.1, 0.2, 0]],
    ['image_std', 'wide'],
  ])('refuses a preprocessor_config.json with %s = %j', async (field, value) => {
    const loading = load_config(folder(real_text, { ...published, [field]: value }));
    await expect(loading).rejects.toThrow(
      new RegExp(`^m/preprocessor_config\\.json: ${field}: expected .+, found .+; .+$`),
    );
  });

  it('refuses broken JSON and a repeated field', async () => {
    await expect(load_config(folder('{'))).rejects.toThrow(/m\/config\.json: expected JSON, found the end/);
    await expect(load_config(folder(real_text.replace('{', '{"d_model":64,')))).rejects.toThrow(
      /"d_model" for the second time/,
    );
  });
});
