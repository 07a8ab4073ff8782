import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildSync } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { MERGED_FILE, merge_answers, SUMMARY_FILE } from '../../../experiments/accuracy/log/merge.ts';
import { answer_all, fake_run, merged_text } from '../../support/answers.ts';
import { repo_root } from '../../support/golden.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-kill-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const script = join(scratch, 'worker.mjs');
buildSync({
  entryPoints: [join(repo_root, 'test/support/answer_worker.ts')],
  outfile: script,
  bundle: true,
  format: 'esm',
  platform: 'node',
  loader: { '.wgsl': 'text' },
  logLevel: 'error',
});

const SAMPLES = 1500;
const run = fake_run(SAMPLES);

interface Life {
  /** Keys whose answers were said to be safe. */
  readonly safe: readonly string[];
  readonly code: number | null;
}

/** Runs a worker to its end, or kills it so long after it began to answer. */
async function live(folder: string, shard: string, kill_after?: number): Promise<Life> {
  const flaky = kill_after === undefined ? '' : 'flaky';
  const child = spawn(process.execPath, [script, folder, shard, String(SAMPLES), flaky]);
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    err += text;
  });
  const ended = once(child, 'close');
  if (kill_after !== undefined) {
    // Every third one is not even waited for: it dies while it starts.
    if (kill_after % 3 !== 0) await Promise.race([once(child.stdout, 'data'), ended]);
    await sleep(kill_after);
    child.kill('SIGKILL');
  }
  await ended;
  expect(err).toBe('');
  // The last line may be half of one: it was not said.
  return { safe: out.split('\n').slice(0, -1), code: child.exitCode };
}

describe('workers that are killed at any moment', () => {
  it('lose nothing and count nothing twice: merged, they say what undisturbed ones do', async () => {
    const undisturbed = join(scratch, 'undisturbed');
    await answer_all(undisturbed, run);
    const expected = await merged_text(undisturbed);

    const folder = join(scratch, 'killed');
    const safe: string[] = [];
    let killed = 0;
    const keep_going = async (shard: string, kills: number) => {
      for (let i = 0; i < kills; i++) {
        const life = await live(folder, shard, Math.floor(Math.random() * 60));
        if (life.code === null) killed += 1;
        safe.push(...life.safe);
      }
      const last = await live(folder, shard);
      expect(last.code).toBe(0);
      safe.push(...last.safe);
    };
    await Promise.all([keep_going('0/3', 17), keep_going('1/3', 17), keep_going('2/3', 16)]);

    const { duplicates } = await merge_answers([folder]);
    const merged = [MERGED_FILE, SUMMARY_FILE].map((name) => readFileSync(join(folder, name), 'utf8')).join('');
    expect(merged).toBe(expected);
    // What was safe once was never asked again.
    expect(duplicates).toBe(0);
    expect(new Set(safe).size).toBe(safe.length);
    expect(killed).toBe(50);
  });

  it('two of one shard, killed and started again beside each other, are harmless', async () => {
    const undisturbed = join(scratch, 'undisturbed');
    await answer_all(undisturbed, run);
    const folder = join(scratch, 'doubled');
    const keep_going = async () => {
      for (let i = 0; i < 3; i++) await live(folder, '0/1', 5 + Math.floor(Math.random() * 60));
      expect((await live(folder, '0/1')).code).toBe(0);
    };
    await Promise.all([keep_going(), keep_going()]);
    expect(await merged_text(folder)).toBe(await merged_text(undisturbed));
  });
});
