import { describe, expect, it } from 'vitest';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { preset_config } from '../../engine/model/presets.ts';
import type { M1File } from '../../experiments/core/m1_files.ts';
import { m1 } from '../../experiments/index.ts';
import { rings } from '../../experiments/lab/inputs.ts';
import type { Configuration, Settings } from '../../experiments/lab/schema.ts';
import { FAKE_RUN, fake_configuration } from '../support/records.ts';

const subject = (name: string, asked = {}) => {
  const config = preset_config(name);
  const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
  return { config, tokenizer, asked, tokens_per_readback: 1 };
};
const options = (over: Readonly<Record<string, unknown>> = {}) =>
  Object.fromEntries(Object.entries(m1.options).map(([key, type]) => [key, type.parse(over[key])]));

describe('the plan', () => {
  it('has every length as it is, and the middle one of each workload with each knob at half', () => {
    const { cells, skipped } = m1.plan(subject('molmoe-1b'), options());
    expect([cells.length, skipped.length]).toEqual([4 + 3 + 2 * 4, 0]);
    expect(cells.map(({ key }) => key).slice(0, 8)).toEqual([
      ...[1, 2, 5, 10].map((tokens) => `qa_nothing_new_tokens=${tokens}`),
      'qa_crops_new_tokens=5_from=4_to=2',
      'qa_top-k_new_tokens=5_from=8_to=4',
      'qa_blocks_new_tokens=5_from=16_to=8',
      'qa_new-tokens_new_tokens=2_from=5_to=2',
    ]);
    expect(cells.slice(4, 8).map(({ knobs }) => knobs)).toEqual([
      { crops: 2 },
      { topK: 4 },
      { blocks: [0, 1, 2, 3, 4, 5, 6, 7] },
      {},
    ]);
    expect(cells.every(({ requests }) => requests[0]?.request.ignoreEos)).toBe(true);
  });

  it('goes by the picture that the user gives, and leaves out what cannot be halved', () => {
    const wide = m1.plan(subject('molmoe-1b', { image: rings(1008, 784) }), options({ knobs: ['crops'] }));
    expect(wide.cells.at(-1)?.knobs).toEqual({ crops: 6 });
    const small = m1.plan(subject('molmoe-1b'), options({ regime: 'low', qaLengths: [1] }));
    expect(small.skipped.map(({ reason }) => reason)).toEqual([
      'crops cannot be halved: there is one alone',
      'new-tokens cannot be halved: there is one alone',
      'crops cannot be halved: there is one alone',
    ]);
    const text = m1.plan(subject('molmoe-1b', { image: null }), options({ knobs: ['crops'] }));
    expect(text.skipped[0]?.reason).toBe('crops cannot be halved: there is no picture');
  });
});

/** A cell whose stages take this long; scaled, ten times as long. */
const cell = (
  settings: Settings,
  [vision, prefill, decode]: readonly [number, number, number],
  scaled = false,
): Configuration => {
  const one = fake_configuration('low', 'short', 'short');
  const steps = Number(settings.new_tokens) - 1;
  const ran = steps > 0 ? decode : null;
  const samples = one.clean.samples.map((run, i) => {
    const near = (ms: number) => ms * (1 + 0.002 * (i - 4.5));
    return {
      ...run,
      ...{ T_vision_encoder: near(vision), T_projector: near(1), T_LLM_prefill: near(prefill) },
      ...{ T_LLM_decode: ran === null ? null : near(ran), T_total: near(vision + 1 + prefill + (ran ?? 0)) },
    };
  });
  const slow = samples.map((run) => ({ ...run, T_total: 10 * run.T_total }));
  return {
    ...one,
    ...{ key: JSON.stringify(settings), settings, clean: { ...one.clean, samples } },
    tokens: { ...one.tokens, num_output_tokens: steps + 1, decode_steps: steps },
    scaled: scaled
      ? ({
          model: 'molmoe-1b',
          method: 'stamps by layer',
          samples: slow,
          counters: {},
          parts: [],
          blocks: { language: [2, 16], vision: [3, 22] },
          flops: one.flops,
        } as unknown as Configuration['scaled'])
      : null,
  };
};
const derived = (configurations: readonly Configuration[]) => {
  const all = m1.derive({ run: FAKE_RUN, configurations, skipped: [] });
  const parsed = m1.schemas.m1_workload_contrast?.safeParse(all.files.m1_workload_contrast);
  expect(parsed?.error).toBeUndefined();
  return { ...all, file: all.files.m1_workload_contrast as M1File };
};
const usual = (workload: string, new_tokens: number) => ({ workload, halved: 'nothing', new_tokens });
const half = (workload: string, halved: string, new_tokens: number, from: number, to: number) => ({
  workload,
  halved,
  new_tokens,
  from,
  to,
});

