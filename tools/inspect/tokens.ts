import { type VisionCounts, vision_counts } from '../../engine/input/layout.ts';
import { build_prompt } from '../../engine/input/prompt.ts';
import { special_texts } from '../../engine/input/special_ids.ts';
import { choose_tiling, type Tiling } from '../../engine/input/tiling.ts';
import { geometry_of, type ImageGeometry } from '../../engine/model/geometry.ts';
import type { Knobs } from '../../engine/model/knobs.ts';
import { check_length } from '../../engine/model/sequences.ts';
import { crop_choice } from '../../engine/request.ts';
import type { Subject } from './subject.ts';

/** Of a picture, tokens depend on its size alone. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

export interface TokenAsk {
  readonly prompt: string;
  readonly picture: (Size & { readonly name: string }) | undefined;
  readonly knobs: Knobs;
}

type Part = 'begin' | 'overview' | 'crops' | 'text';

export interface SeenToken {
  readonly position: number;
  readonly id: number;
  readonly part: Part;
  /** null: only part of a character. */
  readonly text: string | null;
  /** Its name among the special tokens; null for text. */
  readonly special: string | null;
}

/** Tokens that follow each other `times` times over. */
export interface Run {
  readonly first: SeenToken;
  readonly last: number;
  readonly tokens: readonly { readonly token: SeenToken; readonly times: number }[];
  readonly times: number;
}

/** What becomes of a prompt and a picture before a GPU sees them. */
export function inspect_tokens({ name, config, tokenizer }: Subject, { prompt, picture, knobs }: TokenAsk) {
  const geometry = geometry_of(config);
  const tiling = picture && choose_tiling(picture.width, picture.height, crop_choice(knobs, config), geometry);
  const built = build_prompt(tokenizer, prompt, {
    picture: tiling && { tiling, geometry },
    message_format: config.message_formatting,
    always_start_with_space: config.always_start_with_space,
  });
  const { ids, image, text_tokens, formatted_text } = built;
  const warning = check_length(config, ids.length, 0);
  const text_of = (id: number): string | null => {
    const text = tokenizer.decode([id]);
    return text.includes('\uFFFD') ? null : text;
  };
  const special = new Map(Object.entries(special_texts).map(([key]) => [tokenizer.special[key as 'eos'], key]));
  const overview_end = 1 + overview_tokens(geometry);
  const part_of = (position: number): Part => {
    if (position === 0) return 'begin';
    if (position >= 1 + (image?.token_ids.length ?? 0)) return 'text';
    return position < overview_end ? 'overview' : 'crops';
  };
  const tokens = ids.map((id, position): SeenToken => {
    return { position, id, part: part_of(position), text: text_of(id), special: special.get(id) ?? null };
  });
  return {
    model: name,
    tokenizer: tokenizer.kind,
    prompt,
    formatted_text,
    picture: picture && tiling ? { ...picture, tiling, canvas: canvas_of(tiling, geometry) } : null,
    views: tiling === undefined ? 0 : tiling.rows * tiling.cols + 1,
    vision_tokens: tiling === undefined ? null : named_counts(tiling, geometry),
    shapes: shapes_of(ids.length, tiling, geometry),
    sequence: { length: ids.length, begin: 1, image: image?.token_ids.length ?? 0, text: text_tokens },
    /** One request at a time: nothing is filled up to a common length. */
    padding: { id: config.pad_id, tokens: 0 },
    most_frequent: most_frequent(tokens, 10),
    tokens,
    warnings: warning === undefined ? [] : [warning],
  };
}

export type TokensReport = ReturnType<typeof inspect_tokens>;

/** The overview in the prompt: rows of cells with a mark behind each, between two marks. */
const overview_tokens = ({ cells_per_side }: ImageGeometry): number => cells_per_side * (cells_per_side + 1) + 2;

export const canvas_of = ({ rows, cols }: Tiling, { tile_px, margin_px }: ImageGeometry): Size => ({
  width: cols * tile_px + margin_px,
  height: rows * tile_px + margin_px,
});

/** The three counts that are all called vision tokens elsewhere, and what the picture takes of the prompt. */
export function named_counts(tiling: Tiling, geometry: ImageGeometry): VisionCounts & { readonly marks: number } {
  const counts = vision_counts(tiling, geometry);
  return { ...counts, marks: counts.image_tokens - counts.inserted_cells };
}

function shapes_of(length: number, tiling: Tiling | undefined, { patches, patch_values, cells }: ImageGeometry) {
  const input_ids = [length];
  if (tiling === undefined) return { input_ids };
  const views = tiling.rows * tiling.cols + 1;
  return {
    input_ids,
    images: [views, patches, patch_values],
    image_masks: [views, patches],
    image_input_idx: [views, cells],
  };
}

function most_frequent(tokens: readonly SeenToken[], count: number) {
  const seen = new Map<number, { token: SeenToken; times: number }>();
  for (const token of tokens) {
    const entry = seen.get(token.id) ?? { token, times: 0 };
    seen.set(token.id, { ...entry, times: entry.times + 1 });
  }
  return [...seen.values()]
    .sort((a, b) => b.times - a.times || a.token.id - b.token.id)
    .slice(0, count)
    .map(({ token: { id, text, special }, times }) => ({ id, text, special, times }));
}

/** Equal neighbours as one, and two such in turn (a row of cells and its end) as one. */
export function runs_of(tokens: readonly SeenToken[]): Run[] {
  const single: { token: SeenToken; times: number }[] = [];
  for (const token of tokens) {
    const before = single.at(-1);
    if (before?.token.id === token.id && before.token.part === token.part) before.times += 1;
    else single.push({ token, times: 1 });
  }
  const runs: Run[] = [];
  for (let i = 0; i < single.length; ) {
    const pair = single.slice(i, i + 2);
    let times = 1;
    while (pair.length === 2 && same_pair(pair, single.slice(i + 2 * times, i + 2 * times + 2))) times += 1;
    const taken = times > 1 ? pair : pair.slice(0, 1);
    const first = (taken[0] as (typeof single)[number]).token;
    const length = times * taken.reduce((sum, one) => sum + one.times, 0);
    runs.push({ first, last: first.position + length - 1, tokens: taken, times });
    i += times * taken.length;
  }
  return runs;
}

type Repeated = { readonly token: SeenToken; readonly times: number };

const same_pair = (a: readonly Repeated[], b: readonly Repeated[]): boolean =>
  b.length === 2 &&
  b.every(
    ({ token, times }, i) => token.id === a[i]?.token.id && times === a[i]?.times && token.part === a[i]?.token.part,
  ) &&
  // Words that repeat each other stay apart: only marks are counted.
  a.every(({ token }) => token.special !== null);
