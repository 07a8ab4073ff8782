import { describe, expect, it } from 'vitest';
import { dry_run } from '../../engine/dry_run.ts';
import { closed_form_flops } from '../../engine/meter/closed_forms.ts';
import { config_to_json, merge_config, parse_config } from '../../engine/model/config.ts';
import { preset_config, preset_names, whole_of } from '../../engine/model/presets.ts';
import { depth_of, type ScaleInput, scale, whole_counter, whole_knobs } from '../../experiments/lab/scale.ts';
import { held_against } from '../../experiments/lab/scale_check.ts';
import {
  type CountsRecord,
  type Instrumented,
  PARTS,
  type PartName,
  STAGES,
  type StageName,
  type TokenCountsRecord,
} from '../../experiments/lab/schema.ts';
import { dry_device } from '../support/dry.ts';
import { fake_configuration } from '../support/records.ts';

const slice = { name: 'molmoe-slice', config: preset_config('molmoe-slice') };
const whole = { name: 'molmoe-1b', config: preset_config('molmoe-1b') };
const machine = { device: dry_device({ subgroup_size: 8, software: true }) };

type Row = readonly [stage: StageName, layer: number, part: PartName, gpu_ms: number];

/** Stamps of one request to the slice: each block of a stage takes the same. */
const STAMPS: readonly Row[] = [
  ['vision_encoder', -1, 'embed', 20],
  ['vision_encoder', -1, 'norm', 2],
  ...[0, 1, 2].flatMap((layer): Row[] => [
    ['vision_encoder', layer, 'norm', 1],
    ['vision_encoder', layer, 'attention', 40],
    ['vision_encoder', layer, 'mlp', 60],
    ...(layer > 0 ? ([['vision_encoder', layer, 'pooling', 3]] as Row[]) : []),
  ]),
  ['projector', -1, 'pooling', 50],
  ['projector', -1, 'mlp', 10],
  ['prefill', -1, 'embed', 4],
  ...[0, 1].flatMap((layer): Row[] => [
    ['prefill', layer, 'attention', 30],
    ['prefill', layer, 'moe_routing', 1],
    ['prefill', layer, 'moe_experts', 100],
  ]),
  ['prefill', -1, 'head', 6],
  ['decode', 0, 'moe_experts', 7],
  ['decode', 1, 'moe_experts', 7],
  ['decode', -1, 'head', 10],
];

/** Two runs, the second half as long again; the strip is the second's. */
function instrumented(rows: readonly Row[] = STAMPS): Instrumented {
  const run = (slower: number) => ({
    ...{ wall_ms: 1, span_ms: 1, sum_ms: 1, gaps_ms: 0, stages: [] },
    parts: [...new Set(rows.map(([stage, , part]) => `${stage} ${part}`))].map((key) => {
      const [stage, part] = key.split(' ') as [StageName, PartName];
      const of_part = rows.filter((row) => row[0] === stage && row[2] === part);
      return { stage, part, gpu_ms: slower * of_part.reduce((sum, row) => sum + row[3], 0) };
    }),
    faults: { negative: 0, zero: 0, quantised: false },
  });
  return {
    ...{ clock: 'GPU timestamps, a pass a kernel', anchor_error_ms: 0, self_test_ratio: 4, kernels: [] },
    runs: [run(1), run(1.5)],
    strip: {
      columns: ['stage', 'layer', 'part', 'begin_ms', 'gpu_ms'],
      rows: rows.map(([stage, layer, part, gpu_ms]) => {
        return [STAGES.indexOf(stage), layer, PARTS.indexOf(part), 0, 1.5 * gpu_ms];
      }),
    },
  };
}

const { samples } = fake_configuration('low', 'short', 'short').clean;
const input = (over: Partial<ScaleInput> = {}): ScaleInput => {
  return { slice, whole, knobs: {}, samples, instrumented: instrumented(), counters: {}, ...over };
};
const scaled_of = (over: Partial<ScaleInput> = {}) => {
  const { scaled, why } = scale(input(over));
  if (scaled === null) throw new Error(why);
  return scaled;
};
const refusal = (over: Partial<ScaleInput>) => scale(input(over)).why;

