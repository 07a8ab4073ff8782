import { compact, error_bar, fit_or_note, runs_note } from '../lab/captions.ts';
import type { Bar, Figure, Look, Series } from '../lab/charts.ts';
import { fits_table } from '../lab/stage_tables.ts';
import { words_of } from '../lab/style.ts';
import type { Table } from '../lab/tables.ts';
import { type PartOfPrompt, TIME_OF, type VisionTokensFile, type VisionTokensRow } from './vision_tokens_file.ts';

const COMPONENTS = ['vision_encoder', 'projector', 'llm_prefill'] as const;
const LOOKS = {
  total: 'rest',
  llm_prefill: 'prefill',
  vision_encoder: 'vision_encoder',
  projector: 'projector',
} as const satisfies Readonly<Record<PartOfPrompt, Look>>;
const name_of = (part: PartOfPrompt): string => (part === 'total' ? 'whole prompt' : words_of(LOOKS[part]));

const X = { label: 'Inserted vision tokens' };
const MS = { label: 'Latency (ms)' };
const CLOCK = ['host wall time between fences'];

const series = (rows: readonly VisionTokensRow[], part: PartOfPrompt): Series => ({
  name: name_of(part),
  look: LOOKS[part],
  points: rows.flatMap((row) => {
    const summary = row.statistics[TIME_OF[part]];
    return summary ? [{ x: row.num_vision_tokens, y: summary.median, ...error_bar(summary), n: summary.n }] : [];
  }),
});

export function vision_tokens_figures({ results, cost_per_vision_token: cost }: VisionTokensFile): Figure[] {
  if (results.length === 0) return [];
  const notes = [
    runs_note(
      results.map(({ num_runs }) => num_runs),
      CLOCK,
    ),
    'prompt pass alone: nothing is generated',
  ];
  const total = series(results, 'total');
  const of_total = fit_or_note('prompt', cost.total);
  const components = COMPONENTS.map((part) => series(results, part)).filter(({ points }) => points.length > 0);
  return [
    {
      name: 'exp3_vision_tokens_vs_latency',
      title: 'Vision tokens and the latency of a prompt',
      notes,
      panels: [
        { kind: 'scatter', title: 'Total', x: X, y: MS, series: [{ ...total, name: '' }] },
        {
          kind: 'lines',
          title: 'Encoder, projector and prefill together',
          x: X,
          y: MS,
          series: [{ ...sums(results), name: '' }],
          ...of_total,
        },
        { kind: 'lines', title: 'Each component', x: X, y: MS, series: components },
      ],
    },
    {
      name: 'exp3_vision_tokens_vs_latency_breakdown',
      title: 'What the time to first token is made of',
      notes: [...notes, 'bars: medians of the components, above them their sum'],
      panels: [
        { kind: 'stack', title: 'Components', categories: X.label, bars: results.flatMap(bar), value: MS },
        { kind: 'lines', title: 'Time to first token', x: X, y: MS, series: [{ ...total, look: 'decode', name: '' }] },
      ],
    },
  ];
}

/** What the study calls prefill: everything before the first token, added up. */
function sums(rows: readonly VisionTokensRow[]): Series {
  const points = rows.map((row) => ({ x: row.num_vision_tokens, y: sum_of(row) }));
  return { name: '', look: 'prefill', points };
}

const medians_of = ({ statistics }: VisionTokensRow) =>
  COMPONENTS.flatMap((part) => {
    const ms = statistics[TIME_OF[part]]?.median;
    return ms === undefined ? [] : [{ look: LOOKS[part], name: name_of(part), value: ms }];
  });
const sum_of = (row: VisionTokensRow): number => medians_of(row).reduce((sum, { value }) => sum + value, 0);

function bar(row: VisionTokensRow): Bar[] {
  const segments = medians_of(row);
  if (segments.length === 0) return [];
  const value = sum_of(row);
  return [{ label: [String(row.num_vision_tokens), row.grid], segments, total: { value, label: compact(value) } }];
}

export function vision_tokens_tables({
  results,
  cost_per_vision_token: cost,
  vision_encoder_per_crop,
}: VisionTokensFile): Table[] {
  const ms = (name: string) => ({ name, unit: 'ms' as const });
  const method = results.find(({ by_method }) => by_method !== null)?.by_method?.method;
  const cells: Table = {
    title: 'vision tokens',
    columns: [
      { name: 'picture', unit: 'text' },
      { name: 'tiling', unit: 'text' },
      { name: 'inserted', unit: 'count' },
      { name: 'pooled', unit: 'count' },
      { name: 'positions', unit: 'count' },
      ...(['total', ...COMPONENTS] as const).map((part) => ms(name_of(part))),
      ...(method === undefined ? [] : [ms(`prefill by ${method}`)]),
      { name: 'FLOPs', unit: 'flop' },
    ],
    rows: results.map((row) => [
      row.resolution,
      row.grid,
      row.num_vision_tokens,
      row.pooled_vision_tokens,
      row.num_total_tokens,
      ...(['total', ...COMPONENTS] as const).map((part) => row.statistics[TIME_OF[part]]?.median ?? null),
      ...(method === undefined ? [] : [row.by_method?.T_LLM_prefill ?? null]),
      (row.scaled ?? row).exact_flops_total,
    ]),
    note: `Medians of ${results[0]?.num_runs ?? 0} runs; FLOPs are exact.`,
  };
  const fits = fits_table('cost of a token', [
    ...(['total', ...COMPONENTS] as const).map((part) => [name_of(part), 'inserted vision token', cost[part]] as const),
    ['vision encoder', 'crop', vision_encoder_per_crop],
  ]);
  return [cells, fits];
}
