import { expect, it } from 'vitest';
import type { Context } from '../../engine/model/context.ts';
import { choose, decoder_work, embed, head, release_work, run_blocks } from '../../engine/model/decoder.ts';
import { plan_blocks } from '../../engine/model/knobs.ts';
import { close_sequences, open_sequences } from '../../engine/model/sequences.ts';
import { download_u32, test_executor } from '../support/gpu.ts';
import { run_to_end, some_ids, synthetic_context, tiny_config } from '../support/run.ts';

/** Prefills each prompt alone, then decodes all of them together: a step has a row a sequence. */
async function decode_together(ctx: Context, prompts: readonly number[][], steps: number): Promise<number[][]> {
  const plan = plan_blocks(ctx.config, {});
  const sequences = await open_sequences(ctx, prompts, steps, plan);
  const rows = prompts.length;
  let row0 = 0;
  for (const [index, prompt] of prompts.entries()) {
    const work = await decoder_work(ctx, prompt.length, 1, plan);
    embed(ctx, sequences, row0, prompt.length, work, { stage: 'prefill', component: 'embed' });
    const step = { stage: 'prefill', row0, rows: prompt.length, keys: prompt.length } as const;
    await run_blocks(ctx, { ...step, sequence: { index, first_position: 0 } }, plan, sequences, work);
    await head(ctx, 'prefill', prompt.length - 1, 1, work);
    choose(ctx, 'prefill', 1, work, sequences.tokens, sequences.prompt_rows + index, undefined);
    await ctx.executor.finish();
    release_work(ctx, work);
    row0 += prompt.length;
  }
  const work = await decoder_work(ctx, rows, rows, plan, { decode_keys: sequences.capacity });
  for (let step = 0; step + 1 < steps; step++) {
    const at = sequences.prompt_rows + step * rows;
    const keys = prompts.reduce((sum, prompt) => sum + prompt.length + step + 1, 0);
    embed(ctx, sequences, at, rows, work, { stage: 'decode', component: 'embed' });
    await run_blocks(ctx, { stage: 'decode', row0: at, rows, keys }, plan, sequences, work);
    await head(ctx, 'decode', 0, rows, work);
    choose(ctx, 'decode', rows, work, sequences.tokens, at + rows, undefined);
    await ctx.executor.flush();
  }
  const all = await download_u32(ctx.executor, sequences.tokens, sequences.prompt_rows + steps * rows);
  const made = all.subarray(sequences.prompt_rows);
  release_work(ctx, work);
  close_sequences(ctx, sequences);
  return prompts.map((_, s) => Array.from({ length: steps }, (_, step) => made[step * rows + s] as number));
}

for (const variant of ['lanes', 'tiled'] as const) {
  // 2 rows take the kernels of single tokens, 6 rows the grouped ones.
  for (const lengths of [
    [5, 23],
    [9, 2, 31, 1, 17, 4],
  ]) {
    it(`${lengths.length} sequences decode together as they do alone (${variant})`, async () => {
      const ctx = await synthetic_context(await test_executor(variant), tiny_config());
      const prompts = lengths.map((length, i) => some_ids(length, 500, 100 * i));
      const together = await decode_together(ctx, prompts, 8);
      for (const [i, ids] of prompts.entries()) {
        const alone = await run_to_end(ctx, { ids }, { maxNewTokens: 8 });
        expect(together[i]).toEqual(alone.tokens);
      }
    });
  }
}
