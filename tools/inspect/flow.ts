import { InputError } from '../../engine/errors.ts';
import type { View } from '../../engine/model/context.ts';
import type { Engine, GenerateRequest } from '../../engine/molmoe.ts';
import { owned_values } from './owned.ts';
import { type Statistics, type Summing, start_statistics } from './statistics.ts';

type Stage = 'vision_encoder' | 'projector' | 'prefill' | 'decode';

interface Step {
  readonly what: string;
  readonly stage?: Stage;
  /** Belongs to a block: `layer` is its number. */
  readonly block?: true;
  /** Within a block of the language model: shown of the block that is asked for. */
  readonly detail?: true;
}

/** The steps of a forward by the probe's names. Those without a stage are of prefill and of decode. */
const STEPS: Readonly<Record<string, Step>> = {
  'vit.patches': { what: 'patch embeddings', stage: 'vision_encoder' },
  'vit.embedded': { what: 'class token and positions added, normed', stage: 'vision_encoder' },
  'vit.block': { what: 'residual after a ViT block', stage: 'vision_encoder', block: true },
  'vision.prepool': { what: 'tapped blocks side by side, by pooling window', stage: 'vision_encoder' },
  'vision.pooled': { what: 'cells after attention pooling', stage: 'projector' },
  'vision.features': { what: 'cells in the width of language', stage: 'projector' },
  'llm.embeds': { what: 'token embeddings, image cells added' },
  'attn.qkv': { what: 'queries, keys, values', block: true, detail: true },
  'attn.q': { what: 'queries, normed and rotated', block: true, detail: true },
  'attn.heads': { what: 'heads side by side', block: true, detail: true },
  'attn.residual': { what: 'residual after attention', block: true, detail: true },
  'moe.normed': { what: 'normed input of router and experts', block: true, detail: true },
  'router.logits': { what: 'router logits', block: true, detail: true },
  'router.experts': { what: 'ids of the chosen experts', block: true, detail: true },
  'router.weights': { what: 'weights of the chosen experts', block: true, detail: true },
  'moe.hidden': { what: "chosen experts' hidden values", block: true, detail: true },
  'llm.hidden': { what: 'residual after a block', block: true },
  'llm.k': { what: 'keys in the cache', block: true },
  'llm.v': { what: 'values in the cache', block: true },
  'llm.ln_f': { what: 'final norm of the last token' },
  logits: { what: 'logits of the last token' },
};

/** Ids have no mean and no std. */
export interface FlowRow extends Statistics {
  readonly stage: Stage;
  readonly point: string;
  readonly what: string;
  readonly block: number | null;
  readonly shape: readonly [rows: number, cols: number];
}

/** Shapes and statistics at every step of vision, prompt and first decode step; values are read in pieces and let go. */
export async function trace_flow(engine: Engine, request: GenerateRequest, block: number | undefined) {
  const steps = new Map<
    string,
    Omit<FlowRow, keyof Statistics | 'shape'> & { rows: number; cols: number; sums: Summing }
  >();
  let tokens = 0;
  const owned = owned_values(engine.executor);
  const probe = async (point: string, layer: number, view: View): Promise<void> => {
    const step = STEPS[point];
    if (step === undefined || (step.detail && layer !== block)) return;
    const stage = step.stage ?? (tokens === 0 ? 'prefill' : 'decode');
    const key = `${stage} ${point} ${layer}`;
    const { what } = step;
    const of_block = step.block ? layer : null;
    const seen = steps.get(key) ?? {
      stage,
      point,
      what,
      block: of_block,
      rows: 0,
      cols: view.cols,
      sums: start_statistics(),
    };
    steps.set(key, seen);
    seen.rows += view.rows; // a prompt or a picture may come in parts
    for await (const values of owned(point, view)) seen.sums.add(values);
  };
  const running = engine.generate({ ...request, maxNewTokens: 2, ignoreEos: true, probe });
  let fault: string | null = null;
  try {
    for await (const _ of running) tokens += 1;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    fault = error.message; // logits that are no numbers: what led to them is worth showing
  }
  const rows = [...steps.values()].map(({ rows, cols, sums, ...step }): FlowRow => {
    const none = step.point === 'router.experts' ? { mean: null, std: null } : {};
    return { ...step, shape: [rows, cols], ...sums.result(), ...none };
  });
  const broken = rows.find(({ non_finite }) => non_finite > 0) ?? null;
  return { rows, first_non_finite: broken, fault };
}

export type Flow = Awaited<ReturnType<typeof trace_flow>>;
