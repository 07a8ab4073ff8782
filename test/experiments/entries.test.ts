import { expect, it } from 'vitest';
import type { Configuration } from '../../experiments/lab/schema.ts';
import { basis_of_entry, entry_of, entry_schema } from '../../experiments/motivation/entries.ts';
import { fake_configuration } from '../support/records.ts';

const one = fake_configuration('low', 'short', 'short');

it('has the tokens by the published rule: all positions, those of the picture, and the rest', () => {
  const entry = entry_schema.parse(entry_of(one));
  expect(entry).toMatchObject({
    num_crops: 2,
    num_vision_tokens: 288,
    num_language_tokens: 1 + 28 + 20,
    num_total_tokens: 337,
    image_size: [336, 336],
    num_runs: 10,
  });
});

it('times are medians of the runs, work is by the published formula and as counted', () => {
  const entry = entry_of(one);
  const totals = one.clean.samples.map(({ T_total }) => T_total).sort((a, b) => a - b);
  expect(entry.T_total).toBeCloseTo(((totals[4] as number) + (totals[5] as number)) / 2, 9);
  expect(entry.T_vision).toBe(entry.T_vision_total);
  const { exact, legacy } = one.flops;
  expect([entry.flops_llm_prefill, entry.exact_flops_llm_prefill]).toEqual([legacy.S1.prefill, exact.prefill]);
  for (const prefix of ['flops', 'exact_flops'] as const) {
    const parts = (['vision', 'projector', 'llm_prefill', 'llm_decode'] as const).map(
      (word) => entry[`${prefix}_${word}`],
    );
    expect(entry[`${prefix}_total`]).toBeCloseTo(
      parts.reduce((a, b) => a + b, 0),
      0,
    );
  }
});

it('a stage that did not run is null, never 0', () => {
  const samples = one.clean.samples.map((run) => ({ ...run, T_LLM_decode: null, T_decode_per_step: [] }));
  expect(entry_of({ ...one, clean: { ...one.clean, samples } }).T_LLM_decode).toBe(null);
});

it('copies what the data set says of the sample', () => {
  const sample = { id: '7', style: 'vqa2', answers: ['red'], metadata: { image_id: 42, example_id: 420001 } };
  expect(entry_of({ ...one, sample })).toMatchObject({ image_id: 42, example_id: 420001, answers: ['red'] });
  expect(entry_of(one)).toMatchObject({ image_id: null, example_id: null, answers: null });
});

it('on a slice figures rest on the times of the whole, beside the measured ones', () => {
  const scaled = {
    ...{ model: 'molmoe-1b', from: 'molmoe-slice', method: 'stamps by layer' },
    samples: one.clean.samples.map((run) => ({ ...run, T_total: 5 * run.T_total })),
    flops: { exact: { prefill: 7 }, legacy: { S1: {}, S4: {} } },
  };
  const entry = entry_of({ ...one, scaled: scaled as unknown as Configuration['scaled'] });
  expect(basis_of_entry(entry).T_total).toBeCloseTo(5 * (entry.T_total as number), 6);
  expect(basis_of_entry(entry).exact_flops_total).toBe(7);
  expect(basis_of_entry(entry_of(one)).T_total).toBe(entry.T_total);
});
