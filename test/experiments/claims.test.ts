import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { read_evidence } from '../../experiments/claims/evidence.ts';
import { type PublishedFile, subjects_of } from '../../experiments/claims/subject.ts';
import type { Verdict } from '../../experiments/claims/verdicts.ts';
import * as registry from '../../experiments/index.ts';
import type { Configuration } from '../../experiments/lab/schema.ts';
import {
  ALL,
  answers,
  CELLS,
  depths,
  EXPERIMENTS,
  e1,
  forwards,
  grid,
  layers,
  lengths,
  masks,
  one_depth,
  pictures,
  predicted,
  published,
  RUNS,
  repeats,
  rows_of_crops,
  run_of,
  samples,
  series,
  set,
  steps,
  subtracted,
  texts,
  topk,
  totals,
  two_adapters,
  verdict,
  workloads,
} from '../support/claims.ts';
import { repo_root } from '../support/golden.ts';
import { vision_cell } from '../support/motivation.ts';
import { fake_configuration, PROVENANCE } from '../support/records.ts';

const plain_e1 = e1();

type Held = [id: string, outcome: Verdict['outcome'], files: () => PublishedFile[], number?: number];
const HELD: Held[] = [
  ['llm-dominates-prompt', 'refuted', () => plain_e1],
  ['llm-dominates-prompt', 'confirmed', () => e1((s) => ({ T_vision_total: (s.T_LLM_prefill as number) / 3 })), 3],
  [
    'decoder-outweighs-encoder',
    'refuted',
    () => e1((s) => ({ T_vision_total: (s.T_LLM_prefill as number) / 1.5 })),
    1.5,
  ],
  ['encoder-grows-dominant', 'confirmed', () => plain_e1],
  ['encoder-grows-dominant', 'refuted', () => e1(() => ({ T_vision_encoder: 10 }))],
  ['decode-dominates-long', 'refuted', () => plain_e1],
  ['attention-dominates-prefill', 'refuted', () => plain_e1, 30],
  ['experts-dominate-decode', 'refuted', () => plain_e1, 40],
  ['decode-share-8', 'refuted', () => plain_e1],
  ['decode-linear', 'confirmed', () => answers((x) => 30 + 20 * x), 1],
  ['decode-linear', 'refuted', () => answers((x) => x ** 3)],
  ['steps-grow-with-cache', 'refuted', () => answers((x) => 20 * (x - 1)), 1],
  ['steps-grow-with-cache', 'confirmed', () => answers((x) => 20 * (x - 1) * (1 + x / 40)), 16 / 9],
  ['prefill-monotone', 'confirmed', () => texts((length) => length), 2],
  ['prefill-monotone', 'refuted', () => texts((length) => -length + 5000), 0],
  ['prefill-quadratic', 'refuted', () => texts((length) => length), 1],
  ['prefill-quadratic', 'confirmed', () => texts((length) => length ** 2), 2],
  ['prefill-quadratic', 'confirmed', () => e1((_, one) => ({ T_LLM_prefill: one.tokens.prompt_length ** 2 })), 2],
  ['prefill-free-of-answer', 'confirmed', () => plain_e1],
  ['prefill-free-of-answer', 'refuted', () => e1((_, one) => ({ T_LLM_prefill: one.tokens.num_output_tokens })), 16],
  ['vision-linear', 'confirmed', () => plain_e1],
  ['vision-linear', 'refuted', () => e1((_, one) => ({ T_vision_encoder: one.tokens.num_crops === 5 ? 1e4 : 100 }))],
  ['vision-linear', 'confirmed', () => rows_of_crops((crops) => ({ T_vision_encoder: 10 * crops })), 1],
  ['prefill-sublinear-in-pictures', 'confirmed', () => rows_of_crops((crops) => ({ T_LLM_prefill: 900 + crops }))],
  ['prefill-sublinear-in-pictures', 'refuted', () => rows_of_crops((crops) => ({ T_LLM_prefill: crops ** 3 }))],
  ['flops-predict-weakly', 'refuted', () => plain_e1],
  ['depth-linear', 'confirmed', () => depths((n) => ({ T_LLM_prefill: 10 + n, ...steps(n) })), 1],
  ['depth-linear', 'refuted', () => depths((n) => ({ T_LLM_prefill: 10 + n, ...steps(n ** 4) }))],
  ['depth-proportional', 'confirmed', () => depths(steps), 50],
  ['depth-proportional', 'refuted', () => depths((n) => steps(4 + n)), 60],
  ['depth-proportional', 'refuted', () => one_depth((n) => 4 + n), 60],
  ['depth-pruning-speeds-up', 'confirmed', () => depths((n) => steps(4 + n)), 20 / 12],
  ['depth-pruning-speeds-up', 'refuted', () => depths(() => steps(10)), 1],
  ['depth-pruning-speeds-up', 'confirmed', () => one_depth((n) => n), 2],
  ['blocks-save-10-25', 'confirmed', () => depths((n) => ({ T_total: 8 + n })), 100 / 6],
  ['blocks-save-10-25', 'refuted', () => depths(() => ({ T_total: 8 })), 0],
  // Vision takes 1, prefill ten steps, and seven steps follow.
  ['blocks-save-10-25', 'confirmed', () => one_depth((n) => 8 + n), 100 * ((17 * 4) / (1 + 17 * 24))],
  [
    'which-blocks-cost-alike',
    'confirmed',
    () =>
      masks(
        [
          [0, 1],
          [0, 15],
        ],
        () => ({ T_LLM_prefill: 100 }),
      ),
    1,
  ],
  [
    'which-blocks-cost-alike',
    'refuted',
    () =>
      masks(
        [
          [0, 1],
          [0, 15],
        ],
        (_, i) => ({ T_LLM_prefill: 100 + i * 50 }),
      ),
  ],
  ['which-blocks-cost-alike', 'not tested', () => depths(steps)],
  ['forward-ratio-tells-bound', 'confirmed', () => forwards([1e9, 1e12])],
  ['forward-ratio-tells-bound', 'refuted', () => forwards([1e9, 2e9])],
  ['p99-far-above-p50', 'confirmed', () => samples(registry.latency_distribution, totals(3000)), 3],
  ['p99-far-above-p50', 'refuted', () => samples(registry.latency_distribution, totals(1100)), 1.1],
  ['p99-far-above-p50', 'not tested', () => samples(registry.latency_distribution, totals(3000), set('shapes'))],
  ['pictures-vary-widely', 'refuted', () => samples(registry.latency_distribution, totals(1100))],
  ['pictures-vary-widely', 'confirmed', () => samples(registry.latency_distribution, totals(9000))],
  [
    'llm-dominates-prompt',
    'confirmed',
    () => samples(registry.component_profiling, Array(3).fill({ T_vision_total: 1 })),
  ],
  ['decode-linear', 'confirmed', () => lengths([8, 16, 64], (x) => ({ T_LLM_decode: 20 * (x - 1) })), 1],
  ['prefill-free-of-answer', 'not tested', () => lengths([8, 64], (x) => ({ T_LLM_prefill: x }), 1)],
  ['llm-dominates-prompt', 'not tested', () => samples(registry.component_profiling, [{}, { T_vision_total: 1 }])],
  ['prefill-free-of-answer', 'refuted', () => lengths([8, 64], (x) => ({ T_LLM_prefill: x }))],
  ['decode-share-4096', 'confirmed', () => lengths([8, 4096], (x) => ({ T_LLM_prefill: 900, T_LLM_decode: 99 * x }))],
  ['decode-share-4096', 'refuted', () => lengths([4096], () => ({ T_LLM_prefill: 900, T_LLM_decode: 1000 })), 50],
  ['vision-linear', 'confirmed', () => subtracted(() => 1)],
  ['prefill-sublinear-in-pictures', 'confirmed', () => subtracted(() => 1)],
  ['flops-predict-weakly', 'confirmed', series],
  ['knobs-coupled', 'refuted', () => grid((crops, k, blocks) => 100 * crops + 10 * k + blocks), 0],
  ['knobs-coupled', 'confirmed', () => grid((crops, k, blocks) => crops * k * blocks)],
  ['same-order-on-devices', 'not tested', () => grid((crops, k, blocks) => crops * k * blocks)],
  ['same-order-on-devices', 'confirmed', () => two_adapters((crops, k, blocks) => 900 * crops + 80 * k + blocks), 100],
  ['same-order-on-devices', 'refuted', () => two_adapters((crops, k, blocks) => 100 * blocks + 10 * k + crops)],
  ['answers-prefill-sensitive', 'confirmed', () => workloads(10, () => 900)],
  ['answers-prefill-sensitive', 'refuted', () => workloads(10_000, () => 900)],
  ['captions-decode-sensitive', 'confirmed', () => workloads(10_000, () => 900)],
  ['captions-decode-sensitive', 'refuted', () => workloads(10, () => 900)],
  [
    'other-knobs-for-captions',
    'confirmed',
    () => workloads(10, (of, knob) => (of === 'qa' && knob === 'crops' ? 500 : knob === 'blocks' ? 700 : 900)),
  ],
  ['other-knobs-for-captions', 'refuted', () => workloads(10, (_, knob) => (knob === 'crops' ? 500 : 900))],
  ['runs-vary-under-10', 'confirmed', () => repeats(0.05), 5],
  ['runs-vary-under-10', 'refuted', () => repeats(0.3), 30],
  ['decode-varies-20', 'confirmed', () => repeats(0.2), 20],
  ['decode-varies-20', 'refuted', () => repeats(0.05), 5],
  [
    'stages-predict-better',
    'confirmed',
    () => predicted({ network: { total: 0.1 }, network_total: { total: 0.2 } }),
    2,
  ],
  ['stages-predict-better', 'refuted', () => predicted({ network: { total: 0.2 }, network_total: { total: 0.1 } })],
  ['stages-predict-better', 'not tested', () => predicted({ network: { total: 0.2 }, network_total: { total: 0.21 } })],
  ['affine-transfer-on-50', 'confirmed', () => predicted({}, { 25: 0.3, 50: 0.08 }), 8],
  ['affine-transfer-on-50', 'refuted', () => predicted({}, { 10: 0.05, 25: 0.3 }), 30],
  ['affine-transfer-on-50', 'not tested', () => predicted({}, { 10: 0.05 })],
  ['decode-hard-to-predict', 'refuted', () => predicted({ estimator: { prefill: 0.04, decode_per_token: 0.05 } })],
  ['decode-hard-to-predict', 'confirmed', () => predicted({ estimator: { prefill: 0.04, decode_per_token: 0.2 } }), 5],
  ['twenty-runs-enough', 'confirmed', () => repeats(0.05)],
  ['twenty-runs-enough', 'refuted', () => repeats(0.3)],
  ['subtraction-inverts-prefill', 'confirmed', () => subtracted((k) => 100 - k), 3],
  ['subtraction-inverts-prefill', 'refuted', () => subtracted((k) => 100 + k), 0],
  [
    'subtraction-inverts-prefill',
    'not tested',
    () =>
      published(
        registry.motivation_exp3,
        [1, 2, 3].map((k) => vision_cell(k, RUNS)),
      ),
  ],
  ['decode-share-4096', 'not tested', () => lengths([8, 64], () => ({}))],
  ['pruning-not-proportional', 'confirmed', () => plain_e1],
  ['pruning-not-proportional', 'refuted', () => e1(() => ({ T_vision_total: 0.001 }))],
  ['half-tokens-half-time', 'confirmed', () => texts((length) => length)],
  ['half-tokens-half-time', 'refuted', () => texts(() => 100), 0],
  ['eight-experts-eight-times', 'refuted', () => topk((k) => steps(10 + k)), 18 / 11],
  ['eight-experts-eight-times', 'confirmed', () => topk((k) => steps(k)), 8],
  ['topk-far-from-linear', 'confirmed', () => topk((k) => ({ T_LLM_prefill: 10 + k })), 18 / 11],
  ['topk-saves-10-30', 'confirmed', () => topk((k) => ({ T_total: 100 + 10 * k })), 100 * (1 - 140 / 180)],
  ['topk-saves-10-30', 'refuted', () => topk(() => ({ T_total: 100 })), 0],
  ['decode-follows-bytes', 'confirmed', () => topk(() => steps(10)), 1],
  ['decode-follows-bytes', 'refuted', () => topk((k) => steps(k)), 8],
  ['decode-memory-bound', 'confirmed', () => plain_e1, 100],
  ['prefill-compute-bound', 'confirmed', () => plain_e1, 100],
  ['fewer-experts-for-pictures', 'confirmed', () => pictures((k) => 100 + 100 * k), 100 * (1 - 500 / 900)],
  ['fewer-experts-for-pictures', 'refuted', () => pictures(() => 100), 0],
  ['expert-flops-are-time', 'refuted', () => pictures((k) => 2 + k), 1],
  ['expert-flops-are-time', 'confirmed', () => pictures((k) => 100 + k)],
  ['experts-by-block-cost-alike', 'confirmed', () => layers([100, 101, 99])],
  ['experts-by-block-cost-alike', 'refuted', () => layers([100, 101, 130]), 1.3],
  ['decode-launch-bound', 'refuted', () => plain_e1],
  ['decode-launch-bound', 'confirmed', () => e1(() => ({ T_LLM_decode: 1 })), 60],
  ['subtraction-is-robust', 'not tested', () => plain_e1],
  ['routing-half-cold', 'not tested', () => plain_e1],
];

