import type { Configuration, Run, Sample } from '../../experiments/lab/schema.ts';
import { entry_of } from '../../experiments/motivation/entries.ts';
import { motivation_exp3 } from '../../experiments/motivation/vision_tokens.ts';
import { noise } from './noise.ts';
import { FAKE_RUN, fake_configuration } from './records.ts';

/** A prompt alone with a picture of k tiles in a row: encoder 300 ms a crop, prefill 2 ms a position, give or take. */
export function vision_cell(k: number, runs = 10): Configuration {
  const one = fake_configuration('low', 'short', 'short', runs);
  const inserted = 192 + 96 * k;
  const prompt_length = inserted + 38;
  const jitter = noise(3 * runs, k);
  const samples = one.clean.samples.map((run, i): Sample => {
    const near = (ms: number, at: number) => ms * (1 + 0.01 * (jitter[3 * i + at] as number));
    const T_vision_encoder = near(300 * (k + 1), 0);
    const T_projector = near(8 * (k + 1), 1);
    const T_LLM_prefill = near(2 * prompt_length, 2);
    const T_vision_total = T_vision_encoder + T_projector;
    const none = { T_LLM_decode: null, T_decode_per_step: [], T_decode_per_token: null, T_first_token: null };
    return {
      ...run,
      ...none,
      T_vision_encoder,
      T_projector,
      T_vision_total,
      T_LLM_prefill,
      T_total: T_vision_total + T_LLM_prefill,
    };
  });
  const counts = {
    vit_patches: 576 * (k + 1),
    pooled_vision_tokens: 144 * (k + 1),
    inserted_vision_tokens: inserted,
    prompt_length,
  };
  const { decode: _, ...exact } = one.flops.exact;
  return {
    ...one,
    ...{ experiment: 'motivation-exp3', key: `k=${k}`, settings: { k } },
    tokens: {
      ...one.tokens,
      ...counts,
      image_size: `${224 * k + 112}x336`,
      tiling: [1, k],
      num_crops: k + 1,
      num_output_tokens: 0,
      decode_steps: 0,
    },
    clean: { ...one.clean, samples },
    flops: {
      ...one.flops,
      exact: { ...exact, vision_encoder: 366e9 * (k + 1), projector: 7e9 * (k + 1), prefill: 2.15e9 * prompt_length },
    },
  };
}

export const exp3_file = (run: Run = FAKE_RUN): Record<string, unknown> =>
  motivation_exp3.derive({ run, configurations: [1, 2, 3, 4, 5, 6].map((k) => vision_cell(k)), skipped: [] }).files
    .exp3_vision_tokens_vs_latency as Record<string, unknown>;

/** Two pictures answered at each length: 24 ms and 2.4 GFLOP a step after a prompt. */
export function exp4_file(run: Run = FAKE_RUN): Record<string, unknown> {
  const { provenance, protocol, knobs } = run.fingerprint;
  const results = [8, 16, 32, 64, 128].flatMap((tokens) =>
    [0, 1].map((query_id) => {
      const one = fake_configuration('low', 'short', 'short');
      const samples = one.clean.samples.map((s) => ({ ...s, T_total: 1300 + query_id + 24 * (tokens - 1) }));
      const exact = { vision_encoder: 732e9, projector: 14e9, prefill: 709e9, decode: 2.4e9 * (tokens - 1) };
      const entry = entry_of({ ...one, clean: { ...one.clean, samples }, flops: { ...one.flops, exact } });
      return { query_id, max_new_tokens: tokens, num_output_tokens: tokens, ...entry };
    }),
  );
  return {
    schema: 'molmoe.exp4.language_tokens_vs_latency/2',
    experiment: 'motivation-exp4',
    ...{ provenance, protocol, knobs, ceilings: run.ceilings, started: run.started, ended: run.started },
    results,
  };
}
