import { e1 } from '../../experiments/core/e1.ts';
import type { E1Flops, E1Parts, E1Stages } from '../../experiments/core/e1_files.ts';
import type { Configuration } from '../../experiments/lab/schema.ts';
import { FAKE_RUN, fake_configuration, fake_configurations } from './records.ts';

export interface E1Files {
  readonly stages: E1Stages;
  readonly flops: E1Flops;
  readonly parts: E1Parts;
}

/** E1's three result files from made-up configurations. */
export function e1_files(configurations: readonly Configuration[]): E1Files {
  const { files } = e1.derive({ run: FAKE_RUN, configurations: e1.sorted(configurations), skipped: [] });
  return {
    stages: files.e1_stage_latency_breakdown as E1Stages,
    flops: files.e1_flops_vs_latency as E1Flops,
    parts: files.e1_attention_ffn_breakdown as E1Parts,
  };
}

const LENGTHS = ['short', 'medium', 'long'] as const;

/** All 27 cells. */
const full_grid = (): Configuration[] =>
  (['low', 'medium', 'high'] as const).flatMap((regime) =>
    LENGTHS.flatMap((prompt) => LENGTHS.map((decode) => fake_configuration(regime, prompt, decode))),
  );

/** A request that generates a single token: prefill yields it and nothing is left to decode. */
function without_decode(configuration: Configuration): Configuration {
  const { decode: _exact, ...exact } = configuration.flops.exact;
  const { decode: _counters, ...counters } = configuration.counters;
  const { instrumented } = configuration;
  return {
    ...configuration,
    tokens: { ...configuration.tokens, num_output_tokens: 1, decode_steps: 0 },
    clean: {
      ...configuration.clean,
      samples: configuration.clean.samples.map((sample) => ({
        ...sample,
        T_total: sample.T_total - (sample.T_LLM_decode ?? 0),
        T_LLM_decode: null,
        T_decode_per_step: [],
        T_decode_per_token: null,
      })),
    },
    counters,
    flops: { ...configuration.flops, exact },
    instrumented: instrumented && {
      ...instrumented,
      kernels: instrumented.kernels.filter((row) => row.stage !== 'decode'),
      runs: instrumented.runs.map((run) => ({ ...run, parts: run.parts.filter((row) => row.stage !== 'decode') })),
    },
  };
}

/** A request without a picture: no vision stages. */
function text_only(configuration: Configuration): Configuration {
  const language = <T extends { stage: string }>(rows: readonly T[]): T[] =>
    rows.filter((row) => row.stage === 'prefill' || row.stage === 'decode');
  const { instrumented, tokens, flops, counters } = configuration;
  return {
    ...configuration,
    tokens: { ...tokens, image_size: null, tiling: null, num_crops: 0, prompt_length: 1 + tokens.text_tokens },
    clean: {
      ...configuration.clean,
      samples: configuration.clean.samples.map((sample) => ({
        ...sample,
        T_total: (sample.T_LLM_prefill ?? 0) + (sample.T_LLM_decode ?? 0) + sample.T_gaps,
        T_vision_encoder: null,
        T_projector: null,
        T_vision_total: null,
      })),
    },
    counters: { prefill: counters.prefill, decode: counters.decode },
    flops: { ...flops, exact: { prefill: flops.exact.prefill, decode: flops.exact.decode } },
    instrumented: instrumented && {
      ...instrumented,
      kernels: language(instrumented.kernels),
      runs: instrumented.runs.map((run) => ({ ...run, parts: language(run.parts) })),
    },
  };
}

/** The shapes of result that figures must cope with, by name. */
export const E1_CASES: Readonly<Record<string, () => Configuration[]>> = {
  one: () => [fake_configuration('low', 'short', 'short')],
  one_run: () => [fake_configuration('low', 'short', 'short', 1)],
  two: () => [fake_configuration('high', 'short', 'short'), fake_configuration('high', 'long', 'long')],
  three: () => (['low', 'medium', 'high'] as const).map((regime) => fake_configuration(regime, 'short', 'medium')),
  fifteen: () => fake_configurations(),
  twenty_seven: full_grid,
  one_token: () => [
    without_decode(fake_configuration('low', 'short', 'short')),
    without_decode(fake_configuration('high', 'long', 'short')),
  ],
  text_only: () => [text_only(fake_configuration('low', 'short', 'medium'))],
  slow: () => fake_configurations(700),
};
