import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { closed_form_flops, decode_step_flops } from '../../engine/meter/closed_forms.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { topk_layers, topk_vision } from '../../experiments/index.ts';
import type { Configuration } from '../../experiments/lab/schema.ts';
import { basis_for, seen_by } from '../../experiments/lab/seen.ts';
import { scaled_of } from '../../experiments/lab/typical.ts';
import { top_k_of } from '../../experiments/profiling/topk_layers.ts';
import { repo_root } from '../support/golden.ts';
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

it('topk-layers shows what was measured, and says of none of it that it was scaled', () => {
  const one = timed({ pattern: 'even' }, 100, 0, { knobs: { topK: [4, 4] } });
  const scaled = { model: 'molmoe-1b', samples: one.clean.samples } as unknown as Configuration['scaled'];
  const saved = { run: FAKE_RUN, configurations: [{ ...one, scaled }], skipped: [] };
  expect(scaled_of(saved.configurations[0] as Configuration)).not.toBe(null);
  expect(basis_for(topk_layers, seen_by(topk_layers, saved))).toBe(undefined);
});

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

it('the chapter on knobs states what the closed forms give', () => {
  const text = readFileSync(join(repo_root, 'docs/07-knobs.md'), 'utf8');
  const row = (section: string, first: string): string => {
    const part = text.split('\n## ').find((one) => one.startsWith(section)) ?? '';
    return part.split('\n').find((line) => line.startsWith(`| ${first} |`)) ?? '';
  };
  const gf = (flops: number, places: number) => `${(flops / 1e9).toFixed(places)} GF`;
  const prefill = (request: object) =>
    closed_form_flops(config, { views: 0, prompt_tokens: 355, new_tokens: 1, ...request }).totals.prefill;
  const step = (top_k: number | number[]) => {
    // The mean of a request with ten new tokens: its fifth step.
    const parts = decode_step_flops(config, 355 + 5, top_k);
    return Object.values(parts).reduce((sum, part) => sum + part, 0);
  };
  for (const [tiling, prompt_tokens, views] of [
    ['1x1', 337, 2],
    ['2x2', 601, 5],
    ['3x4', 1217, 13],
  ] as const) {
    const { totals } = closed_form_flops(config, { views, prompt_tokens, new_tokens: 1 });
    expect(row('Crops', tiling)).toContain(
      `| ${gf(totals.vision_encoder + totals.projector, 1)} | ${gf(totals.prefill, 1)} |`,
    );
  }
  for (const k of [1, 2, 4, 8]) {
    expect(row('Experts a token', String(k))).toContain(`| ${gf(prefill({ top_k: k }), 1)} | ${gf(step(k), 3)},`);
    const apart = { prompt_tokens: 619, vision_tokens: 544, top_k_vision: k };
    expect(row('Experts of picture tokens', String(k))).toContain(`| ${gf(prefill(apart), 1)} |`);
  }
  for (const blocks of [16, 8, 4, 1]) {
    const top_k = Array.from({ length: 16 }, (_, block) => (block < blocks ? 8 : 0));
    expect(row('Blocks', String(blocks))).toContain(`| ${gf(prefill({ top_k }), 1)} | ${gf(step(top_k), 3)},`);
  }
});
