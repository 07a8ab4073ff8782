import type { WeightFormat } from '../kernels/spec.ts';
import { type ModelInput, type RunOptions, run_model, type StageResult } from './generate.ts';
import type { MemoryCount, Purpose } from './gpu/buffers.ts';
import { type DryDevice, dry_executor } from './gpu/dry.ts';
import type { Executor } from './gpu/executor.ts';
import type { Ledger } from './meter/ledger.ts';
import type { ModelConfig } from './model/config.ts';
import { geometry_of } from './model/geometry.ts';
import { tensor_specs } from './model/tensors.ts';
import { load_weights } from './model/weights.ts';
import { synthetic_source } from './weights/formula.ts';

/** What a run is counted for; an open executor fits. */
export interface DryMachine extends Partial<Pick<Executor, 'variant' | 'tuning'>> {
  readonly device: DryDevice;
}

export interface DryRequest extends Omit<RunOptions, 'signal'> {
  /** All of the prompt: text, picture and the token it begins with. */
  readonly prompt_tokens: number;
  /** Crops that the encoder sees, the overview included; 0 without a picture. */
  readonly views: number;
  /** Prompt row of each pooled cell, negative where it has none; without it no row is a picture's. Only `topKVision` asks. */
  readonly index?: Int32Array;
}

/** A stage's counts; nothing was measured. */
export type DryStage = Omit<StageResult, 'started_ms' | 'wall_ms'>;

export interface DryReport {
  readonly stages: readonly DryStage[];
  readonly ledger: Ledger;
  /** Weights included; peaks are the request's. */
  readonly memory: Readonly<Record<Purpose | 'total', MemoryCount>>;
  readonly warnings: readonly string[];
}

export interface DryModel {
  readonly run: (request: DryRequest) => Promise<DryReport>;
}

/** A model whose requests are counted and not computed. Requests follow each other: one at a time. */
export async function dry_model(config: ModelConfig, format: WeightFormat, machine: DryMachine): Promise<DryModel> {
  const executor = dry_executor(machine.device, machine.variant, machine.tuning);
  const weights = await load_weights(executor, config, synthetic_source(tensor_specs(config), 0, 'F32'), format);
  return {
    async run(request) {
      const run = run_model({ executor, config, weights }, dry_input(config, request), request);
      let next = await run.next();
      while (!next.done) next = await run.next();
      const { ledger, warnings } = next.value;
      const stages = next.value.stages.map(({ started_ms, wall_ms, ...counts }) => counts);
      return { stages, ledger, memory: executor.buffers.memory(), warnings };
    },
  };
}

/** Exact FLOPs, bytes, launches and memory of a request, without a GPU: what the ledger of a real run would say. */
export async function dry_run(
  config: ModelConfig,
  format: WeightFormat,
  machine: DryMachine,
  request: DryRequest,
): Promise<DryReport> {
  return (await dry_model(config, format, machine)).run(request);
}

/** Counts depend on lengths and places alone: grey pictures, and a prompt of one token again and again. */
export function dry_input(
  config: ModelConfig,
  { prompt_tokens, views, index }: Pick<DryRequest, 'prompt_tokens' | 'views' | 'index'>,
): ModelInput {
  const ids = new Array<number>(prompt_tokens).fill(0);
  if (views === 0) return { ids };
  const { patches, patch_values, cells } = geometry_of(config);
  return {
    ids,
    crops: {
      count: views,
      images: new Float32Array(views * patches * patch_values),
      masks: new Float32Array(views * patches),
      index: index ?? new Int32Array(views * cells).fill(-1),
    },
  };
}
