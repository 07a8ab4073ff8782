import { describe, expect, it } from 'vitest';
import { byte_tokenizer, type Tokenizer } from '../../engine/input/tokenizer.ts';
import type { Knobs } from '../../engine/model/knobs.ts';
import { preset_config, preset_names } from '../../engine/model/presets.ts';
import { choose_cells, e1 } from '../../experiments/core/e1.ts';
import { findings_of } from '../../experiments/core/e1_files.ts';
import { ANSWERS, type Length, PROMPTS, type Subject } from '../../experiments/lab/inputs.ts';
import type { Configuration, Sample } from '../../experiments/lab/schema.ts';
import { e1_files } from '../support/e1_records.ts';
import { FAKE_RUN, fake_configuration, fake_configurations } from '../support/records.ts';

const subject = (name: string, knobs: Knobs = {}): Subject => {
  const config = preset_config(name);
  const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
  return { config, tokenizer, asked: { knobs }, tokens_per_readback: 1 };
};
const DEFAULTS = { fullGrid: false, portrait: false };
const plan = (on: Subject, options: object = {}) => e1.plan(on, { ...DEFAULTS, ...options });
const choose = (options: object) => choose_cells({ ...DEFAULTS, ...options });

describe('the plan', () => {
  it('measures what the figures need, the whole grid when asked, and an axis in full when it was chosen', () => {
    expect(choose({}).length).toBe(15);
    expect(choose({ fullGrid: true }).length).toBe(27);
    expect(choose({ regime: ['high'] })).toEqual([
      ['high', 'short', 'short'],
      ['high', 'long', 'long'],
    ]);
    expect(choose({ regime: ['high'], prompt: ['short'] }).length).toBe(3);
    expect(choose({ regime: ['low', 'high'], prompt: ['long'], decode: ['short'] }).length).toBe(2);
    // Every prompt meets the short answer and every answer the short prompt, in every regime.
    const cells = choose({}).map((cell) => cell.join());
    for (const regime of ['low', 'medium', 'high']) {
      for (const length of ['short', 'medium', 'long']) {
        expect(cells).toContain(`${regime},${length},short`);
        expect(cells).toContain(`${regime},short,${length}`);
      }
    }
  });

  it.each(preset_names)('of %s has the tilings, exact prompt lengths and forced answers it names', (name) => {
    const on = subject(name);
    const { cells, skipped } = plan(on, { fullGrid: true });
    expect([new Set(cells.map((cell) => cell.key)).size, skipped]).toEqual([27, []]);
    for (const { settings, requests } of cells) {
      const [{ request }] = requests as [(typeof requests)[number]];
      const text = ` User: ${request.prompt} Assistant:`;
      expect(on.tokenizer.encode(text).length).toBe(PROMPTS[settings.prompt as Length]);
      expect(request.maxNewTokens).toBe(ANSWERS[settings.decode as Length]);
      expect(request.ignoreEos).toBe(true);
    }
    const image = (regime: string) => cells.find((cell) => cell.settings.regime === regime)?.requests[0]?.image;
    expect([image('low'), image('medium'), image('high')]).toEqual([
      'rings 336x336',
      'rings 560x560',
      'rings 1008x784',
    ]);
  });

  it('turns the high regime when asked, under another key', () => {
    const on = subject('molmoe-1b');
    const [cell] = plan(on, { regime: ['high'], portrait: true }).cells;
    expect(cell?.requests[0]?.image).toBe('rings 784x1008');
    expect(cell?.key).not.toBe(plan(on, { regime: ['high'] }).cells[0]?.key);
    expect(plan(on, { regime: ['low'], portrait: true }).cells[0]?.key).toBe('low_short_short');
  });

  it('skips what cannot be realised, with the reason', () => {
    const { cells, skipped } = plan(subject('molmoe-mini', { maxCrops: 6 }));
    expect([cells.length, skipped.length]).toEqual([10, 5]);
    expect(skipped[0]?.reason).toMatch(
      /^expected a tiling of 3x4 for 1008x784, found 2x3 with at most 6 crops; allow 12$/,
    );
    expect(plan(subject('molmoe-mini', { maxCrops: 4 }), { regime: ['medium'] }).skipped).toEqual([]);
    // A tokenizer whose template alone is longer than the short prompt.
    const on = subject('molmoe-mini');
    const wordy: Tokenizer = {
      ...on.tokenizer,
      encode: (text, how) => [...on.tokenizer.encode(text, how), ...on.tokenizer.encode(text, how)],
    };
    const reasons = plan({ ...on, tokenizer: wordy }, { regime: ['low'] }).skipped.map(({ reason }) => reason);
    expect(reasons[0]).toMatch(/^text tokens: expected at least \d+ .*found 20; this tokenizer cannot make it$/);
    const small = { ...on.config, max_position_embeddings: 1200 };
    expect(plan({ ...on, config: small }).skipped[0]?.reason).toMatch(/expected at most 1200 positions, found 12\d\d/);
  });
});