describe('what runs once counts once, what a block takes counts a block', () => {
  it('part by part: experts by 16 / 2, the ViT by 22 / 3, taps, projector and head not at all', () => {
    const { parts, blocks, method } = scaled_of();
    expect({ blocks, method }).toEqual({ blocks: { language: [2, 16], vision: [3, 22] }, method: 'stamps by layer' });
    const of = (stage: StageName, part: PartName) =>
      parts.find((row) => row.stage === stage && row.part === part)?.gpu_ms;
    // Means of the two runs are 1.25 of the first.
    expect(of('prefill', 'moe_experts')).toBeCloseTo(1.25 * 1600, 6);
    expect(of('prefill', 'attention')).toBeCloseTo(1.25 * 480, 6);
    expect(of('prefill', 'head')).toBeCloseTo(1.25 * 6, 6);
    expect(of('vision_encoder', 'mlp')).toBeCloseTo(1.25 * 22 * 60, 6);
    expect(of('vision_encoder', 'norm')).toBeCloseTo(1.25 * (2 + 22), 6);
    expect(of('vision_encoder', 'pooling')).toBeCloseTo(1.25 * 6, 6);
    expect(of('projector', 'pooling')).toBeCloseTo(1.25 * 50, 6);
    expect(of('decode', 'head')).toBeCloseTo(1.25 * 10, 6);
    expect(parts.length).toBe(instrumented().runs[0]?.parts.length);
  });

  it('stage by stage: the factor is that of its parts together', () => {
    const { stages } = scaled_of();
    expect(stages.vision_encoder?.factor).toBeCloseTo((22 + 22 * 101 + 6) / (22 + 3 * 101 + 6), 9);
    expect(stages.projector?.factor).toBe(1);
    expect(stages.prefill?.factor).toBeCloseTo((10 + 16 * 131) / (10 + 2 * 131), 9);
    expect(stages.decode?.factor).toBeCloseTo((10 + 16 * 7) / (10 + 2 * 7), 9);
  });

  it('samples stay consistent: totals are their stages and the same gaps, a token its share of decode', () => {
    const scaled = scaled_of();
    expect(scaled.samples.length).toBe(samples.length);
    for (const [i, one] of scaled.samples.entries()) {
      const was = samples[i] as (typeof samples)[number];
      const ms = (value: number | null) => value ?? Number.NaN;
      const factor = (stage: StageName) => scaled.stages[stage]?.factor as number;
      expect(one.T_LLM_prefill).toBeCloseTo(ms(was.T_LLM_prefill) * factor('prefill'), 6);
      expect(one.T_vision_encoder).toBeCloseTo(ms(was.T_vision_encoder) * factor('vision_encoder'), 6);
      expect(one.T_projector).toBe(was.T_projector);
      expect(one.T_vision_total).toBeCloseTo(ms(one.T_vision_encoder) + ms(one.T_projector), 6);
      expect(one.T_decode_per_token).toBeCloseTo(ms(one.T_LLM_decode) / one.T_decode_per_step.length, 6);
      expect(one.T_decode_per_step.reduce((sum, step) => sum + step, 0)).toBeCloseTo(ms(one.T_LLM_decode), 6);
      const stages = ms(one.T_vision_total) + ms(one.T_LLM_prefill) + ms(one.T_LLM_decode);
      expect(one.T_gaps).toBe(was.T_gaps);
      expect(one.T_total).toBeCloseTo(stages + one.T_gaps, 6);
      expect(one.T_data_processing).toBe(was.T_data_processing);
      expect(one.T_system_total - one.T_total).toBeCloseTo(was.T_system_total - was.T_total, 6);
    }
  });

  it('what did not run stays null, not 0: no picture, no decode step', () => {
    const text = STAMPS.filter(([stage]) => stage === 'prefill');
    const only_text = samples.map((sample) => ({
      ...sample,
      ...{ T_vision_encoder: null, T_projector: null, T_vision_total: null, T_LLM_decode: 0, T_decode_per_token: null },
      T_decode_per_step: [],
    }));
    const { samples: found, stages } = scaled_of({ samples: only_text, instrumented: instrumented(text) });
    expect(Object.keys(stages)).toEqual(['prefill']);
    for (const one of found) {
      expect([one.T_vision_encoder, one.T_projector, one.T_vision_total]).toEqual([null, null, null]);
      expect([one.T_decode_per_token, one.T_decode_per_step, one.T_LLM_decode]).toEqual([null, [], 0]);
    }
  });
});

