import type { Chart, Figure, Series } from '../../experiments/lab/charts.ts';
import type { Head } from '../../experiments/lab/figures.ts';
import { random_numbers } from '../../experiments/lab/random.ts';
import { PARTS } from '../../experiments/lab/schema.ts';
import { words_of } from '../../experiments/lab/style.ts';
import { PROVENANCE } from './records.ts';

export const HEAD: Head = PROVENANCE;

export const figure_of = (name: string, panels: readonly Chart[], more: Partial<Figure> = {}): Figure => ({
  name,
  title: `A figure of ${name.replaceAll('_', ' ')}`,
  notes: ['median of 10 runs, error bars: 95 % interval of the median; host wall time between fences'],
  panels,
  ...more,
});

/** Repeatable, about normal with this middle and spread. */
export function values_around(middle: number, spread: number, count: number, seed = 1): number[] {
  const random = random_numbers(seed);
  return Array.from({ length: count }, () => middle + spread * (random() + random() + random() + random() - 2));
}

export const series_of = (count: number, points = 6, name = (i: number) => `series ${i + 1}`): Series[] =>
  Array.from({ length: count }, (_, i) => ({
    name: name(i),
    look: i,
    points: Array.from({ length: points }, (_, k) => {
      const y = 20 + (k + 1) * (i + 2) * 3;
      return { x: 256 * (k + 1), y, low: 0.94 * y, high: 1.07 * y };
    }),
  }));

const TOKENS = { label: 'Prompt (tokens)' };
const MS = { label: 'Latency (ms)' };

export const bars_of = (count: number): Extract<Chart, { kind: 'stack' }>['bars'] => {
  const words = ['short', 'medium', 'long'];
  return Array.from({ length: count }, (_, i) => {
    const lines = [['low', 'medium', 'high'][Math.floor(i / 9) % 3], words[Math.floor(i / 3) % 3], words[i % 3]];
    const segments = [
      { look: 'vision_encoder' as const, name: 'vision encoder', value: 300 * (1 + (i % 7)) },
      { look: 'projector' as const, name: 'projector', value: 12 * (1 + (i % 7)) },
      { look: 'prefill' as const, name: 'prefill', value: 420 + 61 * i },
      { look: 'decode' as const, name: 'decode', value: 170 * (1 + 4 * (i % 3)) },
    ];
    const value = segments.reduce((sum, segment) => sum + segment.value, 0);
    return {
      label: lines as string[],
      segments: segments.map((one) => ({ ...one, note: ((100 * one.value) / value).toFixed(0) })),
      total: { value, low: 0.95 * value, high: 1.06 * value, label: value.toLocaleString('en-US') },
    };
  });
};

export const stack_of = (count: number, more: Partial<Extract<Chart, { kind: 'stack' }>> = {}): Chart => ({
  kind: 'stack',
  bars: bars_of(count),
  categories: 'Configuration',
  lines: ['image', 'prompt', 'answer'],
  value: MS,
  ...more,
});

export const shares_of = (title: string, count: number): Chart => ({
  kind: 'stack',
  title,
  shares: true,
  lying: true,
  categories: 'Configuration',
  lines: ['image', 'prompt', 'answer'],
  value: { label: 'GPU time (%)' },
  bars: bars_of(count).map(({ label }, i) => ({
    label: [label.join(' · ')],
    segments: PARTS.map((part, k) => ({
      look: part,
      name: words_of(part),
      value: 1 + ((i + 3 * k) % 7) * 4,
      note: `${(i + 3 * k) % 7}`,
    })),
    total: { value: 0, label: `${1234 + 100 * i}` },
  })),
});

const groups_of = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    name: `group ${i + 1}`,
    look: i,
    values: [...values_around(24 + 3 * i, 1.5 + i / 2, 120, i + 1), 24 + 3 * i + 9],
  }));

const spans = Array.from({ length: 16 }, (_, layer) => ({
  name: `block ${layer}`,
  spans: (['norm', 'attention', 'moe_routing', 'moe_experts'] as const).map((look, i) => {
    const from = layer * 20 + [0, 1, 8, 9][i]!;
    return { from, to: from + [1, 7, 1, 11][i]!, look, name: words_of(look) };
  }),
}));

const CANDIDATES = [
  ['f16', 2724, 0.71],
  ['q8', 1690, 0.705],
  ['q4', 1210, 0.662],
  ['q8, top-k 4', 1320, 0.689],
  ['q8, top-k 2', 1105, 0.61],
  ['q4, top-k 1', 1000, 0.44],
  ['f16, 4 crops', 1702, 0.64],
  ['f16, 2 crops', 1360, 0.55],
] as const;