describe('the files', () => {
  it.each([
    ['one configuration', [fake_configuration('high', 'short', 'short')]],
    ['the default plan', fake_configurations()],
  ])('of %s follow their schemas', (_, configurations) => {
    const { files } = e1.derive({ run: FAKE_RUN, configurations, skipped: [] });
    for (const [name, schema] of Object.entries(e1.schemas)) expect(schema.parse(files[name])).toEqual(files[name]);
    const { stages, flops, parts } = e1_files(configurations);
    expect(stages.configurations.length).toBe(configurations.length);
    expect(parts.configurations.length).toBe(configurations.length);
    expect(flops.points.length).toBe(4 * configurations.length);
    for (const { shares, statistics, samples } of stages.configurations) {
      const sum = Object.values(shares).reduce((total, share) => total + share, 0);
      expect(sum).toBeCloseTo(1, 9);
      expect(statistics.T_total?.n).toBe(samples.length);
    }
    for (const { parts: rows } of parts.configurations) {
      for (const stage of ['prefill', 'decode']) {
        const of_stage = rows.filter((row) => row.stage === stage);
        expect(of_stage.reduce((sum, row) => sum + row.share_of_stage, 0)).toBeCloseTo(1, 9);
      }
    }
  });

  it('stand in the order of the grid, whatever was measured first', () => {
    const shuffled = fake_configurations().toReversed();
    const keys = e1_files(shuffled).stages.configurations.map(({ key }) => key);
    expect(keys.slice(0, 5)).toEqual([
      'low_short_short',
      'low_short_medium',
      'low_short_long',
      'low_medium_short',
      'low_long_short',
    ]);
    expect(keys.at(-1)).toBe('high_long_short');
  });

  it('find the slopes that the made-up times were made with', () => {
    const { prefill, decode } = e1_files(fake_configurations()).stages.scaling;
    expect(prefill?.slope).toBeCloseTo(1.75, 1);
    expect(decode?.slope).toBeCloseTo(24, 0);
    expect(prefill?.r_squared).toBeGreaterThan(0.99);
  });

  it('rest shares, findings and fits on the whole model where a slice ran, and keep what was measured beside', () => {
    const all = fake_configurations();
    const tripled = all.map((one): Configuration => {
      const samples = one.clean.samples.map(
        (s): Sample => ({ ...s, T_LLM_prefill: 1e6 + (s.T_LLM_prefill as number) }),
      );
      const { counters, flops } = one;
      const scaled = { model: 'molmoe-1b', from: 'molmoe-slice', method: 'stamps by layer', stages: {}, parts: [] };
      const blocks = { language: [2, 16] as [number, number], vision: [3, 22] as [number, number] };
      return { ...one, scaled: { ...scaled, blocks, samples, counters, flops } };
    });
    const [row] = e1_files(tripled).stages.configurations;
    const [plain] = e1_files(all).stages.configurations;
    expect(row?.statistics).toEqual(plain?.statistics);
    expect(row?.scaled?.statistics.T_LLM_prefill?.median).toBeGreaterThan(1e6);
    expect([plain?.largest_stage, row?.largest_stage]).toEqual(['vision_encoder', 'prefill']);
    expect(row?.shares.prefill).toBeGreaterThan(0.9);
    expect(findings_of(tripled)[0]?.outcome).toBe('confirmed');
  });

  it('say nothing of a stage that did not run', () => {
    const one = fake_configuration('low', 'short', 'short', 2);
    const samples = one.clean.samples.map(
      (sample): Sample => ({
        ...sample,
        T_vision_encoder: null,
        T_projector: null,
        T_vision_total: null,
        T_decode_per_token: null,
        T_decode_per_step: [],
        T_LLM_decode: null,
      }),
    );
    const text: Configuration = {
      ...one,
      clean: { ...one.clean, samples },
      tokens: { ...one.tokens, decode_steps: 0, image_size: null, tiling: null },
      instrumented: null,
    };
    const { stages, parts } = e1_files([text]);
    expect(Object.keys(stages.configurations[0]?.shares ?? {})).toEqual(['prefill']);
    expect(stages.configurations[0]?.statistics.T_vision_encoder).toBe(null);
    expect(stages.configurations[0]?.statistics.T_LLM_decode).toBe(null);
    expect(stages.configurations[0]?.statistics.T_LLM_prefill?.n).toBe(2);
    expect(parts.configurations).toEqual([]);
    expect(stages.findings.filter((finding) => finding.outcome === 'not tested').length).toBeGreaterThan(2);
  });
});