describe('what cannot be scaled says why', () => {
  it.each<[string, Partial<ScaleInput>, RegExp]>([
    ['a masked block', { knobs: { blocks: [1] } }, /blocks were masked/],
    ['no block', { knobs: { blocks: [] } }, /blocks were masked/],
    ['a top-k for each block', { knobs: { topK: [8, 4] } }, /top-k differs from block to block/],
    ['one for picture tokens', { knobs: { topKVision: [8, 4] } }, /top-k differs from block to block/],
    ['no stamps', { instrumented: null }, /no instrumented run/],
    ['a thinner model', { slice: { name: 'molmoe-mini', config: preset_config('molmoe-mini') } }, /more than depth/],
  ])('%s', (_, over, why) => {
    expect(scale(input(over)).scaled).toBeNull();
    expect(refusal(over)).toMatch(why);
  });

  it('knobs that treat blocks alike are no reason', () => {
    for (const knobs of [
      { topK: 2 },
      { topK: [4, 4] },
      { topK: 8, topKVision: [2, 2] },
      { blocks: [0, 1] },
      { maxCrops: 4 },
    ]) {
      expect(refusal({ knobs })).toBeNull();
    }
    expect(whole_knobs(slice.config, { topK: [4, 4], blocks: [0, 1], maxCrops: 4 })).toEqual({ topK: 4, maxCrops: 4 });
    expect(whole_knobs(slice.config, { crops: 3, topKVision: [2, 2] })).toEqual({ crops: 3, topKVision: 2 });
  });

  it('presets know what they are cut from', () => {
    expect(preset_names.flatMap((name) => whole_of(name) ?? [])).toEqual(['molmoe-1b']);
    expect(whole_of('checkpoints/molmoe-slice')).toBeUndefined();
    expect(depth_of(whole.config)).toEqual({ language: 16, vision: 22 });
  });
});

