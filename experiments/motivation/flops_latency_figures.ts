import { correlation_note, fit_quality } from '../lab/captions.ts';
import type { Chart, Figure, Fit, Look, Series } from '../lab/charts.ts';
import type { Table } from '../lab/tables.ts';
import type { FlopsLatencyFile, FlopsStatistics } from './flops_latency_file.ts';

const FAMILIES = {
  exp3: { name: 'longer pictures', title: 'Vision tokens', tokens: 'Inserted vision tokens', look: 'vision_encoder' },
  exp4: { name: 'longer answers', title: 'New tokens', tokens: 'New tokens', look: 'decode' },
} as const satisfies Readonly<Record<string, { name: string; title: string; tokens: string; look: Look }>>;
type Family = keyof typeof FAMILIES;

/** One unit on an axis, by its largest value. */
const UNITS = [
  [1e12, 'TFLOP'],
  [1e9, 'GFLOP'],
  [1e6, 'MFLOP'],
  [1, 'FLOP'],
] as const;
const unit_of = (flops: readonly number[]) => UNITS.find(([size]) => Math.max(0, ...flops) >= size) ?? UNITS[3];
const MS = { label: 'Latency (ms)' };

export function flops_latency_figures(file: FlopsLatencyFile): Figure[] {
  const notes = notes_of(file);
  const one = (family: Family) => panels(file, family);
  const all: Figure[] = [
    {
      name: 'exp5_flops_vs_latency',
      title: title_of(file),
      notes,
      panels: [...one('exp3'), ...one('exp4'), ...combined(file)],
    },
    { name: 'exp5_flops_vs_latency_vision', title: `${title_of(file)}: longer pictures`, notes, panels: one('exp3') },
    { name: 'exp5_flops_vs_latency_language', title: `${title_of(file)}: longer answers`, notes, panels: one('exp4') },
  ];
  return all.filter((figure) => figure.panels.length > 0);
}

const title_of = ({ x_axis }: FlopsLatencyFile): string =>
  x_axis === 'flops' ? 'FLOPs and latency' : 'Tokens and latency';

function notes_of({ inputs, times_of, not_comparable, differences, x_axis }: FlopsLatencyFile): string[] {
  const [vision, language] = inputs;
  const of = (input: typeof vision) => (input ? `${input.model} on ${input.adapter}` : '');
  return [
    `${inputs.map(({ experiment, runs }) => `${experiment}: medians of ${runs} runs`).join('; ')}; host wall time between fences${x_axis === 'flops' ? '; exact FLOPs' : ''}`,
    ...(times_of.scaled ? [`Times are scaled to ${times_of.exp3}`] : []),
    ...(not_comparable.length > 0
      ? [`not measured on the same, so not drawn together: pictures ${of(vision)}; answers ${of(language)}`]
      : differences.length > 0
        ? [`the two differ in ${differences.map((line) => line.split(':')[0]).join(', ')}`]
        : []),
  ];
}

function series_of(file: FlopsLatencyFile, family: Family, unit: number): Series {
  const { look, name } = FAMILIES[family];
  const tokens = family === 'exp3' ? file.exp3.vision_tokens : file.exp4.output_tokens;
  const { flops, latencies } = file[family];
  const x = file.x_axis === 'flops' ? flops.map((value) => value / unit) : tokens;
  return { name, look, points: latencies.map((y, i) => ({ x: x[i] as number, y })) };
}

/** A series with its line; none where it has no points. */
function panels(file: FlopsLatencyFile, family: Family): Chart[] {
  const { title, tokens, look } = FAMILIES[family];
  const [size, unit] = unit_of(file[family].flops);
  const series = series_of(file, family, size);
  if (series.points.length === 0) return [];
  const of_flops = file.x_axis === 'flops';
  const statistics = file.statistics[family];
  const fits = of_flops && statistics !== null ? [line_of(statistics, size, look)] : [];
  const x = { label: of_flops ? `Exact work (${unit})` : tokens };
  return [{ kind: 'scatter', title, x, y: MS, series: [{ ...series, name: '' }], fits }];
}

const line_of = (of: FlopsStatistics, size: number, look: Look): Fit => ({
  slope: (of.slope * size) / 1e12,
  intercept: of.intercept,
  look,
  label: `${Math.round(of.slope).toLocaleString('en-US')} ms a TFLOP; ${fit_quality(of)}`,
});

/** Both, on logarithmic axes: they lie orders of magnitude apart. */
function combined(file: FlopsLatencyFile): Chart[] {
  const { combined: both } = file.statistics;
  if (both === null) return [];
  const of_flops = file.x_axis === 'flops';
  const scale = 'log' as const;
  const series = (['exp3', 'exp4'] as const).map((family) => series_of(file, family, 1));
  const positive = series.map((one) => ({ ...one, points: one.points.filter(({ x, y }) => x > 0 && y > 0) }));
  const ratio = `a TFLOP takes ${both.ratio.ms_per_tflop.toPrecision(3)} times as long in requests with longer answers${both.ratio.slope === null ? '' : `, one more ${both.ratio.slope.toPrecision(3)} times`}`;
  return [
    {
      kind: 'scatter',
      title: 'Together',
      notes: of_flops ? [correlation_note(both), ratio] : [],
      x: { label: of_flops ? 'Exact work (FLOP)' : 'Tokens', scale },
      y: { ...MS, scale },
      series: positive,
      speeds: of_flops,
    },
  ];
}

export function flops_latency_tables({
  statistics,
  statistics_S1,
  inputs,
  times_of,
  not_comparable,
}: FlopsLatencyFile): Table[] {
  const text = (name: string) => ({ name, unit: 'text' as const });
  const number = (name: string) => ({ name, unit: 'number' as const });
  const rows = (
    [
      ['exact', statistics],
      ['S1', statistics_S1],
    ] as const
  ).flatMap(([flops, all]) =>
    (
      [
        ['longer pictures', all.exp3],
        ['longer answers', all.exp4],
        ['together', all.combined],
      ] as const
    ).map(([of, one]) => [
      of,
      flops,
      one?.n ?? null,
      one?.r_squared ?? null,
      one?.correlation ?? null,
      one?.spearman ?? null,
      one?.slope ?? null,
      one?.intercept ?? null,
      one?.ms_per_tflop ?? null,
    ]),
  );
  const { combined } = statistics;
  const why_not = not_comparable.length > 0 ? 'Not measured on the same, so not together.' : 'Too few points.';
  const ratio =
    combined === null
      ? why_not
      : `A TFLOP takes ${combined.ratio.ms_per_tflop.toPrecision(3)} times as long in requests with longer answers.`;
  return [
    {
      title: `FLOPs against latency of ${times_of.exp3}${times_of.scaled ? ', scaled' : ''}`,
      columns: [
        text('of'),
        text('FLOPs'),
        { name: 'points', unit: 'count' },
        number('R squared'),
        number('correlation'),
        number('rank correlation'),
        number('ms one more TFLOP'),
        { name: 'ms at none', unit: 'ms' },
        number('ms a TFLOP'),
      ],
      rows,
      note: `${ratio} exact: as launched; S1: the formula of the study.`,
    },
    {
      title: 'what was read',
      columns: ['experiment', 'adapter', 'model', 'weights', 'stored as', 'commit', 'started'].map(text),
      rows: inputs.map((one) => [
        one.experiment,
        one.adapter,
        one.model,
        one.weights,
        one.dtype,
        one.commit.slice(0, 12),
        one.started,
      ]),
    },
  ];
}
