import type { Knobs } from '../../engine/model/knobs.ts';
import { parse_blocks } from '../../engine/model/knobs.ts';
import type { DeviceChoice, LoadOptions } from '../../engine/node/load.ts';
import type { WeightFormat } from '../../kernels/spec.ts';
import { dim, note } from '../print.ts';

/** What src/options.ts parses, as commands read it. */
export interface AdapterFlags {
  readonly adapter: string;
  readonly backend?: DeviceChoice['backend'];
  readonly power?: DeviceChoice['power'];
  readonly validate?: boolean;
  /** Of commands that run the model's kernels. */
  readonly variant?: DeviceChoice['variant'];
  readonly tuning?: DeviceChoice['tuning'];
}

export interface ModelFlags {
  readonly model: string;
  readonly dtype?: WeightFormat;
  readonly weightsSeed: number;
  readonly tokenizer?: string;
}

export interface KnobFlags {
  readonly maxCrops?: number;
  readonly topK?: readonly number[];
  readonly blocks?: string;
}

export const device_choice = (flags: AdapterFlags, debug: boolean): DeviceChoice => ({
  adapter: flags.adapter,
  backend: flags.backend,
  power: flags.power,
  variant: flags.variant,
  tuning: flags.tuning,
  mode: flags.validate ? 'validated' : 'release',
  hush: !debug,
});

export const load_options = (flags: AdapterFlags & ModelFlags, debug: boolean): LoadOptions => ({
  ...device_choice(flags, debug),
  model: flags.model,
  dtype: flags.dtype,
  seed: flags.weightsSeed,
  tokenizer: flags.tokenizer,
  on_choice: (model, dtype, { by, why }) => {
    if (by !== 'given') note(dim(`auto     ${model} stored as ${dtype}: ${why}`));
  },
});

export const knobs_of = ({ maxCrops, topK, blocks }: KnobFlags): Knobs => ({
  maxCrops,
  topK: topK?.length === 1 ? topK[0] : topK,
  blocks: blocks === undefined ? undefined : parse_blocks(blocks),
});
