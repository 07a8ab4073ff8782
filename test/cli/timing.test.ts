import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'molmoe-timing-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const tiny = ['generate', '--model', 'molmoe-tiny', '--ignore-eos', '--max-new-tokens', '3', '--max-crops', '1'];

it('--trace writes every dispatch on the GPU track and every stage on the host track', async () => {
  const file = join(folder, 'run.json');
  const { code, stdout } = await cli([...tiny, '--trace', file, '--json']);
  expect(code).toBe(0);
  const report = JSON.parse(stdout);
  const dispatches = report.stages.reduce((sum: number, stage: { dispatches: number }) => sum + stage.dispatches, 0);
  const { traceEvents } = JSON.parse(readFileSync(file, 'utf8'));
  const of_track = (pid: number) =>
    traceEvents.filter((e: { ph: string; pid: number }) => e.ph === 'X' && e.pid === pid);
  expect(of_track(2).length).toBe(dispatches);
  expect(of_track(1).map((e: { name: string }) => e.name)).toEqual([
    'preprocess',
    'vision_encoder',
    'projector',
    'prefill',
    'decode',
  ]);
  const flops = of_track(2).reduce((sum: number, e: { args: { flops: number } }) => sum + e.args.flops, 0);
  expect(flops).toBe(report.stages.reduce((sum: number, stage: { flops: number }) => sum + stage.flops, 0));
  // Both tracks are on one clock: each stage's kernels lie inside it, give or take how well the clocks were brought together.
  const slack_us = 1000 * report.timeline.anchor_error_ms + 500;
  for (const stage of of_track(1).slice(1)) {
    const kernels = of_track(2).filter((e: { args: { stage: string } }) => e.args.stage === stage.name);
    expect(Math.min(...kernels.map((e: { ts: number }) => e.ts))).toBeGreaterThan(stage.ts - slack_us);
  }
});

it('--timing stage says what each number is', async () => {
  const { code, errors } = await cli([...tiny, '--timing', 'stage']);
  expect(code).toBe(0);
  const text = errors.join('\n');
  expect(text).toMatch(/GPU time of +sum +share +passes/);
  for (const stage of ['vision_encoder', 'projector', 'prefill', 'decode'])
    expect(text.split(stage).length).toBeGreaterThan(2);
  expect(text).toMatch(/sum of stage passes [\d.]+ ms, first to last stamp [\d.]+ ms, wall of all stages/);
});

it('a trace that cannot be written is one line, and no half of a file', async () => {
  const file = join(folder, 'no/such/folder/run.json');
  const { code, errors } = await cli([...tiny, '--trace', file, '--json']);
  expect(code).toBe(1);
  expect(errors.length).toBe(1);
  expect(existsSync(file)).toBe(false);
});
