import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { repo_root } from '../support/golden.ts';
import { inside } from '../support/inside.ts';
import { own_cache } from '../support/warm_cache.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-accuracy-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const env = own_cache(scratch);
Object.assign(process.env, env);

const SAMPLES = 40;
const ASK = ['exp2_accuracy', '--model', 'nano', '--top-k', '1,8', '--num-samples', String(SAMPLES)];
const place = (name: string): string => join(scratch, name);
const json = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'));
const SUMMARY = 'answers/1/summary.json';
const bytes = (folder: string) => readFileSync(join(folder, SUMMARY), 'utf8');

describe('an accuracy experiment', () => {
  const whole = place('whole');
  beforeAll(async () => {
    const { code, errors } = await inside([...ASK, '--out', whole, '--timed', '2', '--runs', '1']);
    expect(code, errors.join('\n')).toBe(0);
  });

  it('publishes accuracy with intervals, and per sample its answer, score, tokens, FLOPs and times', () => {
    const { summary, config, findings } = json(whole, 'exp2_accuracy_results.json');
    expect(summary.map((row: { top_k: number }) => row.top_k)).toEqual([1, 8]);
    const [one, full] = summary;
    expect(full).toMatchObject({ num_samples: SAMPLES, percent_of_full: 100, against_full: null });
    expect(full.accuracy).toBeGreaterThan(0.9);
    expect(one.accuracy_ci95[0]).toBeLessThanOrEqual(one.accuracy);
    expect(one.flops).toBeLessThan(full.flops);
    expect(one.against_full.text).toMatch(/40 samples of 40 pictures/);
    expect(one.latency).toMatchObject({ num_samples: 2, runs: 1 });
    expect(config).toMatchObject({ dataset_name: 'shapes', split: 'test', metric: 'em', max_new_tokens: 16 });
    expect(findings).toHaveLength(2);
    const cell = json(whole, 'exp2_accuracy_results_top_k_8.json');
    expect(cell.all_samples).toHaveLength(SAMPLES);
    const [first] = cell.all_samples;
    expect(first).toMatchObject({
      sample_id: 'shapes-test-0',
      references: ['orange'],
      answer: 'orange',
      scores: { em: 1 },
    });
    expect(first.latency[0].T_total).toBeGreaterThan(0);
    expect(Object.keys(first.flops)).toEqual(expect.arrayContaining(['vision_encoder', 'projector', 'prefill']));
    expect(existsSync(join(whole, 'figures/exp2_accuracy_vs_top_k.png'))).toBe(true);
    expect(readFileSync(join(whole, 'report.html'), 'utf8')).toContain('Experts a token');
  });

  it('gives nothing twice: the same command finds all answered', async () => {
    const before = statSync(join(whole, 'answers/1/workers/0-of-1/answers.jsonl')).size;
    const { code, errors } = await inside([...ASK, '--out', whole, '--timed', '2', '--runs', '1']);
    expect(code).toBe(0);
    expect(errors.join('\n')).toContain(`0 answers to give of ${2 * SAMPLES}`);
    expect(statSync(join(whole, 'answers/1/workers/0-of-1/answers.jsonl')).size).toBe(before);
  });

  it('is the same from three workers, one of them killed and one shard given twice', async () => {
    // Processes of the built program throughout: another build's answers would not be of this run.
    const run = (args: readonly string[]) => cli(args, { env });
    const alone = place('alone');
    expect((await run([...ASK, '--out', alone, '--batch-size', '7'])).code).toBe(0);
    const shared = place('shared');
    const worker = (shard: string) => [...ASK, '--out', shared, '--shard', shard, '--batch-size', '7'];
    await kill_while_it_answers(worker('0/3'), shared);
    const early = await run(['merge', shared]);
    expect(early.code).toBe(1);
    expect(early.errors.at(-1)).toMatch(/expected 80 answers, found \d+ missing: sample "shapes-test-\d+" with/);
    const ended = await Promise.all([run(worker('1/3')), run(worker('0/3')), run(worker('0/3'))]);
    for (const { code, errors } of ended) expect(code, errors.join('\n')).toBe(0);
    expect(ended[0]?.errors.join('\n')).toContain('part 1/3 (shard)');
    const last = await cli([...ASK, '--out', shared, '--batch-size', '7'], {
      env: {
        ...env,
        SLURM_ARRAY_TASK_ID: '2',
        SLURM_ARRAY_TASK_MIN: '0',
        SLURM_ARRAY_TASK_MAX: '2',
        SLURM_ARRAY_TASK_COUNT: '3',
      },
    });
    expect(last.errors.join('\n')).toContain('part 2/3 (SLURM_ARRAY_TASK_ID)');
    expect(bytes(shared)).toBe(bytes(alone));
    const accuracies = (folder: string) =>
      json(folder, 'exp2_accuracy_results.json').summary.map(({ accuracy, flops }: Record<string, number>) => [
        accuracy,
        flops,
      ]);
    expect(accuracies(shared)).toEqual(accuracies(alone));
    const { workers } = json(shared, 'exp2_accuracy_results.json').config;
    expect(new Set(workers.map(({ shard }: { shard: string }) => shard)).size).toBe(3);
    expect(workers.reduce((sum: number, { answers }: { answers: number }) => sum + answers, 0)).toBe(2 * SAMPLES);
    const again = await run(['merge', shared, '--json']);
    expect(again.code).toBe(0);
    expect(JSON.parse(again.stdout)).toMatchObject({ experiment: 'exp2_accuracy' });
  });

  it('is compared with another run question by question', async () => {
    const other = place('q4');
    expect((await inside([...ASK, '--out', other, '--dtype', 'q4'])).code).toBe(0);
    const { code, stdout } = await inside(['compare', whole, other]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/top_k=8 of B scores .*40 samples of 40 pictures, McNemar p = [\d.]+\): .*told apart/);
    const { answers } = JSON.parse((await inside(['compare', whole, other, '--json'])).stdout);
    expect(answers.map(({ key }: { key: string }) => key)).toEqual(['top_k=1', 'top_k=8']);
  });

  it('keeps answers now and scores them later, by any metric', async () => {
    const kept = place('kept');
    const { code, errors } = await inside([...ASK, '--out', kept, '--predict-only', '--num-samples', '12']);
    expect(code, errors.join('\n')).toBe(0);
    expect(existsSync(join(kept, 'exp2_accuracy_results.json'))).toBe(false);
    expect((await inside(['merge', kept])).errors.at(-1)).toMatch(
      /expected scored answers, found none; name a --metric/,
    );
    expect((await inside(['merge', kept, '--metric', 'ansl', '--out', place('scored')])).code).toBe(0);
    expect(json(place('scored'), 'exp2_accuracy_results.json').config.metric).toBe('ansl');
  });

  it('refuses what cannot be, in one line and before anything is answered', async () => {
    const out = ['--out', place('refused')];
    const refusals: [string[], RegExp][] = [
      [['--shard', '3/3'], /--shard: expected i\/n with i from 0 to n - 1/],
      [['--metric', 'guess'], /--metric/],
      [['--fresh', '--shard', '0/2'], /--fresh: expected one worker, found part 0\/2/],
      [['--data-dir', scratch], /--data-dir: shapes is generated/],
      [['--dataset', 'coco_2014_vqa', '--data-dir', scratch], /coco_2014_vqa|expected/],
      [['--metric', 'mc'], /expected options and which of them is right of each sample, found none of "shapes-test-0"/],
      [['--top-k', '99'], /expected/],
    ];
    for (const [args, why] of refusals) {
      const { code, errors } = await inside([...ASK, ...out, ...args]);
      expect(code, args.join(' ')).toBeGreaterThan(0);
      const said = errors.filter((line) => line.startsWith('error: '));
      expect(said, args.join(' ')).toHaveLength(1);
      expect(said[0]).toMatch(why);
    }
    expect(existsSync(join(place('refused'), 'answers'))).toBe(false);
    const staged = await inside(['sensitivity', '--model', 'nano', '--num-samples', '2', '--predict-only', ...out]);
    expect(staged.errors.at(-1)).toMatch(/--predict-only: sensitivity chooses by scores/);
  });

  it('refuses answers of another model, data set or build in the folder', async () => {
    const { errors } = await inside([...ASK, '--out', whole, '--dtype', 'q8']);
    expect(errors.at(-1)).toMatch(/expected answers of one run, found those of another: .*dtype/);
    const split = await inside([...ASK, '--out', whole, '--split', 'train', '--timed', '2', '--runs', '1']);
    expect(split.errors.at(-1)).toMatch(/dataset\.split: "test" -> "train"/);
    const run = json(whole, 'answers/1/run.json');
    run.fingerprint.program.commit = 'another';
    const other = place('edited');
    expect((await inside([...ASK, '--out', other, '--num-samples', '2'])).code).toBe(0);
    writeFileSync(join(other, 'answers/1/run.json'), JSON.stringify(run));
    expect((await inside(['merge', other])).errors.at(-1)).toMatch(/expected what run \w+ asked, found it changed/);
  });

  it('begins anew where that is asked for, and removes nothing that is not its own', async () => {
    const folder = place('fresh');
    const few = [...ASK, '--out', folder, '--num-samples', '3'];
    expect((await inside(few)).code).toBe(0);
    writeFileSync(join(folder, 'answers/1/notes.txt'), 'mine');
    const { code, errors } = await inside([...few, '--num-samples', '4', '--fresh']);
    expect(code, errors.join('\n')).toBe(0);
    expect(readdirSync(join(folder, 'answers/1'))).toContain('notes.txt');
    expect(json(folder, 'exp2_accuracy_results.json').summary[0].num_samples).toBe(4);
  });
});

/** Starts a worker, and ends it for good when some of its answers lie on the disk. */
async function kill_while_it_answers(args: string[], folder: string): Promise<void> {
  const child = spawn(process.execPath, [join(repo_root, 'dist/cli.js'), ...args], {
    env: { ...process.env, ...env },
    stdio: 'ignore',
  });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const path = join(folder, 'answers/1/workers/0-of-3/answers.jsonl');
  const deadline = Date.now() + 60_000;
  while (Date.now() < deadline && !(existsSync(path) && statSync(path).size > 0)) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  child.kill('SIGKILL');
  await ended;
}
