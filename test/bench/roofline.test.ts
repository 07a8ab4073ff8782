import { describe, expect, it } from 'vitest';
import type { BenchedKernel } from '../../bench/costs.ts';
import { roofline_figure } from '../../bench/roofline.ts';
import type { Scatter } from '../../experiments/lab/charts.ts';
import { draw } from '../../experiments/lab/figures.ts';
import { FAKE_RUN, PROVENANCE } from '../support/records.ts';
import { boxes_of } from '../support/svg_text.ts';

const CEILINGS = FAKE_RUN.ceilings as NonNullable<typeof FAKE_RUN.ceilings>;
const row = (
  kernel: string,
  variant: string,
  shape: string,
  flops: number,
  bytes: number,
  ms: number,
): BenchedKernel => ({
  ...{ kernel, variant, stage: 'prefill', shape, flops, bytes, ms },
  gflops: flops / ms / 1e6,
  gbytes: bytes / ms / 1e6,
});
const ROWS = [
  row('matmul', 'tiled', 'a', 1e9, 1e7, 20),
  row('matmul', 'lanes', 'a', 1e9, 1e7, 40),
  row('matmul', 'tiled', 'b', 4e9, 2e7, 60),
  row('attention', 'lanes', 'a', 1e8, 4e7, 10),
  row('norm', 'lanes', 'a', 0, 1e7, 2),
  { kernel: 'matvec', variant: 'lanes', stage: 'decode', shape: 'a', fault: 'wrong' },
];

describe('roofline', () => {
  const figure = roofline_figure(ROWS, CEILINGS);
  const [products, streams] = figure.panels as [Scatter, Scatter];

  it('draws the roof of the arithmetic that is done: f32, the highest', () => {
    const labels = products.roofs?.map(({ label }) => label) ?? [];
    expect(labels.filter((label) => /f16/.test(label))).toEqual([]);
    expect(labels.at(-1)).toBe('f32 multiply-adds in registers, 110 GFLOP/s');
    const rates = (products.roofs ?? []).map(({ points }) => Math.max(...points.map(([, rate]) => rate)));
    expect(rates).toEqual([110, 110, 110]);
    for (const { points } of (products.roofs ?? []).slice(0, 2))
      expect((points[0]?.[1] as number) / (points[0]?.[0] as number)).toBeCloseTo(
        (points[1]?.[1] as number) / (points[1]?.[0] as number),
      );
  });

  it('has a point for each shape, of its fastest variant, and none for what is wrong', () => {
    expect(products.series.map(({ name, points }) => [name, points.length])).toEqual([
      ['attention', 1],
      ['matmul', 2],
    ]);
    expect(products.series[1]?.points[0]).toEqual({ x: 100, y: 50 });
    expect(streams.series.map(({ name }) => name)).toEqual(['norm']);
  });

  it('names the adapter, and no model', async () => {
    const { texts } = boxes_of(await draw(figure, { adapter: PROVENANCE.adapter }));
    expect(texts.map(({ text }) => text)).toContain('software adapter llvmpipe: Mesa 25.0.7 (LLVM 15.0.6) 0.0.1');
  });
});
