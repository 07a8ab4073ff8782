import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'molmoe-timing-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const tiny = ['generate', '--model', 'molmoe-tiny', '--ignore-eos', '--max-new-tokens', '3', '--max-crops', '1'];

interface TraceEvent {
  name: string;
  ph: string;
  pid: number;
  tid: number;
  ts: number;
  dur: number;
  args: { flops: number; stage: string };
}

it('--trace writes every dispatch on the GPU track and every stage on the host track', async () => {
  const file = join(folder, 'run.json');
  const { code, stdout } = await cli([...tiny, '--trace', file, '--json']);
  expect(code).toBe(0);
  const report = JSON.parse(stdout);
  const dispatches = report.stages.reduce((sum: number, stage: { dispatches: number }) => sum + stage.dispatches, 0);
  const events: TraceEvent[] = JSON.parse(readFileSync(file, 'utf8')).traceEvents;
  const of_track = (pid: number, tid: number) => events.filter((e) => e.ph === 'X' && e.pid === pid && e.tid === tid);
  const kernels = of_track(2, 2);
  expect(kernels.length).toBe(dispatches);
  const stages = ['vision_encoder', 'projector', 'prefill', 'decode'];
  expect(of_track(1, 0).map((e) => e.name)).toEqual([
    'make the built-in picture',
    'prepare image',
    'tokenise',
    ...stages,
  ]);
  expect(of_track(2, 0).map((e) => e.name)).toEqual(stages);
  expect(of_track(2, 1).some((e) => e.name === 'prefill layer 3')).toBe(true);
  for (const work of ['encode', 'submit', 'wait', 'read back']) {
    expect(of_track(1, 1).some((e) => e.name === work)).toBe(true);
  }
  const flops = kernels.reduce((sum, e) => sum + e.args.flops, 0);
  expect(flops).toBe(report.stages.reduce((sum: number, stage: { flops: number }) => sum + stage.flops, 0));
  // Both tracks are on one clock: each stage's kernels lie inside it, give or take how well the clocks were brought together.
  const slack_us = 1000 * report.timeline.anchor_error_ms + 500;
  for (const stage of of_track(1, 0).slice(3)) {
    const begins = kernels.filter((e) => e.args.stage === stage.name).map((e) => e.ts);
    expect(Math.min(...begins)).toBeGreaterThan(stage.ts - slack_us);
  }
});

it('a trace of more than 10,000 events keeps to the format: no negative time, no overlap within a track', async () => {
  const file = join(folder, 'long.json');
  const { code } = await cli([...tiny, '--max-new-tokens', '230', '--trace', file, '--json']);
  expect(code).toBe(0);
  const trace = JSON.parse(readFileSync(file, 'utf8'));
  expect(Object.keys(trace)).toEqual(['traceEvents', 'metadata']);
  expect(trace.metadata).toMatchObject({
    version: expect.any(String),
    commit: expect.any(String),
    adapter: { description: expect.any(String) },
    backend: expect.any(String),
    model: { name: 'molmoe-tiny', dtype: 'f16' },
    request: { knobs: { maxCrops: 1 } },
    timing: 'kernel',
  });
  const events: TraceEvent[] = trace.traceEvents;
  expect(events.length).toBeGreaterThan(10_000);
  for (const event of events) {
    expect([event.ph, typeof event.name, Number.isInteger(event.pid), Number.isInteger(event.tid)]).toEqual([
      event.ph === 'M' ? 'M' : 'X',
      'string',
      true,
      true,
    ]);
    if (event.ph === 'X') expect(event.ts >= 0 && event.dur >= 0).toBe(true);
    else expect(['process_name', 'thread_name']).toContain(event.name);
  }
  for (const track of ['1/0', '2/0', '2/1', '2/2']) {
    const slices = events.filter((e) => e.ph === 'X' && `${e.pid}/${e.tid}` === track).sort((x, y) => x.ts - y.ts);
    const overlaps = slices.filter(
      (e, i) => i > 0 && e.ts < (slices[i - 1] as TraceEvent).ts + (slices[i - 1] as TraceEvent).dur - 0.01,
    );
    expect(overlaps).toEqual([]);
  }
});

it('--timing stage says what each number is', async () => {
  const { code, errors } = await cli([...tiny, '--timing', 'stage']);
  expect(code).toBe(0);
  const text = errors.join('\n');
  expect(text).toMatch(/GPU time of +sum +share +passes/);
  expect(text).toMatch(/stage +stamped wall +share/);
  expect(text).toMatch(/first token after .* \(times of a stamped run, slower than a plain one\)/);
  for (const stage of ['vision_encoder', 'projector', 'prefill', 'decode'])
    expect(text.split(stage).length).toBeGreaterThan(2);
  expect(text).toMatch(/sum of stage passes [\d.]+ ms, first to last stamp [\d.]+ ms, wall of all stages/);
});

it('a trace that cannot be written is one line before anything runs, and no half of a file', async () => {
  const file = join(folder, 'no/such/folder/run.json');
  const { code, stdout, errors } = await cli([...tiny, '--trace', file]);
  expect([code, stdout, errors]).toEqual([
    1,
    '',
    [expect.stringMatching(/run\.json: expected a file that can be written/)],
  ]);
  expect(existsSync(file)).toBe(false);
});
