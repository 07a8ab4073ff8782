import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { important_blocks } from '../../experiments/accuracy/tiers.ts';
import { shapes_set } from '../../experiments/datasets/shapes_set.ts';
import { acc_lat_profiling, e2_quality, exp5, exp6, m1_quality } from '../../experiments/index.ts';
import type { Experiment } from '../../experiments/lab/define.ts';
import { accuracy_levels, halving_levels, latency_levels, tier_levels } from '../../experiments/lab/knob_levels.ts';
import { choose_samples } from '../../experiments/lab/samples.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-grids-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

async function subject(name: string) {
  const config = preset_config(name);
  const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
  const samples = await choose_samples(shapes_set('test', geometry_of(config)), 2, 'pad');
  return { config, tokenizer, asked: {}, tokens_per_readback: 1, samples };
}
const options = (of: Experiment, over: Readonly<Record<string, unknown>> = {}) =>
  Object.fromEntries(Object.entries(of.options).map(([key, type]) => [key, type.parse(over[key])]));
const plan = async (of: Experiment, over: Readonly<Record<string, unknown>> = {}, model = 'molmoe-1b') =>
  of.plan(await subject(model), options(of, over));
const points = (cells: readonly { readonly settings: object }[]) =>
  cells.map(({ settings }) => Object.values(settings).join());

/** As nano has them. */
const NANO = { max_crops: 6, n_experts: 32, n_layers: 8, top_k: 8 };
const REAL = preset_config('molmoe-1b');

describe('levels of the knobs', () => {
  it('of the real model are those of the study', () => {
    expect(accuracy_levels(REAL)).toEqual({
      crops: [2, 4, 6, 8, 10, 12],
      top_k: [4, 8, 12, 16, 20, 24, 28, 32],
      blocks: [8, 10, 12, 14, 16],
    });
    expect(latency_levels(REAL)).toEqual({ crops: [2, 4, 6, 8, 10], top_k: [4, 8, 12], blocks: [12, 13, 14, 15, 16] });
    expect(tier_levels(REAL)).toEqual({ top_k: [4, 6, 8], blocks: [12, 13, 14, 15, 16] });
  });

  it('of a small model are the same parts of what it has', () => {
    expect(accuracy_levels(NANO)).toEqual({
      crops: [1, 2, 3, 4, 5, 6],
      top_k: [2, 4, 6, 8, 10, 12, 14, 16],
      blocks: [4, 5, 6, 7, 8],
    });
    expect(latency_levels(NANO)).toEqual({ crops: [1, 2, 3, 4, 5], top_k: [4, 8, 12], blocks: [6, 7, 8] });
    expect(halving_levels(NANO)).toEqual({ crops: [1, 3, 6], top_k: [1, 4, 8], blocks: [4, 6, 8] });
    expect(halving_levels({ max_crops: 1, n_experts: 4, n_layers: 1, top_k: 1 })).toEqual({
      crops: [1],
      top_k: [1],
      blocks: [1],
    });
  });
});

