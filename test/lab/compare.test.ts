import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { InputError, UsageError } from '../../engine/errors.ts';
import { compare_results, ratio_of } from '../../experiments/lab/compare.ts';
import { random_numbers } from '../../experiments/lab/random.ts';
import type { Configuration, Run } from '../../experiments/lab/schema.ts';
import { compare, compare_paths, comparison_lines } from '../../src/commands/compare.ts';
import { FAKE_RUN, fake_configuration, fake_configurations, PROVENANCE } from '../support/records.ts';

const results = (configurations: Configuration[], run: Run = FAKE_RUN) => ({ run, configurations });
const low = (runs = 10, slower = 1) => fake_configuration('low', 'short', 'short', runs, slower);

describe('ratio_of', () => {
  const times = (count: number, ms: number, seed: number) => {
    const random = random_numbers(seed);
    return Array.from({ length: count }, () => ms * (0.98 + 0.04 * random()));
  };

  it('is the ratio of the medians, with an interval around it that repeats', () => {
    const found = ratio_of(times(20, 100, 1), times(20, 120, 2));
    expect(found.ratio).toBe(found.b_ms / found.a_ms);
    const [from, to] = found.ratio_ci95 as [number, number];
    expect(from).toBeLessThan(found.ratio);
    expect(to).toBeGreaterThan(found.ratio);
    expect(from).toBeGreaterThan(1.17);
    expect(to).toBeLessThan(1.23);
    expect(found).toMatchObject({ significant: true });
    expect(ratio_of(times(20, 100, 1), times(20, 120, 2))).toEqual(found);
  });

  it('calls equal programs different about as rarely as it should', () => {
    let alarms = 0;
    for (let trial = 0; trial < 100; trial++) {
      if (ratio_of(times(10, 100, 2 * trial), times(10, 100, 2 * trial + 1)).significant) alarms += 1;
    }
    expect(alarms).toBeLessThan(12);
  });

  it('finds nothing significant in single runs', () => {
    expect(ratio_of([100], [300])).toMatchObject({ ratio: 3, ratio_ci95: null, significant: false });
    expect(ratio_of([100, 101], [300, 303])).toMatchObject({ significant: false });
  });
});

