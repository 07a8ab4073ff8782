import { describe, expect, it } from 'vitest';
import { dry_input } from '../../engine/dry_run.ts';
import type { RunOptions } from '../../engine/generate.ts';
import { make_executor } from '../../engine/gpu/executor.ts';
import { closed_form_flops } from '../../engine/meter/closed_forms.ts';
import type { Context } from '../../engine/model/context.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { type BlockKnobs, plan_blocks, plan_pictures } from '../../engine/model/knobs.ts';
import { takes_of } from '../../engine/model/picture_rows.ts';
import { count_routing } from '../../engine/model/routing.ts';
import type { ModelInput } from '../../engine/model_request.ts';
import { NO_EXPERT } from '../../kernels/moe_route/moe_route.ts';
import { moe_route } from '../reference/moe_route.ts';
import { test_executor } from '../support/gpu.ts';
import { run_to_end, some_ids, synthetic_context, tiny_config } from '../support/run.ts';

const config = tiny_config();
const { n_experts } = config;
const PROMPT = 61;

/** A prompt in which every other row behind the first holds a cell of its one view, until there are `pictures` of them. */
function input(prompt_tokens = PROMPT, pictures = 23, first = 1, every = 2): ModelInput {
  const index = new Int32Array(geometry_of(config).cells).fill(-100);
  for (let cell = 0; cell < pictures; cell++) index[cell] = first + every * cell;
  return { ...dry_input(config, { prompt_tokens, views: 1, index }), ids: some_ids(prompt_tokens) };
}
const is_picture = ({ crops }: ModelInput, row: number): boolean => crops?.index.includes(row) === true;

/** Words of some points of every block, of the prompt and then of the steps. */
async function watch(ctx: Context, of: ModelInput, options: RunOptions, wanted: RegExp) {
  const points = new Map<string, number[]>();
  const probe: Context['probe'] = async (point, layer, view) => {
    const key = `${point}.${layer}`;
    if (!wanted.test(key)) return;
    const words = new Uint32Array(await ctx.executor.read(view.buffer, 0, 4 * view.rows * view.stride));
    const rows = points.get(key) ?? [];
    points.set(key, rows);
    for (let row = 0; row < view.rows; row++)
      rows.push(...words.subarray(row * view.stride, row * view.stride + view.cols));
  };
  const { result, tokens, logits } = await run_to_end(ctx, of, options, probe);
  return { result, tokens, logits, points };
}
type Seen = Awaited<ReturnType<typeof watch>>;

const floats = (words: readonly number[] = []): Float32Array => new Float32Array(Uint32Array.from(words).buffer);

/** Every row's choice against the reference's, made of the logits that the GPU made. */
function expect_choices({ points }: Seen, of: ModelInput, knobs: BlockKnobs): void {
  const [texts, pictures] = [plan_blocks(config, knobs), plan_pictures(config, knobs)];
  for (const [layer, text] of texts.entries()) {
    const logits = floats(points.get(`router.logits.${layer}`));
    const experts = points.get(`router.experts.${layer}`) ?? [];
    const weights = floats(points.get(`router.weights.${layer}`));
    const slots = experts.length / of.ids.length;
    expect(slots).toBe(text === 0 ? 0 : Math.max(text, pictures[layer] as number));
    for (let row = 0; row < (slots > 0 ? of.ids.length : 0); row++) {
      const k = is_picture(of, row) ? (pictures[layer] as number) : text;
      const want = moe_route(logits.subarray(row * n_experts, (row + 1) * n_experts), k);
      const empty = <T>(value: T) => new Array<T>(slots - k).fill(value);
      expect(experts.slice(row * slots, (row + 1) * slots)).toEqual([...want.experts, ...empty(NO_EXPERT)]);
      for (const [j, weight] of [...want.weights, ...empty(-1)].entries())
        expect(weights[row * slots + j]).toBeCloseTo(weight, 5);
    }
  }
}

const KNOBS: readonly BlockKnobs[] = [
  { topK: 4, topKVision: 1 },
  { topKVision: [1, 8, 2, 4] },
  { topK: [1, 2, 3, 4], topKVision: 2, blocks: [1, 2, 3] },
];

