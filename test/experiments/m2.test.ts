import { describe, expect, it } from 'vitest';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { precision_of, repeat_row } from '../../experiments/core/m2_files.ts';
import { m2 } from '../../experiments/index.ts';
import type { Configuration } from '../../experiments/lab/schema.ts';
import { noise } from '../support/noise.ts';
import { FAKE_RUN, fake_configuration } from '../support/records.ts';

const subject = (name: string) => {
  const config = preset_config(name);
  const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
  return { config, tokenizer, asked: {}, tokens_per_readback: 1 };
};

/** Runs around a second that vary by about this share. */
const repeated = (configuration: string, runs: number, share: number): Configuration => {
  const one = fake_configuration('low', 'short', 'short', runs);
  const jitter = noise(runs, 7);
  const samples = one.clean.samples.map((run, i) => ({ ...run, T_total: 1000 * (1 + share * (jitter[i] as number)) }));
  const settings = { configuration, top_k: 4, num_active_blocks: 12 };
  return { ...one, key: configuration, settings, clean: { ...one.clean, samples } };
};
const derived = (...configurations: Configuration[]) => m2.derive({ run: FAKE_RUN, configurations, skipped: [] });
const outcomes = (...configurations: Configuration[]) =>
  derived(...configurations).findings.map(({ outcome }) => outcome);

it('turns the knobs as the study does, as far as a model has them', () => {
  const settings = (model: string) =>
    m2
      .plan(subject(model), { config: ['low', 'mid', 'high'] })
      .cells.map(({ settings: s, requests }) => [s.top_k, s.num_active_blocks, requests[0]?.image]);
  expect(settings('molmoe-1b')).toEqual([
    [4, 12, 'rings 336x336'],
    [6, 14, 'rings 784x560'],
    [8, 16, 'rings 1008x784'],
  ]);
  expect(settings('molmoe-slice').map(([, blocks]) => blocks)).toEqual([2, 2, 2]);
});

describe('precision', () => {
  it('is half of Student’s interval over the mean', () => {
    // scipy.stats.t.interval(0.95, 3, 12.5, sem([11, 12, 13, 14])): 10.4457 to 14.5543
    expect(precision_of([11, 12, 13, 14]).at(-1)).toEqual({ n: 4, half_width: expect.closeTo(2.0543 / 12.5, 4) });
    expect(precision_of([5])).toEqual([]);
  });

  it('runs needed by the deviation fall with the precision that is asked for, and are the least that do', () => {
    const { needed, precision } = repeat_row(repeated('low', 50, 0.1), 5);
    const [fine, usual, coarse] = needed.map(({ by_cov }) => by_cov as number);
    expect(fine).toBeGreaterThan(usual as number);
    expect(usual).toBeGreaterThanOrEqual(coarse as number);
    const last = precision.at(-1)?.half_width as number;
    for (const { within, observed } of needed) expect(observed === null).toBe(last > within);
  });

  it('equal runs need no more than two', () => {
    const row = repeat_row(repeated('low', 10, 0), 5);
    expect(row.needed.map(({ observed, by_cov }) => [observed, by_cov])).toEqual(new Array(3).fill([2, 2]));
  });
});

it('has a verdict from twenty runs on', () => {
  expect(outcomes(repeated('low', 19, 0.01))).toEqual(['not tested', 'not tested']);
  expect(outcomes(repeated('low', 30, 0.01), repeated('mid', 30, 0.01))).toEqual(['confirmed', 'confirmed']);
  expect(outcomes(repeated('low', 30, 0.01), repeated('mid', 30, 0.9))).toEqual(['refuted', 'refuted']);
});

it('keeps to its schema and draws its figures, also of a single configuration and of equal runs', () => {
  for (const cells of [[repeated('low', 50, 0.05), repeated('high', 50, 0.02)], [repeated('mid', 2, 0)]]) {
    const { files, figures, tables } = derived(...cells);
    expect(m2.schemas.m2_repeatability_results?.safeParse(files.m2_repeatability_results).error).toBeUndefined();
    expect(figures.map(({ name }) => name)).toEqual(['m2_latency_distribution', 'm2_cov_analysis']);
    expect(tables[0]?.rows.length).toBe(cells.length);
  }
  expect(derived(repeated('low', 1, 0)).figures).toEqual([]);
});
