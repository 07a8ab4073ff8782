import type { Buffer } from '../../engine/gpu/buffers.ts';
import type { AdapterFacts } from '../../engine/gpu/device.ts';
import type { VariantChoice } from '../../engine/gpu/pipelines.ts';
import { open_executor } from '../../engine/node/load.ts';
import { dispatch, upload } from '../timed.ts';
import type { Dtype } from './onnx.ts';
import {
  type Contender,
  case_of,
  type Inputs,
  inputs_of,
  type Operation,
  output_values,
  type Runner,
} from './operations.ts';

export interface Ours extends Contender {
  readonly facts: AdapterFacts;
  readonly software: boolean;
  /** How many adapters its Dawn finds. */
  readonly adapters: number;
  /** Makes the numbers that peers are given. */
  readonly open: (o: Operation, dtype: Dtype) => { readonly runner: Runner; readonly inputs: Inputs };
}

const RESULTS = { linear: 'c', attention: 'o', norm: 'y', route: 'weights', combine: 'x' } as const;

/** The engine's kernels as the engine launches them. */
export async function open_ours(variant: VariantChoice): Promise<Ours> {
  const { executor, adapter } = await open_executor({ variant, hush: true });
  const { facts, traits, max_binding_bytes } = executor.device;

  const open: Ours['open'] = (o, dtype) => {
    const mark = executor.buffers.mark();
    const made = case_of(o, dtype, max_binding_bytes);
    const data = made.open().buffers;
    const uploaded = upload(executor, data);
    const from = uploaded[RESULTS[o.kind]] as Buffer;
    let repeats = 1;
    const runner: Runner = {
      async result() {
        dispatch(executor, made, uploaded);
        return new Float32Array(await executor.read(from, 0, 4 * output_values(o)));
      },
      async repeat(times) {
        repeats = times;
      },
      async run() {
        for (let i = 0; i < repeats; i++) dispatch(executor, made, uploaded);
        await executor.finish();
      },
      async close() {
        executor.buffers.sweep(mark);
      },
    };
    return { runner, inputs: inputs_of(o, dtype, made, data) };
  };

  return {
    name: 'molmoe-lab',
    version: typeof __VERSION__ === 'string' ? __VERSION__ : 'source',
    adapter: facts.description || facts.device,
    note: `waits for onSubmittedWorkDone${traits.software ? ', sleeping 1 ms between looks' : ''}`,
    facts,
    software: traits.software,
    adapters: adapter.found.length,
    open,
  };
}