/** One figure a kind, and more where a kind has several faces. */
export const SAMPLES: Readonly<Record<string, Figure>> = Object.fromEntries(
  [
    figure_of('lines', [
      {
        kind: 'lines',
        title: 'Latency over the prompt',
        x: TOKENS,
        y: MS,
        series: series_of(3),
        legend: 'Answer (tokens)',
        fits: [{ slope: 0.035, intercept: 17, label: 'ms = 0.035 × tokens + 17, R² 0.9987, n = 18' }],
        guides: [{ axis: 'x', at: 1024, label: 'trained length' }],
      },
      { kind: 'lines', title: 'With bands', band: true, x: TOKENS, y: MS, series: series_of(2, 9) },
    ]),
    figure_of('lines_ten', [{ kind: 'lines', x: TOKENS, y: MS, series: series_of(10) }]),
    figure_of('lines_log', [
      {
        kind: 'lines',
        x: { label: 'Experts a token', scale: 'log' },
        y: { label: 'Memory (bytes)', scale: 'log' },
        series: [
          { name: 'weights', look: 0, points: [1, 2, 4, 8, 16, 32, 64].map((x) => ({ x, y: 6e8 * x + 1e9 })) },
          { name: 'cache', look: 1, points: [1, 2, 4, 8, 16, 32, 64].map((x) => ({ x, y: 2e6 * x ** 1.4 })) },
        ],
      },
    ]),
    figure_of('scatter', [
      {
        kind: 'scatter',
        title: 'Under its roofs',
        x: { label: 'Arithmetic intensity (FLOP a byte)', scale: 'log' },
        y: { label: 'GFLOP/s', scale: 'log' },
        series: [
          { name: 'matmul', look: 0, points: [1, 4, 16, 60, 120].map((x) => ({ x, y: Math.min(90, 7 * x) })) },
          { name: 'attention', look: 1, points: [2, 9, 33].map((x) => ({ x, y: Math.min(52, 5 * x), label: `${x}` })) },
        ],
        roofs: [
          {
            label: 'stream 12 GB/s',
            points: [
              [0.5, 6],
              [9.17, 110],
            ],
          },
          {
            label: 'cache 20 GB/s',
            points: [
              [0.5, 10],
              [5.5, 110],
            ],
          },
          {
            label: 'f32 multiply-adds 110 GFLOP/s',
            points: [
              [5.5, 110],
              [300, 110],
            ],
          },
        ],
      },
      {
        kind: 'scatter',
        title: 'Work and time',
        notes: ['Spearman 0.97, R² 0.93, n = 24'],
        x: { label: 'Work (FLOP)', scale: 'log' },
        y: { label: 'Latency (ms)', scale: 'log' },
        speeds: true,
        series: (['vision_encoder', 'prefill', 'decode'] as const).map((look, i) => ({
          name: words_of(look),
          look,
          points: Array.from({ length: 8 }, (_, k) => {
            const x = 10 ** (8.2 + i * 0.7 + k * 0.3);
            const y = (x / 3e7) * (1 + ((k * 7) % 5) / 4);
            return { x, y, low: 0.8 * y, high: 1.3 * y };
          }),
        })),
      },
    ]),
    ...[1, 3, 15, 27].map((count) => figure_of(`stack_${count}`, [stack_of(count)])),
    figure_of('stack_lying', [stack_of(5, { lying: true } as object)]),
    figure_of(
      'stack_shares',
      ['vision encoder', 'projector', 'prefill', 'decode'].map((name) => shares_of(name, 15)),
    ),
    figure_of('histogram', [
      { kind: 'distribution', shape: 'histogram', value: { label: 'A decode step (ms)' }, groups: groups_of(1) },
      { kind: 'distribution', shape: 'histogram', value: { label: 'A decode step (ms)' }, groups: groups_of(3) },
    ]),
    figure_of('cdf', [
      {
        kind: 'distribution',
        shape: 'cdf',
        value: { label: 'A decode step (ms)' },
        groups: groups_of(4),
        guides: [{ axis: 'x', at: 40, label: '25 tokens a second' }],
      },
    ]),
    figure_of('box', [
      { kind: 'distribution', shape: 'box', value: { label: 'A decode step (ms)' }, groups: groups_of(5) },
    ]),
    figure_of('pie', [
      {
        kind: 'pie',
        title: 'decode',
        total: '1,234 ms',
        slices: PARTS.map((part, i) => ({
          look: part,
          name: words_of(part),
          value: [400, 30, 60, 620, 50, 3, 9, 62][i]!,
        })),
      },
    ]),
    figure_of('pareto', [
      {
        kind: 'pareto',
        x: { label: 'Latency (ms)', from_zero: false },
        y: { label: 'Accuracy', from_zero: false },
        better: { x: 'low', y: 'high' },
        series: [
          {
            name: 'all crops',
            look: 0,
            points: CANDIDATES.slice(0, 6).map(([label, x, y]) => ({ label, x, y, low: y - 0.02, high: y + 0.02 })),
          },
          { name: 'fewer crops', look: 1, points: CANDIDATES.slice(6).map(([label, x, y]) => ({ label, x, y })) },
        ],
        front: [1000, 1105, 1210, 1320, 1690, 2724].map((x) => ({ x, y: CANDIDATES.find((one) => one[1] === x)![2] })),
      },
    ]),
    figure_of('heat', [
      {
        kind: 'heat',
        title: 'Token-expert pairs',
        rows: Array.from({ length: 16 }, (_, i) => `block ${i}`),
        columns: Array.from({ length: 64 }, (_, i) => `${i}`),
        row_title: 'Block',
        column_title: 'Expert',
        value: 'Pairs over their mean',
        middle: 1,
        values: Array.from({ length: 16 }, (_, r) =>
          Array.from({ length: 64 }, (_, c) => (r === 3 && c < 8 ? null : 0.4 + ((r * 31 + c * 17) % 23) / 14)),
        ),
      },
    ]),
    figure_of('heat_written', [
      {
        kind: 'heat',
        rows: ['top-k 1', 'top-k 2', 'top-k 4', 'top-k 8'],
        columns: ['low', 'medium', 'high', 'high, portrait'],
        row_title: 'Experts a token',
        column_title: 'Image',
        value: 'Latency (ms)',
        written: true,
        values: [0, 1, 2, 3].map((r) => [0, 1, 2, 3].map((c) => (r === 0 && c === 3 ? null : 320 * (r + 1) * (c + 2)))),
      },
    ]),
    figure_of('strip', [{ kind: 'strip', time: { label: 'Time (ms)' }, tracks: spans }]),
  ].map((figure) => [figure.name, figure]),
);
