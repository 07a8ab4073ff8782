import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { repo_root } from '../support/golden.ts';
import { own_cache } from '../support/warm_cache.ts';

/** What somebody adds: one file, and one line in experiments/index.ts. */
const TOY = `import { z } from 'zod';
import { define } from '../lab/define.ts';
import { latency } from '../lab/instruments.ts';
import { described, wholes } from '../lab/options.ts';
import { cell_of } from '../lab/plan.ts';
import { finite } from '../lab/schema.ts';
import { stage_ms } from '../lab/typical.ts';

export const toy = define({
  name: 'toy-lengths',
  aliases: ['toy'],
  group: 'core',
  title: 'Toy: how long an answer takes',
  question: 'Do longer answers take longer?',
  options: { lengths: described(wholes(1, 4096).default([2, 4]), 'new tokens, a cell each', { aliases: ['toy_lengths'] }) },
  sweeps: ['answer'],
  instrument: latency,
  quick: { options: { lengths: [2] }, repeats: { runs: 1 } },
  cells: (on, { lengths }) =>
    lengths.map((n) => cell_of(on, { tokens: n }, { new_tokens: n }, { prompt: 'What is this?' })),
  files: { toy_lengths: { rows: z.array(z.strictObject({ tokens: z.int(), decode_ms: finite.nullable() })) } },
  derive: ({ configurations }) => ({
    toy_lengths: {
      rows: configurations.map((one) => ({ tokens: Number(one.settings.tokens), decode_ms: stage_ms(one, 'decode') ?? null })),
    },
  }),
  figures: ({ toy_lengths: { rows } }) => [
    {
      name: 'toy_lengths',
      title: 'Decode over new tokens',
      notes: [],
      panels: [
        {
          kind: 'lines',
          x: { label: 'New tokens' },
          y: { label: 'Decode (ms)' },
          series: [{ name: 'decode', look: 'decode', points: rows.map(({ tokens, decode_ms }) => ({ x: tokens, y: decode_ms ?? 0 })) }],
        },
      ],
    },
  ],
  tables: ({ toy_lengths: { rows } }) => [
    { title: 'lengths', columns: [{ name: 'tokens', unit: 'count' }, { name: 'decode', unit: 'ms' }], rows: rows.map((row) => [row.tokens, row.decode_ms]) },
  ],
  findings: () => [],
});
`;
const LINE = "export { toy } from './core/toy.ts';\n";

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-toy-'));
const copy = join(scratch, 'copy');
const out = join(scratch, 'out');
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const env = { ...process.env, ...own_cache(scratch), MOLMOE_SETUP: 'off' };
const CLI = join(copy, 'dist/cli.js');
const molmoe = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], {
    env,
    cwd: scratch,
    encoding: 'utf8',
  });
  return { code: status, stdout, stderr };
};
const QUICK = ['--model', 'molmoe-tiny', '--runs', '1', '--warmup', '0'];
const read = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'));
const cells = () => readdirSync(join(out, 'configurations')).sort();

