import type { WeightFormat } from '../kernels/spec.ts';
import { run_model } from './generate.ts';
import type { Buffer, Buffers } from './gpu/buffers.ts';
import type { Executor } from './gpu/executor.ts';
import type { ModelConfig } from './model/config.ts';
import { tensor_specs } from './model/tensors.ts';
import { load_weights } from './model/weights.ts';
import { synthetic_source } from './weights/formula.ts';

/** Long enough for the kernels of many rows, with one crop beside the overview. */
const PROMPT_ROWS = 320;
const VIEWS = 2;

/**
 * Starts to compile what a usual request runs (a picture, a prompt, greedy decoding), so that the driver does it while
 * weights are read. What that is, the model itself says: it runs on an executor that compiles each dispatch and forgets
 * it. Other shapes and options are compiled when they are first used.
 */
export async function compile_ahead(executor: Executor, config: ModelConfig, format: WeightFormat): Promise<void> {
  const dry = dry_executor(executor);
  const weights = await load_weights(dry, config, synthetic_source(tensor_specs(config), 0, 'F32'), format);
  const rows = Math.min(PROMPT_ROWS, config.max_position_embeddings - 4);
  const crops = {
    count: VIEWS,
    images: new Float32Array(VIEWS * 576 * 588),
    masks: new Float32Array(VIEWS * 576),
    index: Int32Array.from({ length: VIEWS * 144 }, (_, i) => (i < rows ? i : -1)),
  };
  const ids = new Array<number>(rows).fill(0);
  const request = run_model({ executor: dry, config, weights }, { ids, crops }, { maxNewTokens: 2 });
  while (!(await request.next()).done);
}

function dry_executor(executor: Executor): Executor {
  const done = async () => undefined;
  const read = async (_: Buffer, __: number, bytes: number) => new ArrayBuffer(bytes);
  return {
    ...executor,
    buffers: dry_buffers(),
    dispatch: (kernel, _, params, options, { stage }) => {
      if (stage !== 'load') executor.compile(kernel, params, options);
    },
    recorded: () => [],
    again: (launches) => launches,
    ...{ copy() {}, write() {}, commands() {}, drop() {}, observe() {}, plan_passes() {}, watch_host() {} },
    ...{
      flush: done,
      finish: done,
      read,
      read_later:
        async (...range) =>
        () =>
          read(...range),
    },
  };
}

function dry_buffers(): Buffers {
  const create: Buffers['create'] = (label, bytes, purpose) => ({ id: 0, label, bytes, purpose, gpu: {} as GPUBuffer });
  const guard: Buffers['guard'] = async (_, allocate) => allocate();
  const none = { current: 0, peak: 0 };
  const memory = () => ({ weights: none, kv: none, activations: none, tables: none, staging: none, total: none });
  return { create, guard, memory, mark: () => 0, destroy() {}, on_destroy() {}, sweep() {} };
}
