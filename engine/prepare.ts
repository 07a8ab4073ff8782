import type { HostSpan } from './gpu/timeline.ts';
import { prepare_image } from './input/image.ts';
import type { VisionCounts } from './input/layout.ts';
import { build_prompt } from './input/prompt.ts';
import type { Tokenizer } from './input/tokenizer.ts';
import type { ModelConfig } from './model/config.ts';
import { geometry_of } from './model/geometry.ts';
import { check_length } from './model/sequences.ts';
import { check_request, crop_choice, DEFAULT_NEW_TOKENS, type GenerateRequest } from './request.ts';

export interface TokenCounts extends Partial<VisionCounts> {
  /** High-resolution crops; the ViT sees one more view, the overview. */
  readonly crops: number;
  readonly views: number;
  readonly text_tokens: number;
  readonly prompt_tokens: number;
  readonly new_tokens: number;
  /** Of the prompt: those that an earlier question about the same picture had computed. */
  readonly kept_tokens?: number;
}

export type Prepared = ReturnType<typeof prepare>;

/** A picture that was prepared for an earlier question. */
export interface Seen {
  image?: ReturnType<typeof prepare_image>;
}

/** Picture and prompt become ids, crops and positions; what cannot run is refused. */
export function prepare(request: GenerateRequest, config: ModelConfig, tokenizer: Tokenizer, seen: Seen = {}) {
  check_request(request, config);
  const { prompt, image, knobs, resize } = request;
  const started = performance.now();
  const geometry = geometry_of(config);
  const prepared =
    seen.image ??
    (image && prepare_image(image, { mode: resize ?? 'pad', crops: crop_choice(knobs ?? {}, config), geometry }));
  seen.image = prepared;
  const prepared_ms = performance.now();
  const built = build_prompt(tokenizer, prompt, {
    picture: prepared && { tiling: prepared.tiling, geometry },
    message_format: config.message_formatting,
    always_start_with_space: config.always_start_with_space,
  });
  const crops = prepared &&
    built.image && {
      count: prepared.views,
      images: prepared.images,
      masks: prepared.masks,
      index: built.image.input_idx,
    };
  const counts: Omit<TokenCounts, 'new_tokens'> = {
    ...prepared?.counts,
    crops: prepared === undefined ? 0 : prepared.views - 1,
    views: prepared?.views ?? 0,
    text_tokens: built.text_tokens,
    prompt_tokens: built.ids.length,
  };
  const preprocess_ms = performance.now() - started;
  const image_ms = prepared_ms - started;
  const preprocess: HostSpan[] = [
    ...(image === undefined ? [] : [{ name: 'prepare image', started_ms: started, wall_ms: image_ms }]),
    { name: 'tokenise', started_ms: prepared_ms, wall_ms: preprocess_ms - image_ms },
  ];
  check_length(config, built.ids.length, request.maxNewTokens ?? DEFAULT_NEW_TOKENS);
  return { ids: built.ids, crops, counts, tiling: prepared?.tiling, preprocess_ms, preprocess };
}