describe('what made-up results come to', () => {
  it.each<Held>(HELD)('%s is %s', (id, outcome, files, number) => {
    const found = verdict(id, files());
    expect([found.outcome, found.sentence]).toEqual([outcome, found.sentence]);
    if (number !== undefined) expect(found.number).toBeCloseTo(number, 2);
    expect(found.files.length > 0).toBe(true);
    expect(found.sentence).not.toMatch(/NaN|undefined|Infinity|\{\}/);
  });

  it('negative differences speak against subtraction', () => {
    const times = { T_vision_encoder: 1, T_vision_total: 1, T_total: 1 };
    const method = { method: 'subtraction' as const, ...times, T_projector: -1, T_LLM_prefill: 2, T_LLM_decode: 3 };
    const cells = CELLS.map((one) => ({ ...one, methods: [method, { ...method, T_projector: 1 }] }));
    expect(verdict('subtraction-is-robust', published(registry.e1, cells))).toMatchObject({
      ...{ outcome: 'refuted', n: 12 },
      number: expect.closeTo(100 / 6, 9),
    });
  });

  it('routing counts where somebody taught the router', () => {
    const taught = run_of({ model: { ...PROVENANCE.model, weights_kind: 'checkpoint' } });
    const routed = (pairs: (e: number) => number) =>
      published(
        registry.e1,
        CELLS.map((one) => ({
          ...one,
          routing: { layers: [{ layer: 0, pairs: Array.from({ length: 64 }, (_, e) => pairs(e)) }], imbalance: 1 },
        })),
        taught,
      );
    const [few, even] = [routed((e) => (e < 16 ? 100 : 1)), routed(() => 10)];
    for (const id of ['routing-half-cold', 'routing-skewed-reuse']) {
      expect([verdict(id, few).outcome, verdict(id, even).outcome]).toEqual(['confirmed', 'refuted']);
    }
    expect([verdict('routing-balanced', few), verdict('routing-balanced', even)]).toMatchObject([
      { outcome: 'refuted', number: expect.closeTo(64 * (100 / 1648), 9) },
      { outcome: 'confirmed', number: 1 },
    ]);
  });

  it('an interval that holds the bound, and a single run, settle nothing', () => {
    const cells = [1, 8].map((k): Configuration => {
      const one = fake_configuration('low', 'short', 'short');
      const samples = one.clean.samples.map((s, i) => ({ ...s, T_decode_per_token: k === 8 ? 60 + 10 * i : 10 }));
      return { ...one, settings: { top_k: k }, key: `top_k=${k}`, clean: { ...one.clean, samples } };
    });
    const wide = verdict('eight-experts-eight-times', published(registry.moe_topk, cells));
    expect(wide).toMatchObject({ outcome: 'confirmed' });
    const low = cells.map((one) => ({
      ...one,
      clean: { ...one.clean, samples: one.clean.samples.map((s, i) => ({ ...s, T_decode_per_token: i % 2 ? 9 : 60 })) },
    }));
    expect(verdict('eight-experts-eight-times', published(registry.moe_topk, low))).toMatchObject({
      outcome: 'not tested',
      sentence: expect.stringContaining('more runs would'),
    });
    const single = cells.map((one) => ({ ...one, clean: { ...one.clean, samples: one.clean.samples.slice(0, 1) } }));
    expect(verdict('eight-experts-eight-times', published(registry.moe_topk, single)).outcome).toBe('not tested');
    const [broken] = topk(() => steps(10)) as [PublishedFile];
    const spoiled = JSON.parse(JSON.stringify(broken).replaceAll(/"(median|min|max)":10,/g, '"$1":-10,'));
    expect(verdict('eight-experts-eight-times', [spoiled])).toMatchObject({ outcome: 'not tested', number: null });
  });
});

