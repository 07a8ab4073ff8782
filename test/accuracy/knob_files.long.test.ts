import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { compare_fronts } from '../../experiments/analysis/fronts.ts';
import { acc_lat_profiling, e2_quality, exp5, exp6, m1_quality } from '../../experiments/index.ts';
import type { Experiment, Saved } from '../../experiments/lab/define.ts';
import { drawn, expect_tidy } from '../lab/charts/support.ts';
import { type FakeCell, fake_grid, fake_saved } from '../support/scored.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-knobs-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const LEVELS = { crops: [2, 12], top_k: [4, 8], blocks: [8, 16] };
/** Crops cost ten points, experts nothing, blocks thirty; experts cost time, all do. */
const cells = fake_grid(LEVELS, (crops, top_k, blocks) => ({
  accuracy: 1 - (crops < 12 ? 0.1 : 0) - (blocks < 16 ? 0.3 : 0),
  captions: 1 - (blocks < 16 ? 0.6 : 0),
  ms: 10 * crops + 20 * top_k + 4 * blocks,
  gflop: crops + top_k / 4 + blocks / 4,
}));
const options_of = (one: Experiment) =>
  Object.fromEntries(Object.entries(one.options).map(([key, type]) => [key, type.parse(undefined)]));
const saved_of = (
  one: Experiment,
  over: { timed?: number; samples?: number; dataset?: string } = {},
  grid: readonly FakeCell[] = cells,
) => fake_saved(grid, { samples: 160, timed: 40, ...over, options: options_of(one) });

/** All files keep to their schemas, all pictures are tidy. */
async function expect_whole(one: Experiment, saved: Saved) {
  const derived = one.derive(saved);
  for (const [name, file] of Object.entries(derived.files)) expect(one.schemas[name]?.parse(file)).toEqual(file);
  const single = one.each?.files(saved) ?? {};
  for (const file of Object.values(single)) expect(one.each?.schema.parse(file)).toEqual(file);
  for (const figure of derived.figures) expect_tidy(await drawn(figure));
  return { ...derived, single, names: derived.figures.map(({ name }) => name) };
}
const outcome = ({ findings }: { findings: readonly { expectation: string; outcome: string }[] }, start: string) =>
  findings.find(({ expectation }) => expectation.startsWith(start))?.outcome;
const keys_of = (value: unknown) => Object.keys(value as object);

