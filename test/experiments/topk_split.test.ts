import { expect, it } from 'vitest';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { topk_layers, topk_vision } from '../../experiments/index.ts';
import type { Configuration } from '../../experiments/lab/schema.ts';
import { top_k_of } from '../../experiments/profiling/topk_layers.ts';
import { FAKE_RUN, fake_configuration } from '../support/records.ts';

const config = preset_config('molmoe-1b');
const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
const on = { config, tokenizer, asked: {}, tokens_per_readback: 1 };

it('topk-vision turns the knob of picture tokens alone, beside a picture that has some', () => {
  const { cells, skipped } = topk_vision.plan(on, { topKVision: [1, 8, 64, 65] });
  expect(cells.map(({ knobs }) => knobs)).toEqual([{ topKVision: 1 }, { topKVision: 8 }, { topKVision: 64 }]);
  expect(cells.every(({ requests }) => requests[0]?.image === 'rings 560x560')).toBe(true);
  // Fewer experts are less work, and are expected to take less time.
  const weights = cells.map(({ weight }) => weight);
  expect(weights).toEqual(weights.toSorted((a, b) => a - b));
  expect(skipped.map(({ reason }) => reason)).toEqual([
    'topKVision: expected a whole number from 1 to 64 (the experts of a block), found 65',
  ]);
});

it.each([
  [16, 8],
  [2, 8],
  [4, 2],
  [3, 1],
])('topk-layers puts equally many experts into other blocks: %d blocks, %d experts', (blocks, own) => {
  const [even, early, late] = (['even', 'early', 'late'] as const).map((pattern) => top_k_of(pattern, blocks, own));
  const sum = (list: readonly number[] = []) => list.reduce((all, k) => all + k, 0);
  expect([sum(early), sum(late)]).toEqual([sum(even), sum(even)]);
  expect(late).toEqual(early?.toReversed());
  expect(early?.[0]).toBeGreaterThan(early?.at(-1) as number);
  expect(Math.min(...(early ?? []))).toBeGreaterThan(0);
});

const timed = (settings: Configuration['settings'], ms: number, spread: number, over: object = {}): Configuration => {
  const one = fake_configuration('low', 'short', 'short');
  const samples = one.clean.samples.map((sample, i) => ({
    ...sample,
    T_LLM_prefill: ms + (i % 2 ? spread : -spread),
    T_decode_per_token: 10,
  }));
  return { ...one, settings, key: Object.values(settings).join(), clean: { ...one.clean, samples }, ...over };
};

it('both publish what their schemas say, with figures, tables and verdicts that intervals allow', () => {
  const layers = (early: number, spread: number) =>
    topk_layers.derive({
      run: FAKE_RUN,
      configurations: topk_layers.sorted([
        timed({ pattern: 'late' }, 100, spread, { knobs: { topK: [2, 6] } }),
        timed({ pattern: 'even' }, 100, spread, { knobs: { topK: [4, 4] } }),
        timed({ pattern: 'early' }, early, spread, { knobs: { topK: [6, 2] } }),
      ]),
      skipped: [],
    });
  expect(layers(102, 0).findings.map(({ outcome }) => outcome)).toEqual(['confirmed', 'confirmed']);
  expect(layers(130, 0).findings.map(({ outcome }) => outcome)).toEqual(['refuted', 'confirmed']);
  expect(layers(110, 40).findings[0]?.outcome).toBe('not tested');
  const { files, figures, tables } = layers(100, 1);
  topk_layers.schemas.topk_layers_results?.parse(files.topk_layers_results);
  expect(figures.map(({ name }) => name)).toEqual(['topk_layers']);
  expect(tables[0]?.rows.map(([pattern, list]) => [pattern, list])).toEqual([
    ['even', '4,4'],
    ['early', '6,2'],
    ['late', '2,6'],
  ]);

  const vision = topk_vision.derive({
    run: FAKE_RUN,
    configurations: [4, 8].map((k) => timed({ top_k_vision: k }, 100 + 10 * k, 0)),
    skipped: [],
  });
  const body = topk_vision.schemas.topk_vision_results?.parse(vision.files.topk_vision_results);
  expect(body).toMatchObject({
    savings: [
      { top_k_vision: 4, time_share: expect.closeTo(1 - 140 / 180, 9), flops_share: 0 },
      { top_k_vision: 8, time_share: 0, flops_share: 0 },
    ],
  });
  expect(vision.findings.map(({ outcome }) => outcome)).toEqual(['confirmed', 'not tested']);
});
