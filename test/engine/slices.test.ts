import { expect, it } from 'vitest';
import { largest_difference, test_executor } from '../support/gpu.ts';
import { run_to_end, some_ids, synthetic_context, tiny_config } from '../support/run.ts';

// One binding holds 577 positions of width 64 and little more: embedding, head and experts come in many slices, the
// last ones not full, and the prompt goes through the blocks and the experts in several chunks.
const BINDING_BYTES = 150 * 1024;
const config = tiny_config({ vocab_size: 2900, embedding_size: 2931, moe_num_experts: 61, moe_top_k: 7 });
const options = { maxNewTokens: 6 };

for (const variant of ['lanes', 'tiled'] as const) {
  it(`slices and chunks change nothing (${variant})`, async () => {
    const whole = await synthetic_context(await test_executor(variant), config);
    const cut = await synthetic_context(await test_executor(variant, { max_binding_bytes: BINDING_BYTES }), config);
    expect(whole.weights.lm_head.slices.length).toBe(1);
    expect(cut.weights.lm_head.slices.length).toBeGreaterThan(4);
    expect(cut.weights.embedding.slices.length).toBeGreaterThan(4);
    expect(cut.weights.blocks[0]?.gate_up.slices.length).toBeGreaterThan(4);

    const input = { ids: [...some_ids(400, 2931), 2931, 2931 + 127] };
    const want = await run_to_end(whole, input, options);
    const got = await run_to_end(cut, input, options);
    expect(got.tokens).toEqual(want.tokens);
    for (const [i, row] of want.logits.entries())
      expect(largest_difference(got.logits[i] ?? [], row)).toBeLessThan(2e-5);
    // What the mathematics needs does not depend on how it is cut.
    for (const stage of ['prefill', 'decode'] as const) {
      const of = (run: typeof want) => run.result.ledger.sum((row) => row.stage === stage);
      expect(of(got).flops).toBe(of(want).flops);
    }
  });
}

it('logits of every prompt position are made as many rows at a time as a binding holds', async () => {
  // Rows of 512 logits lie 528 values apart: 124 of them fit, 126 would if nothing lay between.
  const cut = await synthetic_context(await test_executor('auto', { max_binding_bytes: 256 * 1024 }), tiny_config());
  expect(cut.config.embedding_size).toBe(512);
  const run = await run_to_end(cut, { ids: some_ids(140) }, { maxNewTokens: 1, allLogits: true });
  expect(run.logits.length).toBe(3); // 124 rows, 15 rows, and the last one that the token is chosen from
});
