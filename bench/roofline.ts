import type { AdapterCeilings } from '../engine/meter/ceilings.ts';
import { PALETTE, panel_title, SHAPES, SIZE } from '../experiments/lab/figure_theme.ts';
import type { Figure, Panel } from '../experiments/lab/figures.ts';
import type { BenchedKernel } from './costs.ts';

type Row = BenchedKernel & Required<Pick<BenchedKernel, 'ms' | 'flops' | 'bytes' | 'gflops' | 'gbytes'>>;

/** Arithmetic under its roofs, and beside it the kernels that only move bytes. */
export function roofline_figure(rows: readonly BenchedKernel[], ceilings: AdapterCeilings, adapter: string): Figure {
  const timed = rows.filter((row): row is Row => row.ms !== undefined);
  const products = timed.filter((row) => row.flops > 0);
  const others = timed.filter((row) => row.flops === 0);
  const variants = [...new Set(timed.map((row) => row.variant))].sort();
  const color = {
    field: 'variant',
    type: 'nominal' as const,
    scale: { domain: variants, range: PALETTE.slice(0, variants.length) },
    legend: { title: null },
  };
  return {
    name: 'kernels',
    width_in: 15,
    height_in: 8.5,
    spec: {
      title: {
        text: 'Kernels under the ceilings of their adapter',
        subtitle: [`${adapter}; every point one shape, checked against the CPU reference; GPU time stamps, best run`],
      },
      hconcat: [
        ...(products.length > 0 ? [roofs(products, ceilings, color)] : []),
        ...(others.length > 0 ? [streams(others, ceilings, color)] : []),
      ],
    },
  };
}

type Color = {
  field: string;
  type: 'nominal';
  scale: { domain: string[]; range: string[] };
  legend: { title: null };
};

const powers = ([low, high]: readonly [number, number]): number[] =>
  Array.from({ length: Math.round(Math.log10(high / low)) + 1 }, (_, i) => low * 10 ** i);

const log_domain = (values: readonly number[]): [number, number] => [
  10 ** Math.floor(Math.log10(Math.min(...values)) - 0.02),
  10 ** Math.ceil(Math.log10(Math.max(...values)) + 0.02),
];

function roofs(rows: readonly Row[], ceilings: AdapterCeilings, color: Color): Panel {
  const values = rows.map((row) => ({ ...row, intensity: row.flops / row.bytes }));
  const peak = ceilings.fma_f32_flops / 1e9;
  const [low, high] = log_domain(values.map((row) => row.intensity));
  const rates = log_domain([...values.map((row) => row.gflops), peak]);
  const position = {
    x: {
      field: 'intensity',
      type: 'quantitative' as const,
      title: 'Arithmetic intensity (FLOP a byte)',
      scale: { type: 'log' as const, domain: [low, high], nice: false },
      axis: { values: powers([low, high]), format: '~r' },
    },
    y: {
      field: 'gflops',
      type: 'quantitative' as const,
      title: 'GFLOP/s',
      scale: { type: 'log' as const, domain: [...rates], nice: false, clamp: true },
      axis: { values: powers(rates), format: '~r' },
    },
  };
  const roof = (name: string, bytes: number) => {
    const knee = peak / (bytes / 1e9);
    const start = Math.max(low, rates[0] / (bytes / 1e9));
    return [start, knee, high]
      .filter((x) => x >= start && x <= high)
      .map((intensity) => ({ intensity, gflops: Math.min(peak, (intensity * bytes) / 1e9), roof: name }));
  };
  const kernels = [...new Set(rows.map((row) => row.kernel))].sort();
  return {
    width: 420,
    height: 330,
    title: panel_title('Products and attention', ['roofs: multiply-adds in registers; reads of a stream, of a cache']),
    layer: [
      {
        data: { values: [...roof('stream', ceilings.stream_read_bytes), ...roof('cache', ceilings.cache_read_bytes)] },
        mark: { type: 'line', color: '#606060', strokeWidth: 1.5 },
        encoding: {
          ...position,
          strokeDash: {
            field: 'roof',
            type: 'nominal',
            scale: {
              range: [
                [4, 3],
                [1, 0],
              ],
            },
            legend: null,
          },
        },
      },
      {
        data: { values },
        mark: { type: 'point', size: 70, filled: true, opacity: 0.85, stroke: 'black', strokeWidth: 0.5 },
        encoding: {
          ...position,
          color,
          shape: {
            field: 'kernel',
            type: 'nominal',
            scale: { domain: kernels, range: SHAPES.slice(0, kernels.length) as unknown as string[] },
            legend: { title: null, columns: 4 },
          },
        },
      },
    ],
  };
}

function streams(rows: readonly Row[], ceilings: AdapterCeilings, color: Color): Panel {
  const roofs_of = [
    { gbytes: ceilings.stream_read_bytes / 1e9, label: 'stream' },
    { gbytes: ceilings.cache_read_bytes / 1e9, label: 'cache' },
  ];
  const domain = log_domain([...rows.map((row) => row.gbytes), ...roofs_of.map((roof) => roof.gbytes)]);
  const x = {
    field: 'gbytes',
    type: 'quantitative' as const,
    title: 'GB/s of what must move',
    scale: { type: 'log' as const, domain, nice: false },
    axis: { values: powers(domain), format: '~r' },
  };
  return {
    width: 300,
    height: 330,
    title: panel_title('Kernels that move bytes', ['lines: reads of a stream and of a cache']),
    layer: [
      {
        data: { values: roofs_of },
        mark: { type: 'rule', color: '#606060', strokeWidth: 1.5 },
        encoding: {
          x,
          strokeDash: {
            field: 'label',
            type: 'nominal',
            scale: {
              range: [
                [4, 3],
                [1, 0],
              ],
            },
            legend: null,
          },
        },
      },
      {
        data: { values: rows },
        mark: { type: 'point', size: 70, filled: true, opacity: 0.85, stroke: 'black', strokeWidth: 0.5 },
        encoding: {
          x,
          y: { field: 'kernel', type: 'nominal', title: null, axis: { labelFontSize: SIZE.note } },
          color,
        },
      },
    ],
  };
}
