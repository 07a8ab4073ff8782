import { describe, expect, it } from 'vitest';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { repository_parameters } from '../../engine/meter/legacy.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { open_dataset } from '../../experiments/datasets/index.ts';
import { component_profiling, language_tokens, latency_distribution } from '../../experiments/index.ts';
import type { Experiment } from '../../experiments/lab/define.ts';
import { choose_samples } from '../../experiments/lab/samples.ts';
import type { Configuration, Finding, Run } from '../../experiments/lab/schema.ts';
import { FAKE_RUN, fake_configuration } from '../support/records.ts';
import { toy_dataset } from '../support/toy_dataset.ts';

/** What the study's files hold of each request. */
const KEYS = [
  ...['num_crops', 'num_vision_tokens', 'num_language_tokens', 'num_total_tokens'],
  ...['T_data_processing', 'T_vision_encoder', 'T_vision_total', 'T_projector', 'T_vision'],
  ...['T_LLM_prefill', 'T_LLM_decode', 'T_total', 'T_system_total'],
  ...['flops_vision', 'flops_projector', 'flops_llm_prefill', 'flops_llm_decode', 'flops_total'],
  ...['image_id', 'example_id', 'answers', 'image_size'],
];
const DATASET = { name: 'toy', split: 'val+test', size: 9, digest: 'd', source: 's', resize: 'fill' } as const;
const RUN: Run = { ...FAKE_RUN, fingerprint: { ...FAKE_RUN.fingerprint, dataset: DATASET } };

/** A sample that took so long, its prompt so many positions; stamped only where it is the first. */
function sample_cell(n: number, T_total: number, positions = 337): Configuration {
  const one = fake_configuration('low', 'short', 'short', 1);
  const [run] = one.clean.samples as [Configuration['clean']['samples'][number]];
  const { decode: _, ...counters } = one.counters;
  return {
    ...one,
    key: `sample=${n}`,
    settings: { sample: n },
    sample: { id: `q${n}`, style: 'vqa2', answers: ['red'], metadata: { image_id: n, example_id: 10 * n } },
    tokens: { ...one.tokens, prompt_length: positions, num_output_tokens: 0, decode_steps: 0 },
    clean: {
      ...one.clean,
      samples: [{ ...run, T_LLM_decode: null, T_decode_per_step: [], T_decode_per_token: null, T_total }],
    },
    counters,
    instrumented: n === 0 ? one.instrumented : null,
  };
}

/** The published file, checked by its schema as a reader does. */
function body_of(experiment: Experiment, configurations: readonly Configuration[], failed: { key: string }[] = []) {
  const derived = experiment.derive({
    ...{ run: RUN, configurations, skipped: [] },
    failed: failed.map((one) => ({ ...one, settings: {}, reason: 'cut off' })),
  });
  const [[name, file]] = Object.entries(derived.files) as [[string, Record<string, unknown>]];
  expect(experiment.schemas[name]?.parse(JSON.parse(JSON.stringify(file)))).toBeTruthy();
  return { ...derived, body: file, figure_names: derived.figures.map((one) => one.name) };
}
const outcomes = (findings: readonly Finding[]) => findings.map(({ outcome }) => outcome);

