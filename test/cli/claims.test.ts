import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { repo_root } from '../support/golden.ts';

const RESULTS = join(repo_root, 'test/fixtures/results');
const empty = mkdtempSync(join(tmpdir(), 'molmoe-claims-'));
afterAll(() => rmSync(empty, { recursive: true, force: true }));

it('prints verdicts as text, in full, and as one object', async () => {
  const [text, full, json] = await Promise.all([
    cli(['claims', RESULTS]),
    cli(['claims', RESULTS, '--full', '--adapter', 'LLVMPIPE']),
    cli(['claims', RESULTS, '--json', '--model', 'molmoe']),
  ]);
  expect([text.code, full.code, json.code]).toEqual([0, 0, 0]);
  expect(text.stdout).toMatch(/^claims about molmoe-.* on .*\(software\)\n/);
  expect(text.stdout).toMatch(/\n\d+ confirmed, \d+ refuted, \d+ not tested\n$/);
  expect(full.stdout).toContain('claim     llm-dominates-prompt');
  expect(full.stdout).toContain('rests on  e1/e1_stage_latency_breakdown.json');
  const report = JSON.parse(json.stdout);
  expect(report).toMatchObject({ schema: 'molmoe.claims/1', subject: { type: 'software' }, others: [], faults: [] });
  const [first] = report.claims;
  expect(first).toMatchObject({ id: 'llm-dominates-prompt', unit: 'times', adapter: report.subject.adapter });
  expect(Object.keys(first)).toEqual(expect.arrayContaining(['source', 'test', 'sentence', 'number', 'n', 'files']));
});

it('refuses in one line what is not there', async () => {
  const answers = await Promise.all([
    cli(['claims', join(empty, 'nowhere')]),
    cli(['claims', empty]),
    cli(['claims', RESULTS, '--adapter', 'H100']),
    cli(['claims', join(RESULTS, 'e1/run.json')]),
  ]);
  expect(answers.map(({ code }) => code)).toEqual([1, 1, 2, 1]);
  expect(answers.map(({ errors }) => errors)).toEqual([
    [expect.stringMatching(/nowhere: .*no such/)],
    [expect.stringMatching(/expected published files of experiments, found none .*molmoe e1/)],
    [expect.stringMatching(/--adapter H100: expected one of molmoe-.*; found none of that name/)],
    [expect.stringMatching(/run\.json: expected a folder of results/)],
  ]);
});
