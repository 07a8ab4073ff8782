import { type Buffer, USAGE } from './buffers.ts';
import type { Dispatch, Executor, PassPlan } from './executor.ts';
import { type SelfTest, self_test } from './self_test.ts';

/** Passes that carry time stamps: one a stage, or one a dispatch. */
export type Timing = 'stage' | 'kernel';

/** One stamped pass. Times are on the GPU's clock, in nanoseconds from the first stamp collected. */
export interface Span {
  /** What the pass began with; in kernel timing the only dispatch it holds. */
  readonly first: Dispatch;
  readonly begin_ns: number;
  readonly end_ns: number;
  /**
   * The pass's own time. On Vulkan the begin stamp is taken before the barrier, so a pass that waits for the one before
   * would count part of it: end - max(end before, begin).
   */
  readonly own_ns: number;
}

/** What the host did, on its own clock (performance.now). */
export interface HostSpan {
  readonly name: string;
  readonly started_ms: number;
  readonly wall_ms: number;
}

export interface TimelineReport {
  readonly timing: Timing;
  /** `host`: the adapter has no stamps; each pass was submitted by itself and waited for, which is part of its time. */
  readonly clock: 'gpu' | 'host';
  readonly spans: readonly Span[];
  /** The first stamp on the host's clock (performance.now), and how far off that may be either way. */
  readonly first_host_ms: number;
  readonly anchor_error_ms: number;
  /** Sum of the passes' own times, and last end minus first begin. */
  readonly sum_ns: number;
  readonly span_ns: number;
  /** Whether stamps show what they must, tried once a device; undefined without stamps. */
  readonly self_test: SelfTest | undefined;
  /** Encoding, submitting and waiting, as it happened meanwhile. */
  readonly host: readonly HostSpan[];
  /** Stamps that cannot be true as they are; reported, never mended. */
  readonly faults: { readonly negative: number; readonly zero: number; readonly quantised: boolean };
}

export interface Timeline {
  /** Everything stamped since the last collection. Waits for the GPU. */
  readonly collect: () => Promise<TimelineReport>;
  /** Stops stamping and frees the query sets. */
  readonly close: () => void;
}

/** One moment on both clocks, from an empty stamped pass between two looks at the host's clock. */
export interface Anchor {
  readonly gpu_ns: bigint;
  readonly host_ms: number;
  readonly error_ms: number;
}

const SELF_TESTS = new WeakMap<Executor, SelfTest>();

/** WebGPU's largest query set; a pass takes two stamps. */
const STAMPS = 4096;

interface QueryBlock {
  readonly set: GPUQuerySet;
  readonly resolved: Buffer;
  used: number;
}

const cut = (timing: Timing) => (previous: Dispatch, next: Dispatch) =>
  timing === 'kernel' || previous.tag.stage !== next.tag.stage;

/** Times passes from now on: by the GPU's own clock where the adapter has stamps, else by the host's around fences. */
export async function start_timeline(executor: Executor, timing: Timing): Promise<Timeline> {
  const host: HostSpan[] = [];
  const start = executor.device.features.has('timestamp-query') ? stamped_timeline : fenced_timeline;
  const timeline = await start(executor, timing, host);
  executor.watch_host((name, started_ms, ended_ms) => {
    host.push({ name, started_ms, wall_ms: ended_ms - started_ms });
  });
  return {
    collect: timeline.collect,
    close() {
      executor.watch_host(undefined);
      timeline.close();
    },
  };
}

async function fenced_timeline(executor: Executor, timing: Timing, host: HostSpan[]): Promise<Timeline> {
  let pairs: StampPair[] = [];
  const ns = (ms: number) => BigInt(Math.round(1e6 * ms));
  executor.plan_passes({
    starts_new_pass: cut(timing),
    timestamps: () => undefined,
    fenced: (first, begin_ms, end_ms) => pairs.push({ first, begin: ns(begin_ms), end: ns(end_ms) }),
  });
  return {
    async collect() {
      await executor.flush();
      const taken = pairs;
      pairs = [];
      return report_of(timing, 'host', taken, { gpu_ns: 0n, host_ms: 0, error_ms: 0 }, host.splice(0), undefined);
    },
    close: () => executor.plan_passes(undefined),
  };
}