describe('motivation-exp1', () => {
  it('publishes every documented key, statistics, and what each percentile rests on', () => {
    const times = Array.from({ length: 200 }, (_, i) => 1000 + i + (i > 195 ? 5000 : 0));
    const { body, figure_names, findings } = body_of(
      latency_distribution,
      times.map((ms, i) => sample_cell(i, ms)),
      [{ key: 'sample=200' }],
    );
    const results = body.results as Record<string, unknown>[];
    expect(KEYS.filter((key) => !(key in (results[0] as object)))).toEqual([]);
    expect(results[7]).toMatchObject({ sample_id: 7, sample: 'q7', image_id: 7, example_id: 70, answers: ['red'] });
    expect(body.statistics).toMatchObject({ P50: 1099.5, min: 1000, max: 6199, n: 200 });
    expect(body.percentiles).toEqual([
      { q: 50, ms: 1099.5, name: 'P50 of 200', rests_on_enough: true },
      expect.objectContaining({ q: 95, name: 'P95 of 200', rests_on_enough: true }),
      expect.objectContaining({ q: 99, name: 'P99 of 200', rests_on_enough: true }),
    ]);
    expect(body.failed).toEqual([{ key: 'sample=200', settings: {}, reason: 'cut off' }]);
    expect(body.dataset).toEqual(DATASET);
    expect(figure_names).toEqual([
      'exp1_latency_distribution',
      'exp1_latency_distribution_histogram_toy_val+test',
      'exp1_latency_distribution_cdf_toy_val+test',
    ]);
    expect(outcomes(findings)).toEqual(['confirmed', 'confirmed', 'not tested']);
  });

  it('gives no verdict on a tail of 99 samples, nor on the spread of a few', () => {
    const few = (n: number) => Array.from({ length: n }, (_, i) => sample_cell(i, 1000 + i));
    const { body, findings } = body_of(latency_distribution, few(99));
    expect(outcomes(findings)).toEqual(['not tested', 'refuted', 'not tested']);
    expect((body.percentiles as { name: string }[])[2]?.name).toBe('P99 of 99, between the two slowest');
    expect(outcomes(body_of(latency_distribution, few(19)).findings)).toEqual(Array(3).fill('not tested'));
    expect(body_of(latency_distribution, few(1)).figure_names.length).toBe(3);
    expect(body_of(latency_distribution, []).figures).toEqual([]);
  });

  it('tells spread by size from chance', () => {
    const sized = Array.from({ length: 40 }, (_, i) => 300 + 50 * (i % 8));
    const by_size = sized.map((positions, i) => sample_cell(i, 2 * positions, positions));
    const by_chance = sized.map((positions, i) => sample_cell(i, i % 3 === 0 ? 4000 : 100, positions));
    const third = (cells: Configuration[]) => body_of(latency_distribution, cells).findings[2];
    expect(third(by_size)).toMatchObject({
      outcome: 'confirmed',
      because: expect.stringMatching(/explain 100 % .* 2.00 ms a pos/),
    });
    expect(third(by_chance)?.outcome).toBe('refuted');
  });
});

describe('motivation-exp2', () => {
  const cells = [1000, 3000].map((ms, i) => sample_cell(i, ms));

  it('averages every number but ids, and writes its figures under both names', () => {
    const { body, figure_names, findings } = body_of(component_profiling, cells);
    const average = body.average_latencies as Record<string, number>;
    expect(average.T_total).toBe(2000);
    expect(average).not.toHaveProperty('image_id');
    expect(KEYS.filter((key) => /^(num|flops|T)_/.test(key) && key !== 'T_LLM_decode' && !(key in average))).toEqual(
      [],
    );
    expect(body.scaled_average_latencies).toBe(null);
    expect((body.parts as { num_crops: number }[]).map(({ num_crops }) => num_crops)).toEqual([2]);
    expect(figure_names).toEqual([
      ...['exp2_parameters', 'exp2_latency', 'exp2_component_parts'],
      ...['exp2_component_profiling_parameters_toy_val+test', 'exp2_component_profiling_latency_toy_val+test'],
    ]);
    expect(outcomes(findings)[1]).toBe('refuted'); // prefill 590 of 1198 ms
  });

  it('of a slice speaks of the whole: parameters as the study counts them', () => {
    const scaled_cells = cells.map(
      (one): Configuration => ({
        ...one,
        scaled: {
          ...{ model: 'molmoe-1b', from: 'molmoe-slice', method: 'stamps by layer' },
          blocks: { language: [2, 16], vision: [3, 22] },
          stages: { prefill: { factor: 8 } },
          samples: one.clean.samples.map((run) => ({ ...run, T_LLM_prefill: 8 * (run.T_LLM_prefill as number) })),
          ...{ parts: [], counters: one.counters, flops: one.flops },
        },
      }),
    );
    const { body, findings, figures } = body_of(component_profiling, scaled_cells);
    // The study's own numbers; its projector is more than the MLP, and its total lacks the output head.
    expect(body.whole_parameters).toMatchObject({
      params_vision_encoder: 290_909_184,
      params_projector: 11_542_528,
      params_image_projector: 4_194_304,
      params_connector: 0,
      params_llm: 6_816_401_408,
      params_llm_total: 6_816_401_408,
      params_llm_active: 1_179_256_832,
      moe_num_experts: 64,
      moe_top_k: 8,
      moe_expert_params: 6_442_450_944,
      moe_gate_params: 2_097_152,
      params_total: 7_118_853_120,
      params_active: 1_481_708_544,
    });
    expect(outcomes(findings)).toEqual(['confirmed', 'confirmed']);
    expect(findings[0]?.because).toMatch(/6.82 G of 7.12 G, 96 %/);
    expect(figures[0]?.notes).toEqual(['counted, of molmoe-1b']);
    const { scaled_average_latencies: scaled, average_latencies: own } = body as Record<string, Record<string, number>>;
    expect(scaled?.T_LLM_prefill).toBeCloseTo(8 * (own?.T_LLM_prefill as number), 6);
  });

  it('shows what the older method makes of the same samples, negative times and all', () => {
    const T = { T_vision_encoder: 500, T_projector: -3, T_vision_total: 497, T_LLM_prefill: 600, T_LLM_decode: 0 };
    const methods: Configuration['methods'] = [{ method: 'subtraction', ...T, T_total: 1100 }];
    const { tables } = body_of(
      component_profiling,
      cells.map((one) => ({ ...one, methods })),
    );
    const rows = tables.at(-1)?.rows ?? [];
    expect(rows.find(([time]) => time === 'T_projector')).toEqual([
      'T_projector',
      expect.any(Number),
      -3,
      expect.any(Number),
      2,
    ]);
  });
});

