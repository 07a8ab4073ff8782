import { describe, expect, it } from 'vitest';
import { NO_EXPERT } from '../../kernels/moe_route/moe_route.ts';
import { check_routing, type Fault, type Routed, together } from '../../tools/inspect/routing_checks.ts';
import type { BlockProof, Proof } from '../../tools/inspect/routing_proof.ts';
import { verdicts_between, verdicts_of } from '../../tools/inspect/routing_verdicts.ts';
import { moe_route } from '../reference/moe_route.ts';
import { noise } from '../support/noise.ts';

const ROWS = 5;
const EXPERTS = 16;

/** Tokens routed as they should be, by the tests' own reference. */
function routed(top_k: number, logits = noise(ROWS * EXPERTS, 3)): Routed {
  const rows = Array.from({ length: ROWS }, (_, row) =>
    moe_route(logits.subarray(row * EXPERTS, (row + 1) * EXPERTS), top_k),
  );
  return {
    n_experts: EXPERTS,
    takes: new Array<number>(ROWS).fill(top_k),
    slots: top_k,
    logits,
    experts: Uint32Array.from(rows.flatMap(({ experts }) => experts)),
    weights: Float32Array.from(rows.flatMap(({ weights }) => weights)),
  };
}

const found = (one: Routed): Partial<Record<Fault, number>> =>
  Object.fromEntries(Object.entries(check_routing(one).faults).filter(([, count]) => count > 0));

describe('what is read back of a router', () => {
  it.each([1, 2, 8, EXPERTS])('is right for k = %i', (k) => {
    const facts = check_routing(routed(k));
    expect(found(routed(k))).toEqual({});
    expect(facts).toMatchObject({ rows: ROWS, pairs: ROWS * k });
    expect(facts.weight_difference).toBeLessThan(1e-7);
    if (k === EXPERTS) expect(facts.weight_sum.min).toBeCloseTo(1, 6);
    else expect(facts.weight_sum.max).toBeLessThan(1);
  });

  it('takes equal logits by the lower id', () => {
    const flat = new Float32Array(ROWS * EXPERTS).fill(0.5);
    expect(found(routed(4, flat))).toEqual({});
    expect([...routed(4, flat).experts.subarray(0, 4)]).toEqual([0, 1, 2, 3]);
  });

  const broken: [string, (one: Routed) => void, Fault[]][] = [
    [
      'an expert twice',
      ({ experts }) => experts.set([experts[0] as number], 1),
      ['repeated', 'not_largest', 'wrong_weight'],
    ],
    ['an id behind the last', ({ experts }) => experts.set([EXPERTS], 1), ['outside', 'not_largest', 'wrong_weight']],
    [
      'two in the wrong order',
      ({ experts, weights }) => {
        experts.subarray(0, 2).reverse();
        weights.subarray(0, 2).reverse();
      },
      ['out_of_order'],
    ],
    [
      'the two weights of a token changed over',
      ({ weights }) => void weights.subarray(0, 2).reverse(),
      ['wrong_weight'],
    ],
    [
      'weights scaled to a sum of 1',
      ({ weights }) => {
        const sum = weights.subarray(0, 4).reduce((a, b) => a + b, 0);
        for (let i = 0; i < 4; i++) weights[i] = (weights[i] as number) / sum;
      },
      ['wrong_weight'],
    ],
    ['a logit that is no number', ({ logits }) => logits.set([Number.NaN], 3), ['not_numbers']],
    ['a weight that is no number', ({ weights }) => weights.set([Number.POSITIVE_INFINITY], 3), ['not_numbers']],
  ];
  it.each(broken)('catches %s', (_, spoil, faults) => {
    const one = routed(4);
    spoil(one);
    expect(found(one)).toEqual(Object.fromEntries(faults.map((fault) => [fault, 1])));
  });

  it('catches an expert passed over for a smaller one whose weight is right', () => {
    const one = routed(4);
    const { experts, weights } = moe_route(one.logits.subarray(0, EXPERTS), EXPERTS);
    one.experts[3] = experts[9] as number;
    one.weights[3] = weights[9] as number;
    expect(found(one)).toEqual({ not_largest: 1 });
  });

  it('parts of a block add up', () => {
    const [a, b] = [check_routing(routed(2)), check_routing(routed(2, noise(ROWS * EXPERTS, 9)))];
    expect(together([a, b])).toMatchObject({ rows: 2 * ROWS, pairs: 4 * ROWS, used: new Set([...a.used, ...b.used]) });
    expect(together([a, b]).weight_sum.mean).toBeCloseTo((a.weight_sum.mean + b.weight_sum.mean) / 2, 12);
  });

  it('lets tokens take different numbers, and wants the slots that they leave over empty', () => {
    const one: Routed = { ...routed(4), takes: [4, 2, 4, 1, 4] };
    expect(found(one)).toEqual({ not_empty: 2 });
    for (const slot of [6, 7, 13, 14, 15]) {
      one.experts[slot] = NO_EXPERT;
      one.weights[slot] = -1;
    }
    expect(found(one)).toEqual({});
    expect(check_routing(one)).toMatchObject({ pairs: 15, wanted_pairs: 15 });
    expect(found({ ...one, takes: [4, 4, 4, 1, 4] })).toMatchObject({ outside: 1, repeated: 1 });
    expect(check_routing({ ...routed(4), takes: [4, 4, 4, 4, 5] })).toMatchObject({ pairs: 20, wanted_pairs: 21 });
  });

  it('refuses another number of values than rows have', () => {
    expect(() => check_routing({ ...routed(4), slots: 3 })).toThrow('3 slots: found 80, 20, 20 values');
  });
});

