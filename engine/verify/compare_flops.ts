import type { LedgerRow } from '../meter/ledger.ts';
import type { Check } from './check.ts';
import type { GoldenCase } from './golden.ts';
import type { SeenRequest } from './record.ts';

interface GoldenFlops {
  readonly prefill: {
    readonly vision_encoder?: Readonly<Record<string, number>>;
    readonly projector?: Readonly<Record<string, number>>;
    readonly llm: Readonly<Record<string, number>>;
    readonly lm_head: { readonly total: number };
  };
  readonly decode_all_steps?: {
    readonly llm: Readonly<Record<string, number>>;
    readonly lm_head: { readonly total: number };
  };
}

/** Useful FLOPs of the ledger against the recorded counts, exactly. Causal attention counts the lower triangle. */
export function compare_flops(described: GoldenCase, { result }: SeenRequest): Check[] {
  const golden = described.flops as GoldenFlops;
  const checks: Check[] = [];
  const check = (what: string, want: number | undefined, match: (row: LedgerRow) => boolean) => {
    if (want === undefined) return;
    const got = result.ledger.sum(match).flops;
    const detail = got === want ? undefined : `expected ${want}, found ${got}`;
    checks.push({
      what: `flops ${what}`,
      kind: 'flops',
      found: Math.abs(got - want),
      limit: 0,
      ok: got === want,
      detail,
    });
  };
  const is_product = (row: LedgerRow) => ['matmul', 'matvec', 'norm_matvec'].includes(row.kernel);
  const part = (stage: string, component: string, products?: boolean) => (row: LedgerRow) =>
    row.stage === stage && row.component === component && (products === undefined || is_product(row) === products);

  const vit = golden.prefill.vision_encoder;
  if (vit !== undefined && vit.layers_executed !== undefined && vit.layers_needed !== undefined) {
    const needed = (count: number | undefined) =>
      ((count ?? 0) / (vit.layers_executed ?? 1)) * (vit.layers_needed ?? 1);
    const stage = 'vision_encoder';
    check('vit patch_embed', vit.patch_embed, part(stage, 'patch_embed'));
    check('vit attn_proj', needed(vit.attn_proj), part(stage, 'attention', true));
    check('vit attn_qk + attn_pv', needed((vit.attn_qk ?? 0) + (vit.attn_pv ?? 0)), part(stage, 'attention', false));
    check('vit mlp', needed(vit.mlp), part(stage, 'mlp'));
    check('vit total', vit.total_without_layers_after_last_used, (row) => row.stage === stage);
  }
  const projector = golden.prefill.projector;
  if (projector !== undefined) {
    check('pool_proj', projector.pool_proj, part('projector', 'pooling', true));
    check(
      'pool_qk + pool_pv',
      (projector.pool_qk ?? 0) + (projector.pool_pv ?? 0),
      part('projector', 'pooling', false),
    );
    check('projector mlp', projector.mlp, part('projector', 'mlp'));
    check('projector total', projector.total, (row) => row.stage === 'projector');
  }
  const llm = (stage: string, counts: Readonly<Record<string, number>>, lm_head: number) => {
    check(`${stage} attn_proj`, counts.attn_proj, part(stage, 'attention', true));
    check(
      `${stage} attn_qk + attn_pv causal`,
      (counts.attn_qk_causal ?? 0) + (counts.attn_pv_causal ?? 0),
      part(stage, 'attention', false),
    );
    check(`${stage} router`, counts.router, part(stage, 'moe_router'));
    check(`${stage} experts`, counts.experts, part(stage, 'moe_experts'));
    check(`${stage} lm_head`, lm_head, part(stage, 'lm_head'));
  };
  llm('prefill', golden.prefill.llm, golden.prefill.lm_head.total);
  const decode = golden.decode_all_steps;
  if (decode !== undefined) llm('decode', decode.llm, decode.lm_head.total);
  return checks;
}
