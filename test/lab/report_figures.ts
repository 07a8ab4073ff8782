import type { Chart, Figure, Point } from '../../experiments/lab/charts.ts';
import { PARTS, STAGES } from '../../experiments/lab/schema.ts';
import { noise } from '../support/noise.ts';

/** A figure of each kind, with all that the kind can have. */
const jitter = noise(400, 7);
const at = (i: number): number => jitter[i % jitter.length] as number;

const around = (x: number, y: number, label?: string): Point => ({
  x,
  y,
  low: 0.93 * y,
  high: 1.08 * y,
  ...(label === undefined ? {} : { label }),
});

const figure = (name: string, title: string, ...panels: Chart[]): Figure => ({
  name,
  title,
  notes: ['Wall time between fences; median of 10 runs; error bars: 95 % interval of the median.'],
  panels,
});

const LENGTHS = ['short', 'medium', 'long'] as const;
const CELLS = ['low', 'medium', 'high'].flatMap((regime) =>
  LENGTHS.flatMap((prompt) => LENGTHS.map((decode) => [regime, prompt, decode])),
);

const lines = figure(
  'scaling',
  'How prefill and decode grow',
  {
    kind: 'lines',
    title: 'Prefill over the prompt',
    x: { label: 'Prompt positions (count)' },
    y: { label: 'Latency (ms)' },
    legend: 'Answer (tokens)',
    series: [8, 32, 128].map((tokens, s) => ({
      name: String(tokens),
      look: s,
      points: [337, 620, 1213].map((x, i) => around(x, 40 + 1.7 * x + 30 * s + 40 * at(i + s))),
    })),
    fits: [{ slope: 1.7, intercept: 40, label: '1.70 ms a position, R² 0.9990, n = 9', look: 0 }],
    guides: [{ axis: 'y', at: 1500, label: 'a second and a half' }],
  },
  {
    kind: 'lines',
    title: 'Decode over the context',
    band: true,
    x: { label: 'Context (tokens)', scale: 'log' },
    y: { label: 'A step (ms)', scale: 'log' },
    series: [{ name: 'decode', look: 'decode', points: [64, 256, 1024, 4096].map((x) => around(x, 4 + x / 90)) }],
  },
);

const scatter = figure('flops', 'FLOPs and latency: exact, S1 and S4', {
  kind: 'scatter',
  x: { label: 'Work (FLOP)', scale: 'log' },
  y: { label: 'Latency (ms)', scale: 'log' },
  speeds: true,
  series: STAGES.flatMap((stage, s) =>
    [false, true].map((hollow) => ({
      name: hollow ? `${stage}, S4` : stage,
      look: stage,
      hollow,
      points: Array.from({ length: 9 }, (_, i) =>
        around(10 ** (8 + s + 0.3 * at(i)) * (hollow ? 400 : 1), 10 ** (1 + 0.6 * s + 0.2 * at(i + 3))),
      ),
    })),
  ),
});

const bars = (labels: readonly string[][]) =>
  labels.map((label, i) => {
    const segments = STAGES.map((stage, s) => {
      const value = Math.round(100 * (1 + s) * (1.5 + at(i + 5 * s)));
      return { look: stage, name: stage, value, note: String(value) };
    });
    const value = segments.reduce((sum, one) => sum + one.value, 0);
    return {
      label,
      segments,
      total: { value, low: 0.95 * value, high: 1.04 * value, label: value.toLocaleString('en-US') },
    };
  });

const stack = figure(
  'stages',
  'Where the time of a request goes',
  {
    kind: 'stack',
    title: 'Nine of them',
    bars: bars(CELLS.slice(0, 9)),
    categories: 'Configuration',
    lines: ['image', 'prompt', 'answer'],
    value: { label: 'Latency (ms)' },
  },
  {
    kind: 'stack',
    title: 'All of them',
    bars: bars(CELLS),
    categories: 'Configuration (image, prompt, answer)',
    value: { label: 'Latency (ms)' },
    lying: true,
    shares: true,
  },
);

const groups = ['f16', 'q8', 'q4'].map((name, g) => ({
  name,
  look: g,
  values: Array.from({ length: 60 }, (_, i) => 20 + 4 * g + 3 * at(i + 60 * g) + (i === 59 ? 14 : 0)),
}));
const distribution = figure(
  'spread',
  'How runs are spread',
  ...(['histogram', 'cdf', 'box'] as const).map(
    (shape): Chart => ({
      kind: 'distribution',
      shape,
      title: shape,
      value: { label: 'Latency (ms)' },
      groups,
      guides: [{ axis: 'x', at: 26, label: 'target' }],
    }),
  ),
);

const pie = figure('parts', 'Decode by part', {
  kind: 'pie',
  total: '1,234 ms',
  slices: PARTS.map((part, i) => ({ look: part, name: part, value: [400, 90, 60, 500, 80, 10, 14, 80][i] as number })),
});

const pareto = figure('front', 'Accuracy and latency', {
  kind: 'pareto',
  x: { label: 'Latency (ms)' },
  y: { label: 'Accuracy (%)', from_zero: false },
  better: { x: 'low', y: 'high' },
  series: [
    {
      name: 'top-k',
      look: 0,
      points: [1, 2, 4, 8, 16].map((k) => ({ x: 100 + 40 * k, y: 80 - 30 / k, label: `k = ${k}` })),
    },
    {
      name: 'blocks',
      look: 1,
      points: [4, 8, 12].map((n) => ({ x: 90 + 30 * n, y: 30 + 3 * n, label: `${n} blocks` })),
    },
  ],
  front: [1, 2, 4, 8, 16].map((k) => ({ x: 100 + 40 * k, y: 80 - 30 / k })),
});

const heat = figure(
  'coupling',
  'Which knobs pull on which',
  {
    kind: 'heat',
    title: 'Correlation',
    rows: ['crops', 'prompt', 'answer', 'top-k'],
    columns: ['vision', 'prefill', 'decode', 'whole request'],
    row_title: 'Knob',
    column_title: 'Time of',
    values: Array.from({ length: 4 }, (_, r) =>
      Array.from({ length: 4 }, (_, c) => (r === 3 && c === 0 ? null : Number(at(r * 4 + c).toFixed(2)))),
    ),
    value: 'Spearman',
    middle: 0,
    written: true,
  },
  {
    kind: 'heat',
    title: 'Load',
    rows: Array.from({ length: 16 }, (_, i) => `layer ${i}`),
    columns: Array.from({ length: 64 }, (_, i) => String(i)),
    row_title: 'Layer',
    column_title: 'Expert (index)',
    values: Array.from({ length: 16 }, (_, r) =>
      Array.from({ length: 64 }, (_, c) => Math.round(60 + 50 * at(r * 64 + c))),
    ),
    value: 'Token-expert pairs (count)',
  },
);

const strip = figure('timeline', 'One request', {
  kind: 'strip',
  time: { label: 'Time (ms)' },
  tracks: PARTS.slice(0, 4).map((part, p) => ({
    name: part,
    spans: Array.from({ length: 120 }, (_, i) => ({
      from: 10 * i + 2 * p,
      to: 10 * i + 2 * p + 1.8,
      look: STAGES[Math.floor(i / 30)] ?? ('rest' as const),
      name: `layer ${i % 16}`,
    })),
  })),
});

export const FIGURES: readonly Figure[] = [lines, scatter, stack, distribution, pie, pareto, heat, strip];