describe('the verdicts', () => {
  const block = (top_k: number, over: Partial<BlockProof> = {}): BlockProof => ({
    ...check_routing(routed(top_k)),
    ...{ stage: 'prefill', block: 0, ledger_pairs: ROWS * top_k, last: [] },
    ...over,
  });
  const proof = (topK: number | undefined, top_k: number, over: Partial<Proof> = {}): Proof => ({
    ...{ asked: { topK }, prompt_tokens: ROWS, decode_steps: 0, plan: [top_k], picture_plan: [top_k] },
    ...{ blocks: [block(top_k)], digest: `k${top_k}` },
    ...{ first: routed(top_k).experts },
    ...over,
  });
  const failed = (one: Proof) => verdicts_of(one).flatMap(({ ok, what }) => (ok ? [] : [what]));

  it('pass where all is right, and fail by name where it is not', () => {
    expect(failed(proof(2, 2))).toEqual([]);
    const faults = { ...block(2).faults, repeated: 1 };
    expect(failed(proof(2, 2, { blocks: [block(2, { faults })] }))).toEqual([
      'k different experts a token, all of them experts, and no more',
    ]);
    expect(failed(proof(2, 2, { blocks: [block(2, { ledger_pairs: 9 })] }))).toEqual([
      "tokens x k pairs, as the ledger's FLOPs are of",
    ]);
    const some = ['each token in each active block, and none in another'];
    expect(failed(proof(2, 2, { prompt_tokens: ROWS + 1 }))).toEqual(some);
    expect(failed(proof(2, 2, { decode_steps: 1 }))).toEqual(some);
    expect(failed(proof(2, 2, { plan: [2, 0], blocks: [block(2), block(2, { block: 1 })] }))).toEqual(some);
    expect(failed(proof(2, 2, { plan: [2, 2], blocks: [block(2)] }))).toEqual(some);
  });

  it('between requests: a larger k only adds, and the knob leaves nothing behind', () => {
    const own = proof(undefined, 4);
    const several = [proof(1, 1), proof(4, 4), proof(2, 2)];
    const outcome = (...args: Parameters<typeof verdicts_between>) => verdicts_between(...args).map(({ ok }) => ok);
    expect(outcome(several, own, own, 4)).toEqual([true, true]);
    expect(outcome([proof(1, 1)], own, own, 4)).toEqual([true]);
    const other = proof(2, 2, { first: routed(2, noise(ROWS * EXPERTS, 9)).experts });
    expect(outcome([proof(1, 1), other], own, own, 4)).toEqual([false, true]);
    expect(outcome(several, own, proof(undefined, 2), 4)).toEqual([true, false]);
    expect(outcome(several, own, { ...own, digest: 'other' }, 4)).toEqual([true, false]);
    expect(outcome(several, own, { ...own, picture_plan: [2] }, 4)).toEqual([true, false]);
    expect(outcome([proof(1, 1), { ...proof(4, 4), digest: 'other' }], own, own, 4)).toEqual([true, false]);
  });
});