describe('compare_results', () => {
  it('finds a program faster, slower, or like itself, stage by stage in the order of A', () => {
    const all = fake_configurations();
    const slower = compare_results(results(all), results(fake_configurations(1.2).reverse()));
    expect(slower.configurations.map(({ key }) => key)).toEqual(all.map(({ key }) => key));
    for (const { stages } of slower.configurations) {
      expect(stages.map(({ stage }) => stage)).toEqual([
        'T_vision_encoder',
        'T_projector',
        'T_LLM_prefill',
        'T_LLM_decode',
        'T_total',
      ]);
      for (const { ratio, significant } of stages) {
        expect(ratio).toBeCloseTo(1.2, 2);
        expect(significant).toBe(true);
      }
    }
    const itself = compare_results(results(all), results(all));
    expect(itself.configurations.flatMap(({ stages }) => stages).filter(({ significant }) => significant)).toEqual([]);
    expect(itself).toMatchObject({ warnings: [], only_a: [], only_b: [], missing: [] });
  });

  it('leaves out stages that did not run', () => {
    const text = low();
    for (const sample of text.clean.samples) {
      Object.assign(sample, { T_vision_encoder: null, T_projector: null, T_LLM_decode: 0 });
    }
    const { configurations } = compare_results(results([text]), results([low()]));
    expect(configurations[0]?.stages.map(({ stage }) => stage)).toEqual(['T_LLM_prefill', 'T_total']);
    const { missing, warnings } = compare_results(results([low()]), results([text]));
    expect(missing.map(({ stage }) => stage)).toEqual(['T_vision_encoder', 'T_projector', 'T_LLM_decode']);
    expect(warnings[0]).toBe(
      'ran in A and not in B: low_short_short T_vision_encoder; low_short_short T_projector; low_short_short T_LLM_decode',
    );
  });

  it('says first that most of A is not in B', () => {
    const all = fake_configurations();
    const { warnings, only_a, missing } = compare_results(results(all), results([low()]));
    expect(warnings).toEqual([
      "14 of A's 15 configurations are not in B: low_short_medium; low_short_long; low_medium_short; and 11 more",
    ]);
    expect(missing).toEqual(only_a.map((key) => ({ key, stage: null })));
    expect(compare_results(results([low()]), results(all)).missing).toEqual([]);
  });

  it('says that so few runs can show nothing', () => {
    const few = (a: number, b: number) => compare_results(results([low(a)]), results([low(b, 9)]));
    expect(few(4, 3).warnings).toEqual([
      'low_short_short has 3 runs in B: under 4 a side no difference is significant; measure with --runs 4 or more',
    ]);
    expect(few(1, 3).warnings).toEqual([expect.stringContaining('low_short_short has 1 run in A: ')]);
    expect(few(3, 3).configurations[0]?.stages.some(({ significant }) => significant)).toBe(false);
    expect(few(4, 4)).toMatchObject({ warnings: [], configurations: [{ runs: [4, 4] }] });
    expect(few(4, 4).configurations[0]?.stages.every(({ significant }) => significant)).toBe(true);
  });

  it('says where one key stands for two requests', () => {
    const other = low();
    Object.assign(other, { prompt: 'Another question?' });
    expect(compare_results(results([low()]), results([other])).warnings).toEqual([
      'A and B asked different things under one key: low_short_short (prompt: "What is this?" -> "Another question?")',
    ]);
    const longer = low();
    Object.assign(longer.tokens, { text_tokens: 40 });
    expect(compare_results(results([{ ...low(), prompt: null }]), results([longer])).warnings).toEqual([
      'A and B asked different things under one key: low_short_short (tokens.text_tokens: 20 -> 40)',
    ]);
  });

  it('says what each side is, and where a side does not say it', () => {
    const { provenance, warnings } = compare_results({ configurations: [low()] }, results([low()]));
    expect(provenance).toEqual({ a: null, b: PROVENANCE });
    expect(warnings).toEqual(['A comes without its run.json: what it ran, and on what, is not known; name its folder']);
  });

  it('lists what only one side has, and refuses when nothing is on both', () => {
    const [medium, high] = [
      fake_configuration('medium', 'short', 'short'),
      fake_configuration('high', 'short', 'short'),
    ];
    expect(compare_results(results([low(), medium]), results([high, low()]))).toMatchObject({
      only_a: ['medium_short_short'],
      only_b: ['high_short_short'],
    });
    expect(() => compare_results(results([low()]), results([high]))).toThrow(InputError);
    expect(() => compare_results(results([low()]), results([high]))).toThrow(
      'expected a configuration that both have, found low_short_short in A and high_short_short in B',
    );
  });

  it('says what A and B differ in beside the program', () => {
    const provenance = {
      ...PROVENANCE,
      commit: 'fedcba',
      adapter: { ...PROVENANCE.adapter, description: 'NVIDIA H200' },
      model: { ...PROVENANCE.model, dtype: 'bf16' },
      mode: 'validated' as const,
      host: { ...PROVENANCE.host, cores: 16 },
    };
    const protocol = { ...FAKE_RUN.fingerprint.protocol, tokens_per_readback: 4 };
    const other: Run = { ...FAKE_RUN, fingerprint: { provenance, protocol, knobs: { topK: 2 } } };
    expect(compare_results(results([low()]), results([low()], other)).warnings).toEqual([
      'A ran on llvmpipe: Mesa 25.0.7 (LLVM 15.0.6) 0.0.1 (vulkan), B ran on NVIDIA H200 (vulkan)',
      'A ran molmoe-mini (synthetic, seed 1) stored as f16, B ran molmoe-mini (synthetic, seed 1) stored as bf16',
      'A ran in release mode with auto kernels, B ran in validated mode with auto kernels',
      'A had a host with 2 x some CPU, B had a host with 16 x some CPU',
      'A and B were measured differently: protocol.tokens_per_readback: 1 -> 4; knobs.topK: nothing -> 2',
    ]);
    const same = { ...FAKE_RUN.fingerprint, provenance: { ...PROVENANCE, commit: 'fedcba', build: 'beef' } };
    expect(compare_results(results([low()]), results([low()], { ...FAKE_RUN, fingerprint: same })).warnings).toEqual(
      [],
    );
  });
});

