import type { Chart } from '../../experiments/lab/charts.ts';
import type { IndexEntry, PageInput } from '../../experiments/lab/report.ts';
import type { Configuration } from '../../experiments/lab/schema.ts';
import { FAKE_RUN, fake_configuration, fake_configurations } from '../support/records.ts';
import { FIGURES } from './report_figures.ts';

const EXPERIMENT = {
  name: 'e1',
  title: 'Where the time goes',
  question: 'Which stage takes the time of a request?',
  group: 'core',
};

export function page_input(changes: Partial<PageInput> = {}): PageInput {
  return {
    experiment: EXPERIMENT,
    run: FAKE_RUN,
    configurations: fake_configurations(),
    skipped: [
      { key: 'high_long_huge', settings: { regime: 'high' }, reason: 'needs 5,000 positions, the model has 4,096' },
    ],
    findings: [
      { expectation: 'Prefill is linear.', outcome: 'confirmed', because: 'R² 0.999.' },
      { expectation: 'Decode is the largest stage.', outcome: 'refuted', because: 'In 3 of 15 configurations.' },
      { expectation: 'Routing is even.', outcome: 'not tested', because: 'Experts were not counted.' },
    ],
    figures: FIGURES,
    tables: [
      {
        title: 'Speed',
        columns: [
          { name: 'configuration', unit: 'text' },
          { name: 'prefill', unit: 'ms' },
          { name: 'share', unit: 'share' },
          { name: 'work by S1', unit: 'flop' },
        ],
        rows: [
          ['low', 12.345, 0.5, 1.234e12],
          ['high', null, 0.25, 2e9],
        ],
        note: 'Medians.',
      },
    ],
    files: ['run.json', 'traces/high short.json'],
    ...changes,
  };
}

export function index_entry(changes: Partial<IndexEntry> = {}): IndexEntry {
  const { findings, files } = page_input();
  return {
    experiment: EXPERIMENT,
    folder: 'core/e1',
    head: {
      model: 'molmoe-mini',
      adapter: 'llvmpipe (software)',
      date: '2026-01-01',
      weights: 'synthetic, seed 1',
      cells: 27,
      runs: 10,
    },
    findings,
    figures: FIGURES.filter(({ name }) => name !== 'timeline'),
    files,
    page: 'core/e1/report.html',
    ...changes,
  };
}

/** The same chart of nothing. */
export function emptied(chart: Chart): Chart {
  switch (chart.kind) {
    case 'stack':
      return { ...chart, bars: [] };
    case 'distribution':
      return { ...chart, groups: [] };
    case 'pie':
      return { ...chart, slices: [] };
    case 'heat':
      return { ...chart, values: chart.values.map((row) => row.map(() => null)) };
    case 'strip':
      return { ...chart, tracks: [] };
    case 'pareto':
      return { ...chart, series: [], front: [] };
    default:
      return { ...chart, series: [] };
  }
}

/** The same chart of a single thing, which is zero where that may be. */
export function thinned(chart: Chart): Chart {
  switch (chart.kind) {
    case 'stack':
      return {
        ...chart,
        bars: chart.bars.slice(0, 1).map(({ label, segments }) => ({
          label,
          segments: segments.slice(0, 1).map((one) => ({ ...one, value: 0 })),
        })),
      };
    case 'distribution':
      return { ...chart, groups: chart.groups.slice(0, 1).map((one) => ({ ...one, values: [0] })) };
    case 'pie':
      return { ...chart, slices: chart.slices.slice(0, 1) };
    case 'heat':
      return { ...chart, rows: ['one'], columns: ['one'], values: [[0]] };
    case 'strip':
      return { ...chart, tracks: chart.tracks.slice(0, 1).map((one) => ({ ...one, spans: one.spans.slice(0, 1) })) };
    default:
      return {
        ...chart,
        series: chart.series.slice(0, 1).map((one) => ({ ...one, points: [{ x: 0, y: 0 }] })),
        ...('front' in chart ? { front: [] } : {}),
      };
  }
}

const LENGTHS = ['short', 'medium', 'long'] as const;

export const full_grid = (runs = 10): Configuration[] =>
  (['low', 'medium', 'high'] as const).flatMap((regime) =>
    LENGTHS.flatMap((prompt) => LENGTHS.map((decode) => fake_configuration(regime, prompt, decode, runs))),
  );

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
