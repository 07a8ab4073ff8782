import type { AdapterCeilings } from '../engine/meter/ceilings.ts';
import type { Chart, Figure, Series } from '../experiments/lab/charts.ts';
import type { BenchedKernel } from './benched.ts';

type Row = BenchedKernel & Required<Pick<BenchedKernel, 'ms' | 'flops' | 'bytes' | 'gflops' | 'gbytes'>>;

/**
 * Arithmetic under its roofs, and beside it the kernels that only move bytes. All arithmetic is f32, whatever weights are stored
 * as: no other roof of multiply-adds applies.
 */
export function roofline_figure(rows: readonly BenchedKernel[], ceilings: AdapterCeilings): Figure {
  const timed = rows.filter((row): row is Row => row.ms !== undefined);
  const products = timed.filter((row) => row.flops > 0);
  const streams = timed.filter((row) => row.flops === 0);
  return {
    name: 'kernels',
    title: 'Kernels under the ceilings of their adapter',
    notes: ['every point one shape, checked against the CPU reference; GPU time stamps, best run'],
    panels: [
      ...(products.length > 0 ? [roofs(products, ceilings)] : []),
      ...(streams.length > 0 ? [moved(streams, ceilings)] : []),
    ],
    width_in: 15,
    height_in: 9,
  };
}

function series_of(rows: readonly Row[], point: (row: Row) => { x: number; y: number }): Series[] {
  return [...new Set(rows.map((row) => row.kernel))].sort().map((name, look) => {
    const points = rows.filter((row) => row.kernel === name).map(point);
    return { name, look, points };
  });
}

function roofs(rows: readonly Row[], ceilings: AdapterCeilings): Chart {
  const series = series_of(rows, (row) => ({ x: row.flops / row.bytes, y: row.gflops }));
  const points = series.flatMap((one) => one.points);
  const peak = ceilings.fma_f32_flops / 1e9;
  const rates = [ceilings.stream_read_bytes / 1e9, ceilings.cache_read_bytes / 1e9] as const;
  const knees = rates.map((rate) => peak / rate);
  const right = Math.max(...points.map(({ x }) => x), ...knees.map((knee) => 4 * knee));
  const lowest = Math.min(...points.map(({ y }) => y));
  const slope = (name: string, rate: number) => {
    const left = Math.min(Math.max(lowest / rate, Math.min(...points.map(({ x }) => x))), peak / rate / 4);
    const ends = [[left, rate * left] as const, [peak / rate, peak] as const];
    return { label: `reads of a ${name}, ${rate.toPrecision(3)} GB/s`, points: ends };
  };
  const flat = [[Math.min(...knees), peak] as const, [right, peak] as const];
  return {
    kind: 'scatter',
    title: 'Products and attention',
    x: { label: 'Arithmetic intensity (FLOP a byte)', scale: 'log' },
    y: { label: 'Rate (GFLOP/s)', scale: 'log' },
    series,
    roofs: [
      slope('stream', rates[0]),
      slope('cache', rates[1]),
      { label: `f32 multiply-adds in registers, ${peak.toPrecision(3)} GFLOP/s`, points: flat },
    ],
  };
}

/** What must move over the time that it took. */
function moved(rows: readonly Row[], ceilings: AdapterCeilings): Chart {
  return {
    kind: 'scatter',
    title: 'Kernels that move bytes',
    x: { label: 'What must move (bytes)', scale: 'log' },
    y: { label: 'Rate (GB/s)', scale: 'log' },
    series: series_of(rows, (row) => ({ x: row.bytes, y: row.gbytes })),
    guides: [
      { axis: 'y', at: ceilings.stream_read_bytes / 1e9, label: 'reads of a stream' },
      { axis: 'y', at: ceilings.cache_read_bytes / 1e9, label: 'reads of a cache' },
    ],
  };
}
