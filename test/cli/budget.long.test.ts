import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { config_of, type Found, resolve_model } from '../../engine/node/choose_model.ts';
import { ranges_of } from '../../src/commands/budget.ts';
import { cli, type Ended } from '../support/cli.ts';
import { fake_table } from '../support/quality_table.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-budget-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const env = { XDG_CACHE_HOME: join(scratch, 'cache') };
const molmoe = (...args: string[]): Promise<Ended> => cli(args, { env, cwd: scratch, timeout_ms: 110_000 });
const table = join(scratch, 'table.json');
const asked = [
  'budget',
  '--model',
  'nano',
  '--results',
  table,
  '--image-size',
  '96x64',
  '--prompt',
  'what color is the circle?',
];

beforeAll(async () => {
  writeFileSync(table, JSON.stringify(fake_table(await config_of(resolve_model('nano') as Found))));
  const few = ['--configurations', '12', '--images', '1x1,1x2', '--prompt-tokens', '8,16', '--new-tokens', '2,3'];
  const ran = await molmoe('e3', '--model', 'nano', ...few, '--runs', '1', '--warmup', '1', '--quiet');
  expect(ran.code).toBe(0);
}, 120_000);

const json = ({ stdout }: Ended) => JSON.parse(stdout);

describe('molmoe budget', () => {
  it('with all the time there is leaves everything on, and runs it', async () => {
    const ended = await molmoe(...asked, '--ms', '100000', '--run');
    expect([ended.code, ended.errors.filter((line) => line.startsWith('error'))]).toEqual([0, []]);
    expect(ended.stdout).toMatch(
      /96x64, 10 text tokens, 2 new tokens assumed: 95 of 100 measured answers to "what color ..."/,
    );
    expect(ended.stdout).toMatch(/^chosen +everything on .* 100.0 %/m);
    expect(ended.stdout).toMatch(/predicted .*, measured .* with 2 new tokens, budget 100 s: held/);
  });

  it('as one JSON object: less time, answers worth no more; the rule keeps to the budget', async () => {
    const all = json(await molmoe(...asked, '--ms', '100000', '--json'));
    expect(all).toMatchObject({ schema: 'molmoe.budget/1', model: 'nano', settings: 27, run: null, better: null });
    expect(all.rule).toMatchObject({ what: 'upper end', level: 12 / 13 });
    const { faster, chosen } = all;
    const less = json(await molmoe(...asked, '--ms', String(faster.high_ms + 0.01), '--json'));
    expect(less.chosen).toEqual(faster);
    expect(less.chosen.quality).toBeLessThan(chosen.quality);
    expect(less.better).toEqual(chosen);
  });

  it('takes the length of an answer that is said', async () => {
    const said = json(await molmoe(...asked, '--ms', '100000', '--new-tokens', '3', '--json', '--run'));
    expect(said.chosen.new_tokens).toBe(3);
    expect(said.run.new_tokens).toBeLessThanOrEqual(3);
    expect(said.run).toMatchObject({ held: true, budget_ms: 100000 });
  });

  it.each([
    [
      1,
      ['--ms', '0.001'],
      /expected a setting that keeps to 0.00 ms, found none of 27: the fastest takes up to .* with --max-crops 1 .*; allow \d+ ms$/,
    ],
    [
      1,
      ['--ms', '0.001', '--quality-at-least', '1'],
      /with answers worth 1 or more .*everything on, worth 1.000; allow \d+ ms, or answers worth less$/,
    ],
    [1, ['--ms', '9', '--results', join(scratch, 'none')], /expected a quality table, found no such/],
    [1, ['--ms', '9', '--model', 'molmoe-tiny'], /expected settings of the model that is asked, found those of nano/],
    [2, ['--ms', '0'], /--ms 0: expected milliseconds above 0/],
    [2, ['--ms', 'soon'], /--ms/],
    [2, [], /required option '--ms <n>'/],
    [2, ['--ms', '9', '--quality-at-least', '90'], /--quality-at-least 90: expected a mean score from 0 to 1/],
    [2, ['--ms', '9', '--image', 'none.png'], /--image and --image-size: expected one picture, found two/],
    [2, ['--ms', '9', '--prompt-tokens', '9'], /--prompt and --prompt-tokens: expected one prompt, found two/],
    [2, ['--ms', '9', '--new-tokens', '2000'], /the model has 1024/],
  ])('%i: %j', async (code, args, message) => {
    const ended = await molmoe(...asked, ...args);
    expect([ended.code, ended.stdout]).toEqual([code, '']);
    expect(ended.errors.filter((line) => line.startsWith('error'))).toHaveLength(1);
    expect(ended.errors.at(-1)).toMatch(message);
  });
});

it('says blocks as ranges', () => {
  expect([[], [3], [0, 1, 2, 5, 7, 8]].map(ranges_of)).toEqual(['none', '3', '0-2,5,7-8']);
});
