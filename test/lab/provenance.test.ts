import { expect, it } from 'vitest';
import { preset_config } from '../../engine/model/presets.ts';
import type { OpenModel } from '../../engine/node/load.ts';
import { provenance_of } from '../../experiments/lab/provenance.ts';
import { provenance_schema } from '../../experiments/lab/schema.ts';
import { dry_device } from '../support/dry.ts';

it('is text of single lines, whatever folders and drivers are called', async () => {
  const facts = {
    name: 'a\x1b[31m\nb\u2028\ud800',
    weights: 'checkpoint in a\x00b',
    weights_kind: 'checkpoint',
    dtype: 'f16',
    tokenizer: 'a\tb',
    config: preset_config('molmoe-tiny'),
  };
  const device = {
    ...dry_device({ subgroup_size: 8, software: false }),
    facts: {
      ...{ vendor: 'v', architecture: '', device: 'd\x07', description: 'GPU\r\n', type: 'hardware' },
      ...{ subgroup_min_size: 8, subgroup_max_size: 8 },
    },
    features: new Set(['b', 'a']),
    mode: 'release',
  };
  const model = {
    executor: { device, variant: 'auto' },
    adapter: { backend: 'vulkan', toggles: { enable: [], disable: [] } },
    facts,
    source: { kind: 'synthetic' },
    tuning: { from: 'off', choices: {} },
  } as unknown as OpenModel;
  const build = { version: '0.1.0', commit: 'c', dirty: false, digest: 'd' };
  const found = provenance_schema.parse(await provenance_of(model, build));
  expect(Object.values(found.model).join()).not.toMatch(/[\p{C}\p{Zl}]/u);
  expect(found.model.name).toBe('a\\x1b[31m\\x0ab\\u{2028}\\u{d800}');
  expect(found.adapter.machine).toMatchObject({ subgroup_size: 8, matrix: null });
  expect(found.adapter.description).toBe('GPU\\x0d\\x0a');
});
