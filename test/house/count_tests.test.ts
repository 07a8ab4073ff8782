import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { repo_root } from '../support/golden.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-count-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function count(report: unknown): string {
  const path = join(scratch, 'report.json');
  writeFileSync(path, typeof report === 'string' ? report : JSON.stringify(report));
  const script = join(repo_root, 'tools/count_tests.mjs');
  return spawnSync(process.execPath, [script, path], { encoding: 'utf8' }).stdout;
}

const file = (status: string, ...tests: string[]) => ({
  status,
  assertionResults: tests.map((state) => ({ status: state })),
});

it('counts tests by their state', () => {
  expect(count({ testResults: [file('passed', 'passed', 'passed')] })).toBe('2 passed, 0 failed\n');
  expect(
    count({
      testResults: [file('failed', 'passed', 'failed'), file('passed', 'pending', 'passed', 'skipped', 'todo')],
    }),
  ).toBe('2 passed, 1 failed, 3 skipped\n');
});

it('counts a file that could not be loaded as a failure', () => {
  expect(count({ testResults: [file('failed'), file('passed', 'passed')] })).toBe('1 passed, 1 failed\n');
  expect(count({ testResults: [file('failed', 'passed')] })).toBe('1 passed, 1 failed\n');
});

it('never calls a run without a report a success', () => {
  expect(count('{"testRes')).toContain('\n0 passed, 1 failed\n');
  expect(count({ testResults: [] })).toBe('0 passed, 1 failed\n');
});
