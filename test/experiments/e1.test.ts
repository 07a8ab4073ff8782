import { describe, expect, it } from 'vitest';
import { byte_tokenizer, type Tokenizer } from '../../engine/input/tokenizer.ts';
import { preset_config, preset_names } from '../../engine/model/presets.ts';
import { choose_cells, DECODES, type E1Options, PROMPTS, plan_e1 } from '../../experiments/core/e1.ts';
import { findings_of } from '../../experiments/core/e1_findings.ts';
import { flops_file, parts_file, stages_file } from '../../experiments/core/e1_results.ts';
import {
  type Configuration,
  e1_flops_schema,
  e1_parts_schema,
  e1_stages_schema,
  type Sample,
} from '../../experiments/lab/schema.ts';
import { FAKE_RUN, fake_configuration, fake_configurations } from '../support/records.ts';

const subject = (name: string) => {
  const config = preset_config(name);
  const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
  return { config, tokenizer };
};
const options = (over: Partial<E1Options> = {}): E1Options => ({ knobs: {}, tokens_per_readback: 1, ...over });

describe('the plan', () => {
  it('measures what the figures need, the whole grid when asked, and an axis in full when it was chosen', () => {
    expect(choose_cells({}).length).toBe(15);
    expect(choose_cells({ full_grid: true }).length).toBe(27);
    expect(choose_cells({ regimes: ['high'] })).toEqual([
      ['high', 'short', 'short'],
      ['high', 'long', 'long'],
    ]);
    expect(choose_cells({ regimes: ['high'], prompts: ['short'] }).length).toBe(3);
    expect(choose_cells({ regimes: ['low', 'high'], prompts: ['long'], decodes: ['short'] }).length).toBe(2);
    // Every prompt meets the short answer and every answer the short prompt, in every regime.
    const cells = choose_cells({}).map((cell) => cell.join());
    for (const regime of ['low', 'medium', 'high']) {
      for (const length of ['short', 'medium', 'long']) {
        expect(cells).toContain(`${regime},${length},short`);
        expect(cells).toContain(`${regime},short,${length}`);
      }
    }
  });

  it.each(preset_names)('of %s has the tilings, exact prompt lengths and forced answers it names', (name) => {
    const { config, tokenizer } = subject(name);
    const cells = plan_e1({ config, tokenizer }, options({ full_grid: true }));
    expect(new Set(cells.map((cell) => cell.key)).size).toBe(27);
    for (const { settings, request } of cells) {
      const text = ` User: ${request.prompt} Assistant:`;
      expect(tokenizer.encode(text).length).toBe(PROMPTS[settings.prompt as keyof typeof PROMPTS]);
      expect(request.maxNewTokens).toBe(DECODES[settings.decode as keyof typeof DECODES]);
      expect(request.ignoreEos).toBe(true);
    }
    const size = (regime: string) => cells.find((cell) => cell.settings.regime === regime)?.request.image;
    expect([size('low')?.width, size('medium')?.width, size('high')?.width, size('high')?.height]).toEqual([
      336, 560, 1008, 784,
    ]);
  });

  it('reads 1008x784 the other way when asked, under another key', () => {
    const [cell] = plan_e1(subject('molmoe-1b'), options({ regimes: ['high'], portrait: true }));
    expect([cell?.request.image?.width, cell?.request.image?.height]).toEqual([784, 1008]);
    expect(cell?.key).not.toBe(plan_e1(subject('molmoe-1b'), options({ regimes: ['high'] }))[0]?.key);
  });

  it('refuses a regime that cannot be realised', () => {
    const { config, tokenizer } = subject('molmoe-mini');
    const plan = (
      over: Partial<E1Options>,
      with_tokenizer: Tokenizer = tokenizer,
      max = config.max_position_embeddings,
    ) => plan_e1({ config: { ...config, max_position_embeddings: max }, tokenizer: with_tokenizer }, options(over));
    expect(() => plan({ knobs: { maxCrops: 6 } })).toThrow(
      /regime high: expected a tiling of 3x4 for 1008x784, found 2x3 with at most 6 crops; allow 12 crops/,
    );
    expect(() => plan({ knobs: { maxCrops: 4 }, regimes: ['medium'] })).not.toThrow();
    // A tokenizer whose template alone is longer than the short prompt.
    const wordy: Tokenizer = {
      ...tokenizer,
      encode: (text, how) => [...tokenizer.encode(text, how), ...tokenizer.encode(text, how)],
    };
    expect(() => plan({ regimes: ['low'] }, wordy)).toThrow(
      /^prompt short: text tokens: expected at least \d+ .*found 20/,
    );
    expect(() => plan({}, tokenizer, 1200)).toThrow(/regime high: expected at most 1200 positions, found 12\d\d/);
  });
});

describe('the files', () => {
  it.each([
    ['one configuration', [fake_configuration('high', 'short', 'short')]],
    ['the default plan', fake_configurations()],
  ])('of %s follow their schemas', (_, configurations) => {
    const stages = e1_stages_schema.parse(stages_file(FAKE_RUN, configurations));
    const flops = e1_flops_schema.parse(flops_file(FAKE_RUN, configurations));
    const parts = e1_parts_schema.parse(parts_file(FAKE_RUN, configurations));
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

  it('find the slopes that the made-up times were made with', () => {
    const { prefill, decode } = stages_file(FAKE_RUN, fake_configurations()).scaling;
    expect(prefill?.slope).toBeCloseTo(1.75, 1);
    expect(decode?.slope).toBeCloseTo(24, 0);
    expect(prefill?.r_squared).toBeGreaterThan(0.99);
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
        T_LLM_decode: 0,
      }),
    );
    const text: Configuration = {
      ...one,
      clean: { ...one.clean, samples },
      tokens: { ...one.tokens, decode_steps: 0, image_size: null, tiling: null },
      instrumented: null,
    };
    const stages = stages_file(FAKE_RUN, [text]);
    expect(Object.keys(stages.configurations[0]?.shares ?? {})).toEqual(['prefill']);
    expect(stages.configurations[0]?.statistics.T_vision_encoder).toBe(null);
    expect(stages.configurations[0]?.statistics.T_LLM_prefill?.n).toBe(2);
    expect(parts_file(FAKE_RUN, [text]).configurations).toEqual([]);
    expect(stages.findings.filter((finding) => finding.outcome === 'not tested').length).toBeGreaterThan(2);
  });
});

describe('findings', () => {
  const outcome = (configurations: readonly Configuration[]) => findings_of(configurations).map((f) => f.outcome);

  it('come out of the numbers, one way and the other', () => {
    const all = fake_configurations();
    expect(outcome(all)[0]).toBe('refuted'); // made up with a large vision encoder
    const light = all.map(
      (one): Configuration => ({
        ...one,
        clean: {
          ...one.clean,
          samples: one.clean.samples.map((s) => ({ ...s, T_vision_encoder: 1, T_projector: 1, T_LLM_prefill: 5000 })),
        },
      }),
    );
    expect(outcome(light).slice(0, 2)).toEqual(['confirmed', 'refuted']);
    expect(outcome(all.filter((one) => one.settings.decode !== 'long'))[1]).toBe('not tested');
    const long = all.map(
      (one): Configuration => ({
        ...one,
        clean: { ...one.clean, samples: one.clean.samples.map((s) => ({ ...s, T_LLM_decode: 1e6 })) },
      }),
    );
    expect(outcome(long)[1]).toBe('confirmed');
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

  it('name numbers', () => {
    for (const { because } of findings_of(fake_configurations())) expect(because).toMatch(/\d/);
  });
});
