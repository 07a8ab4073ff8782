import { InputError, UsageError } from '../../engine/errors.ts';
import { image_layout } from '../../engine/input/layout.ts';
import { format_prompt } from '../../engine/input/prompt.ts';
import { choose_tiling } from '../../engine/input/tiling.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { type Knobs, plan_blocks, plan_pictures } from '../../engine/model/knobs.ts';
import { parameter_counts } from '../../engine/model/tensors.ts';
import { crop_choice } from '../../engine/request.ts';
import { type Ask, type NamedRequest, request_of, type Subject } from './inputs.ts';
import { random_numbers, shuffled } from './random.ts';
import { sample_request } from './sample_request.ts';
import type { Configuration, Protocol, Settings, Skipped } from './schema.ts';

export type { Subject } from './inputs.ts';

import { sha256_hex } from './sha256.ts';

/** One point of a grid: what is measured under one key. */
export interface Cell {
  readonly key: string;
  readonly settings: Settings;
  readonly knobs: Knobs;
  /** One, or a set whose runs are the cell's samples. */
  readonly requests: readonly NamedRequest[];
  /** About how long a run takes, in any unit, for the estimate of what is left. */
  readonly weight: number;
  /** What the experiment knows of it and results do not: it is kept with the cell. */
  readonly about?: Configuration['about'];
  /** Files that belong to it, made where the folder lacks them. */
  readonly attachments?: readonly { readonly name: string; readonly make: () => Uint8Array }[];
}

/** A cell, or why it cannot be: a grid may hold points that this model does not have. */
export const cell_of = (on: Subject, settings: Settings, ask: Ask, fallback: Ask = {}): Cell | Skipped =>
  cell_or_why(on, settings, () => request_of(on, ask, fallback), ask.tiling);

/** A cell of one sample of the experiment's data set, by its place among those chosen. */
export const cell_of_sample = (on: Subject, settings: Settings, place: number, ask: Ask): Cell | Skipped =>
  cell_or_why(on, settings, () => sample_request(on, place, ask));

function cell_or_why(
  on: Subject,
  settings: Settings,
  make: () => NamedRequest,
  tiling?: Ask['tiling'],
): Cell | Skipped {
  const key = key_of(settings);
  try {
    const one = make();
    return { key, settings, knobs: one.request.knobs ?? {}, requests: [one], weight: weight_of(on, one, tiling) };
  } catch (error) {
    if (error instanceof UsageError || error instanceof InputError) return { key, settings, reason: error.message };
    throw error;
  }
}

/** FLOPs and, twenty to a byte, weight traffic of decode: near enough for an estimate. Refuses what cannot run. */
function weight_of({ config, tokenizer }: Subject, { request, later }: NamedRequest, wanted: Ask['tiling']): number {
  const { prompt, knobs = {}, maxNewTokens = 0 } = request;
  const image = request.image ?? later?.size ?? later?.nominal;
  const plans = [plan_blocks(config, knobs), plan_pictures(config, knobs)] as const;
  const { message_formatting, always_start_with_space } = config;
  const format = { message_format: message_formatting, always_start_with_space };
  const text = tokenizer.encode(format_prompt(prompt, format)).length;
  const tiling = image && choose_tiling(image.width, image.height, crop_choice(knobs, config), geometry_of(config));
  if (wanted && (tiling?.rows !== wanted[0] || tiling.cols !== wanted[1])) {
    const found = tiling === undefined ? 'no picture' : `${tiling.rows}x${tiling.cols}`;
    const most = knobs.maxCrops ?? config.max_crops;
    throw new UsageError(
      `expected a tiling of ${wanted.join('x')} for ${image?.width}x${image?.height}, found ${found} with at most ${most} crops; allow ${wanted[0] * wanted[1]}`,
    );
  }
  const layout = tiling && image_layout(tiling, tokenizer.special, geometry_of(config));
  const positions = 1 + (layout?.token_ids.length ?? 0) + text;
  const is_guess = later !== undefined && later.size === undefined;
  if (!is_guess && positions + maxNewTokens > config.max_position_embeddings) {
    throw new InputError(
      `expected at most ${config.max_position_embeddings} positions, found ${positions + maxNewTokens}; choose a smaller image, prompt or answer`,
    );
  }
  const { vit } = parameter_counts(config);
  const views = tiling === undefined ? 0 : tiling.rows * tiling.cols + 1;
  const [text_share, picture_share] = plans.map(
    (plan) => plan.reduce((sum, k) => sum + k, 0) / (config.n_layers * config.top_k),
  ) as [number, number];
  const cells = layout?.counts.inserted_cells ?? 0;
  const tokens = picture_share * cells + text_share * (positions - cells + 20 * maxNewTokens);
  return 2 * vit * config.vit.positions * views + 2 * parameter_counts(config).llm_active * tokens;
}

const longest_key = 120;

/**
 * { regime: 'high', prompt: 'short', crops: 4 } -> "high_short_crops=4": fit for a file name, also where upper and
 * lower case are one, and different for different settings of the same axes. Axes have names in snake_case.
 */
export function key_of(settings: Settings): string {
  const parts = Object.entries(settings).map(([axis, value]) => {
    if (typeof value === 'string' && value !== '') return escaped(value);
    return `${axis}=${value === null ? 'none' : value}`;
  });
  const key = parts.join('_') || 'only';
  if (key.length <= longest_key) return key;
  const digest = sha256_hex(key).slice(0, 16);
  return `${key.slice(0, longest_key - 17)}-${digest}`;
}

/** All but small letters, digits and - as their bytes, so that _ and = stay free to join. */
const escaped = (text: string): string =>
  text.replace(/[^a-z0-9-]/gu, (char) =>
    [...new TextEncoder().encode(char)].map((byte) => `%${byte.toString(16)}`).join(''),
  );

/** As planned, or shuffled: the same seed gives the same order. */
export const ordered = <T>(cells: readonly T[], order: Protocol['order'], seed: number): T[] =>
  order === 'fixed' ? [...cells] : shuffled(cells, random_numbers(seed));