for (const variant of ['lanes', 'tiled'] as const) {
  describe(`experts of picture tokens apart (${variant})`, async () => {
    const ctx = await synthetic_context(await test_executor(variant), config);
    const router = /^router/;

    it.each(KNOBS)('%j: each row takes its own, and the ledger counts just those', async (knobs) => {
      const seen = await watch(ctx, input(), { maxNewTokens: 1, knobs }, router);
      expect_choices(seen, input(), knobs);
      const { totals, prefill } = closed_form_flops(config, {
        ...{ views: 1, prompt_tokens: PROMPT, new_tokens: 1, vision_tokens: 23 },
        ...{ top_k: plan_blocks(config, knobs), top_k_vision: plan_pictures(config, knobs) },
      });
      const { ledger } = seen.result;
      expect(ledger.sum(({ component }) => component === 'moe_experts').flops).toBe(prefill.experts);
      expect(ledger.sum().flops).toBe(totals.all);
    });

    it('a prompt of few rows', async () => {
      const few = input(4, 1);
      const knobs = { topK: 2, topKVision: 5 };
      expect_choices(await watch(ctx, few, { maxNewTokens: 1, knobs }, router), few, knobs);
    });

    it('a row comes to what it would if all rows took as many as it does', async () => {
      const run = async (knobs: BlockKnobs) => {
        const options = { maxNewTokens: 0, knobs: { ...knobs, blocks: [0] } }; // behind one block rows have not met yet
        return (await watch(ctx, input(), options, /^llm.hidden.0/)).points.get('llm.hidden.0') as number[];
      };
      const [mixed, text, picture] = [
        await run({ topK: 5, topKVision: 2 }),
        await run({ topK: 5 }),
        await run({ topK: 2 }),
      ];
      expect(text.join()).not.toBe(picture.join());
      const { d_model } = config;
      const own = Array.from(mixed, (_, i) => (is_picture(input(), Math.floor(i / d_model)) ? picture : text)[i]);
      expect(mixed.join()).toBe(own.join());
    });

    it('as many for both, or no picture: nothing changes, and nothing more is compiled', async () => {
      const text = { ids: some_ids(20) };
      const run = async (knobs: BlockKnobs | undefined) => {
        const options = { maxNewTokens: 3, knobs };
        const [a, b] = [await run_to_end(ctx, input(), options), await run_to_end(ctx, text, options)];
        return [a, b].map(({ tokens, logits, result }) => ({ tokens, logits, rows: result.ledger.rows() }));
      };
      const [plain, plain_text] = await run(undefined);
      const before = ctx.executor.pipeline_count();
      const [same] = await run({ topKVision: config.top_k });
      const run_text = await run_to_end(ctx, text, { maxNewTokens: 3, knobs: { topKVision: 1 } });
      expect(ctx.executor.pipeline_count()).toBe(before);
      expect(same).toEqual(plain);
      expect([run_text.tokens, run_text.logits]).toEqual([plain_text?.tokens, plain_text?.logits]);
    });

    it('launches as often as without, decodes as text does, counts the pairs that ran, and holds nothing', async () => {
      const plain = await run_to_end(ctx, input(), { maxNewTokens: 3 });
      const { probe, result } = count_routing(ctx.executor, config, PROMPT);
      const options = { maxNewTokens: 3, knobs: { topKVision: 1 } };
      const before = ctx.executor.buffers.memory();
      const knob = await run_to_end(ctx, input(), options, probe);
      const counts = ({ result: { ledger } }: typeof plain, of: string) => ledger.sum(({ stage }) => stage === of);
      expect(counts(knob, 'prefill').dispatches).toBe(counts(plain, 'prefill').dispatches);
      expect(counts(knob, 'decode')).toEqual(counts(plain, 'decode'));
      const sum = (pairs: readonly number[]) => pairs.reduce((all, n) => all + n, 0);
      const k = config.top_k;
      for (const { prefill, decode } of result().layers) {
        expect([prefill.length, sum(prefill), sum(decode)]).toEqual([n_experts, k * (PROMPT - 23) + 23, 2 * k]);
      }
      const after = ctx.executor.buffers.memory();
      for (const what of ['tables', 'activations', 'kv'] as const)
        expect(after[what].current).toBe(before[what].current);
    });
  });
}

it.each(['lanes', 'tiled'] as const)('cut into chunks of text, of picture and of both (%s)', async (variant) => {
  const of = input(300, 100, 110, 1);
  const options = { maxNewTokens: 3, knobs: { topK: 2, topKVision: 3 } };
  const { device } = await test_executor(variant);
  const cut_device = { ...device, most_dispatch_flops: 2e6 };
  const whole = await synthetic_context(make_executor(device, variant), config);
  const cut = await synthetic_context(make_executor(cut_device, variant), config);
  const want = await run_to_end(whole, of, options);
  const got = await run_to_end(cut, of, options);
  const rows = (run: typeof want, kernel: string) =>
    run.result.ledger.rows().find((row) => row.kernel === kernel && row.layer === 0)?.dispatches;
  expect([rows(want, 'moe_route'), rows(want, 'moe_route_mixed')]).toEqual([undefined, 1]);
  expect([rows(got, 'moe_route'), rows(got, 'moe_route_mixed')]).toEqual([10, 2]);
  expect(got.tokens).toEqual(want.tokens);
  for (const count of ['flops', 'other_ops'] as const)
    expect(got.result.ledger.sum()[count]).toBe(want.result.ledger.sum()[count]);
});

it('a chunk of one kind takes one number, of both the larger', () => {
  const rows = { plan: [5, 2], marks: {} as never, before: Uint32Array.of(0, 0, 1, 2, 3, 3, 3) };
  const takes = (first: number, count: number) => takes_of(rows, 0, 2, first, count);
  expect([takes(0, 1), takes(1, 3), takes(4, 2)]).toEqual([{ top_k: 2 }, { top_k: 5 }, { top_k: 2 }]);
  expect(takes_of(rows, 1, 2, 0, 6)).toEqual({ top_k: 2 });
  const { top_k, mixed } = takes(0, 6);
  expect([top_k, mixed?.pairs(0, 6), mixed?.pairs(0, 2), mixed?.pairs(3, 3)]).toEqual([5, 21, 7, 9]);
  expect(takes(2, 4).mixed?.mark0).toBe(2);
});

it.each([0, 9, 1.5])('refuses %d of 8 experts', (topKVision) => {
  expect(() => plan_pictures(config, { topKVision })).toThrow(/topKVision: expected a whole number from 1 to 8/);
});
it('refuses a list that is not one a block', () => {
  expect(() => plan_pictures(config, { topKVision: [1, 2] })).toThrow('topKVision: expected one number or 4, one a');
});
