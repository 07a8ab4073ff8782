import { choose_tiling } from '../../engine/input/tiling.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import type { GenerateRequest } from '../../engine/molmoe.ts';
import { crop_choice } from '../../engine/request.ts';
import type { AnswerView, AskRequest, RoutingView, StageView } from '../protocol.ts';
import { type Loaded, type Tell, unknown_words } from './session.ts';

/** The page's request as the engine takes it. */
export function request_of(
  { prompt, picture, knobs, max_new_tokens }: AskRequest,
  signal: AbortSignal,
): GenerateRequest {
  return {
    prompt,
    ...(picture === null ? {} : { image: { width: picture.width, height: picture.height, rgb: picture.rgb } }),
    knobs,
    maxNewTokens: max_new_tokens,
    signal,
  };
}

/** One plain request. What is told on the way is a few numbers; drawing them is the page's affair. */
export async function ask(loaded: Loaded, asked: AskRequest, tell: Tell, signal: AbortSignal): Promise<AnswerView> {
  const { engine } = loaded;
  const request = request_of(asked, signal);
  const generation = engine.generate({
    ...request,
    onStage: (stage, wall_ms) => tell({ kind: 'stage', stage, wall_ms }),
  });
  tell({ kind: 'prepared', tiling: tiling_of(loaded, request) });
  const texts: string[] = [];
  let before_ms: number | undefined;
  for await (const { index, text } of generation) {
    const now_ms = performance.now();
    texts[index] = (texts[index] ?? '') + text;
    tell({ kind: 'token', index, text, ms: before_ms === undefined ? undefined : now_ms - before_ms });
    before_ms = performance.now();
  }
  const result = await generation.result;
  const { counts, decode_step_ms } = result;
  const strangers = unknown_words(loaded, asked.prompt);
  return {
    text: result.text,
    finish: result.finish,
    stages: result.stages.map(
      ({ stage, wall_ms, flops, weight_bytes, read_bytes, written_bytes, kv_bytes, dispatches }): StageView => ({
        stage,
        wall_ms,
        flops,
        bytes: weight_bytes + read_bytes + written_bytes + kv_bytes,
        launches: dispatches,
      }),
    ),
    preprocess_ms: result.preprocess_ms,
    total_ms: result.total_ms,
    first_token_ms: result.first_token_ms,
    tokens: texts.map((text, i) => ({ text, ms: i === 0 ? result.first_token_ms : decode_step_ms[i - 1] })),
    tiling: result.tiling,
    prompt_tokens: counts.prompt_tokens,
    picture_tokens: counts.inserted_cells ?? 0,
    peak_bytes: result.memory.total.peak,
    warnings: [
      ...result.warnings,
      ...(strangers.length > 0
        ? [
            `${loaded.engine.facts.name} does not know ${strangers.slice(0, 5).join(', ')}: it answers as if they were one unknown word`,
          ]
        : []),
    ],
  };
}

function tiling_of({ engine }: Loaded, { image, knobs = {} }: GenerateRequest) {
  const { config } = engine.facts;
  return image && choose_tiling(image.width, image.height, crop_choice(knobs, config), geometry_of(config));
}

/** Which experts every layer chose: one more run, with a readback a layer, so that none of its times is kept. */
export async function routing({ engine }: Loaded, asked: AskRequest, signal: AbortSignal): Promise<RoutingView> {
  const { routing: found, counts } = await engine.generate({ ...request_of(asked, signal), routing: true }).result;
  const picture_tokens = counts.inserted_cells ?? 0;
  return {
    experts: engine.facts.config.n_experts,
    picture_tokens,
    text_tokens: counts.prompt_tokens - picture_tokens,
    layers: (found?.layers ?? []).map(({ layer, prefill, pictures, decode }) => ({
      layer,
      picture: pictures,
      text: prefill.map((pairs, i) => pairs - (pictures[i] as number)),
      decode,
    })),
  };
}