/** An answer of so many tokens, a step taking so long. */
function answer_cell(tokens: number, query: number, step_ms: number, over: Partial<Configuration> = {}): Configuration {
  const one = fake_configuration('low', 'short', 'short', 1);
  const [run] = one.clean.samples as [Configuration['clean']['samples'][number]];
  const steps = tokens - 1;
  const decode = steps > 0 ? steps * step_ms : null;
  const prompt = { T_vision_encoder: 60, T_projector: 4, T_vision_total: 64, T_LLM_prefill: 36 };
  return {
    ...one,
    key: `max_new_tokens=${tokens}_query_id=${query}`,
    settings: { max_new_tokens: tokens, query_id: query },
    sample: { id: `q${query}`, style: 'vqa2', answers: null, metadata: { image_id: query } },
    answer: { text: 'a'.repeat(300), text_full: 'a<|endoftext|>', finish: 'length', forced: true },
    tokens: { ...one.tokens, num_output_tokens: tokens, decode_steps: steps },
    clean: {
      ...one.clean,
      samples: [{ ...run, ...prompt, T_LLM_decode: decode, T_decode_per_step: [], T_total: 100 + (decode ?? 0) }],
    },
    ...over,
  };
}

describe('motivation-exp4', () => {
  const cells = [8, 16, 32, 64].flatMap((tokens) => [0, 1].map((query) => answer_cell(tokens, query, 5)));

  it('publishes every documented key and fits decode over steps, of which there are N - 1', () => {
    const { body, figure_names, findings } = body_of(language_tokens, cells);
    const [first] = body.results as [Record<string, unknown>];
    const more = ['query_id', 'max_new_tokens', 'num_output_tokens', 'generated_text', 'generated_text_full'];
    expect([...KEYS, ...more, 'generated_text_preview'].filter((key) => !(key in first))).toEqual([]);
    expect([body.use_eos_token, (first.generated_text_preview as string).length]).toEqual([false, 200]);
    expect(first).toMatchObject({ num_output_tokens: 8, decode_steps: 7, kv_positions: 345, num_total_tokens: 337 });
    expect(body.decode_fit).toMatchObject({ slope: expect.closeTo(5, 9), intercept: expect.closeTo(0, 6), n: 4 });
    expect(body.cost_per_output_token_ms).toBeCloseTo(5, 9);
    expect(figure_names).toEqual([
      'exp4_language_tokens_vs_latency',
      'exp4_language_tokens_vs_latency_breakdown_toy_val+test_no_eos',
    ]);
    expect(outcomes(findings)).toEqual(['confirmed', 'confirmed', 'confirmed', 'not tested']);
  });

  it('tells a line from a curve, and holds the shares against what the study says of them', () => {
    // A step over a longer cache takes longer: 30 ms for 7 steps, 120 ms for 4,095.
    const bent = [8, 256, 4096].map((tokens) => answer_cell(tokens, 0, 30 + tokens / 45));
    const { findings } = body_of(language_tokens, bent);
    expect(outcomes(findings)).toEqual(['confirmed', 'confirmed', 'refuted', 'confirmed']);
    expect(findings[2]?.because).toMatch(/30.2 ms over 7 steps and 121 ms over 4095, 4.01 times as long/);
    expect(findings[3]?.because).toMatch(/decode takes 68 % with 8 and 100 % with 4096/);
    const cheap = [8, 4096].map((tokens) => answer_cell(tokens, 0, 1));
    expect(body_of(language_tokens, cheap).findings[3]?.outcome).toBe('refuted');
  });

  it('counts what was made where the end-of-text token may end an answer: the step that made it too', () => {
    const answer = { text: '', text_full: '<|endoftext|>', finish: 'eos', forced: false } as const;
    const tokens = { ...answer_cell(64, 0, 5).tokens, num_output_tokens: 4, decode_steps: 4 };
    const { body, figure_names } = body_of(language_tokens, [answer_cell(64, 0, 5, { answer, tokens })]);
    expect(body.use_eos_token).toBe(true);
    expect((body.results as object[])[0]).toMatchObject({
      ...{ max_new_tokens: 64, num_output_tokens: 5, num_content_tokens: 4, ends_with_eos: true, decode_steps: 4 },
    });
    expect(figure_names[1]).toMatch(/_with_eos$/);
  });

  it('draws answers of one token, which decode nothing', () => {
    const { body, figures } = body_of(language_tokens, [answer_cell(1, 0, 5)]);
    expect([body.decode_fit, body.cost_per_output_token_ms]).toEqual([null, null]);
    expect(figures[0]?.panels.length).toBe(1);
  });
});