describe('combined knobs in answers', () => {
  it('publish the documented files', async () => {
    const { files, single, names, findings } = await expect_whole(exp5, saved_of(exp5));
    expect(names).toEqual(['exp5_accuracy_over_knobs', 'exp5_accuracy_vs_flops_pareto']);
    const { summary, config, front } = files.exp5_accuracy_results as never as Record<string, never[]>;
    expect(summary?.[0]).toMatchObject({
      max_crops: 2,
      top_k: 4,
      num_active_blocks: 8,
      num_samples: 160,
      accuracy: 0.55,
    });
    expect(config).toMatchObject({
      ...{ dataset_name: 'shapes', split: 'test', batch_size: 64, max_new_tokens: 16, world_size: 1 },
      ...{ max_crops_list: [2, 12], top_k_list: [4, 8], num_active_blocks_list: [8, 16], num_combinations: 8 },
      sampling_strategy: 'balanced',
    });
    const on = (front as never as { settings: { key: string; step: null | { p: number } }[] }).settings;
    // Experts make no answer better: only settings with four are on the front.
    expect(on.map(({ key }) => key)).toEqual([
      'max_crops=2_top_k=4_num_active_blocks=8',
      'max_crops=2_top_k=4_num_active_blocks=16',
      'max_crops=12_top_k=4_num_active_blocks=16',
    ]);
    expect(on.map(({ step }) => step === null)).toEqual([true, false, false]);
    expect(keys_of(single)).toContain('exp5_accuracy_results_crops2_topk4_blocks8');
    const own = single.exp5_accuracy_results_crops2_topk4_blocks8 as Record<string, unknown>;
    expect(own.config).toMatchObject({
      max_crops: 2,
      num_total_blocks: 16,
      active_block_indices: [0, 1, 2, 3, 4, 5, 6, 7],
    });
    expect(own.all_samples).toHaveLength(160);
    expect(outcome({ findings }, 'What one knob costs')).not.toBe('confirmed'); // losses add up
    expect(outcome({ findings }, 'Turning several')).not.toBe('confirmed');
  });

  it('are coupled where both lose more than each', async () => {
    const grid = fake_grid(LEVELS, (crops, top_k, blocks) => ({
      accuracy: crops < 12 && blocks < 16 ? 0.3 : 1,
      gflop: crops + top_k + blocks,
    }));
    const { findings, files } = exp5.derive(saved_of(exp5, {}, grid));
    expect(outcome({ findings }, 'What one knob costs')).toBe('confirmed');
    const { interactions } = files.exp5_accuracy_results as {
      interactions: { knobs: string[]; interaction: number; p: number }[];
    };
    const [real] = interactions.filter(({ p }) => p < 0.01);
    expect(real?.knobs).toEqual(['max_crops', 'num_active_blocks']);
    expect(real?.interaction).toBeCloseTo(-0.7, 6);
  });

  it('beat a single knob where there is something to win, and by samples that did not choose', () => {
    const grid = fake_grid({ crops: [2, 6, 12], top_k: [2, 4, 8], blocks: [8, 16] }, (crops, top_k, blocks) => ({
      // Half of two costs as much as a quarter of one, and loses nothing.
      accuracy: crops === 2 || top_k === 2 || blocks === 8 ? 0.4 : 1,
      gflop: (crops / 12) * (top_k / 8) * (blocks / 16),
    }));
    const { findings } = exp5.derive(saved_of(exp5, {}, grid));
    expect(outcome({ findings }, 'Turning several')).toBe('confirmed');
    const few = exp5.derive(saved_of(exp5, { samples: 16 }, grid));
    expect(outcome(few, 'Turning several')).toBe('not tested');
  });

  it('are held against nothing where the model as it is was left out', () => {
    const { findings } = exp5.derive(
      saved_of(
        exp5,
        {},
        cells.filter(({ knobs }) => keys_of(knobs).length > 0),
      ),
    );
    expect(outcome({ findings }, 'Turning several')).toBe('not tested');
  });
});

describe('latency with accuracy', () => {
  it('publishes times apart from predictions, each with the seven statistics', async () => {
    const { files, single, names, findings } = await expect_whole(exp6, saved_of(exp6));
    expect(names).toEqual(['total', 'prefill', 'decode'].map((time) => `accuracy_vs_${time}_latency_pareto`));
    const { summary, fronts } = files.exp6_latency_results as never as {
      summary: Record<string, Record<string, number>>[];
      fronts: object;
    };
    expect(keys_of(summary[0]?.latency_total_ms)).toEqual(['mean', 'std', 'P50', 'P95', 'P99', 'min', 'max']);
    expect(summary[0]?.latency_total_ms?.mean).toBeCloseTo(132, 0);
    expect(summary[0]?.latency_prefill_ms?.mean).toBeCloseTo(0.6 * 132, 0);
    expect(keys_of(fronts)).toEqual(['total', 'prefill', 'decode']);
    const own = single.exp6_latency_crops2_topk4_blocks8 as Record<string, Record<string, unknown>[]>;
    expect(own.per_sample_latencies).toHaveLength(40);
    expect(own.per_sample_predictions).toHaveLength(160);
    const timed = own.per_sample_latencies?.[0] as Record<string, unknown>;
    expect(timed).toMatchObject({
      ...{ sample_id: 'q0', num_vision_tokens: 288, num_language_tokens: 32, num_output_tokens: 2 },
      ...{ num_total_tokens: 322, accuracy: 1, max_crops: 2, top_k: 4, num_active_blocks: 8, runs: 3 },
    });
    expect(outcome({ findings }, 'A setting is faster')).toBe('confirmed'); // half of the experts lose nothing
    expect(outcome({ findings }, 'FLOPs sort')).not.toBe('refuted');
  });

  it('needs something timed', () => {
    expect(() => exp6.derive(saved_of(exp6, { timed: 0 }))).toThrow('expected timed samples, found none');
  });

  it('is read by the comparison of fronts', async () => {
    const write = (name: string, file: unknown) => writeFileSync(join(scratch, `${name}.json`), JSON.stringify(file));
    for (const [name, file] of Object.entries(exp5.derive(saved_of(exp5)).files)) write(name, file);
    for (const [name, file] of Object.entries(exp6.derive(saved_of(exp6)).files)) write(name, file);
    const { rows, accuracy_only, latency_only } = await compare_fronts(scratch, scratch, 'mean');
    expect([rows.length, accuracy_only, latency_only]).toEqual([8, [], []]);
    const on = rows.filter(({ on_front }) => on_front.total).map(({ top_k }) => top_k);
    expect(on).toEqual([4, 4, 4]);
  });
});

