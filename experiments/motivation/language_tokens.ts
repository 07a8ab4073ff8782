import { compact, fit_or_note } from '../lab/captions.ts';
import type { Bar, Figure, Series } from '../lab/charts.ts';
import { define } from '../lab/define.ts';
import { latency } from '../lab/instruments.ts';
import { described, toggle, wholes } from '../lab/options.ts';
import { cell_of_sample } from '../lab/plan.ts';
import { fits_table } from '../lab/stage_tables.ts';
import type { Table } from '../lab/tables.ts';
import { type Language, type Length, language_body, language_shape } from './language_file.ts';
import { methods_table, named_after_set, samples_note } from './on_samples.ts';

const LENGTHS = [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096];

/** Lengths where something was decoded, as a series. */
const along = (lengths: readonly Length[], x: keyof Length, y: keyof Length): Series['points'] =>
  lengths.flatMap((row) => (row[y] === null ? [] : [{ x: row[x] as number, y: row[y] as number, n: row.n }]));

function figures({ results, lengths, dataset, decode_fit, use_eos_token }: Language): Figure[] {
  if (results.length === 0) return [];
  const asked = use_eos_token ? 'until the end-of-text token' : 'forced lengths';
  const notes = [
    samples_note(results, dataset, asked).replace('samples', 'answers to samples'),
    'points and bars: medians over the pictures',
  ];
  const log = 'log' as const;
  const [decode, total, prompt] = [
    along(lengths, 'decode_steps', 'decode_ms'),
    along(lengths, 'num_output_tokens', 'total_ms'),
    along(lengths, 'num_output_tokens', 'prompt_ms'),
  ];
  const bars = lengths.map(({ num_output_tokens, prompt_ms, decode_ms }): Bar => {
    const value = (prompt_ms + (decode_ms ?? 0)) / 1000;
    const segments = [
      { look: 'prefill' as const, name: 'prompt: vision and prefill', value: prompt_ms / 1000 },
      { look: 'decode' as const, name: 'decode', value: (decode_ms ?? 0) / 1000 },
    ];
    return { label: [String(Math.round(num_output_tokens))], segments, total: { value, label: compact(value) } };
  });
  const curves: Figure = {
    name: 'exp4_language_tokens_vs_latency',
    title: 'Latency over output tokens',
    notes,
    panels: [
      {
        ...{ kind: 'lines', title: 'Decode', x: { label: 'Decode steps' }, y: { label: 'Latency (ms)' } },
        series: [{ name: 'decode', look: 'decode', points: decode }],
        ...fit_or_note('decode', decode_fit, 'steps'),
      },
      {
        ...{ kind: 'lines', title: 'Whole request, and its prompt alone' },
        ...{ x: { label: 'Output tokens', scale: log }, y: { label: 'Latency (ms)', scale: log } },
        series: [
          { name: 'whole request', look: 0, points: total },
          { name: 'prompt', look: 'prefill', points: prompt },
        ],
      },
    ].filter(({ series }) => series.some(({ points }) => points.length > 0)) as Figure['panels'],
  };
  const suffix = use_eos_token ? '_with_eos' : '_no_eos';
  const breakdown: Figure = {
    name: named_after_set('exp4_language_tokens_vs_latency_breakdown', dataset) + suffix,
    title: 'Prompt and decode over output tokens',
    notes: [...notes, 'logarithmic: only where a part ends means anything, not how high it is'],
    panels: [{ kind: 'stack', categories: 'Output tokens', value: { label: 'Latency (s)', scale: log }, bars }],
  };
  return [curves, breakdown];
}

const lengths_table = (lengths: readonly Length[]): Table => ({
  title: 'by output tokens',
  columns: [
    { name: 'asked for', unit: 'count' },
    { name: 'made', unit: 'number' },
    { name: 'answers', unit: 'count' },
    { name: 'prompt', unit: 'ms' },
    { name: 'decode', unit: 'ms' },
    { name: 'decode a step', unit: 'ms' },
    { name: 'whole request', unit: 'ms' },
    { name: 'decode of both', unit: 'share' },
  ],
  rows: lengths.map(({ max_new_tokens, num_output_tokens, n, prompt_ms, decode_ms, step_ms, total_ms }) => [
    ...[max_new_tokens, num_output_tokens, n, prompt_ms, decode_ms, step_ms, total_ms],
    decode_ms === null ? null : decode_ms / (decode_ms + prompt_ms),
  ]),
  note: 'Medians over the pictures. The first token comes out of the prompt: N tokens are N - 1 steps.',
});

/** A few pictures, and answers of every length: what one more output token costs. */
export const language_tokens = define({
  name: 'motivation-exp4',
  aliases: ['exp4_language_tokens_vs_latency'],
  group: 'motivation',
  title: 'Output tokens: what each costs after the prompt',
  question: 'How does latency grow with the tokens of the answer, and what does one of them cost?',
  options: {
    newTokens: described(wholes(1, 32_000).default(LENGTHS), 'output tokens, forced, each asked of every picture', {
      aliases: ['max_new_tokens_list'],
    }),
    useEosToken: described(toggle(), 'let the end-of-text token end an answer before its length', {
      aliases: ['use_eos_token'],
    }),
  },
  sweeps: ['image', 'prompt', 'answer'],
  instrument: latency,
  dataset: { samples: 10, built_in: 2, quick: 1 },
  once_for: 'shape',
  repeats: { runs: 1, warmup: 1 },
  quick: { options: { newTokens: [8, 16] }, repeats: { runs: 1 } },
  cells: (on, { newTokens, useEosToken }) =>
    newTokens.flatMap((new_tokens) =>
      (on.samples?.list ?? []).map((_, place) =>
        cell_of_sample(on, { max_new_tokens: new_tokens, query_id: place }, place, {
          new_tokens,
          ends_at_eos: useEosToken,
        }),
      ),
    ),
  files: { exp4_language_tokens_vs_latency: language_shape },
  derive: (saved) => ({ exp4_language_tokens_vs_latency: language_body(saved) }),
  figures: ({ exp4_language_tokens_vs_latency: file }) => figures(file),
  tables: ({ exp4_language_tokens_vs_latency: { lengths, decode_fit, results } }) => [
    lengths_table(lengths),
    fits_table('cost of an output token', [['decode', 'step', decode_fit]]),
    ...methods_table(results),
  ],
  findings: ({ exp4_language_tokens_vs_latency: { findings } }) => findings,
});
