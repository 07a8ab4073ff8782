import type { WeightFormat } from '../../kernels/spec.ts';
import type { Executor } from '../gpu/executor.ts';
import type { WeightSource } from '../weights/source.ts';
import { type LoadProgress, type LoadReport, read_vector, run_pack_jobs } from '../weights/upload.ts';
import type { ModelConfig } from './config.ts';
import { type ModelWeights, type WeightLayout, weight_layout } from './weight_layout.ts';

export type { Block, ExpertMatrix, LayerNorm, Matrix, ModelWeights, Table, VitBlock } from './weight_layout.ts';

export interface Weights extends ModelWeights {
  readonly report: LoadReport;
}

/** Every weight's buffer, with nothing in it yet. */
export function allocate_weights(
  { buffers, device }: Executor,
  config: ModelConfig,
  format: WeightFormat,
  label: string,
): Promise<WeightLayout> {
  const limit = Math.min(device.max_binding_bytes, device.max_buffer_bytes);
  return buffers.guard(`the weights of ${label}`, () =>
    weight_layout(config, format, limit, (name, bytes) => buffers.create(name, bytes, 'weights')),
  );
}

/** Allocates every weight, then streams the source into them once, front to back. */
export async function load_weights(
  executor: Executor,
  config: ModelConfig,
  source: WeightSource,
  format: WeightFormat,
  on_progress?: LoadProgress,
  signal?: AbortSignal,
): Promise<Weights> {
  const mark = executor.buffers.mark();
  const { weights, jobs, vectors } = await allocate_weights(executor, config, format, source.label);
  try {
    for (const { buffer, parts } of vectors) {
      const values = new Float32Array(buffer.bytes / 4);
      for (const part of parts) values.set(await read_vector(source, part.name), part.at);
      executor.write(buffer, 0, values);
    }
    const order = new Map([...source.tensors.keys()].map((name, i) => [name, i]));
    const in_order = [...jobs].sort(
      (a, b) => (order.get(a.tensor) ?? 0) - (order.get(b.tensor) ?? 0) || a.row0 - b.row0,
    );
    const report = await run_pack_jobs(executor, source, in_order, format, on_progress, signal);
    return { report, ...weights };
  } catch (error) {
    executor.drop(); // what was recorded for these buffers
    executor.buffers.sweep(mark, true);
    throw error;
  }
}
