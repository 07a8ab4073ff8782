import type { HostSpan, Span, TimelineReport } from '../gpu/timeline.ts';

/** A stage as the host saw it, with its counts. */
export interface StageSpan extends HostSpan {
  readonly args?: Readonly<Record<string, unknown>>;
}

/** A request's stages for the host's track: their counts become arguments. */
export const stage_spans = (
  stages: readonly { readonly stage: string; readonly started_ms: number; readonly wall_ms: number }[],
): StageSpan[] => stages.map(({ stage, started_ms, wall_ms, ...args }) => ({ name: stage, started_ms, wall_ms, args }));

interface TraceEvent {
  readonly name: string;
  readonly ph: 'X' | 'M';
  readonly pid: number;
  readonly tid: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly args: Readonly<Record<string, unknown>>;
}

const HOST = 1;
const GPU = 2;
const TRACKS: readonly (readonly [pid: number, tid: number, name: string])[] = [
  [HOST, 0, 'stages, wall time'],
  [HOST, 1, 'work: encode, submit, wait, read back'],
  [GPU, 0, 'stages'],
  [GPU, 1, 'layers'],
  [GPU, 2, 'passes, own time'],
];

/**
 * Chrome's trace format, which Perfetto opens: what the host did, and what the GPU did by stage, layer and pass, on one
 * clock. With kernel timing a pass is one kernel.
 */
export function chrome_trace(stages: readonly StageSpan[], timeline: TimelineReport): { traceEvents: TraceEvent[] } {
  const host = [...stages, ...timeline.host];
  const origin_ms = Math.min(timeline.first_host_ms, ...host.map((span) => span.started_ms));
  const gpu_us = (ns: number) => 1000 * (timeline.first_host_ms - origin_ms) + ns / 1000;
  const name = (pid: number, tid: number, what: 'process_name' | 'thread_name', text: string): TraceEvent => ({
    name: what,
    ph: 'M',
    pid,
    tid,
    args: { name: text },
  });
  const clock = timeline.clock === 'gpu' ? 'GPU, its own clock' : "GPU, host's clock around fenced submits";
  const events = [
    name(HOST, 0, 'process_name', 'host'),
    name(GPU, 0, 'process_name', clock),
    ...TRACKS.map(([pid, tid, text]) => name(pid, tid, 'thread_name', text)),
  ];
  const slice = (pid: number, tid: number, text: string, ts: number, dur: number, args: TraceEvent['args'] = {}) =>
    events.push({ name: text, ph: 'X', pid, tid, ts, dur, args });

  for (const { name: stage, started_ms, wall_ms, args } of stages) {
    slice(HOST, 0, stage, 1000 * (started_ms - origin_ms), 1000 * wall_ms, args);
  }
  for (const { name: work, started_ms, wall_ms } of timeline.host) {
    slice(HOST, 1, work, 1000 * (started_ms - origin_ms), 1000 * wall_ms);
  }
  const layer_of = ({ first: { tag } }: Span) =>
    tag.layer === undefined ? `${tag.stage} ${tag.component}` : `${tag.stage} layer ${tag.layer}`;
  for (const [tid, name_of] of [[0, (span: Span) => span.first.tag.stage] as const, [1, layer_of] as const]) {
    for (const { text, begin_ns, end_ns } of joined(timeline.spans, name_of)) {
      slice(GPU, tid, text, gpu_us(begin_ns), (end_ns - begin_ns) / 1000);
    }
  }
  for (const { first, end_ns, own_ns } of timeline.spans) {
    const { tag, kernel, params, flops, bytes, pipeline } = first;
    const details = { ...tag, variant: pipeline.variant.name, ...params, flops: flops.useful, ...bytes };
    // A negative time is a fault of the stamps: the trace shows it as a point that says so.
    const fault = own_ns < 0 ? { fault: `ends ${-own_ns} ns before it begins` } : {};
    const text = timeline.timing === 'kernel' ? kernel.name : tag.stage;
    const args = timeline.timing === 'kernel' ? { ...details, ...fault } : { stage: tag.stage, ...fault };
    slice(GPU, 2, text, gpu_us(end_ns - Math.max(0, own_ns)), Math.max(0, own_ns) / 1000, args);
  }
  return { traceEvents: events };
}

/** Consecutive spans of one name as one. */
function joined(spans: readonly Span[], name_of: (span: Span) => string) {
  const runs: { text: string; begin_ns: number; end_ns: number }[] = [];
  for (const span of spans) {
    const text = name_of(span);
    const begin_ns = span.end_ns - Math.max(0, span.own_ns);
    const last = runs.at(-1);
    if (last?.text === text) last.end_ns = Math.max(last.end_ns, span.end_ns);
    else runs.push({ text, begin_ns, end_ns: span.end_ns });
  }
  return runs;
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
