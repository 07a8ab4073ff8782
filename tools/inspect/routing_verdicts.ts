import { FAULTS, type Fault } from './routing_checks.ts';
import type { Proof } from './routing_proof.ts';

export interface Verdict {
  readonly what: string;
  readonly ok: boolean;
  /** What speaks for it, or against it. */
  readonly because: string;
}

/** What must hold of each request by itself. */
export function verdicts_of(proof: Proof): readonly Verdict[] {
  const { blocks, plan, prompt_tokens, decode_steps } = proof;
  const rows = blocks.reduce((sum, block) => sum + block.rows, 0);
  const without = (what: string, ...faults: readonly Fault[]): Verdict => {
    const times = (fault: Fault) => blocks.reduce((sum, block) => sum + block.faults[fault], 0);
    const found = faults.filter((fault) => times(fault) > 0);
    const first = blocks.find((block) => found.some((fault) => block.faults[fault] > 0));
    if (first === undefined) return { what, ok: true, because: `${rows} choices, one a token and block` };
    const named = found.map((fault) => `${FAULTS[fault]} in ${times(fault)} of ${rows}`);
    return { what, ok: false, because: `${named.join(', ')}, first in ${first.stage}, block ${first.block}` };
  };
  const difference = Math.max(0, ...blocks.map((block) => block.weight_difference));
  const weights = without('weights are shares of the softmax over all experts', 'wrong_weight', 'not_numbers');
  const active = plan.flatMap((k, block) => (k > 0 ? [block] : []));
  const expected = [
    ...active.map((block) => ({ stage: 'prefill', block, rows: prompt_tokens })),
    ...(decode_steps > 0 ? active.map((block) => ({ stage: 'decode', block, rows: decode_steps })) : []),
  ];
  const at = (stage: string, block: number) => blocks.find((one) => one.stage === stage && one.block === block);
  const unseen = expected.find((one) => at(one.stage, one.block)?.rows !== one.rows);
  const complete = unseen === undefined && blocks.length === expected.length;
  const off = blocks.find(({ pairs, wanted_pairs, ledger_pairs }) => pairs !== wanted_pairs || pairs !== ledger_pairs);
  const pairs = blocks.reduce((sum, block) => sum + block.pairs, 0);
  return [
    without('k different experts a token, all of them experts, and no more', 'repeated', 'outside', 'not_empty'),
    without('the k with the largest logits, largest first', 'not_largest', 'out_of_order'),
    { ...weights, because: `${weights.because}, largest difference ${difference.toExponential(1)}` },
    {
      what: 'each token in each active block, and none in another',
      ok: complete,
      because:
        unseen === undefined
          ? `${blocks.length} of ${expected.length} blocks of both stages`
          : `${unseen.stage}, block ${unseen.block}: ${at(unseen.stage, unseen.block)?.rows ?? 0} of ${unseen.rows} tokens`,
    },
    {
      what: "tokens x k pairs, as the ledger's FLOPs are of",
      ok: off === undefined,
      because:
        off === undefined
          ? `${pairs} pairs`
          : `${off.stage}, block ${off.block}: expected ${off.wanted_pairs}, read back ${off.pairs}, ledger ${off.ledger_pairs}`,
    },
  ];
}

/** What must hold between requests. `before` and `after` left the knob alone. */
export function verdicts_between(
  proofs: readonly Proof[],
  before: Proof,
  after: Proof,
  own_k: number,
): readonly Verdict[] {
  const single = proofs.flatMap((proof) => {
    const { topK, topKVision } = proof.asked;
    return typeof topK === 'number' && topKVision === undefined ? [{ k: topK, proof }] : [];
  });
  const nested = [...single].sort((a, b) => a.k - b.k);
  const broken = nested.slice(1).find((larger, i) => !begins_with(larger, nested[i] as typeof larger));
  const differs = own_digest(single, own_k) ?? before.digest;
  const same = before.digest === after.digest && differs === before.digest;
  return [
    ...(nested.length < 2
      ? []
      : [
          {
            what: 'a larger k keeps the experts of a smaller one and adds to them (first active block)',
            ok: broken === undefined,
            because: broken === undefined ? `k = ${nested.map(({ k }) => k).join(', ')}` : `not so at k = ${broken.k}`,
          },
        ]),
    {
      what: `left alone, before and after, the knob is the model's own k = ${own_k}`,
      ok:
        same &&
        [before, after].every(({ plan, picture_plan }) =>
          [...plan, ...picture_plan].every((k) => k === 0 || k === own_k),
        ),
      because: same
        ? `choices and weights equal bit for bit (${before.digest})`
        : `${before.digest}, ${after.digest}, asked for ${differs}`,
    },
  ];
}

type Single = { readonly k: number; readonly proof: Proof };

const own_digest = (single: readonly Single[], k: number): string | undefined =>
  single.find((one) => one.k === k)?.proof.digest;

/** Each token's choices of the smaller k stand first among those of the larger. */
function begins_with(larger: Single, smaller: Single): boolean {
  const [many, few] = [larger.proof.first, smaller.proof.first];
  const rows = few.length / smaller.k;
  if (many.length !== rows * larger.k) return false;
  return few.every((id, i) => many[Math.floor(i / smaller.k) * larger.k + (i % smaller.k)] === id);
}
