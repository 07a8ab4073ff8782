import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { e1 } from '../../experiments/core/e1.ts';
import { build_card, type CardInput } from '../../experiments/lab/card.ts';
import { digest_of } from '../../experiments/lab/fingerprint.ts';
import { fenced, markdown_text, shell_word } from '../../experiments/lab/markup.ts';
import { publish } from '../../experiments/lab/publish.ts';
import { open_results, type ResultsOptions, reopen_results } from '../../experiments/lab/record.ts';
import type { Configuration, Run } from '../../experiments/lab/schema.ts';
import { FAKE_RUN, fake_configuration } from '../support/records.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-card-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const one = fake_configuration('low', 'short', 'short', 3);
const { fingerprint, ceilings } = FAKE_RUN;
const saved_with = (run: Run, configurations: readonly Configuration[]) => ({ run, configurations, skipped: [] });
const input = (changes: Partial<CardInput> = {}): CardInput => ({
  experiment: e1,
  saved: saved_with(FAKE_RUN, [one]),
  findings: [{ expectation: 'It is so.', outcome: 'confirmed', because: '3 of 3.' }],
  command: ['e1', '--regime', 'low', '--model', 'molmoe-mini'],
  traces: false,
  ...changes,
});

describe('the card', () => {
  const card = build_card(input());

  it('says what, on what, how, how to do it again, what was found, which files, and whose', () => {
    const wanted = [
      '# E1: where the time of a request goes',
      'molmoe-mini: synthetic, seed 1, stored as f16; 16 blocks, 64 experts',
      'llvmpipe: Mesa 25.0.7 (LLVM 15.0.6) 0.0.1 (software), vulkan',
      '3 to warm up, 10 timed (n = 3), 1 with a stamp around every kernel',
      '```sh\nmolmoe e1 --regime low --model molmoe-mini\n```',
      '* **confirmed**: It is so.: 3 of 3.',
      '| `e1_flops_vs_latency.json` | published: points, correlation',
      'commit 0123456789ab',
      'Weights are synthetic',
    ];
    for (const part of wanted) expect(card).toContain(part);
    expect(card.split('\n').length).toBeLessThan(70);
  });

  it('is the same whenever it is drawn', () => expect(build_card(input())).toBe(card));

  it('says that older results did not keep their command', () => {
    expect(build_card(input({ command: null }))).toContain('The command was not kept');
  });

  it('says which data set, whose it is, and what of it failed', () => {
    const { fingerprint } = FAKE_RUN;
    const dataset = {
      name: 'okvqa',
      split: 'validation',
      size: 5046,
      digest: 'd',
      source: 'https://x.org/a|b',
      resize: 'fill' as const,
    };
    const run = { ...FAKE_RUN, fingerprint: { ...fingerprint, dataset } };
    const failed = [{ key: 'sample=3', settings: { sample: 3 }, reason: 'no picture' }];
    const card = build_card(input({ saved: { ...saved_with(run, [one]), failed } }));
    expect(card).toContain('| data set | okvqa, validation: https://x.org/a\\|b |');
    expect(card).toContain('1 cell, 1 failed (failed.json says why)');
    expect(card).toContain('| `failed.json` | ');
    expect(card).toContain(
      'Questions and reference answers of okvqa are in configurations/, under the licence of those who made',
    );
    const built_in = { ...FAKE_RUN, fingerprint: { ...fingerprint, dataset: { ...dataset, name: 'shapes' } } };
    expect(build_card(input({ saved: saved_with(built_in, [one]) }))).toContain(
      'Pictures and prompts are made by MolmoE Lab',
    );
  });

  it('says that numbers are scaled, and that pictures of others have owners', () => {
    const scaled = {
      ...{ model: 'molmoe-1b', from: 'molmoe-slice', method: 'stamps by layer', parts: [], counters: {}, stages: {} },
      ...{ blocks: { language: [2, 16] as [number, number], vision: [3, 22] as [number, number] } },
      ...{ samples: one.clean.samples, flops: one.flops },
    };
    const slice = build_card(input({ saved: saved_with(FAKE_RUN, [{ ...one, scaled }]) }));
    expect(slice).toContain('| times | Times are scaled to molmoe-1b from molmoe-slice: 2 of 16 blocks');
    expect(build_card(input({ command: ['e1', '--image=a.png'] }))).toContain('their licence is their owner’s');
  });

  it('holds hostile names as text', () => {
    const nasty = '<img src=x onerror=alert(1)> | **b** `c`\n# d [e](http://f) \x1b[2J';
    const { provenance } = fingerprint;
    const run = {
      ...FAKE_RUN,
      fingerprint: { ...fingerprint, provenance: { ...provenance, model: { ...provenance.model, name: nasty } } },
    };
    const text = build_card(
      input({
        saved: saved_with(run, [{ ...one, settings: { regime: nasty } }]),
        findings: [{ expectation: nasty, outcome: 'refuted', because: nasty }],
        command: ['e1', '--image', '```\n</code>'],
      }),
    );
    expect(text).not.toMatch(/<(?!!-- molmoe)[a-z]|^# d|(?<!\\)\]\(http/m);
    expect(text).not.toContain('\x1b');
    const rows = text.split('\n').filter((line) => line.startsWith('| model'));
    expect(rows.map((row) => row.replace(/\\\|/g, '').split('|').length)).toEqual([4]);
    expect(text).toContain("````sh\nmolmoe e1 --image $'```\\x0a</code>'\n````");
  });
});

describe('words of others', () => {
  it('come through a shell as they were', () => {
    const words = fc.array(
      fc.string({ unit: 'binary', maxLength: 20 }).filter((text) => !/[\0\ud800-\udfff]/.test(text)),
      {
        maxLength: 8,
      },
    );
    const samples = [
      ...fc.sample(words, { numRuns: 12, seed: 3 }),
      ["it's", '$HOME `id`', '', '-n', 'a\\b\'c\n"', '\x1b[2J', '~', '*', 'é 漢'],
    ];
    for (const some of samples) {
      const line = `printf '%s\\0' x ${some.map(shell_word).join(' ')}`;
      expect(execFileSync('bash', ['-c', line], { encoding: 'utf8' })).toBe(
        `x\0${some.map((word) => `${word}\0`).join('')}`,
      );
    }
  });

  it('end no fence and no cell', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom('`', '|', '\\', '\n', 'a', '<', '&', '_') }), (text) => {
        expect(fenced('', text).split('\n').at(-1)?.length).toBeGreaterThan(
          Math.max(0, ...(text.match(/`+/g) ?? []).map((run) => run.length)),
        );
        expect(markdown_text(text)).not.toMatch(/\n|<|(?<!\\)(?:\\\\)*\|/);
      }),
    );
  });
});

describe('in a folder of results', () => {
  let folder: string;
  const run = digest_of(fingerprint);
  const options: ResultsOptions = {
    ...{ experiment: 'e1', fingerprint, ceilings, started: FAKE_RUN.started },
    plan: { options: {}, cells: [], skipped: [], command: ['e1', '--regime', 'low'] },
  };
  const published = async (over: Partial<ResultsOptions> = {}) => {
    const results = await open_results(folder, { ...options, ...over });
    try {
      await results.save({ ...one, run });
      return await publish({ ...e1, derive: (saved) => ({ ...e1.derive(saved), figures: [] }) }, results);
    } finally {
      await results.close();
    }
  };
  const card = () => join(folder, 'README.md');
  beforeEach(() => {
    folder = mkdtempSync(join(scratch, 'out-'));
  });

  it('is written, drawn again alike, and goes with --fresh', async () => {
    expect((await published()).with_card).toBe(true);
    const first = readFileSync(card(), 'utf8');
    expect(first).toContain('molmoe e1 --regime low');
    writeFileSync(card(), first.slice(0, 100));
    const results = await reopen_results(folder);
    expect(results.command).toEqual(['e1', '--regime', 'low']);
    await publish({ ...e1, derive: (saved) => ({ ...e1.derive(saved), figures: [] }) }, results);
    await results.close();
    expect(readFileSync(card(), 'utf8')).toBe(first);
    await (await open_results(folder, { ...options, fresh: true })).close();
    expect(existsSync(card())).toBe(false);
  });

  it('takes the place of no README of others, written before or after', async () => {
    writeFileSync(card(), '# My notes\n');
    expect((await published()).with_card).toBe(false);
    expect(readFileSync(card(), 'utf8')).toBe('# My notes\n');
    rmSync(card());
    expect((await published()).with_card).toBe(true);
    writeFileSync(card(), '# My notes again\n');
    await (await open_results(folder, { ...options, fresh: true })).close();
    expect(readFileSync(card(), 'utf8')).toBe('# My notes again\n');
  });

  it('is not written through a link', async () => {
    const precious = join(folder, 'precious.md');
    writeFileSync(precious, '<!-- molmoe.card/1 mine -->');
    symlinkSync(precious, card());
    expect((await published()).with_card).toBe(false);
    expect(readFileSync(precious, 'utf8')).toBe('<!-- molmoe.card/1 mine -->');
  });
});
