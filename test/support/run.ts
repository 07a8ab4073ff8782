import { type ModelInput, type RunOptions, type RunResult, run_model } from '../../engine/generate.ts';
import type { Executor } from '../../engine/gpu/executor.ts';
import { config_to_json, type ModelConfig, merge_config, parse_config } from '../../engine/model/config.ts';
import type { Context } from '../../engine/model/context.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { load_weights } from '../../engine/model/weights.ts';
import { synthetic_source } from '../../engine/weights/formula.ts';
import type { WeightFormat } from '../../kernels/spec.ts';

/** molmoe-tiny with some fields changed. */
export function tiny_config(over: Record<string, unknown> = {}): ModelConfig {
  return parse_config(merge_config(config_to_json(preset_config('molmoe-tiny')), over as never), 'test');
}

export async function synthetic_context(
  executor: Executor,
  config: ModelConfig,
  format: WeightFormat = 'f32',
): Promise<Context> {
  const source = synthetic_source(tensor_specs(config), 1, 'F32');
  return { executor, config, weights: await load_weights(executor, config, source, format) };
}

/** Runs to the end; `logits` are the rows each token was chosen from. */
export async function run_to_end(
  context: Context,
  input: ModelInput,
  options: RunOptions,
  also?: Context['probe'],
): Promise<{ tokens: number[]; logits: Float32Array[]; result: RunResult }> {
  const logits: Float32Array[] = [];
  const probe: Context['probe'] = async (point, layer, view) => {
    await also?.(point, layer, view);
    if (point !== 'logits') return;
    const bytes = await context.executor.read(view.buffer, 0, 4 * view.rows * view.stride);
    logits.push(
      new Float32Array(bytes).slice((view.rows - 1) * view.stride, (view.rows - 1) * view.stride + view.cols),
    );
  };
  const run = run_model({ ...context, probe }, input, options);
  const tokens: number[] = [];
  for (;;) {
    const next = await run.next();
    if (next.done) return { tokens, logits, result: next.value };
    tokens.push(next.value.id);
  }
}

/** Token ids that any tiny model has, the same ones each time. */
export const some_ids = (count: number, below = 500, seed = 1): number[] =>
  Array.from({ length: count }, (_, i) => (Math.imul(i + seed, 2654435761) >>> 8) % below);