describe('findings', () => {
  const outcome = (configurations: readonly Configuration[]) => findings_of(configurations).map((f) => f.outcome);
  const with_samples = (over: Partial<Sample>) =>
    fake_configurations().map(
      (one): Configuration => ({
        ...one,
        clean: { ...one.clean, samples: one.clean.samples.map((s) => ({ ...s, ...over })) },
      }),
    );

  it('come out of the numbers, one way and the other', () => {
    const all = fake_configurations();
    expect(outcome(all)[0]).toBe('refuted'); // made up with a large vision encoder
    const light = with_samples({ T_vision_encoder: 1, T_projector: 1, T_LLM_prefill: 5000 });
    expect(outcome(light).slice(0, 2)).toEqual(['confirmed', 'refuted']);
    expect(outcome(all.filter((one) => one.settings.decode !== 'long'))[1]).toBe('not tested');
    expect(outcome(with_samples({ T_LLM_decode: 1e6 }))[1]).toBe('confirmed');
  });

  it('ask which part of a stage is largest', () => {
    const all = fake_configurations();
    expect(outcome(all)[2]).toBe('refuted'); // experts take 55 % of the made-up prefill
    const attentive = all.map((one): Configuration => {
      const instrumented = one.instrumented as NonNullable<Configuration['instrumented']>;
      const runs = instrumented.runs.map((run) => ({
        ...run,
        parts: run.parts.map((row) => (row.part === 'attention' ? { ...row, gpu_ms: 1e6 } : row)),
      }));
      return { ...one, instrumented: { ...instrumented, runs } };
    });
    expect(outcome(attentive).slice(2, 4)).toEqual(['confirmed', 'refuted']);
  });

  it('are not tested where their premise is not met: short prompts, few points', () => {
    const short = fake_configurations().filter(({ settings }) => settings.regime === 'low');
    expect(outcome(short)[2]).toBe('not tested');
    expect(findings_of(short)[2]?.because).toMatch(/1000 positions or more/);
    expect(outcome(short.slice(0, 1))[4]).toBe('not tested');
    expect(findings_of(short.slice(0, 1))[4]?.because).toBe('a correlation needs 8 points, here are 4');
  });

  it('name numbers', () => {
    for (const { because } of findings_of(fake_configurations())) expect(because).toMatch(/\d/);
  });
});
