import { createHash } from 'node:crypto';
import type { View } from '../../engine/model/context.ts';
import { type BlockKnobs, plan_blocks, plan_pictures } from '../../engine/model/knobs.ts';
import type { Engine, GenerateRequest, GenerateResult } from '../../engine/molmoe.ts';
import { check_routing, type RoutingFacts, together } from './routing_checks.ts';
import { floats, read_words } from './rows.ts';

type Stage = 'prefill' | 'decode';

/** A block's routing of one request: what was read back, and what the ledger says was dispatched for it. */
export interface BlockProof extends RoutingFacts {
  readonly stage: Stage;
  readonly block: number;
  readonly ledger_pairs: number;
  /** The last token's experts with their weights. */
  readonly last: readonly { readonly expert: number; readonly weight: number }[];
}

/** How the knob is set: nothing of it where it is left alone. */
export type Setting = Pick<BlockKnobs, 'topK' | 'topKVision'>;

/** One request with one setting of the knob. */
export interface Proof {
  readonly asked: Setting;
  readonly prompt_tokens: number;
  readonly decode_steps: number;
  /** Experts that a token of text takes in each block, and one of the picture; 0 where the block is skipped. */
  readonly plan: readonly number[];
  readonly picture_plan: readonly number[];
  readonly blocks: readonly BlockProof[];
  /** Of the experts' ids and weights of all tokens, bit for bit. */
  readonly digest: string;
  /** Every choice of the first active block in prefill, whose router has seen no expert yet: its input is the same for every k. */
  readonly first: Uint32Array;
}

/**
 * Runs the request and reads back from the GPU what each router chose for each token. `is_picture`: of each position of the
 * prompt, whether it holds a cell of the picture.
 */
export async function prove(
  engine: Engine,
  request: GenerateRequest,
  asked: Setting,
  is_picture: readonly boolean[],
): Promise<Proof> {
  const { config } = engine.facts;
  const knobs = { ...request.knobs, ...asked } as NonNullable<GenerateRequest['knobs']>;
  const [plan, picture_plan] = [plan_blocks(config, knobs), plan_pictures(config, knobs)];
  const hash = createHash('sha256');
  const seen = new Map<string, { facts: RoutingFacts[]; last: BlockProof['last'] }>();
  const first: Uint32Array[] = [];
  const first_block = plan.findIndex((k) => k > 0);
  let tokens = 0;
  let logits: Uint32Array = new Uint32Array();
  let experts: Uint32Array = new Uint32Array();
  const probe = async (point: string, block: number, view: View): Promise<void> => {
    if (point === 'router.logits') logits = await read_words(engine.executor, view);
    if (point === 'router.experts') experts = await read_words(engine.executor, view);
    if (point !== 'router.weights') return;
    const weights = await read_words(engine.executor, view); // the last of the three
    const stage = tokens === 0 ? 'prefill' : 'decode';
    hash.update(`${stage} ${block} `).update(experts).update(weights);
    if (stage === 'prefill' && block === first_block) first.push(experts);
    const entry = seen.get(`${stage} ${block}`) ?? { facts: [], last: [] };
    const { cols: slots, rows } = view;
    const before = entry.facts.reduce((sum, part) => sum + part.rows, 0); // a prompt may come in parts
    const takes = Array.from({ length: rows }, (_, row) => {
      return (stage === 'prefill' && is_picture[before + row] ? picture_plan : plan)[block] as number;
    });
    const shares = floats(weights);
    const routed = { n_experts: config.n_experts, takes, slots, logits: floats(logits), experts, weights: shares };
    entry.facts.push(check_routing(routed));
    const last = (rows - 1) * slots;
    entry.last = [...experts.subarray(last, last + (takes.at(-1) as number))].map((expert, i) => {
      return { expert, weight: shares[last + i] as number };
    });
    seen.set(`${stage} ${block}`, entry);
  };
  const running = engine.generate({ ...request, knobs, ignoreEos: true, probe });
  for await (const _ of running) tokens += 1;
  const result = await running.result;
  const stages: readonly Stage[] = ['prefill', 'decode'];
  return {
    asked,
    prompt_tokens: result.counts.prompt_tokens,
    decode_steps: result.decode_step_ms.length,
    plan,
    picture_plan,
    blocks: stages.flatMap((stage) =>
      plan.flatMap((_, block): BlockProof[] => {
        const entry = seen.get(`${stage} ${block}`);
        if (entry === undefined) return [];
        const ledger_pairs = pairs_of_ledger(result, engine, stage, block);
        return [{ stage, block, ledger_pairs, last: entry.last, ...together(entry.facts) }];
      }),
    ),
    digest: hash.digest('hex').slice(0, 16),
    first: Uint32Array.from(first.flatMap((part) => [...part])),
  };
}

/** Pairs of token and expert that a block's counted FLOPs are of: three matrices each, 2 a multiply-add. */
function pairs_of_ledger({ ledger }: GenerateResult, engine: Engine, stage: Stage, block: number): number {
  const { d_model, expert_hidden } = engine.facts.config;
  const { flops } = ledger.sum((row) => row.component === 'moe_experts' && row.stage === stage && row.layer === block);
  return flops / (6 * d_model * expert_hidden);
}