describe('molmoe compare', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'molmoe-compare-'));
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));
  const write = (name: string, configurations: Configuration[]): string => {
    const folder = join(scratch, name);
    mkdirSync(join(folder, 'configurations'), { recursive: true });
    writeFileSync(join(folder, 'run.json'), JSON.stringify(FAKE_RUN));
    for (const one of configurations)
      writeFileSync(join(folder, `configurations/${one.key}.json`), JSON.stringify(one));
    return folder;
  };
  const a = write('a', [low(), fake_configuration('high', 'short', 'short')]);
  const b = write('b', [low(10, 1.2), fake_configuration('medium', 'short', 'short')]);

  it('prints a table and what is on one side only', async () => {
    const { comparison } = await compare_paths(a, b, undefined);
    const [of_a, of_b, , ...lines] = comparison_lines(comparison, { a, b }).join('\n').split('\n');
    const what =
      'molmoe 0.1.0 (0123456789ab); molmoe-mini (synthetic, seed 1) stored as f16; llvmpipe: Mesa 25.0.7 (LLVM 15.0.6) 0.0.1 (vulkan)';
    expect([of_a, of_b]).toEqual([`A  ${a}: ${what}`, `B  ${b}: ${what}`]);
    expect(lines[0]).toMatch(/^configuration +stage +A ms +B ms +B\/A +from +to +B is$/);
    expect(lines[1]).toMatch(
      /^low_short_short +T_vision_encoder +\d+\.\d\d +\d+\.\d\d +1\.2\d\d +1\.\d{3} +1\.\d{3} +slower$/,
    );
    expect(lines[5]).toMatch(/^ +T_total .*slower$/);
    expect(lines.slice(6)).toEqual([
      '',
      'Medians; from and to: 95 % interval of their ratio. significant: the 95 % interval of the ratio leaves out 1 and Mann-Whitney gives p < 0.05.',
      'Only in A: high_short_short',
      'Only in B: medium_short_short',
    ]);
  });

  it('fails where a significant ratio lies above the limit, and only there', async () => {
    const slow = async (one: string, other: string, limit?: number) =>
      (await compare_paths(one, other, limit)).slowdowns.map(({ key, stage }) => `${key} ${stage}`);
    expect(await slow(a, b, 1.1)).toEqual(
      ['T_vision_encoder', 'T_projector', 'T_LLM_prefill', 'T_LLM_decode', 'T_total'].map(
        (t) => `low_short_short ${t}`,
      ),
    );
    expect(await slow(a, b)).toEqual([]);
    expect(await slow(a, b, 1.3)).toEqual([]);
    expect(await slow(b, a, 1.1)).toEqual([]);
  });

  it('refuses a limit that so few runs cannot reach, however slow B is', async () => {
    const few = write('few', [low(3, 2)]);
    const { message } = await compare_paths(a, few, 1.1).catch((error) => error);
    expect(message).toBe(
      '--fail-above 1.1: expected at least 4 runs a side, found 3 of low_short_short in B: fewer cannot show a significant difference; measure with --runs 4 or more',
    );
    await expect(compare_paths(few, a, 1.1)).rejects.toThrow(UsageError);
    expect((await compare_paths(a, few, undefined)).slowdowns).toEqual([]);
    const enough = write('enough', [low(4, 2)]);
    expect((await compare_paths(write('four', [low(4)]), enough, 1.1)).slowdowns.length).toBe(5);
  });

  it('ends with 1 where B lacks what A has, if a limit is given', async () => {
    const printed = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      const [all, less] = [write('all', [low(), fake_configuration('high', 'short', 'short')]), write('less', [low()])];
      expect(await compare(all, less, {})).toBe(0);
      expect(said.mock.calls.map(([text]) => text)).toEqual([
        "warning: 1 of A's 2 configurations are not in B: high_short_short\n",
      ]);
      expect(await compare(all, less, { failAbove: 1.1 })).toBe(1);
      expect(said.mock.lastCall).toEqual(['missing in B: high_short_short\n']);
      expect(await compare(less, all, { failAbove: 1.1 })).toBe(0);
      expect(await compare(all, less, { failAbove: 1.1, json: true })).toBe(1);
      expect(JSON.parse(String(printed.mock.lastCall?.[0]))).toMatchObject({
        schema: 'molmoe.compare/1',
        provenance: { a: { package_version: '0.1.0' }, b: { commit: PROVENANCE.commit } },
        missing: [{ key: 'high_short_short', stage: null }],
        slowdowns: [],
      });
    } finally {
      printed.mockRestore();
      said.mockRestore();
    }
  });

  it('shows no control character of a file', () => {
    const run = structuredClone(FAKE_RUN);
    Object.assign(run.fingerprint.provenance.model, { name: 'a\x1b[2J\nb' });
    const lines = comparison_lines(compare_results(results([low()], run), results([low()])), { a: 'x\x07', b });
    expect(lines[0]).toMatch(/^A {2}x\\x07: .*a\\x1b\[2J\\x0ab/);
  });

  it('refuses a limit that is none', async () => {
    for (const limit of [0, -1, Number.NaN]) await expect(compare_paths(a, b, limit)).rejects.toThrow(UsageError);
  });
});
