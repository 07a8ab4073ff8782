import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { e1 as definition } from '../../experiments/core/e1.ts';
import type { E1Flops, E1Parts, E1Stages } from '../../experiments/core/e1_files.ts';
import { configuration_schema, run_schema } from '../../experiments/lab/schema.ts';
import { cli } from '../support/cli.ts';
import { repo_root } from '../support/golden.ts';
import { own_cache } from '../support/warm_cache.ts';

const folder = mkdtempSync(join(tmpdir(), 'molmoe-e1-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const env = own_cache(folder);
const results = join(folder, 'results');
const quick = ['--model', 'molmoe-tiny', '--runs', '2', '--warmup', '1', '--decode', 'short'];
const e1 = (out: string, ...args: string[]) =>
  cli(['e1', ...quick, '--out', out, ...args], { env, timeout_ms: 110_000 });

/** A published file that keeps to its schema. */
const published = <T>(name: string): T =>
  (definition.schemas[name] as NonNullable<(typeof definition.schemas)[string]>).parse(
    read(results, `${name}.json`),
  ) as T;
const read = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'));
const keys = (out: string) => readdirSync(join(out, 'configurations')).filter((name) => name.endsWith('.json'));

describe('molmoe e1', () => {
  beforeAll(async () => {
    const { code, stdout, errors } = await e1(
      results,
      '--regime',
      'low,medium',
      '--prompt',
      'short,long',
      '--routing',
      '--trace',
    );
    expect([code, errors.filter((line) => line.startsWith('error'))]).toEqual([0, []]);
    expect(stdout).toMatch(/findings/);
  });

  it('writes three files that keep to their schemas, four figures and a report', () => {
    const stages = published<E1Stages>('e1_stage_latency_breakdown');
    const flops = published<E1Flops>('e1_flops_vs_latency');
    const parts = published<E1Parts>('e1_attention_ffn_breakdown');
    run_schema.parse(read(results, 'run.json'));
    for (const name of keys(results)) configuration_schema.parse(read(results, 'configurations', name));
    expect(stages.configurations.map((one) => one.key)).toEqual(parts.configurations.map((one) => one.key));
    expect([stages.configurations.length, flops.points.length]).toEqual([4, 16]);
    for (const figure of ['stage_stack_plot', 'scaling_curves', 'attention_ffn_breakdown', 'flops_vs_latency']) {
      const png = readFileSync(join(results, 'figures', `e1_${figure}.png`));
      expect(png.subarray(1, 4).toString()).toBe('PNG');
    }
    expect(readFileSync(join(results, 'report.html'), 'utf8')).toMatch(/^<!doctype html>/i);
    expect(readdirSync(join(results, 'traces')).length).toBe(4);
    expect(existsSync(join(results, 'lock.json'))).toBe(false);
  });

  it('measures prefill that takes longer with more tokens, and counts what the ledger counts', () => {
    const stages = published<E1Stages>('e1_stage_latency_breakdown');
    const of = (regime: string, prompt: string) =>
      stages.configurations.find((one) => one.regime === regime && one.prompt === prompt);
    const [fewer, more] = [of('low', 'short'), of('medium', 'long')];
    expect(more?.prompt_length).toBeGreaterThan(fewer?.prompt_length as number);
    expect(more?.statistics.T_LLM_prefill?.min).toBeGreaterThan(fewer?.statistics.T_LLM_prefill?.min as number);
    for (const one of stages.configurations) {
      expect(one.flops.exact.prefill).toBe(one.counters.prefill?.flops);
      expect(one.num_output_tokens).toBe(8);
      expect(one.samples.length).toBe(2);
      expect(one.samples.every((sample) => sample.T_decode_per_step.length === 7)).toBe(true);
    }
    const pairs = read(results, 'configurations', 'low_short_short.json').routing.layers[0].pairs as number[];
    expect(pairs.reduce((sum, n) => sum + n, 0)).toBe(2 * 337); // top 2 of each of 1 + 316 + 20 positions
  });

  it('goes on where it ended, and adds what is missing', async () => {
    const before = keys(results).map((name) => statSync(join(results, 'configurations', name)).mtimeMs);
    const again = await e1(results, '--regime', 'low,medium', '--prompt', 'short,long', '--routing', '--trace');
    expect([again.code, again.errors.some((line) => line.includes('4 of 4 configurations'))]).toEqual([0, true]);
    expect(keys(results).map((name) => statSync(join(results, 'configurations', name)).mtimeMs)).toEqual(before);
  });

  it('draws and reports again what is there, without measuring', async () => {
    const before = readFileSync(join(results, 'e1_flops_vs_latency.json'), 'utf8');
    for (const name of ['figures/e1_stage_stack_plot.png', 'report.html', 'e1_flops_vs_latency.json']) {
      rmSync(join(results, name));
    }
    const { code, stdout } = await cli(['report', results], { env });
    expect(code).toBe(0);
    expect(stdout).toMatch(/findings/);
    expect(readFileSync(join(results, 'e1_flops_vs_latency.json'), 'utf8')).toBe(before);
    expect(
      existsSync(join(results, 'figures/e1_stage_stack_plot.png')) && existsSync(join(results, 'report.html')),
    ).toBe(true);
    const missing = await cli(['report', join(folder, 'nothing')], { env });
    expect([missing.code, missing.errors.length]).toEqual([1, 1]);
    expect(missing.errors[0]).toMatch(/nothing: expected a readable folder, found no such file or directory/);
  });

  it('refuses to mix what cannot be compared, says what differs, and starts anew when told', async () => {
    const other = await e1(results, '--regime', 'low', '--top-k', '1');
    expect(other.code).toBe(1);
    expect(other.errors.at(-1)).toMatch(/^error: .*topK.*--fresh/);
    expect(keys(results).length).toBe(4);
    const fresh = await e1(
      results,
      '--regime',
      'low',
      '--prompt',
      'short',
      '--top-k',
      '1',
      '--fresh',
      '--instrumented',
      '0',
    );
    expect(fresh.code).toBe(0);
    expect(keys(results)).toEqual(['low_short_short.json']);
    expect(read(results, 'e1_stage_latency_breakdown.json').knobs.topK).toBe(1);
  });

  it.each([
    ['another schema', (file: string) => writeFileSync(file, '{"schema":"molmoe.configuration/9"}')],
    ['an end missing', (file: string) => truncateSync(file, 500)],
  ])('names a result file with %s in one line', async (_, spoil) => {
    const out = join(folder, 'spoilt');
    rmSync(out, { recursive: true, force: true });
    const args = ['--regime', 'low', '--prompt', 'short', '--instrumented', '0'];
    expect((await e1(out, ...args)).code).toBe(0);
    spoil(join(out, 'configurations', 'low_short_short.json'));
    const { code, errors } = await e1(out, ...args);
    expect(code).toBe(1);
    expect(errors.filter((line) => line.startsWith('error')).length).toBe(1);
    expect(errors.at(-1)).toMatch(/low_short_short\.json: expected .* found /);
  });

  it.each([
    [2, ['--regime', 'huge'], /expected some of low, medium, high, or all/],
    [2, ['--regime', 'high', '--max-crops', '4'], /high_short_short: expected a tiling of 3x4/],
    [2, ['--runs', '0'], /expected at least 1/],
    [2, ['--trace', '--instrumented', '0'], /--trace: expected an instrumented run to write/],
    [2, ['--full-grid', '--regime', 'low'], /--full-grid: measures all 27 cells/],
    [1, ['--out', '/proc/molmoe'], /\/proc\/molmoe.*: expected /],
    [1, ['--out', join(repo_root, 'package.json')], /package\.json: expected a /],
  ])('ends with %i for %j', async (code, args, message) => {
    const ended = await cli(['e1', ...quick.slice(0, 6), ...args], { env });
    expect([ended.code, ended.errors.filter((line) => line.startsWith('error')).length]).toEqual([code, 1]);
    expect(ended.errors.at(-1)).toMatch(message);
  });
});

it('killed at six moments it loses at most the running configuration, and every file stays readable', async () => {
  const out = join(folder, 'killed');
  const args = ['e1', ...quick, '--decode', 'short,medium', '--regime', 'low', '--out', out];
  let finished = 0;
  const moments = Array.from({ length: 6 }, (_, i) => 500 + ((i * 7919) % 2400));
  for (const moment_ms of moments) {
    await new Promise((resolve) => {
      const child = spawn(process.execPath, [join(repo_root, 'dist/cli.js'), ...args], {
        env: { ...process.env, ...env },
        stdio: 'ignore',
      });
      child.on('close', resolve);
      setTimeout(() => child.kill('SIGKILL'), moment_ms);
    });
    const now = existsSync(join(out, 'configurations')) ? keys(out) : [];
    for (const name of now) configuration_schema.parse(read(out, 'configurations', name));
    if (existsSync(join(out, 'run.json'))) run_schema.parse(read(out, 'run.json'));
    for (const name of existsSync(out) ? readdirSync(out) : []) {
      if (name.startsWith('e1_') && name.endsWith('.json')) read(out, name);
    }
    expect(now.length).toBeGreaterThanOrEqual(finished);
    finished = now.length;
  }
  expect((await cli(args, { env, timeout_ms: 110_000 })).code).toBe(0);
  expect(keys(out).length).toBe(6);
  expect(readdirSync(out, { recursive: true }).filter((name) => String(name).endsWith('.tmp'))).toEqual([]);
});

it('two runs in one folder: the second one is told of the first', async () => {
  const out = join(folder, 'shared');
  const long = ['e1', '--model', 'molmoe-tiny', '--regime', 'low', '--runs', '50', '--out', out];
  const first = spawn(process.execPath, [join(repo_root, 'dist/cli.js'), ...long], {
    env: { ...process.env, ...env },
    stdio: 'ignore',
  });
  try {
    while (!existsSync(join(out, 'run.json'))) await new Promise((resolve) => setTimeout(resolve, 50));
    const second = await cli(long, { env });
    expect(second.code).toBe(1);
    expect(second.errors.at(-1)).toMatch(new RegExp(`another run \\(pid ${first.pid}`));
  } finally {
    first.kill('SIGKILL');
  }
});
