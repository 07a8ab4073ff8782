import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it, vi } from 'vitest';
import type { Device } from '../../engine/gpu/device.ts';
import { SHIPPED_TUNINGS } from '../../engine/gpu/shipped_tunings.ts';
import { is_untuned, keep_tuning, known_share, tuning_for } from '../../engine/node/tuning.ts';
import { TUNED_KERNELS } from '../../engine/tune.ts';

const home = mkdtempSync(join(tmpdir(), 'molmoe-tuning-'));
const folder = join(home, 'molmoe', 'tuning');
vi.stubEnv('XDG_CACHE_HOME', home);
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});
beforeEach(() => rmSync(join(home, 'molmoe'), { recursive: true, force: true }));

const on = (description: string): Device => {
  const facts = { description, vendor: 'v', architecture: 'a', device: 'd' };
  return { facts, mode: 'release' } as unknown as Device;
};
const some = on('Some GPU (driver 1.2)');
const NOTHING = { from: 'default', choices: {} };

it('finds what was kept for this adapter, driver and backend, and for no other', async () => {
  expect(await tuning_for(some, 'vulkan')).toEqual(NOTHING);
  expect(await keep_tuning(some, 'vulkan', ['a', 'b'], { a: 'tiled_128' }, 'nano f16')).toMatch(
    /some_gpu_driver_1_2_[0-9a-f]{8}/,
  );
  expect(await tuning_for(some, 'vulkan')).toEqual({ from: 'measured', choices: { a: 'tiled_128' } });
  expect(await tuning_for(some, 'd3d12')).toEqual(NOTHING);
  expect(await tuning_for(on('Some GPU (driver 1.3)'), 'vulkan')).toEqual(NOTHING);
});

it('adds the classes of another model, and forgets what was measured again', async () => {
  await keep_tuning(some, 'vulkan', ['a', 'b'], { a: 'tiled_128', b: 'lanes' }, 'nano f16');
  await keep_tuning(some, 'vulkan', ['b', 'c'], { c: 'tiled_32' }, 'mini f16');
  expect((await tuning_for(some, 'vulkan')).choices).toEqual({ a: 'tiled_128', c: 'tiled_32' });
});

it.each<[string, (text: string) => string]>([
  ['broken', () => '{"key'],
  ['of other kernels', (text) => text.replace(/"kernels": "\w/, '"kernels": "x')],
  ['not of names', (text) => text.replace('"tiled_128"', '7')],
])('does without a file that is %s', async (_, spoil) => {
  await keep_tuning(some, 'vulkan', ['a'], { a: 'tiled_128' }, 'nano f16');
  const file = join(folder, readdirSync(folder)[0] as string);
  const text = readFileSync(file, 'utf8');
  expect(spoil(text)).not.toBe(text);
  writeFileSync(file, spoil(text));
  expect(await tuning_for(some, 'vulkan')).toEqual(NOTHING);
});

it('a model that nobody tuned is to be tuned, unless something came with the program', async () => {
  const untuned = (model: string, device = some) => is_untuned(device, 'vulkan', model);
  expect(await untuned('nano f16')).toBe(true);
  expect(await untuned('nano f16', on('llvmpipe: Mesa 25.0'))).toBe(false);
  const itself = { seconds: 3.2, share: 0.8, untuned: ['b'] };
  await keep_tuning(some, 'vulkan', ['a'], { a: 'tiled_128' }, 'nano f16', itself);
  const found = { from: 'itself', choices: { a: 'tiled_128' } };
  expect(await tuning_for(some, 'vulkan')).toEqual(found); // nobody asked for it
  expect(await tuning_for(some, 'vulkan', 'mini q4')).toEqual(found);
  expect(await known_share(some, 'vulkan', 'nano f16')).toBe(0.8);
  expect(await known_share(some, 'vulkan', 'mini q4')).toBeUndefined();
  await keep_tuning(some, 'vulkan', ['c'], { c: 'tiled_32' }, 'mini q4');
  expect(await untuned('nano f16')).toBe(false);
  expect(await untuned('mini q4')).toBe(false);
  expect(await untuned('mini f16')).toBe(true);
  const choices = { a: 'tiled_128', c: 'tiled_32' };
  expect(await tuning_for(some, 'vulkan', 'nano f16')).toEqual({ from: 'itself', choices, itself });
  expect(await tuning_for(some, 'vulkan', 'mini q4')).toEqual({ from: 'measured', choices });
});

it('says where nothing could be kept', async () => {
  mkdirSync(join(home, 'molmoe'));
  writeFileSync(folder, 'a file where the folder should be');
  expect(await keep_tuning(some, 'vulkan', ['a'], { a: 'tiled_128' }, 'nano f16')).toBeUndefined();
});

it('ships only names of kernels and variants that exist', () => {
  for (const { choices } of SHIPPED_TUNINGS) {
    for (const [key, name] of Object.entries(choices)) {
      const kernel = TUNED_KERNELS.find((k) => key.startsWith(`${k.name} `));
      expect(
        kernel?.variants.map((v) => v.name),
        key,
      ).toContain(name);
    }
  }
});
