import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { REQUEST_BYTES } from '../../engine/choose_storage.ts';
import { dry_model } from '../../engine/dry_run.ts';
import { InputError, UsageError } from '../../engine/errors.ts';
import type { AdapterFacts } from '../../engine/gpu/device.ts';
import { dry_executor } from '../../engine/gpu/dry.ts';
import { type Executor, make_executor } from '../../engine/gpu/executor.ts';
import { config_to_json } from '../../engine/model/config.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { choose_model } from '../../engine/node/choose_model.ts';
import { open_model } from '../../engine/node/load.ts';
import type { WeightFormat } from '../../kernels/spec.ts';
import { dry_device } from '../support/dry.ts';

const GB = 1e9;
const HARDWARE = { subgroup_size: 32, software: false };
const home = process.cwd();
const folder = mkdtempSync(join(tmpdir(), 'molmoe-choose-'));
afterAll(() => {
  process.chdir(home);
  rmSync(folder, { recursive: true, force: true });
});
process.chdir(folder); // no checkpoints/ here

const facts = (over: Partial<AdapterFacts>): AdapterFacts => ({
  ...{ vendor: 'nvidia', architecture: 'ampere', device: '', description: 'a card', type: 'hardware', features: [] },
  ...{ subgroup_min_size: 32, subgroup_max_size: 32, ...over },
});
const CARD = facts({});
const INTEGRATED = facts({ vendor: 'apple', description: 'Apple M2' });
const SOFTWARE = facts({ vendor: 'mesa', description: 'llvmpipe', type: 'software' });

/** An adapter that holds so much and computes nothing. */
function adapter_of(of: AdapterFacts, memory_limit_bytes?: number): Executor {
  const { device } = dry_executor(dry_device({ ...HARDWARE, software: of.type === 'software' }, 2 ** 31));
  return make_executor({ ...device, facts: of, memory_limit_bytes });
}

const told = (bytes: number) => ({ memoryHeaps: [{ size: bytes, properties: 1 }] });
const choose = (
  executor: Executor,
  { wanted = {}, info = {}, host = 64 * GB }: { wanted?: object; info?: object; host?: number } = {},
) => choose_model(wanted, executor, info, host);
const short = async (...args: Parameters<typeof choose>) => {
  const { found, dtype, chosen } = await choose(...args);
  return `${found.name} ${dtype} by ${chosen.by}`;
};

