import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, it, vi } from 'vitest';
import { hold_adapter, hold_folder, wait_to_tune, warn_of_runner } from '../../src/commands/runner_lock.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-runner-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
beforeEach(() => void vi.stubEnv('XDG_CACHE_HOME', mkdtempSync(join(scratch, 'cache-'))));
afterEach(() => vi.unstubAllEnvs());

const on = (description: string) =>
  ({ executor: { device: { facts: { description }, mode: 'release' } }, adapter: { backend: 'vulkan' } }) as never;

it('one runner measures on an adapter, whatever folder it works in', async () => {
  const first = await hold_adapter(on('some GPU'));
  await expect(hold_adapter(on('some GPU'))).rejects.toThrow(
    new RegExp(
      `^some GPU: another molmoe run \\(pid ${process.pid}, since .*\\) measures on it; wait for it or choose another --adapter$`,
    ),
  );
  await (await hold_adapter(on('another GPU'))).release();
  await first.release();
  await (await hold_adapter(on('some GPU'))).release();
});

it('an experiment by itself is told of a runner beside it, and of nothing else', async () => {
  const said: string[] = [];
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation((text) => said.push(String(text)) > 0);
  await warn_of_runner(on('some GPU'));
  const held = await hold_adapter(on('some GPU'));
  await warn_of_runner(on('another GPU'));
  expect(said).toEqual([]);
  await warn_of_runner(on('some GPU'));
  await held.release();
  await warn_of_runner(on('some GPU'));
  spy.mockRestore();
  expect(said).toEqual([
    `warning: molmoe run (pid ${process.pid}) measures on this adapter too: its times and these disturb each other\n`,
  ]);
});

it('where nothing can be kept there is nothing to agree by', async () => {
  vi.stubEnv('XDG_CACHE_HOME', '/dev/null');
  await (await hold_adapter(on('some GPU'))).release();
  await warn_of_runner(on('some GPU'));
});

it('one runner works in a folder', async () => {
  const folder = mkdtempSync(join(scratch, 'out-'));
  const held = await hold_folder(folder);
  await expect(hold_folder(folder)).rejects.toThrow(
    /another molmoe run \(pid \d+, since .*\) works here; wait for it or choose another --out$/,
  );
  await held.release();
});

const { signal } = new AbortController();

it('of commands that begin together one tunes and the others wait, no longer than they may', async () => {
  const first = await wait_to_tune(on('some GPU'), 0, signal);
  await (await wait_to_tune(on('another GPU'), 0, signal))?.release();
  expect(await wait_to_tune(on('some GPU'), 30, signal)).toBeUndefined();
  let is_over = false;
  const second = wait_to_tune(on('some GPU'), 20_000, signal).then((lock) => {
    expect(is_over).toBe(true);
    return lock?.release();
  });
  is_over = true;
  await first?.release();
  await second;
  await expect(
    wait_to_tune(on('some GPU'), 0, signal).then(() => wait_to_tune(on('some GPU'), 9000, AbortSignal.timeout(20))),
  ).rejects.toThrow(/abort/);
});

it('waits for nobody who is dead, and for nobody where no lock can be written', async () => {
  await wait_to_tune(on('some GPU'), 0, signal);
  const cache = join(process.env.XDG_CACHE_HOME as string, 'molmoe', 'tuning_now');
  const file = join(cache, readdirSync(cache)[0] as string, 'lock.json');
  const lock = JSON.parse(readFileSync(file, 'utf8'));
  writeFileSync(file, JSON.stringify({ ...lock, process_start: '1' })); // another process had this id
  expect(await wait_to_tune(on('some GPU'), 0, signal)).toBeDefined();
  rmSync(file);
  symlinkSync('nowhere', file);
  expect(await wait_to_tune(on('some GPU'), 0, signal)).toBeDefined();
  vi.stubEnv('XDG_CACHE_HOME', '/dev/null');
  expect(await wait_to_tune(on('some GPU'), 0, signal)).toBeDefined();
});