describe('counters of the whole model are exact', () => {
  const tokens = (prompt_length: number, num_crops: number, num_output_tokens: number): TokenCountsRecord => ({
    ...fake_configuration('low', 'short', 'short').tokens,
    ...{ prompt_length, num_crops, num_output_tokens, decode_steps: num_output_tokens - 1 },
  });
  const requests: [string, TokenCountsRecord, ScaleInput['knobs']][] = [
    ['low', tokens(336, 2, 8), {}],
    ['text alone, top-k 2', tokens(40, 0, 3), { topK: 2 }],
    ['high, top-k 16 for both blocks', tokens(1217, 13, 2), { topK: [16, 16] }],
  ];
  const counter = whole_counter(whole.config, 'f16', machine);

  it('counts the step that made the end-of-text token, which is no output token', async () => {
    const ended = { ...tokens(40, 0, 3), decode_steps: 3 };
    expect(await (await counter)(ended, {})).toEqual(await (await counter)(tokens(40, 0, 4), {}));
  });

  it.each(requests)('%s: FLOPs are those of the closed forms', async (_, of, knobs) => {
    const counters = await (await counter)(of, whole_knobs(slice.config, knobs));
    const { totals } = closed_form_flops(whole.config, {
      ...{ views: of.num_crops, prompt_tokens: of.prompt_length, new_tokens: of.num_output_tokens },
      top_k: [knobs.topK ?? 8].flat()[0],
    });
    const stages = STAGES.filter((stage) => of.num_crops > 0 || !['vision_encoder', 'projector'].includes(stage));
    expect(Object.keys(counters)).toEqual(stages);
    for (const stage of stages) expect(counters[stage]?.flops).toBe(totals[stage]);
  });

  it.each(requests)('%s: every count is the slice once, and its blocks times the blocks', async (_, of, knobs) => {
    const counters = await (await counter)(of, whole_knobs(slice.config, knobs));
    const request = { prompt_tokens: of.prompt_length, views: of.num_crops, maxNewTokens: of.num_output_tokens, knobs };
    const { ledger } = await dry_run(slice.config, 'f16', machine, request);
    const expected: Partial<Record<StageName, Record<string, number>>> = {};
    for (const { stage, layer, component, kernel, ...counts } of ledger.rows()) {
      const deeper = stage === 'vision_encoder' ? 22 / 3 : 8;
      const times = layer === undefined || component === 'pooling' ? 1 : deeper;
      const sum = expected[stage as StageName] ?? {};
      expected[stage as StageName] = sum;
      for (const [name, value] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + times * value;
    }
    for (const [stage, counts] of Object.entries(counters) as [StageName, CountsRecord][]) {
      for (const [name, value] of Object.entries(counts)) {
        expect([stage, name, Math.round(expected[stage]?.[name] ?? 0)]).toEqual([stage, name, value]);
      }
    }
  });

  it('experts of picture tokens apart are those of its cells', async () => {
    const of = tokens(336, 2, 1); // 288 cells of a 1x1 picture
    const counters = await (await counter)(of, { topK: 8, topKVision: 4 });
    const request = { views: 2, prompt_tokens: 336, new_tokens: 1, vision_tokens: 288, top_k_vision: 4 };
    expect(counters.prefill?.flops).toBe(closed_form_flops(whole.config, request).totals.prefill);
  });

  it('a deeper model of the same widths is another request: nothing is kept between two', async () => {
    const of_whole = await counter;
    const first = await of_whole(tokens(40, 0, 3), {});
    await of_whole(tokens(60, 2, 1), { topK: 1 });
    expect(await of_whole(tokens(40, 0, 3), {})).toEqual(first);
  });
});

it('refuses a slice that is wider in one field only', () => {
  const json = merge_config(config_to_json(slice.config), { moe_top_k: 4 });
  const wider = { name: 'other', config: parse_config(json, 'test') };
  expect(refusal({ slice: wider })).toMatch(/other and molmoe-1b differ in more than depth/);
});

describe('held_against', () => {
  const cell = fake_configuration('low', 'short', 'short');
  const stages = Object.fromEntries(STAGES.map((stage) => [stage, { factor: 1 }]));
  const as_scaled = (times: typeof cell.clean.samples) => ({
    ...scaled_of(),
    stages,
    samples: times,
    parts: cell.instrumented?.runs[0]?.parts ?? [],
  });

  it('finds nothing off where scaled times are the measured ones', () => {
    const { times, shares } = held_against('same', cell, as_scaled(cell.clean.samples));
    expect(times.map(({ what, off }) => [what, off])).toEqual(STAGES.map((stage) => [`${stage}, ms`, 0]));
    expect(shares.length).toBeGreaterThan(STAGES.length);
    expect(shares.every(({ off }) => Math.abs(off) < 1e-9)).toBe(true);
  });

  it('tells percent of times and points of shares where they are not', () => {
    const slower = cell.clean.samples.map((one) => ({ ...one, T_LLM_decode: 1.5 * (one.T_LLM_decode ?? 0) }));
    const { times, shares } = held_against('slower', cell, as_scaled(slower));
    expect(times.at(-1)?.off).toBeCloseTo(50, 9);
    expect(shares.find(({ what }) => what === 'decode, %')?.off).toBeGreaterThan(1);
  });
});
