import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { UsageError } from '../../engine/errors.ts';
import { load_config } from '../../engine/model/load_config.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { node_folder } from '../../engine/node/files.ts';
import { open_checkpoint } from '../../engine/weights/checkpoint.ts';
import { fill } from '../../engine/weights/formula.ts';
import { encode } from '../../engine/weights/half.ts';
import { open_safetensors } from '../../engine/weights/safetensors.ts';
import { dtype_bytes, element_count, type StoredDtype } from '../../engine/weights/source.ts';
import { write_synthetic_checkpoint } from '../../tools/synth_checkpoint.ts';
import { golden_path } from '../support/golden.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'molmoe-synth-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const config = preset_config('molmoe-tiny');
const specs = tensor_specs(config);
const parameters = specs.reduce((n, spec) => n + element_count(spec.shape), 0);

async function expect_formula(out: string, seed: number, dtype: StoredDtype) {
  const folder = node_folder(out);
  expect(await load_config(folder)).toEqual(config);
  const source = await open_checkpoint(folder, specs);
  for (const spec of specs) {
    const values = new Float32Array(element_count(spec.shape));
    fill(spec, seed, 0, values);
    const expected = new Uint8Array(values.length * dtype_bytes[dtype]);
    encode(values, dtype, expected);
    const stored = new Uint8Array(expected.length);
    await source.read(spec.name, 0, stored);
    expect(Buffer.compare(stored, expected), spec.name).toBe(0);
  }
  await source.close();
}

describe('synthetic checkpoint', () => {
  it('is one file where one shard is enough', async () => {
    const out = join(dir, 'deep/new');
    const progress: number[] = [];
    await write_synthetic_checkpoint({
      config,
      seed: 3,
      dtype: 'F32',
      out,
      shard_bytes: 1e9,
      on_progress: (written, total) => {
        expect(total).toBe(4 * parameters);
        progress.push(written);
      },
    });
    expect(readdirSync(out).sort()).toEqual(['config.json', 'model.safetensors']);
    expect(progress.at(-1)).toBe(4 * parameters);
    expect(progress).toEqual(progress.toSorted((x, y) => x - y));
    const file = await open_safetensors(await node_folder(out).open('model.safetensors'));
    await file.reader.close();
    expect(Object.fromEntries(file.metadata)).toMatchObject({ format: 'pt', seed: '3' });
    await expect_formula(out, 3, 'F32');
  });

  it.each(['F16', 'BF16'] as const)('is shards with an index where it is larger, in %s', async (dtype) => {
    const out = join(dir, 'sharded');
    mkdirSync(out);
    await write_synthetic_checkpoint({ config, seed: 1, dtype, out, shard_bytes: 400_000 });
    const shards = readdirSync(out).filter((name) => name.endsWith('.safetensors'));
    expect(shards.length).toBeGreaterThan(3);
    expect(shards[0]).toBe(`model-00001-of-0000${shards.length}.safetensors`);
    const headers_bytes = 40_000;
    for (const name of shards) expect(statSync(join(out, name)).size).toBeLessThan(400_000 + headers_bytes);
    const index = JSON.parse(readFileSync(join(out, 'model.safetensors.index.json'), 'utf8'));
    expect(index.metadata.total_size).toBe(2 * parameters);
    await expect_formula(out, 1, dtype);
  });

  it.skipIf(!golden_path('model/tiny/model.safetensors'))(
    'holds the recorded tiny checkpoint (model/tiny)',
    async () => {
      const out = join(dir, 'tiny');
      await write_synthetic_checkpoint({ config, seed: 1, dtype: 'F32', out, shard_bytes: 1e9 });
      const mine = await open_checkpoint(node_folder(out), specs);
      const recorded = await open_checkpoint(node_folder(golden_path('model/tiny') as string), specs);
      for (const [name, { bytes }] of recorded.tensors) {
        const [left, right] = [new Uint8Array(bytes), new Uint8Array(bytes)];
        await mine.read(name, 0, left);
        await recorded.read(name, 0, right);
        expect(Buffer.compare(left, right), name).toBe(0);
      }
      await mine.close();
      await recorded.close();
    },
  );

  it('refuses a folder with files in it, a file, a bad seed and a bad shard size, and changes nothing', async () => {
    const full = join(dir, 'full');
    mkdirSync(full);
    writeFileSync(join(full, 'precious'), 'x');
    const request = { config, seed: 1, dtype: 'F16', shard_bytes: 1e9 } as const;
    const write = (over: object) => write_synthetic_checkpoint({ ...request, out: join(dir, 'new'), ...over });
    await expect(write({ out: full })).rejects.toThrow(/expected a new or empty folder, found 1 files/);
    await expect(write({ out: full })).rejects.toThrow(UsageError);
    await expect(write({ out: join(full, 'precious') })).rejects.toThrow(/found a file/);
    await expect(write({ seed: -1 })).rejects.toThrow(/seed: expected an integer/);
    await expect(write({ shard_bytes: 0 })).rejects.toThrow(/shard size/);
    await expect(write({ shard_bytes: Number.NaN })).rejects.toThrow(/shard size/);
    expect(readdirSync(dir)).toEqual(['full']);
    expect(readdirSync(full)).toEqual(['precious']);
  });

  it('leaves nothing behind when it is stopped', async () => {
    const out = join(dir, 'stopped');
    const stop = new AbortController();
    const written = write_synthetic_checkpoint({
      config,
      seed: 1,
      dtype: 'F16',
      out,
      shard_bytes: 200_000,
      on_progress: (bytes) => {
        if (bytes > 500_000) stop.abort();
      },
      signal: stop.signal,
    });
    await expect(written).rejects.toThrow(/abort/i);
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(dir)).toEqual([]);
  });
});
