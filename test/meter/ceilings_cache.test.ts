import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it, vi } from 'vitest';
import type { Executor } from '../../engine/gpu/executor.ts';
import { cache_folder } from '../../engine/node/cache.ts';
import { ceilings_for } from '../../experiments/lab/ceilings_cache.ts';
import { ceilings_schema } from '../../experiments/lab/schema.ts';

const measured = vi.hoisted(() => ({ times: 0 }));
vi.mock('../../engine/meter/ceilings.ts', () => ({
  PROBES_VERSION: 1,
  measure_ceilings: async () => ({
    fma_f32_flops: ++measured.times,
    fma_f16_flops: null,
    matrix_f16_flops: null,
    stream_read_bytes: 1,
    stream_write_bytes: 1,
    cache_read_bytes: 1,
    cache_bytes: 0,
    dispatch_ms: 1,
    readback_ms: 1,
  }),
}));

const home = mkdtempSync(join(tmpdir(), 'molmoe-ceilings-'));
const folder = join(home, 'molmoe', 'ceilings');
vi.stubEnv('XDG_CACHE_HOME', home);
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(home, { recursive: true, force: true });
});
beforeEach(() => {
  measured.times = 0;
  rmSync(join(home, 'molmoe'), { recursive: true, force: true });
});

const on = (description: string): Executor => {
  const facts = { description, vendor: 'v', architecture: 'a', device: 'd' };
  return { device: { facts, mode: 'release' } } as unknown as Executor;
};
const some = on('Some GPU (driver 1.2)');
const times_of = async (...args: Parameters<typeof ceilings_for>) => (await ceilings_for(...args)).fma_f32_flops;
const only_file = () => join(folder, readdirSync(folder)[0] as string);

it('measures once, then finds what it kept, whatever build asks', async () => {
  const first = await ceilings_for(some, { build: 'one' });
  expect(ceilings_schema.parse(first)).toMatchObject({ adapter: 'Some GPU (driver 1.2)', build: 'one' });
  expect(await ceilings_for(some, { build: 'two' })).toEqual(first);
  expect(measured.times).toBe(1);
  expect(readdirSync(folder)).toEqual([expect.stringMatching(/^some_gpu_driver_1_2_[0-9a-f]{8}\.json$/)]);
});

it('keeps adapters and backends apart', async () => {
  expect(await times_of(some, { build: 'b' })).toBe(1);
  expect(await times_of(on('Some GPU (driver 1.3)'), { build: 'b' })).toBe(2);
  expect(await times_of(some, { build: 'b', backend: 'd3d12' })).toBe(3);
  expect(await times_of(on(''), { build: 'b' })).toBe(4);
  expect(await times_of(some, { build: 'b' })).toBe(1);
});

it('measures again when asked to, and keeps that', async () => {
  await ceilings_for(some, { build: 'b' });
  expect(await times_of(some, { build: 'b', recalibrate: true })).toBe(2);
  expect(await times_of(some, { build: 'b' })).toBe(2);
});

it.each<[string, (text: string) => string]>([
  ['broken', () => '{"key'],
  ['empty', () => ''],
  ['of another format', () => '[1, 2]'],
  ['without a rate', (text) => text.replace('"dispatch_ms": 1,', '')],
  ['with a rate that is no number', (text) => text.replace('"dispatch_ms": 1', '"dispatch_ms": null')],
  ['of another machine', (text) => text.replace(/"cores": \d+/, '"cores": 4096')],
  ['of other probes', (text) => text.replace('"probes": 1', '"probes": 0')],
])('measures again where the file is %s', async (_, spoil) => {
  await ceilings_for(some, { build: 'b' });
  const text = readFileSync(only_file(), 'utf8');
  expect(spoil(text)).not.toBe(text);
  writeFileSync(only_file(), spoil(text));
  expect(await times_of(some, { build: 'b' })).toBe(2);
  expect(await times_of(some, { build: 'b' })).toBe(2); // mended
});

it('measures again, and does not wait, where a pipe or a folder lies in its place', async () => {
  await ceilings_for(some, { build: 'b' });
  const file = only_file();
  rmSync(file);
  execFileSync('mkfifo', [file]);
  expect(await times_of(some, { build: 'b' })).toBe(2);
  expect(await times_of(some, { build: 'b' })).toBe(2); // mended
  rmSync(file);
  mkdirSync(file);
  expect(await times_of(some, { build: 'b' })).toBe(3);
});

it('does without a folder that cannot be written', async () => {
  mkdirSync(join(home, 'molmoe'));
  writeFileSync(folder, 'a file where the folder should be');
  expect(await times_of(some, { build: 'b' })).toBe(1);
  expect(await times_of(some, { build: 'b' })).toBe(2);
  expect(readFileSync(folder, 'utf8')).toMatch(/^a file/);
});

it("knows each system's folder for what can be made again", () => {
  expect(cache_folder({ XDG_CACHE_HOME: '/x' }, 'linux')).toBe('/x');
  expect(cache_folder({ XDG_CACHE_HOME: 'relative' }, 'linux')).toMatch(/\.cache$/);
  expect(cache_folder({}, 'darwin')).toMatch(/Library.Caches$/);
  expect(cache_folder({ LOCALAPPDATA: 'L' }, 'win32')).toBe('L');
  expect(cache_folder({}, 'win32')).toMatch(/AppData.Local$/);
});