describe('the grid of combined knobs', () => {
  it('is what the study drew, by its code', async () => {
    const { cells } = await plan(exp5, { sampling: 'lhs', samplingRule: 'code', gridOnly: true });
    expect(cells.length).toBe(45);
    expect(points(cells).slice(0, 3)).toEqual(['2,4,8', '2,8,16', '2,12,16']);
    expect(points(cells).at(-1)).toBe('12,32,16');
    const latency = await plan(exp6, { sampling: 'lhs', samplingRule: 'code', gridOnly: true });
    expect(points(latency.cells)).toEqual(
      `2,12,13 2,12,16 4,4,13 4,8,12 4,8,13 6,4,15 6,8,16 6,12,13 6,12,14 6,12,16 8,4,12 8,4,14 8,4,15 8,8,16 8,12,14
      8,12,15 10,4,13`.split(/\s+/),
    );
    const published = await plan(exp6, { samplingRule: 'code', gridOnly: true });
    expect(published.cells.length).toBe(27);
  });

  it.each([
    ['full', 240],
    ['balanced', 36],
    ['stratified', 27],
    ['boundary', 45],
    ['custom_sparse', 36],
    ['lhs', 60],
  ])('%s has %i points', async (sampling, count) => {
    expect((await plan(exp5, { sampling, gridOnly: true })).cells.length).toBe(count);
  });

  it('has the model as it is, turned nowhere, unless it is left out', async () => {
    const { cells } = await plan(exp5);
    expect(cells.length).toBe(37);
    expect(cells.filter(({ knobs }) => Object.keys(knobs).length === 0).map(({ key }) => key)).toEqual([
      'max_crops=12_top_k=8_num_active_blocks=16',
    ]);
    expect((await plan(exp5, { gridOnly: true })).cells.length).toBe(36);
  });

  it("keeps the study's blocks, or the first ones", async () => {
    const at = { maxCrops: [12], topK: [8], numActiveBlocks: [12] };
    const knobs = async (over: object) => (await plan(exp5, { ...at, ...over, gridOnly: true })).cells[0]?.knobs;
    expect(await knobs({})).toEqual({ blocks: [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 14] });
    expect(await knobs({ blockChoice: 'prefix' })).toEqual({ blocks: Array.from({ length: 12 }, (_, i) => i) });
  });

  it('leaves out what the model does not have, and says why', async () => {
    const { cells, skipped } = await plan(
      exp5,
      { maxCrops: [2], topK: [8, 64], numActiveBlocks: [4, 18] },
      'molmoe-tiny',
    );
    expect(points(cells)).toContain('2,8,4');
    expect(skipped.map(({ reason }) => reason)).toEqual([
      'expected at most 4 blocks, all of this model, found 18',
      'expected at most 8 experts, all of a block, found 64',
      'expected at most 4 blocks, all of this model, found 18',
    ]);
  });

  it.each([exp5, exp6, e2_quality, m1_quality])('$name takes each value once', (one) => {
    expect(() => one.check(options(one, { topK: [4, 8, 4] }), new Set())).toThrow('topK: 4 is asked for twice');
  });
});

describe('tiers of crops', () => {
  it('are those that begin where the model still has crops', async () => {
    const tiers = async (model: string) => [
      ...new Set((await plan(acc_lat_profiling, {}, model)).cells.map(({ settings }) => settings.tier)),
    ];
    expect(await tiers('molmoe-1b')).toEqual(['low', 'medium', 'high']);
    const { cells } = await plan(acc_lat_profiling, {
      tierList: ['high', 'low'],
      topK: [8],
      numActiveBlocks: [12, 16],
    });
    expect(cells.map(({ key }) => key)).toEqual([
      'low_top_k=8_num_active_blocks=12',
      'low_top_k=8_num_active_blocks=16',
      'high_top_k=8_num_active_blocks=12',
      'high_top_k=8_num_active_blocks=16',
    ]);
    expect(cells[0]?.knobs).toEqual({ tier: 'low', blocks: Array.from({ length: 12 }, (_, i) => i) });
  });

  it('drop the least important blocks, the first and the last never', async () => {
    const least = [4, 13, 10];
    const scores = Array.from({ length: 16 }, (_, block) => ({
      block,
      score: least.includes(block) ? 0.001 * least.indexOf(block) : 1 / (1 + block),
    }));
    expect(important_blocks(13, 16, scores)).toEqual([0, 1, 2, 3, 5, 6, 7, 8, 9, 11, 12, 14, 15]);
    expect(important_blocks(2, 16, scores)).toEqual([0, 15]);
    expect(important_blocks(1, 16, scores)).toEqual([0]);
    expect(important_blocks(16, 16, [])).toHaveLength(16);
    expect(() => important_blocks(3, 16, scores.slice(0, 5))).toThrow('expected a score of block 5, found none');
    const path = join(scratch, 'layer_importance_scores.json');
    writeFileSync(path, JSON.stringify(Object.fromEntries(scores.map(({ block, score }) => [block, score]))));
    const { cells } = await plan(acc_lat_profiling, {
      importanceScoresFile: path,
      tierList: ['low'],
      topK: [8],
      numActiveBlocks: [15],
    });
    expect(cells[0]?.knobs).toEqual({ tier: 'low', blocks: [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15] });
  });
});
