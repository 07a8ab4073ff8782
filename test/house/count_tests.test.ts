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

const last_line = (report: unknown) => count(report).trimEnd().split('\n').at(-1);

const file = (status: string, ...tests: string[]) => ({
  name: join(repo_root, 'test/some.test.ts'),
  message: 'cannot be loaded',
  status,
  assertionResults: tests.map((state, i) => ({
    status: state,
    fullName: `group test ${i}`,
    failureMessages: state === 'failed' ? ['Error: expected 1, found 2\n    at line 3'] : [],
  })),
});

it('counts tests by their state', () => {
  expect(count({ testResults: [file('passed', 'passed', 'passed')] })).toBe('2 passed, 0 failed\n');
  expect(
    last_line({
      testResults: [file('failed', 'passed', 'failed'), file('passed', 'pending', 'passed', 'skipped', 'todo')],
    }),
  ).toBe('2 passed, 1 failed, 3 skipped');
});

it('names what failed, with its message, where a long log may be cut', () => {
  expect(count({ testResults: [file('failed', 'passed', 'failed')] })).toMatch(
    /^failed: \S*some\.test\.ts > group test 1\nError: expected 1, found 2\n/,
  );
});

it('counts a file that could not be loaded as a failure', () => {
  const report = { testResults: [file('failed'), file('passed', 'passed')] };
  expect(last_line(report)).toBe('1 passed, 1 failed');
  expect(count(report)).toMatch(/some\.test\.ts > the file itself\ncannot be loaded\n/);
  expect(last_line({ testResults: [file('failed', 'passed')] })).toBe('1 passed, 1 failed');
});

it('never calls a run without a report a success', () => {
  expect(count('{"testRes')).toContain('\n0 passed, 1 failed\n');
  expect(count({ testResults: [] })).toBe('0 passed, 1 failed\n');
});
