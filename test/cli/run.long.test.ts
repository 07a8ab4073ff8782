import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { repo_root } from '../support/golden.ts';
import { own_cache } from '../support/warm_cache.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-run-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const env = own_cache(scratch);
const TINY = ['--model', 'molmoe-tiny'];
const out = join(scratch, 'results');
const run = (...args: string[]) => cli(['run', ...args, ...TINY], { env, timeout_ms: 110_000 });
const errors_of = ({ errors }: { errors: readonly string[] }) => errors.filter((line) => line.startsWith('error'));

const cells_in = (folder: string): number => {
  const path = join(folder, 'configurations');
  return existsSync(path) ? readdirSync(path).filter((name) => name.endsWith('.json')).length : 0;
};

/** Begun, and left to itself. */
function start(...args: string[]) {
  const child = spawn(process.execPath, [join(repo_root, 'dist/cli.js'), 'run', ...args, ...TINY, '--out', out], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let stdout = '';
  child.stdout.on('data', (data) => {
    stdout += data;
  });
  const ended = new Promise<{ code: number | null; stdout: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, stdout })),
  );
  return { child, ended };
}

async function until(there: () => boolean): Promise<void> {
  for (let i = 0; i < 4000 && !there(); i++) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(there()).toBe(true);
}

describe('molmoe run', () => {
  const topk = join(out, 'profiling/moe-topk');
  const tokens = join(out, 'profiling/output-tokens');

  it('leaves nothing behind that measures on when it is killed', async () => {
    const { child, ended } = start('moe-topk');
    await until(() => cells_in(topk) > 0);
    child.kill('SIGKILL');
    await ended;
    await until(() => !existsSync(join(topk, 'lock.json'))); // the experiment ended by itself, its results published
    expect(cells_in(topk)).toBeLessThan(4);
    expect(existsSync(join(topk, 'README.md'))).toBe(true);
  });

  it('resumes; goes on after one that fails, says why, and exits with 1', async () => {
    const before = cells_in(topk);
    writeFileSync(join(out, 'profiling/context'), 'a file in the way');
    const { code, stdout } = await run('moe-topk', 'context', '--out', out, '--json');
    expect(code).toBe(1);
    const told = JSON.parse(stdout);
    expect(told).toMatchObject({ schema: 'molmoe.run_summary/1', model: 'molmoe-tiny', quick: false });
    expect(told.experiments[0]).toMatchObject({ name: 'context', state: 'failed', cells: 0, result: null });
    expect(told.experiments[0].error).toMatch(/^error: .*context: expected .*, found a /);
    expect(told.experiments[1]).toMatchObject({ state: 'resumed', cells: 4, measured: 4 - before, error: null });
    expect(told.experiments[1].result).toMatchObject({ schema: 'molmoe.experiment/1', experiment: 'moe-topk' });
    expect(readFileSync(join(out, 'index.html'), 'utf8')).toContain('Experts a token: what they cost');
    expect(existsSync(join(out, 'lock.json'))).toBe(false);
  });

  it('stops cleanly at Ctrl-C with what it has', async () => {
    const { child, ended } = start('output-tokens', 'e1');
    await until(() => cells_in(tokens) > 0);
    child.kill('SIGINT');
    const { code, stdout } = await ended;
    expect(code).toBe(130);
    expect(stdout).toMatch(/^output-tokens +interrupted +[1-6] +[1-6] /m);
    expect(stdout).toMatch(/^e1 +not run +0 +0 /m);
    expect([existsSync(join(tokens, 'lock.json')), existsSync(join(out, 'lock.json'))]).toEqual([false, false]);
    expect(existsSync(join(out, 'core'))).toBe(false);
  });

  it('says what would run, and measures nothing', async () => {
    const elsewhere = join(scratch, 'nowhere');
    const { code, stdout } = await run('moe-topk', 'output-tokens', '--dry-run', '--out', elsewhere, '--json');
    expect(code).toBe(0);
    const { experiments } = JSON.parse(stdout);
    expect(experiments.map(({ name, cells, open, error }: never) => [name, cells, open, error])).toEqual([
      ['moe-topk', 4, 4, null],
      ['output-tokens', 7, 7, null],
    ]);
    expect(experiments[0].report.schema).toBe('molmoe.dry_run/1');
    expect(existsSync(elsewhere)).toBe(false);
  });

  it('refuses, in one line, what no experiment could use and a folder in which another one works', async () => {
    const model = await cli(['run', 'all', '--model', 'molmoe-huge', '--out', out], { env });
    expect([model.code, errors_of(model)]).toEqual([
      2,
      [expect.stringMatching(/^error: --model: expected a checkpoint/)],
    ]);
    const held = join(scratch, 'held');
    mkdirSync(held);
    const lock = { pid: process.pid, host: hostname(), started: new Date().toISOString(), process_start: null };
    writeFileSync(join(held, 'lock.json'), JSON.stringify({ ...lock, token: '0123456789abcdef' }));
    const second = await run('moe-topk', '--quick', '--out', held);
    const line = new RegExp(
      `^error: ${held}: another molmoe run \\(pid ${process.pid}, since .*\\) works here; wait for it`,
    );
    expect([second.code, errors_of(second)]).toEqual([1, [expect.stringMatching(line)]]);
    expect(readdirSync(held)).toEqual(['lock.json']);
  });
});
