import { describe, expect, it } from 'vitest';
import { read_tensors } from '../../engine/verify/golden.ts';
import { bytes_per_weight, FORMATS, matrix_lines, QUANT_GROUP } from '../../kernels/spec.ts';
import { golden_files } from '../../src/commands/verify.ts';
import { repo_root } from '../support/golden.ts';
import { largest_difference, test_executor } from '../support/gpu.ts';
import { QUANTISED_CONFIG, type Request, run_request } from '../support/requests.ts';
import { run_to_end, some_ids, synthetic_context, tiny_config } from '../support/run.ts';

const rms = (x: Float32Array): number => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length);
const minus = (a: Float32Array, b: Float32Array) => a.map((x, i) => x - (b[i] as number));

const BITS_A_WEIGHT = { q8: 8.5, q4: 4.5 } as const;
/** Of the reference's logits: what 8 and 4 bits leave of a model of width 64, and a little more. */
const GOLDEN_TOLERANCE = { q8: 0.02, q4: 0.35 } as const;

for (const format of ['q8', 'q4'] as const) {
  describe(`${format} weights`, () => {
    it('take exactly their bits and their scales', () => {
      const bytes = bytes_per_weight(FORMATS[format]);
      expect(8 * bytes).toBe(BITS_A_WEIGHT[format]);
      // The lines that a matrix has are the bytes that are counted: 16 bytes an eight in q8, 8 in q4.
      expect(matrix_lines(FORMATS[format], QUANT_GROUP) * (format === 'q8' ? 16 : 8)).toBe(8 * QUANT_GROUP * bytes);
    });

    it('come with f16 where they do not suit', async () => {
      const { weights } = await synthetic_context(await test_executor(), QUANTISED_CONFIG, format);
      const [block] = weights.blocks;
      expect([weights.patch_embedding, block?.router, weights.embedding].map((m) => m?.format)).toEqual([
        'f16',
        'f16',
        'f16',
      ]);
      expect([block?.qkv, block?.out, block?.gate_up, block?.down].map((m) => m?.format)).toEqual(
        new Array(4).fill(format),
      );
      expect(weights.lm_head.format).toBe('q8');
      const odd = await synthetic_context(await test_executor(), tiny_config({ mlp_hidden_size: 2 * 40 }), format);
      expect([odd.weights.blocks[0]?.qkv.format, odd.weights.blocks[0]?.gate_up.format]).toEqual([format, 'f16']);
    });

    for (const variant of ['lanes', 'tiled'] as const) {
      it(`${variant}: logits stay near the golden ones`, async () => {
        const file = await golden_files(`${repo_root}/test/fixtures/golden/model`).bytes(
          'tiny/cases/text17.safetensors',
        );
        const golden = read_tensors(file, 'text17');
        const ctx = await synthetic_context(await test_executor(variant), tiny_config(), format);
        const ids = Array.from(golden.get('input.ids')?.values ?? []);
        const { logits } = await run_to_end(ctx, { ids }, { maxNewTokens: 1 });
        const want = golden.get('logits.last')?.values as Float32Array;
        const error = rms(minus(logits[0] as Float32Array, want)) / rms(want);
        expect(error).toBeLessThan(GOLDEN_TOLERANCE[format]);
        expect(error).toBeGreaterThan(1e-4); // else they were not quantised
      });

      it(`${variant}: slices and chunks change nothing`, async () => {
        const config = tiny_config({ vocab_size: 2900, embedding_size: 2931, moe_num_experts: 121, moe_top_k: 7 });
        const whole = await synthetic_context(await test_executor(variant), config, format);
        const cut = await synthetic_context(
          await test_executor(variant, { max_binding_bytes: 150 * 1024 }),
          config,
          format,
        );
        expect(cut.weights.lm_head.slices.length).toBeGreaterThan(1);
        expect(cut.weights.blocks[0]?.gate_up.slices.length).toBeGreaterThan(1);
        const input = { ids: some_ids(150, 2931) };
        const want = await run_to_end(whole, input, { maxNewTokens: 4 });
        const got = await run_to_end(cut, input, { maxNewTokens: 4 });
        expect(got.tokens).toEqual(want.tokens);
        for (const [i, row] of want.logits.entries())
          expect(largest_difference(got.logits[i] ?? [], row)).toBeLessThan(2e-5);
      });

      it(`${variant}: the same request gives the same bits, also on another device`, async () => {
        const open = async () =>
          synthetic_context(await test_executor(variant, { mode: 'release' }), QUANTISED_CONFIG, format);
        const requests: readonly Request[] = [
          { ids: 90, crops: 0, options: { maxNewTokens: 5 } },
          { ids: 70, crops: 1, options: { maxNewTokens: 3 } },
        ];
        const ctx = await open();
        const run_all = async (on: typeof ctx) => {
          const results = [];
          for (const request of requests) results.push(await run_request(on, request));
          return results;
        };
        const first = await run_all(ctx);
        expect(await run_all(ctx)).toEqual(first);
        expect(await run_all(await open())).toEqual(first);
      });
    }
  });
}
