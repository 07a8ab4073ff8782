import type { TimelineReport } from '../gpu/timeline.ts';

/** What the host did, on its own clock (performance.now). */
export interface HostSpan {
  readonly name: string;
  readonly started_ms: number;
  readonly wall_ms: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

interface TraceEvent {
  readonly name: string;
  readonly ph: 'X' | 'M';
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly args: Readonly<Record<string, unknown>>;
}

const HOST = 1;
const GPU = 2;

/** Chrome's trace format, which Perfetto opens: a track of the host's stages and one of GPU passes, on one clock. */
export function chrome_trace(host: readonly HostSpan[], timeline: TimelineReport): { traceEvents: TraceEvent[] } {
  const origin_ms = Math.min(timeline.first_host_ms, ...host.map((span) => span.started_ms));
  const by_kernel = timeline.timing === 'kernel';
  const track = (pid: number, name: string): TraceEvent => ({
    name: 'process_name',
    ph: 'M',
    pid,
    tid: 0,
    args: { name },
  });
  const events = [
    track(HOST, 'host: stages, wall time'),
    track(GPU, `GPU: ${by_kernel ? 'kernels' : 'passes'}, own time`),
  ];
  for (const { name, started_ms, wall_ms, args } of host) {
    const ts = 1000 * (started_ms - origin_ms);
    events.push({ name, ph: 'X', pid: HOST, tid: 0, ts, dur: 1000 * wall_ms, args: { ...args } });
  }
  for (const { first, end_ns, own_ns } of timeline.spans) {
    const { tag, kernel, params, flops, bytes, pipeline } = first;
    const details = { ...tag, variant: pipeline.variant.name, ...params, flops: flops.useful, ...bytes };
    events.push({
      name: by_kernel ? kernel.name : tag.stage,
      cat: tag.component,
      ph: 'X',
      pid: GPU,
      tid: 0,
      ts: 1000 * (timeline.first_host_ms - origin_ms) + (end_ns - own_ns) / 1000,
      dur: own_ns / 1000,
      args: by_kernel ? details : { stage: tag.stage },
    });
  }
  return { traceEvents: events };
}

/** GPU time by any name a span can be given: stage, component, kernel; largest first. */
export function gpu_time_by(
  timeline: TimelineReport,
  name_of: (span: TimelineReport['spans'][number]) => string,
): { readonly name: string; readonly gpu_ms: number; readonly passes: number }[] {
  const sums = new Map<string, { gpu_ms: number; passes: number }>();
  for (const span of timeline.spans) {
    const name = name_of(span);
    const sum = sums.get(name) ?? { gpu_ms: 0, passes: 0 };
    sums.set(name, { gpu_ms: sum.gpu_ms + span.own_ns / 1e6, passes: sum.passes + 1 });
  }
  return [...sums].map(([name, sum]) => ({ name, ...sum })).sort((a, b) => b.gpu_ms - a.gpu_ms);
}
