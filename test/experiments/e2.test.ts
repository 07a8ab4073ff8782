import { describe, expect, it } from 'vitest';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { coupling_findings, coupling_of, type KnobCell, main_effects } from '../../experiments/core/coupling.ts';
import { e2 } from '../../experiments/index.ts';
import { saved_of } from '../../experiments/lab/publish.ts';
import type { Results } from '../../experiments/lab/record.ts';
import type { Configuration } from '../../experiments/lab/schema.ts';
import { FAKE_RUN, fake_configuration } from '../support/records.ts';

const subject = (name: string) => {
  const config = preset_config(name);
  const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
  return { config, tokenizer, asked: {}, tokens_per_readback: 1 };
};
const options = (over: Readonly<Record<string, unknown>> = {}) =>
  Object.fromEntries(Object.entries(e2.options).map(([key, type]) => [key, type.parse(over[key])]));
const distinct = (values: readonly unknown[]) => [...new Set(values)];

describe('the grid', () => {
  it('of the real model is the study grid as far as its sixteen blocks go', () => {
    const { cells, skipped } = e2.plan(subject('molmoe-1b'), options({ sampling: 'full' }));
    expect([cells.length, skipped.length]).toEqual([7 * 6 * 5, 0]);
    const of = (axis: string) => distinct(cells.map(({ settings }) => settings[axis]));
    expect([of('crops'), of('top_k'), of('num_active_blocks')]).toEqual([
      [1, 2, 3, 4, 6, 9, 12],
      [1, 2, 4, 8, 16, 32],
      [8, 10, 12, 14, 16],
    ]);
    const half = cells.find(({ key }) => key === 'crops=6_top_k=2_num_active_blocks=8');
    expect(half?.knobs).toEqual({ crops: 6, topK: 2, blocks: [0, 1, 2, 3, 4, 5, 6, 7] });
    expect(cells.at(-1)?.knobs).toEqual({ crops: 12, topK: 32 });
  });

  it('of a slice goes by the blocks that it has', () => {
    const { cells } = e2.plan(subject('molmoe-slice'), options());
    expect(distinct(cells.map(({ settings }) => settings.num_active_blocks))).toEqual([1, 2]);
    expect(distinct(cells.map(({ settings }) => settings.crops))).toEqual([1, 4, 12]);
    expect(cells.length).toBe(3 * 4 * 2);
  });

  it('leaves impossible points out, each with its reason, and keeps the rest', () => {
    const asked = options({ sampling: 'full', crops: [1], topK: [8, 64], numActiveBlocks: [4, 18] });
    const { cells, skipped } = e2.plan(subject('molmoe-tiny'), asked);
    expect(cells.map(({ key }) => key)).toEqual(['crops=1_top_k=8_num_active_blocks=4']);
    expect(skipped.map(({ reason }) => reason)).toEqual([
      'expected at most 4 blocks, all of this model, found 18',
      'topK: expected a whole number from 1 to 8 (the experts of a block), found 64',
      'expected at most 4 blocks, all of this model, found 18',
    ]);
  });

  it('names a value once', () => {
    expect(() => e2.check(options({ topK: [4, 8, 4] }), new Set())).toThrow('topK: 4 is asked for twice');
  });
});

const LEVELS = { crops: [1, 4, 12], top_k: [1, 8], num_active_blocks: [8, 16] };
/** Cells whose total takes this long, give or take a per mille. */
const cells_of = (ms: (crops: number, k: number, blocks: number) => number, runs = 6): KnobCell[] =>
  LEVELS.crops.flatMap((crops) =>
    LEVELS.top_k.flatMap((top_k) =>
      LEVELS.num_active_blocks.map((num_active_blocks) => {
        const total = ms(crops, top_k, num_active_blocks);
        const T_total = Array.from({ length: runs }, (_, i) => total * (1 + 0.001 * (i - (runs - 1) / 2)));
        const times = { T_total, T_vision_total: T_total, T_LLM_prefill: T_total, T_decode_per_token: [] };
        return { crops, top_k, num_active_blocks, times };
      }),
    ),
  );

