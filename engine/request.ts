import { UsageError } from './errors.ts';
import type { Timing } from './gpu/timeline.ts';
import type { Picture } from './input/pictures.ts';
import type { ResizeMode } from './input/resize.ts';
import { type CropChoice, choose_tiling, crop_tiers } from './input/tiling.ts';
import type { Tokenizer } from './input/tokenizer.ts';
import type { ModelConfig } from './model/config.ts';
import type { Probe } from './model/context.ts';
import type { Sampling } from './model/decoder.ts';
import { geometry_of } from './model/geometry.ts';
import { type Knobs, plan_blocks, plan_pictures } from './model/knobs.ts';
import { check_length } from './model/sequences.ts';
import type { StageResult } from './model_request.ts';
import {
  between,
  type Check,
  type Checks,
  check_options,
  is_flag,
  is_function,
  is_number,
  is_signal,
  is_text,
  list_of,
  one_of,
  whole,
} from './options.ts';

export const DEFAULT_NEW_TOKENS = 64;

export interface GenerateRequest {
  readonly prompt: string;
  /** Decoded picture; at most one. */
  readonly image?: Picture;
  /** `pad` letterboxes as the released processor does; `fill` covers and crops as the study's experiments do. */
  readonly resize?: ResizeMode;
  /** 64 by default; 0 runs the prompt alone. */
  readonly maxNewTokens?: number;
  readonly knobs?: Knobs;
  /** Greedy when absent. */
  readonly sampling?: Sampling;
  /** Generation ends when one of these appears; it is not part of the text. */
  readonly stop?: readonly string[];
  /** Goes on after the end-of-text token: forced length. */
  readonly ignoreEos?: boolean;
  /** Tokens made between two readbacks; 1 streams each. */
  readonly tokensPerReadback?: number;
  readonly keepDeadBlocks?: boolean;
  /** Stamps passes on the GPU's clock, one a stage or one a kernel. That costs time: wall times are then not the plain ones. */
  readonly timing?: Timing;
  /** Reads back what every router chose: `result.routing`. Costs a fence a block. */
  readonly routing?: boolean;
  /** Ends the request after this stage: nothing is generated. */
  readonly stopAfter?: 'vision_encoder' | 'projector';
  /** Sees intermediate results by the names of the reference data. */
  readonly probe?: Probe;
  /** Logits of every prompt position, not only of the last: for `probe`. */
  readonly allLogits?: boolean;
  readonly signal?: AbortSignal;
  /** Hears when a stage begins and, with its wall time, when it has ended: for those who watch. */
  readonly onStage?: (stage: StageResult['stage'], wall_ms: number | undefined) => void;
}

const is_picture: Check = (value) => {
  const { width, height, rgb } = (value ?? {}) as Partial<Picture>;
  const sized = typeof width === 'number' && typeof height === 'number';
  return sized && ArrayBuffer.isView(rgb)
    ? undefined
    : 'a decoded picture { width, height, rgb }, such as decode_image gives';
};
const is_mass: Check = (value) =>
  typeof value === 'number' && value > 0 && value <= 1 ? undefined : 'a number above 0 and at most 1';
const is_stop = list_of('texts that are not empty', (text) =>
  typeof text === 'string' && text !== '' ? undefined : 'a text',
);
const is_top_k: Check = (value) =>
  is_number(value) === undefined || list_of('', is_number)(value) === undefined
    ? undefined
    : 'a number or a list of them';

const REQUEST: Checks<GenerateRequest> = {
  prompt: is_text,
  image: is_picture,
  resize: one_of(['pad', 'fill']),
  maxNewTokens: whole(0),
  knobs: {
    maxCrops: is_number,
    crops: is_number,
    tier: one_of(Object.keys(crop_tiers)),
    topK: is_top_k,
    topKVision: is_top_k,
    blocks: list_of('numbers', is_number),
  },
  sampling: { temperature: between(0, 100), topP: is_mass, topK: whole(0), seed: whole(0) },
  stop: is_stop,
  ignoreEos: is_flag,
  tokensPerReadback: whole(1),
  keepDeadBlocks: is_flag,
  timing: one_of(['stage', 'kernel']),
  routing: is_flag,
  stopAfter: one_of(['vision_encoder', 'projector']),
  probe: is_function,
  allLogits: is_flag,
  signal: is_signal,
  onStage: is_function,
};

/**
 * Refuses what the model cannot do, whatever its weights: all that can be said before anything is opened. With a tokenizer
 * also a prompt that cannot be, or that is too long even without its picture.
 */
export function check_request(request: GenerateRequest, config: ModelConfig, tokenizer?: Tokenizer): void {
  check_options('a request', request, REQUEST);
  if (request.prompt === undefined) throw new UsageError('prompt: expected a text, found none');
  if (request.sampling !== undefined && request.sampling.temperature === undefined) {
    throw new UsageError('sampling.temperature: expected a number from 0 to 100, found none');
  }
  plan_blocks(config, request.knobs ?? {});
  plan_pictures(config, request.knobs ?? {});
  choose_tiling(1, 1, crop_choice(request.knobs ?? {}, config), geometry_of(config)); // refuses a wrong crop knob, picture or not
  if (tokenizer === undefined) return;
  check_length(config, tokenizer.encode(request.prompt).length, request.maxNewTokens ?? DEFAULT_NEW_TOKENS);
}

/** The picture's knob, as the tiling takes it. */
export function crop_choice({ maxCrops, crops, tier }: Knobs, config: ModelConfig): CropChoice {
  const found = Object.entries({ maxCrops, crops, tier }).filter(([, value]) => value !== undefined);
  if (found.length > 1) {
    throw new UsageError(
      `maxCrops, crops, tier: expected one of them, found ${found.map(([name]) => name).join(' and ')}`,
    );
  }
  if (crops !== undefined) return { exact_crops: crops };
  return tier === undefined ? { max_crops: maxCrops ?? config.max_crops } : { tier };
}
