import { prepare_image } from '../../engine/input/image.ts';
import { formula_picture } from '../../engine/input/pictures.ts';
import { build_prompt, exact_length_text } from '../../engine/input/prompt.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import type { Probe } from '../../engine/model/context.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { Molmoe } from '../../engine/node/load.ts';

export const PRESET = 'molmoe-mini';
export const STAGES = ['vision_encoder', 'projector', 'prefill', 'decode'] as const;
export type Times = Readonly<Record<`${(typeof STAGES)[number]}_ms`, number>>;
export const total = (times: Times): number => STAGES.reduce((sum, stage) => sum + times[`${stage}_ms`], 0);

/** What the engine's own preprocessing makes of a picture and a prompt; peers begin there. */
export interface Request {
  readonly config: ModelConfig;
  readonly views: number;
  readonly ids: readonly number[];
  /** [views, 576, 588], and of each patch how much of it is picture. */
  readonly images: Float32Array;
  readonly masks: Float32Array;
  /** The token that each row of the projector is added to, or a negative number. */
  readonly index: Int32Array;
  readonly new_tokens: number;
}

export interface Answer {
  readonly tokens: readonly number[];
  readonly times: Times;
}

/** One request on one contender, all that it needs loaded already. */
export interface RequestRunner {
  readonly run: () => Promise<Answer>;
  /** Those that the first token is chosen from, then those that the last one is. */
  readonly logits: () => Promise<Float32Array>;
  readonly close: () => Promise<void>;
}

export async function open_our_request(quick: boolean): Promise<RequestRunner & { readonly request: Request }> {
  const model = await Molmoe.load({ model: PRESET, dtype: 'f32', hush: true });
  const { config } = model.facts;
  const { tokenizer, executor } = model.engine;
  const new_tokens = 16;
  const image = quick ? formula_picture('rings', 336, 336) : formula_picture('rings', 1008, 784);
  const prompt = exact_length_text(tokenizer, 18);
  const geometry = geometry_of(config);
  const prepared = prepare_image(image, { mode: 'pad', crops: { max_crops: config.max_crops }, geometry });
  const built = build_prompt(tokenizer, prompt, {
    ...{ picture: { tiling: prepared.tiling, geometry }, message_format: config.message_formatting },
    always_start_with_space: config.always_start_with_space,
  });
  const { views, images, masks } = prepared;
  const index = built.image?.input_idx ?? new Int32Array();
  const asked = { image, prompt, maxNewTokens: new_tokens, ignoreEos: true };
  return {
    request: { config, views, ids: [...built.ids], images, masks, index, new_tokens },
    async run() {
      const { stages, tokens } = await model.generate(asked).result;
      const times = stages.map(({ stage, wall_ms }) => [`${stage}_ms`, wall_ms]);
      return { tokens, times: Object.fromEntries(times) as Times };
    },
    async logits() {
      const found: Float32Array[] = [];
      const probe: Probe = async (point, _, { buffer, stride, rows, cols }) => {
        if (point !== 'logits') return;
        found.push(new Float32Array(await executor.read(buffer, 4 * (rows - 1) * stride, 4 * cols)));
      };
      await model.generate({ ...asked, probe }).result;
      return first_and_last(found);
    },
    async close() {
      model.close();
    },
  };
}

export function first_and_last(logits: readonly Float32Array[]): Float32Array {
  const [first, last] = [logits[0], logits.at(-1)];
  if (first === undefined || last === undefined) throw new Error('logits: expected those of each token, found none');
  const both = new Float32Array(first.length + last.length);
  both.set(first);
  both.set(last, first.length);
  return both;
}
