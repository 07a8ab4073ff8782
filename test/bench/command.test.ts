import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repo_root } from '../support/golden.ts';

const bench = (args: readonly string[], stdout: 'pipe' | number = 'pipe') => {
  const command = [join(repo_root, 'dist/bench.js'), ...args];
  return spawnSync(process.execPath, command, { encoding: 'utf8', stdio: ['ignore', stdout, 'pipe'] });
};
const own = (stderr: string) => stderr.split('\n').filter((line) => line !== '' && !line.startsWith('Warning: max'));

it('tells what there is, without an adapter', () => {
  const { status, stdout, stderr } = bench(['--help']);
  expect([status, stderr]).toEqual([0, '']);
  const { stderr: wrong } = bench(['nothing']);
  const names = (wrong.match(/expected some of (.*)/)?.[1] ?? '').split(', ');
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) expect(stdout).toContain(name);
  for (const option of ['quick', 'filter', 'family', 'out', 'dtype', 'rated', 'before', 'runs']) {
    expect(stdout).toMatch(new RegExp(`^  --${option} `, 'm'));
  }
});

it.each(['kernels', 'ladder', 'slice'])(
  '%s: a filter that nothing has in its name is refused before work begins',
  (name) => {
    const { status, stdout, stderr } = bench([name, '--quick', '--filter', 'nothing_such']);
    expect(status).toBe(2);
    expect(own(stderr)).toEqual([expect.stringMatching(/^error: --filter nothing_such: expected a part of /)]);
    expect(stdout).toBe(`== ${name}\n`);
  },
);

it.skipIf(!existsSync('/dev/full'))('a full disk behind stdout is one line', () => {
  const full = openSync('/dev/full', 'w');
  const { status, stderr } = bench(['ladder', '--quick', '--filter', 'nothing_such'], full);
  closeSync(full);
  expect(status).toBe(1);
  expect(own(stderr)).toEqual([expect.stringMatching(/^error: cannot write the output: ENOSPC/)]);
});