/** Query sets are handed out in blocks, resolved in bulk at collection, and used again. */
async function stamped_timeline(executor: Executor, timing: Timing, host: HostSpan[]): Promise<Timeline> {
  const { device, buffers } = executor;
  const blocks: QueryBlock[] = [];
  let stamped: { readonly first: Dispatch; readonly block: number; readonly at: number }[] = [];
  let filling = 0;

  const block_with_room = (): QueryBlock => {
    const open = blocks[filling];
    if (open !== undefined && open.used < STAMPS) return open;
    if (open !== undefined) filling += 1;
    const known = blocks[filling];
    if (known !== undefined) return known;
    const set = device.gpu.createQuerySet({ type: 'timestamp', count: STAMPS });
    const resolved = buffers.create('time stamps', 8 * STAMPS, 'tables', USAGE.query | USAGE.copy_src);
    const made = { set, resolved, used: 0 };
    blocks.push(made);
    return made;
  };

  const anchor = await anchor_clocks(executor, block_with_room());
  const plan = (starts_new_pass: PassPlan['starts_new_pass']): PassPlan => ({
    starts_new_pass,
    timestamps: (first) => {
      const block = block_with_room();
      const at = block.used;
      block.used += 2;
      stamped.push({ first, block: blocks.indexOf(block), at });
      return { querySet: block.set, beginningOfPassWriteIndex: at, endOfPassWriteIndex: at + 1 };
    },
  });

  const take = async (): Promise<StampPair[]> => {
    await executor.flush();
    const stamps: BigUint64Array[] = [];
    for (const block of blocks) {
      if (block.used === 0) continue;
      const { set, resolved, used } = block;
      executor.commands((encoder) => encoder.resolveQuerySet(set, 0, used, resolved.gpu, 0));
      stamps[blocks.indexOf(block)] = new BigUint64Array(await executor.read(resolved, 0, 8 * used));
      block.used = 0;
    }
    const taken = stamped;
    stamped = [];
    filling = 0;
    return taken.map(({ first, block, at }) => {
      const of_block = stamps[block] as BigUint64Array;
      return { first, begin: of_block[at] as bigint, end: of_block[at + 1] as bigint };
    });
  };

  let tested = SELF_TESTS.get(executor);
  if (tested === undefined) {
    executor.plan_passes(plan(() => true));
    const times = async () => own_times(await take());
    tested = await self_test(executor, times);
    SELF_TESTS.set(executor, tested);
  }
  executor.plan_passes(plan(cut(timing)));

  return {
    collect: async () => report_of(timing, 'gpu', await take(), anchor, host.splice(0), tested),
    close() {
      executor.plan_passes(undefined);
      for (const block of blocks) {
        block.set.destroy();
        buffers.destroy(block.resolved);
      }
    },
  };
}

async function anchor_clocks(executor: Executor, { set, resolved }: QueryBlock): Promise<Anchor> {
  await executor.finish();
  const before_ms = performance.now();
  executor.commands((encoder) => {
    const timestampWrites = { querySet: set, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
    encoder.beginComputePass({ timestampWrites }).end();
    encoder.resolveQuerySet(set, 0, 2, resolved.gpu, 0);
  });
  const [, end] = new BigUint64Array(await executor.read(resolved, 0, 16));
  const error_ms = (performance.now() - before_ms) / 2;
  return { gpu_ns: end as bigint, host_ms: before_ms + error_ms, error_ms };
}

interface StampPair {
  readonly first: Dispatch;
  readonly begin: bigint;
  readonly end: bigint;
}

/** Stamps in submission order, as nanoseconds of one clock. */
export function report_of(
  timing: Timing,
  clock: TimelineReport['clock'],
  pairs: readonly StampPair[],
  anchor: Anchor,
  host: readonly HostSpan[],
  tested: SelfTest | undefined,
): TimelineReport {
  const origin = pairs[0]?.begin ?? 0n;
  const own = own_times(pairs);
  const spans = pairs.map(({ first, begin, end }, i): Span => {
    return { first, begin_ns: Number(begin - origin), end_ns: Number(end - origin), own_ns: own[i] as number };
  });
  return {
    timing,
    clock,
    self_test: tested,
    host,
    spans,
    first_host_ms: anchor.host_ms + Number(origin - anchor.gpu_ns) / 1e6,
    anchor_error_ms: anchor.error_ms,
    sum_ns: spans.reduce((sum, span) => sum + span.own_ns, 0),
    span_ns: (spans.at(-1)?.end_ns ?? 0) - (spans[0]?.begin_ns ?? 0),
    faults: {
      negative: spans.filter((span) => span.own_ns < 0).length,
      zero: spans.filter((span) => span.own_ns === 0).length,
      quantised: is_quantised(pairs.flatMap(({ begin, end }) => [begin, end])),
    },
  };
}

/** Of each pass, from when it had the GPU to itself: after the end of the one before. */
function own_times(pairs: readonly StampPair[]): number[] {
  return pairs.map(({ begin, end }, i) => {
    const before = pairs[i - 1]?.end;
    return Number(end - (before !== undefined && before > begin ? before : begin));
  });
}

/** Browsers round stamps to 65,536 or 100,000 ns against timing attacks; Dawn's toggle turns that off. */
function is_quantised(stamps: readonly bigint[]): boolean {
  return stamps.length > 1 && [65_536n, 100_000n].some((unit) => stamps.every((stamp) => stamp % unit === 0n));
}
