import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { preset_config } from '../../engine/model/presets.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { load_weights } from '../../engine/model/weights.ts';
import { node_folder } from '../../engine/node/files.ts';
import { open_checkpoint } from '../../engine/weights/checkpoint.ts';
import { synthetic_source } from '../../engine/weights/formula.ts';
import type { CheckpointSource, StoredDtype, WeightSource } from '../../engine/weights/source.ts';
import type { WeightFormat } from '../../kernels/spec.ts';
import { write_synthetic_checkpoint } from '../../tools/synth_checkpoint.ts';
import { test_executor } from '../support/gpu.ts';
import { run_to_end, some_ids } from '../support/run.ts';

const config = preset_config('molmoe-tiny');
const specs = tensor_specs(config);
const executor = await test_executor('auto', { mode: 'release' });
const folder = mkdtempSync(join(tmpdir(), 'molmoe-load-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function checkpoint(dtype: StoredDtype, shard_bytes: number): Promise<CheckpointSource> {
  const out = mkdtempSync(join(folder, 'model-'));
  await write_synthetic_checkpoint({ config, seed: 7, dtype, out, shard_bytes });
  return open_checkpoint(node_folder(out), specs);
}

const bytes_held = () => executor.buffers.memory().total.current;

/** Every logit of a short generation with these weights; the weights are freed again. */
async function logits_of(source: WeightSource, format: WeightFormat): Promise<Float32Array[]> {
  const mark = executor.buffers.mark();
  const weights = await load_weights(executor, config, source, format);
  const { logits } = await run_to_end({ executor, config, weights }, { ids: some_ids(21) }, { maxNewTokens: 5 });
  executor.buffers.sweep(mark, true);
  return logits;
}

describe('a checkpoint and the formula it was written by', () => {
  const cases: [StoredDtype, number, WeightFormat][] = [
    ['F32', 1e9, 'f32'],
    ['F32', 3e5, 'f32'],
    ['F32', 1e9, 'f16'],
    ['F32', 1e9, 'bf16'],
    ['F32', 1e9, 'q8'],
    ['F16', 3e5, 'q4'],
    ['F16', 3e5, 'f16'],
    ['BF16', 3e5, 'bf16'],
    ['BF16', 1e9, 'f32'],
  ];
  for (const [dtype, shard_bytes, format] of cases) {
    it(`give the same logits, bit for bit: ${dtype} in shards of ${shard_bytes} bytes, stored as ${format}`, async () => {
      const source = await checkpoint(dtype, shard_bytes);
      const read = await logits_of(source, format);
      await source.close();
      expect(read.length).toBe(5);
      expect(read).toEqual(await logits_of(synthetic_source(specs, 7, dtype), format));
    });
  }
});

describe('a load that fails', () => {
  const EXPERT = 'model.transformer.blocks.1.mlp.experts.3.up_proj.weight';
  const NORM = 'model.transformer.blocks.2.attn.q_norm.weight';
  /** The good checkpoint with one value of one tensor replaced. */
  const poked = (good: CheckpointSource, tensor: string, value: number): CheckpointSource => ({
    ...good,
    read: async (name, offset, into) => {
      await good.read(name, offset, into);
      if (name === tensor && offset === 0) new DataView(into.buffer, into.byteOffset).setFloat32(44, value, true);
    },
  });
  const torn = (good: CheckpointSource): CheckpointSource => ({
    ...good,
    read: (name, ...range) => (name === EXPERT ? Promise.reject(new Error('torn')) : good.read(name, ...range)),
  });
  const bad: [string, (good: CheckpointSource) => CheckpointSource, RegExp][] = [
    ['NaN in an expert', (good) => poked(good, EXPERT, Number.NaN), /NaN or infinity in .*blocks\.1.*experts\.3\.up/],
    [
      'infinity in a norm',
      (good) => poked(good, NORM, Number.POSITIVE_INFINITY),
      /blocks\.2.*q_norm.* Infinity at index 11/,
    ],
    ['too large for f16', (good) => poked(good, EXPERT, -70_000), /blocks\.1.*experts\.3\.up.*65504.*use dtype bf16/],
    ['a file that ends', torn, /torn/],
  ];
  for (const [what, spoil, message] of bad) {
    it(`${what}: says what, holds nothing, and the device goes on`, async () => {
      const good = await checkpoint('F32', 1e9);
      const want = await logits_of(good, 'f16');
      const held = bytes_held();
      await expect(load_weights(executor, config, spoil(good), 'f16')).rejects.toThrow(message);
      expect(bytes_held()).toBe(held);
      expect(await logits_of(good, 'f16')).toEqual(want);
      await good.close();
    });
  }

  it('an abort ends it the same way, from a file and from the formula', async () => {
    const good = await checkpoint('F32', 1e9);
    const held = bytes_held();
    for (const source of [good, synthetic_source(specs, 7, 'F32')]) {
      const controller = new AbortController();
      const load = load_weights(executor, config, source, 'f16', () => controller.abort(), controller.signal);
      await expect(load).rejects.toMatchObject({ name: 'AbortError' });
      expect(bytes_held()).toBe(held);
    }
    expect((await logits_of(good, 'f16')).length).toBe(5);
    await good.close();
  });
});
