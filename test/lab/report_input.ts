import type { ReportInput } from '../../experiments/lab/report.ts';
import type { Configuration } from '../../experiments/lab/schema.ts';
import { FAKE_RUN, fake_configurations } from '../support/records.ts';

export function report_input(changes: Partial<ReportInput> = {}): ReportInput {
  return {
    title: 'Where the time goes',
    question: 'Which stage takes the time of a request?',
    run: FAKE_RUN,
    configurations: fake_configurations(),
    findings: [
      { expectation: 'Prefill is linear.', outcome: 'confirmed', because: 'R² 0.999.' },
      { expectation: 'Decode is the largest stage.', outcome: 'refuted', because: 'In 3 of 15 configurations.' },
      { expectation: 'Routing is even.', outcome: 'not tested', because: 'Experts were not counted.' },
    ],
    figures: [{ name: 'stages', svg: '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 20"/>' }],
    files: ['run.json', 'traces/high short.json'],
    ...changes,
  };
}

/** Everything that a run may lack. */
export function bare(configuration: Configuration): Configuration {
  const [sample] = configuration.clean.samples;
  if (sample === undefined) throw new Error('a configuration without samples');
  return {
    ...configuration,
    tokens: { ...configuration.tokens, image_size: null, tiling: null, num_crops: 0, decode_steps: 0 },
    clean: {
      ...configuration.clean,
      samples: [
        {
          ...sample,
          T_vision_encoder: null,
          T_projector: null,
          T_vision_total: null,
          T_LLM_decode: 0,
          T_decode_per_step: [],
          T_decode_per_token: null,
        },
      ],
    },
    instrumented: null,
    routing: null,
  };
}