describe('an experiment is one new file and one line', () => {
  beforeAll(() => {
    const listed = spawnSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: repo_root, encoding: 'utf8' });
    const tracked = listed.status === 0 ? listed.stdout.split('\n') : [];
    const wanted = tracked.filter((name) =>
      /^(src|engine|kernels|experiments|tools|test\/reference)\/|^[^/]+\.json$/.test(name),
    );
    for (const name of wanted.filter((one) => existsSync(join(repo_root, one)))) {
      mkdirSync(dirname(join(copy, name)), { recursive: true });
      cpSync(join(repo_root, name), join(copy, name));
    }
    symlinkSync(join(repo_root, 'node_modules'), join(copy, 'node_modules'));
    writeFileSync(join(copy, 'experiments/core/toy.ts'), TOY);
    writeFileSync(join(copy, 'experiments/index.ts'), readFileSync(join(copy, 'experiments/index.ts'), 'utf8') + LINE);
    execFileSync(process.execPath, ['tools/build.mjs'], { cwd: copy, env, stdio: 'pipe' });
  });

  it('is listed, by its aliases too, with its cells and what is there', () => {
    const { code, stdout } = molmoe('list', '--model', 'molmoe-tiny', '--json');
    expect(code).toBe(0);
    const toy = JSON.parse(stdout).experiments.find(({ name }: { name: string }) => name === 'toy-lengths');
    expect(toy).toMatchObject({
      aliases: ['toy'],
      group: 'core',
      cells: 2,
      question: 'Do longer answers take longer?',
      results: 'none',
    });
    expect(molmoe('toy', '--help').stdout).toMatch(/--lengths <list>\s+new tokens, a cell each \(2,4\)/);
  });

  it('says what it would run and what that costs, and measures nothing', () => {
    const { code, stdout } = molmoe('toy-lengths', ...QUICK, '--dry-run', '--json', '--out', out);
    expect(code).toBe(0);
    const report = JSON.parse(stdout);
    expect(report.cells.map(({ key, runs }: { key: string; runs: number }) => [key, runs])).toEqual([
      ['tokens=2', 2],
      ['tokens=4', 2],
    ]);
    const [two, four] = report.cells;
    expect(four.totals.flops).toBeGreaterThan(two.totals.flops);
    expect(two.totals.dispatches).toBeGreaterThan(0);
    expect(report.peak_memory_bytes).toBeGreaterThan(1e6);
    expect(existsSync(out)).toBe(false);
  });

  it('is measured, survives a kill, and goes on', async () => {
    const args = ['toy-lengths', ...QUICK, '--lengths', '2,4,300', '--runs', '2', '--out', out];
    const child = spawn(process.execPath, [CLI, ...args], { env, cwd: scratch, stdio: 'ignore' });
    const ended = new Promise((resolve) => child.on('close', resolve));
    const there = () =>
      existsSync(join(out, 'configurations')) && cells().filter((name) => name.endsWith('.json')).length;
    while (!there() && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 20));
    child.kill('SIGKILL');
    await ended;
    const before = cells().filter((name) => name.endsWith('.json'));
    expect(before.length).toBeGreaterThan(0);
    const at = statSync(join(out, 'configurations', before[0] as string)).mtimeMs;
    const { code, stdout, stderr } = molmoe(...args, '--json');
    expect([code, stderr.includes(`${before.length} of 3 configurations are already`)]).toEqual([0, true]);
    expect(statSync(join(out, 'configurations', before[0] as string)).mtimeMs).toBe(at);
    expect(cells()).toEqual(['tokens=2.json', 'tokens=300.json', 'tokens=4.json']);
    const told = JSON.parse(stdout);
    expect(told).toMatchObject({ schema: 'molmoe.experiment/1', experiment: 'toy-lengths', skipped: [] });
    expect(told.cells.map(({ settings }: { settings: object }) => settings)).toEqual([
      { tokens: 2 },
      { tokens: 4 },
      { tokens: 300 },
    ]);
    expect(told.tables[0].rows.length).toBe(3);
    const file = read(out, 'toy_lengths.json');
    expect(file).toMatchObject({ schema: 'molmoe.toy.lengths/2', experiment: 'toy-lengths' });
    expect(file.rows.map(({ tokens }: { tokens: number }) => tokens)).toEqual([2, 4, 300]);
    expect(file.provenance.model.name).toBe('molmoe-tiny');
  });

  it('is reported and plotted again, the figures from the published file alone', () => {
    for (const name of ['figures', 'report.html']) rmSync(join(out, name), { recursive: true });
    expect(molmoe('report', scratch).code).toBe(0);
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('Do longer answers take longer?');
    expect(readFileSync(join(scratch, 'index.html'), 'utf8')).toContain('Do longer answers take longer?');
    const alone = join(scratch, 'alone');
    mkdirSync(alone);
    cpSync(join(out, 'toy_lengths.json'), join(alone, 'toy_lengths.json'));
    expect(molmoe('plot', alone).code).toBe(0);
    expect(readdirSync(join(alone, 'figures')).sort()).toEqual(['toy_lengths.png', 'toy_lengths.svg']);
    expect(readFileSync(join(alone, 'figures/toy_lengths.svg'), 'utf8')).toBe(
      readFileSync(join(out, 'figures/toy_lengths.svg'), 'utf8'),
    );
  });

  it('takes the names of others, and refuses what its type refuses', () => {
    const { stdout } = molmoe(
      'toy',
      '--model',
      'molmoe-tiny',
      '--toy_lengths',
      '3',
      '5',
      '--dry-run',
      '--json',
      '--out',
      out,
    );
    expect(JSON.parse(stdout).cells.map(({ key }: { key: string }) => key)).toEqual(['tokens=3', 'tokens=5']);
    for (const wrong of ['0', 'many', '1.5', '']) {
      const { code, stderr } = molmoe('toy', '--lengths', wrong);
      expect([code, stderr.trim().split('\n').length]).toEqual([2, 1]);
      expect(stderr).toMatch(/--lengths/);
    }
    const twice = molmoe('toy', '--model', 'molmoe-tiny', '--lengths', '2,2', '--out', join(scratch, 'twice'));
    expect([twice.code, twice.stderr]).toEqual([2, expect.stringMatching(/tokens=2 is asked for twice/)]);
  });
});
