import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { choose_shard } from '../../experiments/accuracy/log/shard.ts';
import { repo_root } from '../support/golden.ts';

const script = join(repo_root, 'tools/slurm/test_cluster.sh');
const there = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;

/** Every check of a part of tools/slurm/test_cluster.sh. */
async function run_part(part: string, timeout: number): Promise<void> {
  // At the timeout SIGTERM: it ends what it has started, and then itself.
  const child = spawn('bash', [script, part], { stdio: ['ignore', 'pipe', 'pipe'], timeout });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      said += text;
    });
  }
  const [code] = await once(child, 'close');
  expect(said).not.toContain('FAIL');
  expect(said).toContain('all checks passed');
  expect(code).toBe(0);
}

/** Why a part is not run, in its name; undefined where it is. */
const lacks = (...programs: string[]): string | undefined => programs.find((program) => !there(program));
const part = (name: string, why_not: string | undefined, seconds: number, run: () => Promise<void>) =>
  why_not === undefined ? it(name, run, seconds * 1000) : it.skip(`${name} (${why_not})`);

describe('workers of one run, started for real', () => {
  const mpirun = lacks('bash', 'mpirun');
  part(
    'by mpirun: merged, they give what a single process gives',
    mpirun && `needs ${mpirun}: apt-get install openmpi-bin`,
    120,
    () => run_part('mpirun', 110_000),
  );

  const asked = process.env.MOLMOE_TEST_SLURM === '1' ? undefined : 'takes seven minutes: MOLMOE_TEST_SLURM=1 runs it';
  const slurm = lacks('bash', '/usr/sbin/slurmctld', '/usr/sbin/munged');
  part(
    'by Slurm, with a task requeued and a node lost',
    asked ?? (slurm && `needs ${slurm}: apt-get install slurm-wlm munge`),
    900,
    () => run_part('slurm', 890_000),
  );
});

describe('the manifest for Kubernetes', () => {
  const text = readFileSync(join(repo_root, 'tools/cluster/kubernetes.yaml'), 'utf8');
  const first = (pattern: RegExp) => pattern.exec(text)?.[1];

  it('tells each worker of how many it is one', () => {
    const completions = first(/^ {2}completions: (\d+)$/m);
    expect(first(/^ {2}completionMode: (\w+)$/m)).toBe('Indexed');
    expect(first(/name: JOB_COMPLETIONS\n +value: "(\d+)"$/m)).toBe(completions);
    const env = { JOB_COMPLETION_INDEX: '4', JOB_COMPLETIONS: completions };
    expect(choose_shard(undefined, env)).toEqual({ index: 4, count: 6, from: 'JOB_COMPLETION_INDEX' });
  });

  it('merges the folder that the workers write to', () => {
    expect(first(/merge, (\S+)\]/)).toBe(first(/--out, (\S+)\]/));
  });
});