describe('auto on hardware: the real size in the largest storage that fits, else the slice', () => {
  it.each<[number, string]>([
    [24, 'molmoe-1b f16'],
    [12, 'molmoe-1b q8'],
    [6, 'molmoe-1b q4'],
    [4, 'molmoe-slice f16'],
    [2, 'molmoe-slice q4'],
  ])('a card of %i GB: %s, told by the driver or found by trying', async (gigabytes, wanted) => {
    const tried = adapter_of(CARD, gigabytes * GB);
    expect(await short(tried)).toBe(`${wanted} by trial`);
    expect(tried.buffers.memory().weights.current).toBe(0);
    expect(await short(adapter_of(CARD), { info: told((gigabytes / 0.9) * GB) })).toBe(`${wanted} by told`);
  });

  it('what the driver tells is still tried', async () => {
    expect(await short(adapter_of(CARD, 6 * GB), { info: told(24 * GB) })).toBe('molmoe-1b q4 by told');
  });

  it('an integrated GPU gets half of the host, whatever it could have', async () => {
    expect(await short(adapter_of(INTEGRATED), { host: 64 * GB })).toBe('molmoe-1b f16 by host');
    expect(await short(adapter_of(INTEGRATED), { host: 24 * GB })).toBe('molmoe-1b q8 by host');
    expect(await short(adapter_of(INTEGRATED), { host: 16 * GB, info: told(100 * GB) })).toBe('molmoe-1b q4 by host');
    expect(await short(adapter_of(INTEGRATED), { host: 8 * GB })).toBe('molmoe-slice f16 by host');
  });

  it('software gets the slice, as f16 where the host has room for it', async () => {
    expect(await short(adapter_of(SOFTWARE), { host: 64 * GB })).toBe('molmoe-slice f16 by host');
    expect(await short(adapter_of(SOFTWARE), { host: 3.5 * GB })).toBe('molmoe-slice q8 by host');
  });

  it('records what was tried, and why in one line', async () => {
    const { chosen } = await choose(adapter_of(CARD, 6 * GB));
    expect(chosen.tried.map(({ model, dtype, fits }) => [model, dtype, fits])).toEqual([
      ['molmoe-1b', 'f16', false],
      ['molmoe-1b', 'q8', false],
      ['molmoe-1b', 'q4', true],
    ]);
    expect(chosen.why).toMatch(
      /^5\.\d GB with .*the largest that fits; the driver does not tell its memory, so it was tried$/,
    );
    const first = await choose(adapter_of(INTEGRATED));
    expect(first.chosen.why).toMatch(/an integrated GPU may take 32\.0 GB of the host's 64\.0 GB$/);
  });

  it('where not even the slice fits, one line says what it needs', async () => {
    const refused = choose(adapter_of(CARD, GB));
    await expect(refused).rejects.toThrow(InputError);
    await expect(refused).rejects.toThrow(
      /model auto: expected room for 1\.\d GB \(molmoe-slice stored as q4, and a request\), found less; .*molmoe-mini/,
    );
  });
});

describe('what is given is taken', () => {
  it.each<[object, string]>([
    [{ model: 'molmoe-1b' }, 'molmoe-1b f16 by given'],
    [{ model: 'molmoe-mini', dtype: 'q8' }, 'molmoe-mini q8 by given'],
    [{ model: 'molmoe-slice', dtype: 'f32' }, 'molmoe-slice f32 by given'],
  ])('%o: %s', async (wanted, expected) => {
    expect(await short(adapter_of(CARD, GB), { wanted })).toBe(expected);
  });

  it('auto with a storage steps down in depth alone', async () => {
    expect(await short(adapter_of(CARD, 6 * GB), { wanted: { dtype: 'f16' } })).toBe('molmoe-slice f16 by trial');
    expect(await short(adapter_of(CARD, 10 * GB), { wanted: { dtype: 'q8' } })).toBe('molmoe-1b q8 by trial');
  });

  it('refuses a name that is neither folder nor preset', async () => {
    await expect(choose(adapter_of(CARD), { wanted: { model: 'molmoe-7b' } })).rejects.toThrow(UsageError);
  });

  it('a checkpoint beside it is auto, in the largest storage that fits, never another model', async () => {
    const beside = mkdtempSync(join(folder, 'beside-'));
    mkdirSync(join(beside, 'checkpoints'));
    writeFileSync(
      join(beside, 'checkpoints', 'config.json'),
      JSON.stringify(config_to_json(preset_config('molmoe-1b'))),
    );
    process.chdir(beside);
    try {
      const { found, dtype } = await choose(adapter_of(CARD, 12 * GB));
      expect([found.kind, dtype]).toEqual(['folder', 'q8']);
      await expect(choose(adapter_of(CARD, 3 * GB))).rejects.toThrow(/model auto: expected room for 5\.\d GB/);
    } finally {
      process.chdir(folder);
    }
  });
});

it("what a request is given room for holds E1's largest, in every storage", async () => {
  for (const name of ['molmoe-1b', 'molmoe-slice']) {
    for (const dtype of ['f16', 'q4'] as WeightFormat[]) {
      const model = await dry_model(preset_config(name), dtype, { device: dry_device(HARDWARE, 2 ** 31) });
      const { memory } = await model.run({ prompt_tokens: 1325, views: 13, maxNewTokens: 128 });
      expect(memory.total.peak - memory.weights.peak).toBeLessThan(REQUEST_BYTES);
    }
  }
});

describe('on the adapter of this machine', () => {
  it('auto says what it took before it is loaded, and keeps it', async () => {
    const seen: string[] = [];
    const model = await open_model({ on_choice: (name, dtype, { by }) => seen.push(`${name} ${dtype} ${by}`) });
    try {
      expect(seen).toEqual([`${model.facts.name} ${model.facts.dtype} ${model.chosen.by}`]);
      expect(model.chosen.tried.at(-1)).toMatchObject({ model: model.facts.name, fits: true });
      expect(model.executor.buffers.memory().weights.current).toBe(0);
    } finally {
      await model.close();
    }
  });

  it('under 1 GB it is refused, and the device is closed', async () => {
    await expect(open_model({ memory_limit_bytes: GB })).rejects.toThrow(/model auto: expected room for/);
  });
});
