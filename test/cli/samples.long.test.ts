import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { own_cache } from '../support/warm_cache.ts';

/** Experiments on samples of a data set, from the command line. */
const scratch = mkdtempSync(join(tmpdir(), 'molmoe-cli-samples-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const env = { ...own_cache(scratch), MOLMO_DATA_DIR: '' };
const out = join(scratch, 'out');
const EXP1 = ['motivation-exp1', '--model', 'molmoe-tiny', '--max-crops', '1', '--instrumented', '0', '--warmup', '0'];
const run = (...args: string[]) => cli([...EXP1, ...args, '--out', out], { env, timeout_ms: 100_000 });

describe('samples of a data set', () => {
  it('are counted by a few of them before they are measured', async () => {
    const { code, stdout } = await run('--num-samples', '5000', '--dry-run', '--json');
    expect(code).toBe(0);
    const { cells, cells_in_all, protocol } = JSON.parse(stdout);
    expect([cells.length, cells_in_all, protocol.once_for]).toEqual([24, 5000, 'shape']);
    expect(cells.map(({ key }: { key: string }) => key).slice(0, 2)).toEqual(['sample=0', 'sample=208']);
  });

  it('go on where they ended when more are asked for; of another split they are others', async () => {
    expect((await run('--num-samples', '1')).code).toBe(0);
    const { code, errors } = await run('--num_samples', '2');
    expect([code, errors.join('\n')]).toEqual([0, expect.stringContaining('1 of 2 configurations are already in')]);
    const file = JSON.parse(readFileSync(join(out, 'exp1_latency_distribution.json'), 'utf8'));
    expect(file.results.map(({ sample }: { sample: string }) => sample)).toEqual(['shapes-test-0', 'shapes-test-1']);
    expect(file.dataset).toMatchObject({ name: 'shapes', split: 'test', size: 5000, resize: 'fill' });
    const other = await run('--num-samples', '1', '--split', 'train');
    expect([other.code, other.errors.at(-1)]).toEqual([1, expect.stringMatching(/dataset.split: "test" -> "train"/)]);
  });

  it.each([
    [['--dataset', 'mnist'], /^error: --dataset: expected (one of )?.*shapes/],
    [['--split', 'val'], /^error: --split: expected train or test of shapes, found "val"/],
    [['--data-dir', scratch], /^error: --data-dir: shapes is generated and has no files/],
  ])('%j is refused before anything is opened', async (args, said) => {
    const { code, errors } = await run(...args);
    expect([code, errors.at(-1)]).toEqual([2, expect.stringMatching(said)]);
  });
});