it('what is off a line within its intervals may be noise', () => {
  const crops = (noise: number) =>
    [2, 3, 4].map((x): Configuration => {
      const one = fake_configuration('low', 'short', 'short', RUNS);
      const ms = x === 3 ? 34 : 10 * x;
      const samples = one.clean.samples.map((run, i) => ({ ...run, T_vision_encoder: ms + noise * (i - 1) }));
      const clean = { ...one.clean, samples };
      return { ...one, clean, key: `n=${x}`, settings: { num_crops: x }, tokens: { ...one.tokens, num_crops: x } };
    });
  const judged = (noise: number) => verdict('vision-linear', published(registry.context_vision, crops(noise)));
  expect(judged(0.1)).toMatchObject({ outcome: 'refuted', number: expect.closeTo(0.949, 3) });
  expect(judged(5)).toMatchObject({ outcome: 'not tested', sentence: expect.stringMatching(/more runs would$/) });
});

describe('whose results', () => {
  const other = { ...PROVENANCE.adapter, description: 'Some GPU', type: 'hardware' as const };

  it('those of two adapters are never mixed', () => {
    const files = [...texts((length) => length), ...e1(() => ({}), run_of({ adapter: other }))];
    expect(subjects_of(files).map(({ adapter }) => adapter)).toEqual([PROVENANCE.adapter.description, 'Some GPU']);
    expect([verdict('prefill-monotone', files, 0).outcome, verdict('prefill-monotone', files, 1).outcome]).toEqual([
      'confirmed',
      'not tested',
    ]);
    expect(verdict('decode-linear', files).sentence).toBe('no results of output-tokens or motivation-exp4');
  });

  it('of several files those of most runs decide, then the newest; one that does not decide gives way', () => {
    const [old] = texts((length) => length) as [PublishedFile];
    const [falls] = texts((length) => 5000 - length) as [PublishedFile];
    const ended = (file: PublishedFile, at: string, path: string): PublishedFile => ({
      ...{ ...file, path },
      body: { ...file.body, ended: at },
    });
    const files = [ended(old, '2026-01-01T00:00:00.000Z', 'old'), ended(falls, '2026-02-01T00:00:00.000Z', 'new')];
    expect(verdict('prefill-monotone', files)).toMatchObject({ outcome: 'refuted', files: ['new'] });
    const none = { ...falls, body: { ...falls.body, summary: [], ended: '2026-03-01T00:00:00.000Z' } };
    expect(verdict('prefill-monotone', [...files, none as PublishedFile]).files).toEqual(['new']);
  });
});