describe('coupling', () => {
  const sum = cells_of((c, k, b) => 1000 + 100 * c + 30 * k + 20 * b);
  const product = cells_of((c, k, b) => 10 * c * (1 + k) * b);

  it('is none where effects add up: no interaction, one line a knob, and a sum that predicts', () => {
    const { interactions, curves, models } = coupling_of(sum);
    for (const { ms } of interactions) {
      expect(ms.value).toBeCloseTo(0, 6);
      expect(ms.ci95?.[0]).toBeLessThan(0);
      expect(ms.ci95?.[1]).toBeGreaterThan(0);
    }
    const added = curves.filter((one) => one.time === 'T_total' && one.knob === 'top_k' && one.fixed === 'crops');
    expect(added.map(({ at }) => at)).toEqual([1, 4, 12]);
    for (const { points } of added) expect(points.at(-1)?.added_ms.value).toBeCloseTo(30 * 7, 6);
    expect(models.find(({ model }) => model === 'additive')).toMatchObject({
      r_squared: expect.closeTo(1, 9),
      cells: 12,
      parameters: 5,
    });
    expect(coupling_findings({ interactions, curves, models }).map(({ outcome }) => outcome)).toEqual([
      'refuted',
      'confirmed',
    ]);
  });

  it('is found where effects multiply: the product predicts, the sum does not', () => {
    const found = coupling_of(product);
    const pair = found.interactions.find(({ time, knobs }) => time === 'T_total' && knobs.join() === 'crops,top_k');
    // 10 x 16 x (12 - 1) x (9 - 2)
    expect(pair?.ms.value).toBeCloseTo(10 * 16 * 11 * 7, 4);
    expect(pair?.ratio.value).toBeCloseTo(1, 9);
    const [additive, multiplicative] = found.models;
    expect(multiplicative?.r_squared).toBeCloseTo(1, 9);
    expect(additive?.r_squared).toBeLessThan(0.95);
    expect(coupling_findings(found).map(({ outcome }) => outcome)).toEqual(['confirmed', 'refuted']);
  });

  it('has no verdict without enough runs or without a grid', () => {
    expect(coupling_findings(coupling_of(cells_of((c) => c, 2)))[0]).toMatchObject({
      outcome: 'not tested',
      because: 'an interval needs 6 runs a cell',
    });
    const few = coupling_of(product.slice(0, 2));
    expect(coupling_findings(few).map(({ outcome }) => outcome)).toEqual(['not tested', 'not tested']);
    expect(coupling_of([])).toEqual({ curves: [], interactions: [], models: [] });
  });

  it('main effects of a sparse grid are least squares: what is left is at right angles to every level', () => {
    const sparse = product.filter((_, i) => i % 5 !== 3);
    const values = sparse.map(({ times }) => times.T_total[0] as number);
    const left = main_effects(sparse, values).map((fitted, i) => (values[i] as number) - fitted);
    for (const [knob, levels] of Object.entries(LEVELS)) {
      for (const level of levels) {
        const sum_left = left.reduce((total, x, i) => total + (sparse[i]?.[knob as 'crops'] === level ? x : 0), 0);
        expect(Math.abs(sum_left)).toBeLessThan(1e-6 * Math.max(...values));
      }
    }
  });
});

const configuration = (crops: number, top_k: number, blocks: number, scaled: boolean): Configuration => {
  const one = fake_configuration('low', 'short', 'short');
  const settings = { crops, top_k, num_active_blocks: blocks };
  const samples = one.clean.samples.map((run) => ({ ...run, T_total: run.T_total * (crops + top_k * blocks) }));
  const key = `crops=${crops}_top_k=${top_k}_num_active_blocks=${blocks}`;
  return {
    ...one,
    ...{ key, settings, clean: { ...one.clean, samples }, knobs: blocks < 16 ? { blocks: [0, 1] } : {} },
    scaled: scaled ? { ...SCALED, samples } : { why_not: 'blocks were masked' },
  };
};
const SCALED = {
  ...{ model: 'molmoe-1b', from: 'molmoe-slice', method: 'stamps by layer', parts: [], counters: {}, stages: {} },
  blocks: { language: [2, 16], vision: [3, 22] },
  flops: { exact: {}, legacy: { S1: {}, S4: {} } },
} as unknown as Omit<Extract<Configuration['scaled'], { samples: unknown }>, 'samples'>;

describe('results', () => {
  const grid = [1, 4].flatMap((c) => [1, 8].flatMap((k) => [2, 16].map((b) => configuration(c, k, b, b === 16))));

  it('keep to their schemas; answers were not judged', () => {
    const { files, figures, tables } = e2.derive({
      run: FAKE_RUN,
      configurations: grid,
      skipped: [],
      options: { sampling: 'lhs' },
    });
    const parsed = e2.schemas.e2_knob_grid_results?.parse(files.e2_knob_grid_results) as {
      grid: unknown;
      configurations: { accuracy: unknown; active_block_indices: number[] }[];
    };
    expect(parsed.grid).toEqual({
      sampling: 'lhs',
      sampling_rule: 'documented',
      sampling_seed: 42,
      block_choice: 'prefix',
    });
    expect(parsed.configurations.map(({ accuracy }) => accuracy)).toEqual(new Array(8).fill(null));
    expect(parsed.configurations[1]?.active_block_indices.length).toBe(16);
    expect(e2.schemas.e2_coupling_analysis?.safeParse(files.e2_coupling_analysis).error).toBeUndefined();
    expect(figures.map(({ name }) => name)).toEqual(['e2_coupling_proof', 'e2_coupling_ratio', 'e2_knob_grid']);
    expect(tables.map(({ rows }) => rows.length)).toEqual([8, 12, 8]);
  });

  it('a slice holds measured times against measured ones: scaled ones of some cells do not count', () => {
    const results = {
      run: FAKE_RUN,
      finished: () => new Map(grid.map((one) => [one.key, one])),
      skipped: [],
      options: {},
      failed: () => [],
    };
    const { configurations } = saved_of(e2, results as unknown as Results);
    expect(configurations.every(({ scaled }) => scaled !== null && 'why_not' in scaled)).toBe(true);
    const whole = grid.filter(({ settings }) => settings.num_active_blocks === 16);
    const all = { ...results, finished: () => new Map(whole.map((one) => [one.key, one])) };
    expect(
      saved_of(e2, all as unknown as Results).configurations.every(({ scaled }) => scaled && 'samples' in scaled),
    ).toBe(true);
  });
});
