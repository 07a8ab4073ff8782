import type { Ceilings } from '../schema.ts';
import { type KernelFacts, kernel_facts, type ReportConfiguration, type ReportData } from './data.ts';
import { el, missing, section, teach } from './dom.ts';
import { count, ms, or_none, percent, si, words } from './format.ts';
import { NOT_INSTRUMENTED } from './parts.ts';
import { type ScatterLine, scatter_chart } from './scatter_chart.ts';
import { STAGE_LOOK } from './style.ts';

const TITLE = 'Roofline';

/** One configuration: how fast each kernel works against what the adapter could do. */
export function roofline_section(one: ReportConfiguration, { run, stages }: ReportData): HTMLElement {
  const lead = 'A kernel can be no faster than the arithmetic units and no faster than the memory that feeds them.';
  if (one.instrumented === null) return section('roofline', TITLE, 'gpu', lead, missing(NOT_INSTRUMENTED));
  if (run.ceilings === null) {
    const text = 'Not drawn: this run has no measured ceilings of its adapter, so there is no roof to compare with.';
    return section('roofline', TITLE, 'gpu', lead, missing(text));
  }
  const facts = kernel_facts(one.instrumented.kernels);
  const placed = facts.filter((row) => row.intensity !== null && row.flops_per_s !== null);
  const left_out = facts.length - placed.length;
  const { roofs, x_range, y_range } = roofs_of(run.ceilings, placed);
  const groups = stages
    .filter((stage) => placed.some((row) => row.stage === stage))
    .map((stage) => ({
      name: stage,
      label: words(stage),
      ...STAGE_LOOK[stage],
      points: placed.filter((row) => row.stage === stage).map(point),
    }));
  return section(
    'roofline',
    TITLE,
    'gpu',
    lead,
    scatter_chart({
      label: 'Points: rate of each kernel over its arithmetic intensity, under the roofs of the adapter',
      x_axis: 'arithmetic intensity (FLOP/byte)',
      y_axis: 'rate (GFLOP/s)',
      groups,
      lines: roofs,
      log: true,
      x_range,
      y_range,
      height: 420,
    }),
    left_out > 0
      ? el(
          'p',
          { class: 'caption' },
          `${left_out} of ${facts.length} rows do no matrix work (0 FLOP) or move no counted bytes: they have no place on this plot.`,
        )
      : null,
    teach(
      'Both axes are logarithmic. Under the slope a kernel waits for memory: only moving fewer bytes helps. Under the flat roof it waits for arithmetic.',
      'The distance up to the roof is what could be gained: one decade is a factor of ten. Bytes count each operand once, so what caches save can lift a point above the slope.',
    ),
  );
}

function point(row: KernelFacts) {
  const { intensity, flops_per_s, bytes_per_s } = row;
  return {
    x: intensity as number,
    y: (flops_per_s as number) / 1e9,
    tip: {
      title: row.kernel,
      lines: [
        { label: 'stage, part', value: `${words(row.stage)}, ${words(row.part)}` },
        { label: 'variant', value: row.variant },
        { label: 'rate', value: or_none(flops_per_s, (x) => si(x, 'FLOP/s')) },
        { label: 'intensity', value: or_none(intensity, (x) => si(x, 'FLOP/byte')) },
        { label: 'traffic', value: or_none(bytes_per_s, (x) => si(x, 'B/s')) },
        { label: 'GPU time', value: ms(row.gpu_ms) },
        { label: 'efficiency', value: or_none(row.efficiency, percent) },
        { label: 'dispatches', value: count(row.dispatches) },
      ],
    },
  };
}

/** The slope of the memory up to the highest roof, and each roof from where the slope meets it. */
function roofs_of(ceilings: Ceilings, placed: readonly KernelFacts[]) {
  const memory = ceilings.stream_read_bytes;
  const flat = [
    { name: 'f32', text: 'f32 multiply-adds', flops: ceilings.fma_f32_flops, dash: [] },
    { name: 'f16', text: 'f16 multiply-adds', flops: ceilings.fma_f16_flops, dash: [8, 4] },
    { name: 'matrix', text: 'f16 matrix units', flops: ceilings.matrix_f16_flops, dash: [2, 3] },
  ].flatMap(({ flops, ...roof }) => (flops === null ? [] : [{ ...roof, flops }]));
  const highest = Math.max(...flat.map(({ flops }) => flops));
  const x = placed.map((row) => row.intensity as number);
  const y = placed.map((row) => (row.flops_per_s as number) / 1e9);
  const x_range = decades([...x, ...flat.map(({ flops }) => flops / memory)]);
  const y_range = decades([...y, highest / 1e9, (memory * x_range[0]) / 1e9]);
  const slope: ScatterLine = {
    name: 'memory',
    label: `memory reads, ${si(memory, 'B/s')}`,
    dash: [12, 3, 2, 3],
    points: [
      [x_range[0], (memory * x_range[0]) / 1e9],
      [highest / memory, highest / 1e9],
    ],
  };
  const lines = flat.map(
    ({ name, text, flops, dash }): ScatterLine => ({
      name,
      label: `${text}, ${si(flops, 'FLOP/s')}`,
      dash,
      points: [
        [flops / memory, flops / 1e9],
        [x_range[1], flops / 1e9],
      ],
    }),
  );
  return { roofs: [slope, ...lines], x_range, y_range };
}

/** Whole decades around these values. */
function decades(values: readonly number[]): [number, number] {
  const low = Math.floor(Math.log10(Math.min(...values) * 0.9));
  const high = Math.ceil(Math.log10(Math.max(...values) * 1.1));
  return [10 ** low, 10 ** Math.max(high, low + 1)];
}