describe('results', () => {
  const cells = [
    cell(usual('qa', 1), [100, 200, 0]),
    cell(usual('qa', 5), [100, 200, 20]),
    cell(half('qa', 'top-k', 5, 8, 4), [100, 130, 18]),
    cell(half('qa', 'new-tokens', 2, 5, 2), [100, 200, 5]),
    cell(usual('captions', 50), [100, 200, 900]),
    cell(half('captions', 'top-k', 50, 8, 4), [100, 130, 700]),
    cell(half('captions', 'new-tokens', 25, 50, 25), [100, 200, 450]),
  ];

  it('say what each knob does, in percent, and hold the study expectations against it', () => {
    const { file, findings, figures, tables } = derived(cells);
    expect(file.sensitivity.map(({ knob, percent_change }) => [knob, Number(percent_change.value.toFixed(2))])).toEqual(
      [
        ['top-k', -22.43],
        ['new-tokens', -4.67],
        ['top-k', -22.48],
        ['new-tokens', -37.47],
      ],
    );
    expect(
      file.workloads.map(({ workload, lengths, representative, latency: { n } }) => [
        workload,
        lengths,
        representative,
        n,
      ]),
    ).toEqual([
      ['qa', [1, 5], 5, 20],
      ['captions', [50], 50, 10],
    ]);
    expect(file.workloads[0]?.shares.decode).toBeCloseTo(20 / 622, 6);
    expect(findings.map(({ outcome }) => outcome)).toEqual(['confirmed', 'confirmed', 'confirmed', 'not tested']);
    expect(figures.map(({ name }) => name)).toEqual(['m1_stage_breakdown', 'm1_latency_cdf', 'm1_knob_sensitivity']);
    expect(tables.map(({ rows }) => rows.length)).toEqual([2, 4]);
  });

  it('compare scaled times with scaled ones, and measured with measured where one has none', () => {
    const mixed = [
      cell(usual('qa', 5), [100, 200, 20], true),
      cell(half('qa', 'top-k', 5, 8, 4), [100, 130, 18], true),
      cell(half('qa', 'blocks', 5, 2, 1), [100, 110, 11], false),
    ].map((one) => (one.scaled === null ? { ...one, scaled: { why_not: 'blocks were masked' } } : one));
    const { file } = derived(mixed);
    expect(file.sensitivity.map(({ knob, basis, ms: [before] }) => [knob, basis, Math.round(before)])).toEqual([
      ['top-k', 'whole', 3210],
      ['blocks', 'measured', 321],
    ]);
  });

  it('of a part of the plan are a part of the results', () => {
    expect(derived([]).findings.map(({ outcome }) => outcome)).toEqual(new Array(4).fill('not tested'));
    expect(derived(cells.slice(2, 3)).file.sensitivity).toEqual([]);
    expect(derived(cells.slice(0, 1)).figures.map(({ name }) => name)).toEqual([
      'm1_stage_breakdown',
      'm1_latency_cdf',
    ]);
  });
});
