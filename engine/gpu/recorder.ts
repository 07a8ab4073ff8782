import type { Kernel, Options, Params, Traits } from '../../kernels/spec.ts';
import type { Buffer } from './buffers.ts';
import type { Dispatch, Entry, Recorded, Tag } from './dispatch.ts';
import type { Pipeline, Pipelines } from './pipelines.ts';

/** Keeps what was asked for, with its exact cost, until it is encoded. Makes no GPU object. */
export interface Recorder {
  /** Records a launch; nothing runs before flush. */
  readonly dispatch: <P extends string>(
    kernel: Kernel<P>,
    buffers: Readonly<Record<string, Buffer | undefined>>,
    params: Params<P>,
    options: Options,
    tag: Tag,
  ) => void;
  /**
   * Records the launches of a step again, what `moves` in their parameters by its rows further on, and returns them: a
   * step that differs from the last in nothing else.
   */
  readonly again: (launches: readonly Dispatch[], by: number) => readonly Dispatch[];
  readonly add: (entry: Exclude<Entry, { kind: 'dispatch' }>) => void;
  /** The launches recorded since the last flush. */
  readonly recorded: () => readonly Dispatch[];
  /** All that was recorded, which is then forgotten. */
  readonly take: () => readonly Entry[];
  /** Sees each launch as it is recorded. */
  readonly observe: (observer: ((dispatch: Dispatch) => void) | undefined) => void;
}

/** `unused` stands where a kernel's options need no buffer. */
export function make_recorder(pipelines: Pipelines, traits: Traits, unused: Buffer): Recorder {
  let entries: Entry[] = [];
  let observer: ((dispatch: Dispatch) => void) | undefined;

  const dispatch: Recorder['dispatch'] = (kernel, bound, params, options, tag) => {
    const pipeline = pipelines.get(kernel as Kernel, options, params as Params);
    const list: Buffer[] = [];
    for (const binding of kernel.bindings) {
      const buffer = bound[binding.name];
      if (buffer === undefined && !binding.optional)
        throw new Error(`${kernel.name}: binding ${binding.name} is missing`);
      list.push(buffer ?? unused);
    }
    record({
      ...{ kernel: kernel as Kernel, pipeline, options, params: params as Params, buffers: list, tag },
      ...cost(kernel as Kernel, pipeline, params as Params, options),
    });
  };

  const cost = (kernel: Kernel, { variant }: Pipeline, params: Params, options: Options) => {
    const { useful, other } = kernel.flops(params, options);
    const executed = variant.executed?.(params, options, traits) ?? useful;
    const bytes = kernel.bytes(params, options);
    if (!Number.isFinite(executed + other + bytes.weights + bytes.read + bytes.written + bytes.kv))
      throw new Error(`${kernel.name}: a parameter is missing: its cost is no number`);
    return { flops: { useful, executed, other }, bytes };
  };

  const record = (made: Recorded): void => {
    entries.push({ kind: 'dispatch', dispatch: made });
    observer?.(made);
  };

  const again: Recorder['again'] = (launches, by) =>
    launches.map((launch: Recorded) => {
      const { kernel, pipeline, options, buffers: bound, tag } = launch;
      let next = launch;
      if (kernel.moves !== undefined || kernel.grows !== undefined) {
        const params: Record<string, number> = { ...launch.params };
        for (const name of kernel.moves ?? []) params[name] = (params[name] as number) + by;
        for (const name of kernel.grows ?? []) params[name] = (params[name] as number) + (params.rows as number);
        const { flops, bytes } = cost(kernel, pipeline, params, options);
        next = { kernel, pipeline, options, params, buffers: bound, tag, flops, bytes, group: launch.group };
      }
      record(next);
      return next;
    });

  return {
    dispatch,
    again,
    add: (entry) => void entries.push(entry),
    recorded: () => entries.flatMap((entry) => (entry.kind === 'dispatch' ? [entry.dispatch] : [])),
    take: () => {
      const taken = entries;
      entries = [];
      return taken;
    },
    observe: (next) => {
      observer = next;
    },
  };
}
