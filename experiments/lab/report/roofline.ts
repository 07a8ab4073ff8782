import type { Point, Scatter } from '../charts.ts';
import type { Ceilings } from '../schema.ts';
import { chart_view } from './charts/view.ts';
import { type KernelFacts, kernel_facts, type PageConfiguration, type PageData } from './data.ts';
import { el, missing, section, spaced, teach } from './dom.ts';
import { count, ms, or_none, percent, si } from './format.ts';
import { NOT_INSTRUMENTED } from './parts.ts';

const TITLE = 'Roofline';

type Placed = KernelFacts & { readonly intensity: number; readonly flops_per_s: number };

/** One configuration: how fast each kernel works against what the adapter could do. */
export function roofline_section({ instrumented }: PageConfiguration, { run, stages }: PageData): HTMLElement {
  const lead = 'A kernel can be no faster than the arithmetic units and no faster than the memory that feeds them.';
  if (instrumented === null) return section('roofline', TITLE, 'gpu', lead, missing(NOT_INSTRUMENTED));
  if (run.ceilings === null) {
    const text = 'Not drawn: this run has no measured ceilings of its adapter, so there is no roof to compare with.';
    return section('roofline', TITLE, 'gpu', lead, missing(text));
  }
  const facts = kernel_facts(instrumented.kernels);
  const placed = facts.filter((row): row is Placed => row.intensity !== null && row.flops_per_s !== null);
  const points = new Map(placed.map((row) => [row, { x: row.intensity, y: row.flops_per_s, label: row.kernel }]));
  const chart: Scatter = {
    kind: 'scatter',
    x: { label: 'Arithmetic intensity (FLOP/byte)', scale: 'log' },
    y: { label: 'Rate (FLOP/s)', scale: 'log' },
    series: stages
      .filter((stage) => placed.some((row) => row.stage === stage))
      .map((stage) => ({
        name: stage,
        look: stage,
        points: placed.filter((row) => row.stage === stage).map((row) => points.get(row) as Point),
      })),
    roofs: roofs_of(run.ceilings, placed),
  };
  const more = new Map(placed.map((row) => [points.get(row) as Point, lines_of(row)]));
  const left_out = facts.length - placed.length;
  return section(
    'roofline',
    TITLE,
    'gpu',
    lead,
    chart_view(chart, 'rate of each kernel over its arithmetic intensity, under the roofs of the adapter', more),
    left_out > 0
      ? el(
          'p',
          { class: 'caption' },
          `${left_out} of ${facts.length} rows do no matrix work (0 FLOP) or move no counted bytes: they have no place on this plot.`,
        )
      : null,
    teach(
      'Both axes are logarithmic. Under the slope a kernel waits for memory: only moving fewer bytes helps. Under the flat roof it waits for arithmetic, which is done in f32 whatever the weights are stored as.',
      'The distance up to the roof is what could be gained: one decade is a factor of ten. Bytes count each operand once, so what caches save can lift a point above the slope.',
    ),
  );
}

const lines_of = (row: KernelFacts) => [
  { label: 'part', value: spaced(row.part) },
  { label: 'variant', value: row.variant },
  { label: 'traffic', value: or_none(row.bytes_per_s, (x) => si(x, 'B/s')) },
  { label: 'GPU time', value: ms(row.gpu_ms) },
  { label: 'efficiency', value: or_none(row.efficiency, percent) },
  { label: 'launches', value: count(row.dispatches) },
];

/** The slope of the memory up to the roof of f32, in which all kernels compute, and that roof from there on. */
function roofs_of({ stream_read_bytes: memory, fma_f32_flops: flops }: Ceilings, placed: readonly Placed[]) {
  const ridge = flops / memory;
  const x = placed.map((row) => row.intensity);
  const left = Math.min(ridge, ...x) / 2;
  const right = Math.max(ridge, ...x) * 2;
  return [
    {
      label: `memory reads, ${si(memory, 'B/s')}`,
      points: [
        [left, left * memory],
        [ridge, flops],
      ],
    },
    {
      label: `f32 multiply-adds, ${si(flops, 'FLOP/s')}`,
      points: [
        [ridge, flops],
        [right, flops],
      ],
    },
  ] as const;
}
