import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { exp3_file, exp4_file } from '../support/motivation.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-reading-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const EXP3 = 'exp3_vision_tokens_vs_latency.json';
const EXP4 = 'exp4_language_tokens_vs_latency.json';
const results = join(scratch, 'results', 'motivation');
const of = (name: string) => join(results, name);
for (const [name, file, value] of [
  ['motivation-exp3', EXP3, exp3_file()],
  ['motivation-exp4', EXP4, exp4_file()],
] as const) {
  mkdirSync(of(name), { recursive: true });
  writeFileSync(join(of(name), file), JSON.stringify(value));
}
const out = of('motivation-exp5');
const exp5 = (...args: string[]) => cli(['motivation-exp5', '--out', out, ...args]);
const read = (...path: string[]) => JSON.parse(readFileSync(join(...path), 'utf8'));
const refusal = ({ code, errors }: Awaited<ReturnType<typeof cli>>): string => {
  const lines = errors.filter((line) => line.startsWith('error: '));
  expect([code, lines.length]).toEqual([1, 1]);
  return lines[0] as string;
};

it('finds its inputs beside its folder, keeps copies, and is made anew from those alone', async () => {
  const first = await exp5('--json');
  expect(first.code).toBe(0);
  expect(JSON.parse(first.stdout)).toMatchObject({ experiment: 'motivation-exp5', cells: [], warnings: [] });
  const published = read(out, 'exp5_flops_vs_latency.json');
  expect(published).toMatchObject({ x_axis: 'flops', started: exp3_file().started });
  expect(published.provenance).toEqual(exp3_file().provenance);
  expect(readFileSync(join(out, 'inputs', EXP3), 'utf8')).toBe(JSON.stringify(exp3_file()));

  const alone = join(scratch, 'alone');
  cpSync(out, alone, { recursive: true });
  for (const name of ['figures', 'exp5_flops_vs_latency.json', 'report.html'])
    rmSync(join(alone, name), { recursive: true });
  expect((await cli(['report', alone])).code).toBe(0);
  expect(read(alone, 'exp5_flops_vs_latency.json')).toEqual(published);
  expect(readFileSync(join(alone, 'index.html'), 'utf8')).toContain('Motivation 5');
  rmSync(join(alone, 'inputs', EXP3));
  expect(refusal(await cli(['report', alone]))).toContain(
    `${EXP3}: expected ${EXP3} of motivation-exp3, found no such file`,
  );
});

it('is asked again with other words: the same folder, made anew', async () => {
  expect((await exp5('--x_axis', 'tokens')).code).toBe(0);
  expect(read(out, 'exp5_flops_vs_latency.json').x_axis).toBe('tokens');
});

it('does not touch results of another experiment', async () => {
  const taken = join(scratch, 'taken');
  cpSync(out, taken, { recursive: true });
  const run = read(taken, 'run.json');
  writeFileSync(join(taken, 'run.json'), JSON.stringify({ ...run, experiment: 'e1' }));
  expect(
    refusal(
      await exp5('--out', taken, '--exp3-results', of('motivation-exp3'), '--exp4-results', of('motivation-exp4')),
    ),
  ).toContain('expected results of a run like this one');
  expect(existsSync(join(taken, 'inputs', EXP3))).toBe(true);
});

it('refuses what is missing, broken or of another experiment in a line each', async () => {
  const nowhere = join(scratch, 'a', 'b', 'c');
  expect(refusal(await exp5('--out', nowhere))).toBe(
    `error: motivation-exp5: expected results to read, found no ${EXP3} of motivation-exp3, no ${EXP4} of motivation-exp4; run \`molmoe motivation-exp3\` or name it with --exp3-results, run \`molmoe motivation-exp4\` or name it with --exp4-results`,
  );
  expect(existsSync(nowhere)).toBe(false);
  expect(refusal(await exp5('--exp3-results', join(of('motivation-exp4'), EXP4)))).toContain(
    'expected schema molmoe.exp3.vision_tokens_vs_latency/2, found "molmoe.exp4.language_tokens_vs_latency/2"; name exp3',
  );
  const broken = join(scratch, 'broken.json');
  writeFileSync(broken, '{"results": [');
  expect(refusal(await exp5('--exp4-results', broken))).toContain('found JSON that is cut off or broken');
  writeFileSync(broken, JSON.stringify({ results: [{ flops_total: 1 }] }));
  expect(refusal(await exp5('--exp4-results', broken))).toContain(
    'expected schema molmoe.exp4.language_tokens_vs_latency/2, found none',
  );
});

it('says what it would read, and reads nothing else', async () => {
  const { code, stdout } = await exp5('--dry-run', '--json', '--out', join(results, 'other'));
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    schema: 'molmoe.dry_run/1',
    cells: [],
    inputs: [{ experiment: 'motivation-exp3' }, { experiment: 'motivation-exp4' }],
  });
  expect(existsSync(join(results, 'other'))).toBe(false);
});