describe('tiers of crops', () => {
  const tiers: FakeCell[] = (['low', 'high'] as const).flatMap((tier) =>
    [4, 8].map((top_k) => ({
      settings: { tier, top_k, num_active_blocks: 16 },
      knobs: { tier, ...(top_k === 8 ? {} : { topK: top_k }) },
      accuracy: tier === 'low' ? 0.6 : 1,
      ms: tier === 'low' ? 50 + top_k : 100 + top_k,
    })),
  );

  it('publish what the program does, under names without a mean of crops', async () => {
    const { files, single, names, findings } = await expect_whole(
      acc_lat_profiling,
      saved_of(acc_lat_profiling, { dataset: 'coco_2014_vqa' }, tiers),
    );
    expect(names).toEqual(['acc_lat_profiling_pareto']);
    expect(keys_of(single)).toContain('coco-2014-vqa_imgsizetier-low_topk4_blocks16');
    const own = single['coco-2014-vqa_imgsizetier-low_topk4_blocks16'] as Record<string, never>;
    expect(own).toMatchObject({
      ...{ tier: 'low', tier_range: { min_crops: 1, max_crops: 3 }, top_k: 4, num_active_blocks: 16 },
      ...{ selected_crops_distribution: { 1: 80, 2: 80 }, selected_crops_mean: 1.5, num_total_blocks: 16 },
      ...{ target_vision_tokens_mean: 2.5 * 144, actual_vision_tokens_mean: 288, num_samples: 160 },
    });
    const stats = own.latency_stats as never as Record<string, number & Record<string, object>>;
    expect(stats.T_total_mean).toBeCloseTo(54, 0);
    expect(keys_of(stats.T_decode_per_step_stats)).toEqual(['pos_0', 'pos_1']);
    const [sample] = own.per_sample_results as never as Record<string, unknown>[];
    expect(sample).toMatchObject({
      ...{ output_tokens: 3, content_tokens: 2, ends_with_eos: true, actual_num_crops: 1, pred: 'red' },
      ...{ target_vision_tokens: 288, actual_vision_tokens: 288, actual_text_tokens: 32, total_sequence_length: 323 },
    });
    expect(outcome({ findings }, 'With the fewest crops')).toBe('confirmed');
    expect(files.acc_lat_profiling_results).toMatchObject({
      front: { cost: 'latency' },
      config: { block_choice: 'prefix' },
    });
  });

  it('go by FLOPs where nothing was timed', async () => {
    const { files, findings } = await expect_whole(acc_lat_profiling, saved_of(acc_lat_profiling, { timed: 0 }, tiers));
    expect(files.acc_lat_profiling_results).toMatchObject({ front: { cost: 'flops' } });
    expect(findings).toHaveLength(1);
  });
});

