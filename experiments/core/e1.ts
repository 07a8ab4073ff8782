import { InputError, UsageError } from '../../engine/errors.ts';
import { image_layout } from '../../engine/input/layout.ts';
import { formula_picture } from '../../engine/input/pictures.ts';
import { exact_length_text } from '../../engine/input/prompt.ts';
import { choose_tiling } from '../../engine/input/tiling.ts';
import type { Tokenizer } from '../../engine/input/tokenizer.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import type { Knobs } from '../../engine/model/knobs.ts';
import { parameter_counts } from '../../engine/model/tensors.ts';
import type { Cell } from '../lab/experiment.ts';
import { key_of } from '../lab/plan.ts';

/**
 * E1: which stage dominates a request, under which input, and why FLOPs do not say so.
 * Regimes go by the tiling that really results, prompts by exact token counts, answers by forced lengths.
 */
export const QUESTION =
  'Which stage of a vision-language model dominates latency, how does that change with image, prompt and answer, and why do FLOPs not say so?';

/** Width x height. The study's 1008x784 does not say which is which: this is the wide reading, `portrait` the other. */
export const REGIMES = {
  low: { width: 336, height: 336, tiling: [1, 1] },
  medium: { width: 560, height: 560, tiling: [2, 2] },
  high: { width: 1008, height: 784, tiling: [3, 4] },
} as const;
/** Text tokens, the prompt template included. */
export const PROMPTS = { short: 20, medium: 40, long: 128 } as const;
/** New tokens, forced. */
export const DECODES = { short: 8, medium: 32, long: 128 } as const;

export type Regime = keyof typeof REGIMES;
export type PromptLength = keyof typeof PROMPTS;
export type DecodeLength = keyof typeof DECODES;
const names = <T extends object>(of: T) => Object.keys(of) as (keyof T)[];

export interface Choice {
  readonly regimes?: readonly Regime[];
  readonly prompts?: readonly PromptLength[];
  readonly decodes?: readonly DecodeLength[];
  readonly full_grid?: boolean;
}

type Triple = readonly [Regime, PromptLength, DecodeLength];

/**
 * Which cells are measured. Axes that were chosen are crossed in full. Of the others, what the figures need:
 * over several image regimes the cells where prompt or answer is short (the prefill lines need every prompt, the decode lines
 * every answer length, neither needs their product); within one regime the two corners, all short and all long.
 */
export function choose_cells({ regimes, prompts, decodes, full_grid }: Choice): Triple[] {
  const one_regime = regimes?.length === 1;
  const wanted = (prompt: PromptLength, decode: DecodeLength): boolean => {
    if (full_grid || prompts !== undefined || decodes !== undefined) return true;
    if (one_regime) return prompt === decode && prompt !== 'medium';
    return prompt === 'short' || decode === 'short';
  };
  return (regimes ?? names(REGIMES)).flatMap((regime) =>
    (prompts ?? names(PROMPTS)).flatMap((prompt) =>
      (decodes ?? names(DECODES)).flatMap((decode): Triple[] =>
        wanted(prompt, decode) ? [[regime, prompt, decode]] : [],
      ),
    ),
  );
}

export interface Subject {
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
}

export interface E1Options extends Choice {
  readonly knobs: Knobs;
  readonly portrait?: boolean;
  readonly tokens_per_readback: number;
}

/** The cells as requests; one that cannot be realised is an error before anything runs. */
export function plan_e1({ config, tokenizer }: Subject, options: E1Options): Cell[] {
  return choose_cells(options).map(([regime, prompt, decode]): Cell => {
    const { knobs, portrait, tokens_per_readback } = options;
    const [width, height] = size_of(regime, portrait);
    const [rows, cols] = tiling_of(regime, portrait);
    const max_crops = knobs.maxCrops ?? config.max_crops;
    const found = choose_tiling(width, height, { max_crops }, geometry_of(config));
    if (found.rows !== rows || found.cols !== cols) {
      throw new UsageError(
        `regime ${regime}: expected a tiling of ${rows}x${cols} for ${width}x${height}, found ${found.rows}x${found.cols} with at most ${max_crops} crops; allow ${rows * cols} crops or choose another regime`,
      );
    }
    const text = prompt_text({ config, tokenizer }, prompt);
    const image_tokens = image_layout(found, tokenizer.special, geometry_of(config)).token_ids.length;
    const positions = 1 + image_tokens + PROMPTS[prompt];
    const longest = positions + DECODES[decode];
    if (longest > config.max_position_embeddings) {
      throw new InputError(
        `regime ${regime}: expected at most ${config.max_position_embeddings} positions, found ${longest}; choose a smaller image, prompt or answer`,
      );
    }
    const settings = { regime, prompt, decode, ...(portrait && regime === 'high' ? { orientation: 'portrait' } : {}) };
    return {
      key: key_of(settings),
      settings,
      request: {
        prompt: text,
        image: formula_picture('rings', width, height),
        maxNewTokens: DECODES[decode],
        ignoreEos: true,
        knobs,
        tokensPerReadback: tokens_per_readback,
      },
      weight: weight_of(config, rows * cols + 1, positions, DECODES[decode]),
    };
  });
}

function prompt_text({ config, tokenizer }: Subject, prompt: PromptLength): string {
  const { message_formatting, always_start_with_space } = config;
  const format = { message_format: message_formatting, always_start_with_space };
  try {
    return exact_length_text(tokenizer, PROMPTS[prompt], format);
  } catch (error) {
    throw new UsageError(`prompt ${prompt}: ${(error as Error).message}; this tokenizer cannot make it`);
  }
}

const size_of = (regime: Regime, portrait = false): readonly [number, number] => {
  const { width, height } = REGIMES[regime];
  return portrait ? [height, width] : [width, height];
};

const tiling_of = (regime: Regime, portrait = false): readonly [number, number] => {
  const [rows, cols] = REGIMES[regime].tiling;
  return portrait ? [cols, rows] : [rows, cols];
};

/** FLOPs and, twenty to a byte, weight traffic of decode: near enough for an estimate of what is left. */
function weight_of(config: ModelConfig, views: number, positions: number, new_tokens: number): number {
  const { vit, llm_active } = parameter_counts(config);
  return 2 * vit * config.vit.positions * views + 2 * llm_active * (positions + 20 * new_tokens);
}
