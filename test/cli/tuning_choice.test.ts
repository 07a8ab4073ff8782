import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it, vi } from 'vitest';
import { as_begun, self_tuned } from '../../src/commands/self_tune.ts';
import { repo_root } from '../support/golden.ts';

const folder = mkdtempSync(join(tmpdir(), 'molmoe-begun-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const saved = JSON.parse(readFileSync(join(repo_root, 'test/fixtures/results/e1/run.json'), 'utf8'));
const { build, adapter } = saved.fingerprint.provenance;
const BEGUN = {
  from: 'itself',
  choices: { 'matmul m<=256': 'tiled_32' },
  itself: { seconds: 3, share: 0.8, untuned: [] },
};

/** What runs after a folder was begun with a tuning, on a model whose own is another. */
async function runs(
  begun: object,
  {
    variant = 'auto',
    from = 'measured',
    description = adapter.description,
    program = build,
  }: Partial<Record<'variant' | 'from' | 'description' | 'program', string>> = {},
) {
  const provenance = { ...saved.fingerprint.provenance, tuning: begun };
  const run = { ...saved, fingerprint: { ...saved.fingerprint, provenance } };
  writeFileSync(join(folder, 'run.json'), JSON.stringify(run));
  const preferred: unknown[] = [];
  const executor = {
    variant,
    prefer: (...what: unknown[]) => void preferred.push(what),
    device: { facts: { description }, mode: 'release' },
  };
  const facts = { name: 'molmoe-mini', dtype: 'f16' };
  const now = { from, choices: { other: 'lanes_8' } };
  const model = { executor, adapter: { backend: 'vulkan' }, facts, tuning: now } as never;
  const { tuning } = await as_begun(model, folder, { version: '', commit: '', dirty: false, digest: program });
  return tuning === now ? 'its own' : { tuning, preferred };
}

it('results go on with the variants that they were begun with', async () => {
  expect(await runs(BEGUN)).toEqual({ tuning: BEGUN, preferred: [['auto', BEGUN.choices]] });
  const untuned = { from: 'default', choices: {} };
  expect(await runs(untuned)).toEqual({ tuning: untuned, preferred: [['auto', {}]] });
});

it.each([
  ['the first variants were asked for', BEGUN, { from: 'off' }],
  ['a family was asked for', BEGUN, { variant: 'tiled' }],
  ['another adapter would run them', BEGUN, { description: 'another GPU' }],
  ['another program would run them', BEGUN, { program: 'another' }],
  ['they were begun with the first variants because somebody asked for those', { from: 'off', choices: {} }, {}],
  ['they cannot be read', { from: 'nobody knows', choices: {} }, {}],
])('but not where %s', async (_, begun, now) => {
  expect(await runs(begun, now)).toBe('its own');
});

it('measures where nothing is known, and neither with kept nor with off nor with a family', async () => {
  vi.stubEnv('XDG_CACHE_HOME', folder);
  const begins = async (which: 'auto' | 'kept' | 'off' | undefined, variant = 'auto', description = 'a GPU') => {
    const executor = { variant, prefer() {}, device: { facts: { description, device: '' }, mode: 'release' } };
    const load = vi.fn(() => Promise.reject(new Error('it loads')));
    const facts = { name: 'molmoe-mini', dtype: 'f16' };
    const model = { executor, adapter: { backend: 'vulkan' }, facts, load, tuning: { from: 'default', choices: {} } };
    await self_tuned(model as never, [], which, new AbortController().signal).catch(() => undefined);
    return load.mock.calls.length === 1;
  };
  expect(await begins('auto')).toBe(true);
  expect(await begins(undefined)).toBe(true);
  expect([await begins('kept'), await begins('off'), await begins('auto', 'tiled')]).toEqual([false, false, false]);
  expect(await begins('auto', 'auto', 'llvmpipe: Mesa 25.0.7')).toBe(false); // what came with the program is used
  vi.unstubAllEnvs();
});