describe('plans', () => {
  const config = preset_config('molmoe-1b');
  const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
  const subject = async (samples: number) => {
    const set = toy_dataset(Array.from({ length: 12 }, () => [640, 480] as const));
    return {
      config,
      tokenizer,
      asked: {},
      tokens_per_readback: 1,
      samples: await choose_samples(set, samples, 'fill'),
    };
  };

  it('ask each sample once, for the prompt alone', async () => {
    for (const experiment of [latency_distribution, component_profiling]) {
      const { cells, skipped } = experiment.plan(await subject(3), {});
      expect([cells.map(({ settings }) => settings), skipped]).toEqual([
        [{ sample: 0 }, { sample: 1 }, { sample: 2 }],
        [],
      ]);
      expect(cells.map(({ requests }) => requests[0]?.request.maxNewTokens)).toEqual([0, 0, 0]);
    }
  });

  it('force the study’s lengths on the same pictures; 4096 fit behind the prompt, what does not is skipped', async () => {
    const newTokens = language_tokens.options.newTokens?.parse(undefined);
    const { cells, skipped } = language_tokens.plan(await subject(2), { newTokens, useEosToken: false });
    expect([cells.length, skipped]).toEqual([20, []]);
    expect(cells.at(-1)).toMatchObject({ settings: { max_new_tokens: 4096, query_id: 1 } });
    expect(cells.every(({ requests }) => requests[0]?.request.ignoreEos)).toBe(true);
    const too_long = language_tokens.plan(await subject(1), { newTokens: [8, 32_000], useEosToken: true });
    expect(too_long.cells.map(({ requests }) => requests[0]?.request.ignoreEos)).toEqual([false]);
    expect(too_long.skipped).toEqual([
      expect.objectContaining({ reason: expect.stringMatching(/expected at most 32768 positions, found 32\d\d\d/) }),
    ]);
  });

  it('on the built-in set vary in crops as photographs do', async () => {
    const samples = await choose_samples(
      await open_dataset({ name: 'shapes' }, { tile_px: 224, margin_px: 112 }),
      40,
      'fill',
    );
    const { cells } = latency_distribution.plan({ ...(await subject(1)), samples }, {});
    expect(new Set(cells.map(({ weight }) => Math.round(weight / 1e10))).size).toBeGreaterThan(3);
  });
});

it('parameters of the model are the published counts', () => {
  expect(repository_parameters(preset_config('molmoe-1b')).true_total).toBe(7_221_875_712);
});
