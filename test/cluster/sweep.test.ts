import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { repo_root } from '../support/golden.ts';

/** tools/slurm/sweep.sh against commands that only write down what they were asked: which jobs it makes, and their order. */

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-sweep-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const asked = join(scratch, 'asked');
const cli = join(scratch, 'cli.js');
writeFileSync(cli, '');
const bin = join(scratch, 'bin');
mkdirSync(bin);

const command = (name: string, script: string) => {
  writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(bin, name), 0o755);
};
/** Numbers its jobs from 101, and refuses the one that it is told to. */
const sbatch = (refuses = 0) =>
  command(
    'sbatch',
    `n=$(($(cat ${asked} 2>/dev/null | grep -c '^sbatch') + 1))
[ $n -ne ${refuses} ] || { echo "sbatch: error: QOSMaxSubmitJobPerUserLimit" >&2; exit 1; }
{ echo sbatch; for word in "$@"; do echo "  $word"; done; } >> ${asked}
echo "$((100 + n));cluster"`,
  );
const max_array_size = (size: number) => command('scontrol', `echo 'MaxArraySize            = ${size}'`);

beforeEach(() => {
  rmSync(asked, { force: true });
  sbatch();
  max_array_size(1001);
});

function sweep(...args: string[]) {
  const { status, stdout, stderr } = spawnSync('bash', [join(repo_root, 'tools/slurm/sweep.sh'), ...args], {
    cwd: scratch,
    encoding: 'utf8',
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}`, MOLMOE_CLI: cli },
  });
  const text = existsSync(asked) ? readFileSync(asked, 'utf8') : '';
  const jobs = text.split('sbatch\n').slice(1);
  return {
    status,
    stdout,
    stderr,
    jobs: jobs.map((job) =>
      job
        .trimEnd()
        .split('\n')
        .map((line) => line.slice(2)),
    ),
  };
}
const value = (job: readonly string[] | undefined, option: string) =>
  job?.find((word) => word.startsWith(`--${option}=`))?.slice(option.length + 3);
/** What task.sh is told: first shard, shards in all, then the command. */
const told = (job: readonly string[] | undefined) => {
  const at = job?.findIndex((word) => word.endsWith('/task.sh')) ?? -1;
  return job?.slice(at + 1).filter((word) => word !== cli);
};

describe('a sweep of job arrays', () => {
  it('is an array with a throttle, and a merge when all of it has succeeded', () => {
    const { status, stdout, jobs } = sweep(
      ...['--shards', '6', '--at-once', '2', '--partition=gpu', '--gres=gpu:1', '--gpus-per-task=1', '--exclusive'],
      ...['--', 'exp2_accuracy', '--top-k', '1,8', '--prompt', 'two words', '--out', 'my results'],
    );
    expect(status).toBe(0);
    const [array, merge] = jobs;
    expect(jobs.length).toBe(2);
    expect(value(array, 'array')).toBe('0-5%2');
    expect(array).toEqual(expect.arrayContaining(['--requeue', '--open-mode=append', '--gres=gpu:1', '--exclusive']));
    expect(value(array, 'output')).toBe('my results/slurm/%A_%a.log');
    expect(told(array)).toEqual([
      ...['0', '6', 'exp2_accuracy', '--top-k', '1,8', '--prompt', 'two words', '--out', 'my results'],
    ]);
    expect(value(merge, 'dependency')).toBe('afterok:101');
    expect(merge).toEqual(expect.arrayContaining(['--kill-on-invalid-dep=yes', '--partition=gpu', '--exclusive']));
    expect(merge?.join(' ')).not.toContain('gpu:1');
    expect(merge?.join(' ')).not.toContain('gpus-per');
    expect(told(merge)).toEqual(['0', '0', 'merge', 'my results']);
    expect(stdout).toContain('job 102: merge, waits for afterok:101\n');
    expect(existsSync(join(scratch, 'my results/slurm'))).toBe(true);
  });

  it('is several arrays where Slurm allows no larger one, each shard in one of them, one after the other', () => {
    max_array_size(4);
    const { jobs } = sweep('--shards', '10', '--at-once', '3', '--', 'exp1_accuracy', '--out=there');
    expect(jobs.map((job) => value(job, 'array'))).toEqual(['0-3%3', '0-3%3', '0-1%3', undefined]);
    expect(jobs.map((job) => told(job)?.slice(0, 2).join('/'))).toEqual(['0/10', '4/10', '8/10', '0/0']);
    expect(jobs.map((job) => value(job, 'dependency'))).toEqual([
      ...[undefined, 'afterany:101', 'afterany:102', 'afterok:101:102:103'],
    ]);
  });

  it('lets several arrays run at once where nothing limits them', () => {
    max_array_size(4);
    const { jobs } = sweep('--shards', '8', '--no-merge', '--', 'exp1_accuracy', '--out', 'there');
    expect(jobs.map((job) => value(job, 'array'))).toEqual(['0-3', '0-3']);
    expect(jobs.map((job) => value(job, 'dependency'))).toEqual([undefined, undefined]);
  });

  it('goes round after round, each when all before it have succeeded', () => {
    max_array_size(2);
    const { jobs } = sweep('--shards', '3', '--at-once=1', '--rounds', '2', '--', 'sensitivity', '--out', 'there');
    expect(jobs.map((job) => value(job, 'dependency'))).toEqual([
      ...[undefined, 'afterany:101', 'afterok:101:102', 'afterok:101:102,afterany:103', 'afterok:103:104'],
    ]);
  });

  it('says what it has submitted where Slurm refuses the next', () => {
    max_array_size(2);
    sbatch(3);
    const { status, stderr, jobs } = sweep('--shards', '6', '--', 'exp1_accuracy', '--out', 'there');
    expect([status, jobs.length]).toEqual([1, 2]);
    expect(stderr).toContain("expected a job's number, found it refused; submitted before it: 101 102 (scancel ends");
  });

  it('submits nothing in a dry run', () => {
    const { status, stdout, jobs } = sweep('--shards', '2', '--dry-run', '--', 'exp1_accuracy', '--out', 'a b');
    expect([status, jobs.length]).toEqual([0, 0]);
    expect(stdout).toContain('--array=0-1 ');
    expect(stdout).toContain('exp1_accuracy --out a\\ b\n');
    expect(existsSync(join(scratch, 'a b'))).toBe(false);
  });

  it.each([
    [['--', 'e', '--out', 'd'], '--shards: expected a whole number from 1 to 1000000, found nothing'],
    [['--shards', '0', '--', 'e', '--out', 'd'], '--shards: expected a whole number from 1 to 1000000, found 0'],
    [['--shards', '2x', '--', 'e', '--out', 'd'], 'found 2x'],
    [['--shards', '08', '--', 'e', '--out', 'd'], 'found 08'],
    [['--shards', '2', '--at-once', '-1', '--', 'e', '--out', 'd'], '--at-once: expected'],
    [['--shards', '2'], 'expected -- and a command behind it'],
    [['--shards', '2', 'exp1_accuracy', '--out', 'd'], 'found exp1_accuracy'],
    [['--shards', '2', '--partition', 'gpu', '--', 'e', '--out', 'd'], "sbatch's options as --NAME=VALUE"],
    [['--shards', '2', '--', 'e'], 'e: expected --out DIR'],
    [['--shards', '2', '--', 'e', '--out'], 'e: expected --out DIR'],
    [['--shards', '2', '--', 'e', '--out', 'd', '--shard', '0/2'], '--shard: expected a command without it'],
    [['--shards', '2', '--array=0-3', '--', 'e', '--out', 'd'], '--array: expected an option that the sweep does not'],
  ])('refuses %j in one line', (args, expected) => {
    const { status, stderr, jobs } = sweep(...args);
    expect(stderr).toContain(expected);
    expect([status, stderr.trimEnd().split('\n').length, jobs.length]).toEqual([2, 1, 0]);
  });

  it('needs a Slurm, and one that has arrays', () => {
    command('scontrol', 'exit 1');
    expect(sweep('--shards', '2', '--', 'e', '--out', 'd').stderr).toContain('run this where sbatch works');
    max_array_size(0);
    expect(sweep('--shards', '2', '--', 'e', '--out', 'd').stderr).toContain('MaxArraySize: expected');
  });

  it('a task works on its shard, as the process that Slurm speaks to', () => {
    const shown = join(scratch, 'shown.mjs');
    writeFileSync(shown, 'console.log(JSON.stringify([process.pid, ...process.argv.slice(2)]))');
    const task = (env: Record<string, string>, ...args: string[]) => {
      const script = join(repo_root, 'tools/slurm/task.sh');
      const done = spawnSync('bash', [script, ...args], { encoding: 'utf8', env: { ...process.env, ...env } });
      const [pid, ...words] = JSON.parse(done.stdout) as [number, ...string[]];
      expect(pid).toBe(done.pid);
      return { words, said: done.stderr };
    };
    const env = { SLURM_JOB_NAME: 'e', SLURM_ARRAY_JOB_ID: '7', SLURM_ARRAY_TASK_ID: '3', SLURM_RESTART_COUNT: '1' };
    const { words, said } = task(env, '1001', '2500', shown, 'e', '--prompt', 'two words');
    expect(words).toEqual(['e', '--prompt', 'two words', '--shard', '1004/2500']);
    expect(said).toMatch(/^e: job 7_3, start 2, on /);
    expect(task({}, '0', '0', shown, 'merge', 'a b').words).toEqual(['merge', 'a b']);
  });
});