describe('a folder of results', () => {
  const folder = mkdtempSync(join(tmpdir(), 'molmoe-claims-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const write = (place: string, files: readonly PublishedFile[]) => {
    mkdirSync(join(folder, place), { recursive: true });
    for (const { name, body } of files) writeFileSync(join(folder, place, `${name}.json`), JSON.stringify(body));
  };

  it('is read whole; broken files are told, and turned knobs are left out', async () => {
    write(
      'profiling/context',
      texts((length) => length),
    );
    write(
      'core/e1',
      e1(() => ({}), run_of({}, { topK: 1 })),
    );
    write(
      'validated/e1',
      e1(() => ({}), run_of({ mode: 'validated' })),
    );
    write(
      'broken',
      topk(() => ({})),
    );
    writeFileSync(join(folder, 'broken/exp2_moe_topk_results.json'), '{"schema": "molmoe.exp2');
    mkdirSync(join(folder, 'schema'));
    writeFileSync(join(folder, 'schema/exp2_moe_topk_results.json'), '{}');
    const { files, faults, left_out } = await read_evidence(folder, EXPERIMENTS);
    expect(files.map(({ experiment }) => experiment)).toEqual(['context']);
    expect(faults).toEqual([expect.stringMatching(/exp2_moe_topk_results\.json: expected .* cut off or broken/)]);
    expect(left_out.map(({ why }) => why).sort()).toEqual([
      ...new Array(3).fill('it was measured with validation on, which slows it'),
      ...new Array(3).fill('knobs were turned for all of it: topK'),
    ]);
    await expect(read_evidence(join(folder, 'nowhere'), EXPERIMENTS)).rejects.toThrow('nowhere');
  });
});

describe('the list', () => {
  it('names each claim once, with a source, a test and a command', () => {
    expect(new Set(ALL.map(({ id }) => id)).size).toBe(ALL.length);
    for (const { id, statement, source, test, run } of ALL) {
      expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
      for (const text of [statement, source.who, source.where, test]) expect(text.length).toBeGreaterThan(5);
      const named = run.split(' ')[1];
      expect(EXPERIMENTS.map(({ name }) => name)).toContain(named);
    }
  });

  it('needs files that experiments publish', () => {
    for (const { needs } of ALL.flatMap(({ ways }) => ways)) {
      for (const { experiment, file } of Object.values(needs)) {
        expect(Object.keys(EXPERIMENTS.find(({ name }) => name === experiment)?.schemas ?? {})).toContain(file);
      }
    }
  });

  it.each(ALL.map((claim) => [claim.id, claim] as const))('%s is in its document as it is', (_, claim) => {
    const { id, statement, source, test } = claim;
    const { who, year, where } = source;
    const row = `| \`${id}\` | ${statement} | ${who}${year === null ? '' : ` ${year}`}: ${where} | ${test} |`;
    expect(readFileSync(join(repo_root, 'docs/claims.md'), 'utf8').split('\n')).toContain(row);
  });
});
