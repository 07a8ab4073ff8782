import { UsageError } from '../../engine/errors.ts';
import { formula_picture, type Picture } from '../../engine/input/pictures.ts';
import { exact_length_text } from '../../engine/input/prompt.ts';
import type { Tokenizer } from '../../engine/input/tokenizer.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import type { Knobs } from '../../engine/model/knobs.ts';
import type { GenerateRequest } from '../../engine/molmoe.ts';
import type { Samples } from './samples.ts';
import type { SampleSource } from './schema.ts';
import { Sha256, sha256_hex } from './sha256.ts';

/** Image regimes by the tiling that results: rows and columns of crops. At the real geometry 336x336, 560x560, 1008x784. */
export const REGIMES = { low: [1, 1], medium: [2, 2], high: [3, 4] } as const;
/** Text tokens of a prompt, its template included. */
export const PROMPTS = { short: 20, medium: 40, long: 128 } as const;
/** New tokens, forced. */
export const ANSWERS = { short: 8, medium: 32, long: 128 } as const;

export type Regime = keyof typeof REGIMES;
export type Length = keyof typeof PROMPTS;
export const REGIME_NAMES = ['low', 'medium', 'high'] as const satisfies readonly Regime[];
export const LENGTHS = ['short', 'medium', 'long'] as const satisfies readonly Length[];

/** What the cells of an experiment may set; what they leave alone, a user may. */
export type Swept = 'image' | 'prompt' | 'answer' | 'maxCrops' | 'topK' | 'topKVision' | 'blocks';

export interface NamedPicture {
  /** As results name it: "rings 336x336", or a file's name. */
  readonly name: string;
  readonly picture: Picture;
}

/** A request in an experiment's words. What is left out, the user's choice or the experiment's default fills in. */
export interface Ask {
  /** null: no picture. */
  readonly image?: NamedPicture | null;
  /** Rows and columns of crops that the picture must get. */
  readonly tiling?: readonly [number, number];
  readonly prompt?: string;
  /** Instead of a prompt: a built-in text of exactly so many tokens. */
  readonly prompt_tokens?: number;
  /** Forced, unless the end-of-text token may end the answer. */
  readonly new_tokens?: number;
  readonly ends_at_eos?: boolean;
  readonly knobs?: Knobs;
}

/** A model as a plan sees it, and what is the same in all cells. */
export interface Subject {
  readonly config: ModelConfig;
  readonly tokenizer: Tokenizer;
  /** What the command line asked of all cells. */
  readonly asked: Ask;
  readonly tokens_per_readback: number;
  /** Of an experiment on a data set: which of it are measured. */
  readonly samples?: Samples;
}

const pictures = new Map<string, NamedPicture>();

/** The built-in picture. */
export function rings(width: number, height: number): NamedPicture {
  const name = `rings ${width}x${height}`;
  const known = pictures.get(name);
  if (known !== undefined) return known;
  const made = { name, picture: formula_picture('rings', width, height) };
  pictures.set(name, made);
  return made;
}

/** The built-in picture in the size that gives exactly this tiling, whatever the model's geometry. */
export function rings_of_tiling(config: ModelConfig, [rows, cols]: readonly [number, number]): NamedPicture {
  const { margin_px, tile_px } = geometry_of(config);
  const side = (tiles: number) => margin_px + tiles * tile_px;
  return rings(side(cols), side(rows));
}

/** A built-in text of exactly this many tokens with the model's own template. */
export function text_of_length({ config, tokenizer }: Pick<Subject, 'config' | 'tokenizer'>, tokens: number): string {
  const { message_formatting, always_start_with_space } = config;
  try {
    return exact_length_text(tokenizer, tokens, { message_format: message_formatting, always_start_with_space });
  } catch (error) {
    throw new UsageError(`${(error as Error).message}; this tokenizer cannot make it`);
  }
}

/** A picture that is opened for its runs and not kept: thousands of them do not fit memory. */
export interface LaterPicture {
  readonly open: () => Promise<Picture>;
  /** Says which pixels these are without opening them. */
  readonly digest: string;
  /** Where it is known, and what stands for it where it is not. */
  readonly size?: { readonly width: number; readonly height: number };
  readonly nominal: { readonly width: number; readonly height: number };
}

export interface NamedRequest {
  readonly id: string;
  readonly request: GenerateRequest;
  /** Name of its picture; null without one. */
  readonly image: string | null;
  /** Where the request has not got its picture yet. */
  readonly later?: LaterPicture;
  /** Of a data set: where it comes from. */
  readonly sample?: SampleSource;
}

/** The request with its picture, and how long that took to open. */
export async function opened({
  request,
  later,
}: NamedRequest): Promise<{ readonly request: GenerateRequest; readonly open_ms: number }> {
  if (later === undefined) return { request, open_ms: 0 };
  const started = performance.now();
  const image = await later.open();
  return { request: { ...request, image }, open_ms: performance.now() - started };
}

/** The request: what a cell sets before what the user chose before the experiment's own default. */
export function request_of(on: Subject, cell: Ask, fallback: Ask = {}, id = 'only'): NamedRequest {
  const first = <K extends keyof Ask>(key: K): Ask[K] | undefined =>
    [cell, on.asked, fallback].find((ask) => ask[key] !== undefined)?.[key];
  const prompted = [cell, on.asked, fallback].find(
    (ask) => ask.prompt !== undefined || ask.prompt_tokens !== undefined,
  );
  const image = first('image') ?? null;
  const prompt =
    prompted?.prompt ?? (prompted?.prompt_tokens === undefined ? '' : text_of_length(on, prompted.prompt_tokens));
  return {
    id,
    image: image?.name ?? null,
    request: {
      prompt,
      ...(image === null ? {} : { image: image.picture }),
      maxNewTokens: first('new_tokens') ?? 16,
      ignoreEos: first('ends_at_eos') !== true,
      knobs: { ...fallback.knobs, ...on.asked.knobs, ...cell.knobs } as Knobs,
      tokensPerReadback: on.tokens_per_readback,
    },
  };
}

/** Of everything that a request asks: two cells of one key that differ in it are two cells. */
export function asked_digest(requests: readonly NamedRequest[]): string {
  const hash = new Sha256();
  for (const { id, image, request, later } of requests) {
    const { image: picture, ...rest } = request;
    const pixels = picture === undefined ? (later?.digest ?? null) : sha256_hex(picture.rgb);
    hash.update(JSON.stringify([id, image, pixels, sorted_keys(rest)]));
  }
  return hash.hex().slice(0, 16);
}

const sorted_keys = (value: object) => Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