describe("E2's quality side", () => {
  it('draws fronts of both workloads by both rules, and what fixing a knob does to them', async () => {
    const { files, names, findings } = await expect_whole(e2_quality, saved_of(e2_quality));
    expect(names).toEqual(['e2_pareto_qa', 'e2_pareto_captioning', 'e2_coupling_proof', 'e2_illustrative_cases']);
    const { workloads, cost, rules } = files.e2_pareto_frontiers as never as {
      workloads: { workload: string; num_samples: number; strict: { key: string }[]; ties: { key: string }[] }[];
      cost: string;
      rules: object;
    };
    expect([cost, keys_of(rules)]).toEqual(['latency', ['strict', 'ties']]);
    expect(workloads.map(({ workload, num_samples }) => [workload, num_samples])).toEqual([
      ['qa', 120],
      ['captioning', 40],
    ]);
    // Eight experts answer as well and are slower: a tie, on the second front alone.
    const [qa] = workloads;
    expect(qa?.strict.length).toBe(3);
    expect(qa?.ties.length).toBeGreaterThan(3);
    const { fronts, overlaps } = files.e2_quality_coupling as {
      fronts: { fixed: string; at: number }[];
      overlaps: object[];
    };
    expect(fronts.length).toBe(2 * 6);
    expect(overlaps.length).toBe(2 * 3);
    const { cases, columns } = files.e2_quality_cases as {
      cases: { answers: object[] }[];
      columns: { name: string }[];
    };
    expect(columns.map(({ name }) => name)).toEqual(['as it is', 'crops 2', 'experts 4', 'blocks 8', 'all lowest']);
    expect(cases.length).toBe(4);
    expect(outcome({ findings }, 'Short answers and captions')).toBeDefined();
  });

  it('says what a set has not', () => {
    const derived = e2_quality.derive(saved_of(e2_quality, { dataset: 'coco_caption' }));
    expect(derived.figures.map(({ name }) => name)).toEqual([
      'e2_pareto_captioning',
      'e2_coupling_proof',
      'e2_illustrative_cases',
    ]);
    const found = derived.findings.find(({ expectation }) => expectation.startsWith('Short answers'));
    expect(found).toMatchObject({ outcome: 'not tested', because: 'coco_caption has captions alone' });
  });
});

describe("M1's quality side", () => {
  it('holds what captions lose against what short answers lose', async () => {
    const { files, names, findings } = await expect_whole(m1_quality, saved_of(m1_quality));
    expect(names).toEqual(['m1_pareto_comparison_quality', 'm1_knob_sensitivity_quality']);
    const { contrast, optima, sensitivity } = files.m1_quality_contrast as never as {
      contrast: { knob: string; difference: number; p: number; ci95: [number, number] }[];
      optima: { workload: string; budget: number; setting: { key: string } | null }[];
      sensitivity: { knob: string; workload: string; accuracy: { difference: number } }[];
    };
    expect(sensitivity.map(({ workload, knob }) => `${workload} ${knob}`)).toHaveLength(6);
    const blocks = contrast.find(({ knob }) => knob === 'num_active_blocks');
    expect(blocks?.difference).toBeCloseTo(-0.3, 6);
    expect(blocks?.p).toBeLessThan(0.01);
    expect(blocks?.ci95[1]).toBeLessThan(0);
    expect(outcome({ findings }, 'Captions lose')).toBe('confirmed');
    expect(optima).toHaveLength(8);
  });

  it('needs both kinds of answers', () => {
    const { findings } = m1_quality.derive(saved_of(m1_quality, { dataset: 'coco_caption' }));
    expect(findings.map(({ outcome: found }) => found)).toEqual(['not tested', 'not tested']);
  });
});
