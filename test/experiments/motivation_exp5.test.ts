import { describe, expect, it } from 'vitest';
import { motivation_exp5 } from '../../experiments/index.ts';
import type { Scatter } from '../../experiments/lab/charts.ts';
import type { FileHead } from '../../experiments/lab/define.ts';
import type { Run } from '../../experiments/lab/schema.ts';
import type { FlopsLatencyFile } from '../../experiments/motivation/flops_latency_file.ts';
import { exp3_file, exp4_file } from '../support/motivation.ts';
import { FAKE_RUN, PROVENANCE } from '../support/records.ts';

const derived = (exp3: object, exp4: object, options = {}) => {
  const inputs = { exp3Results: exp3 as FileHead, exp4Results: exp4 as FileHead };
  const all = motivation_exp5.derive({ run: FAKE_RUN, configurations: [], skipped: [], inputs, options });
  expect(
    motivation_exp5.schemas.exp5_flops_vs_latency?.safeParse(all.files.exp5_flops_vs_latency).error,
  ).toBeUndefined();
  return { ...all, file: all.files.exp5_flops_vs_latency as FlopsLatencyFile };
};
const on = (over: Partial<typeof PROVENANCE>): Run => ({
  ...FAKE_RUN,
  fingerprint: { ...FAKE_RUN.fingerprint, provenance: { ...PROVENANCE, ...over } },
});

describe('two series', () => {
  it('are lines by themselves and none together, with what a TFLOP takes in each', () => {
    const { file, findings, figures, tables } = derived(exp3_file(), exp4_file());
    expect(file.exp3.vision_tokens).toEqual([288, 384, 480, 576, 672, 768]);
    expect(file.exp4.output_tokens).toEqual([8, 16, 32, 64, 128]);
    // Two pictures a length, averaged.
    expect(file.exp4.latencies[0]).toBeCloseTo(1300.5 + 24 * 7, 9);
    const { exp3, exp4, combined } = file.statistics;
    expect(exp4).toMatchObject({
      n: 5,
      r_squared: expect.closeTo(1, 9),
      correlation: expect.closeTo(1, 9),
      slope: expect.closeTo(24 / 0.0024, 3),
    });
    expect(exp3?.r_squared).toBeGreaterThan(0.999);
    expect(combined?.ratio.slope).toBeCloseTo((exp4?.slope as number) / (exp3?.slope as number), 9);
    expect(combined?.ratio.ms_per_tflop).toBeCloseTo(
      (exp4?.ms_per_tflop as number) / (exp3?.ms_per_tflop as number),
      9,
    );
    expect(combined?.n).toBe(11);
    expect(findings.map(({ outcome }) => outcome)).toEqual(['confirmed', 'confirmed', 'refuted']);
    expect(figures.map(({ name, panels }) => [name, panels.length])).toEqual([
      ['exp5_flops_vs_latency', 3],
      ['exp5_flops_vs_latency_vision', 1],
      ['exp5_flops_vs_latency_language', 1],
    ]);
    expect(tables.map(({ rows }) => rows.length)).toEqual([6, 2]);
    expect(file.statistics_S1.exp3?.slope).not.toBe(exp3?.slope);
  });

  it('are drawn over tokens where that is asked', () => {
    const { figures, file } = derived(exp3_file(), exp4_file(), { xAxis: 'tokens' });
    const [panel] = figures[1]?.panels ?? [];
    expect(panel).toMatchObject({ kind: 'scatter', x: { label: 'Inserted vision tokens' }, fits: [] });
    expect(file.x_axis).toBe('tokens');
  });
});

describe('inputs that differ', () => {
  it('in adapter or model are not put together, and it is said where', () => {
    const other = on({
      adapter: { ...PROVENANCE.adapter, description: 'SwiftShader' },
      model: { ...PROVENANCE.model, dtype: 'q8' },
    });
    const { file, findings, figures } = derived(exp3_file(), exp4_file(other));
    expect(file.not_comparable).toEqual([
      'adapter.description: "llvmpipe: Mesa 25.0.7 (LLVM 15.0.6) 0.0.1" -> "SwiftShader"',
      'model: "molmoe-mini, synthetic, seed 1, f16" -> "molmoe-mini, synthetic, seed 1, q8"',
    ]);
    expect(file.statistics.combined).toBe(null);
    expect(findings.slice(1).map(({ outcome }) => outcome)).toEqual(['not tested', 'not tested']);
    expect(figures[0]?.panels.length).toBe(2);
    expect(figures[0]?.notes.at(-1)).toContain('answers molmoe-mini on SwiftShader');
  });

  it('in the build alone are put together, and it is said', () => {
    const { file, figures } = derived(exp3_file(), exp4_file(on({ commit: 'feed', build: 'other' })));
    expect(file.statistics.combined?.n).toBe(11);
    expect(file.differences.length).toBe(2);
    expect(figures[0]?.notes.at(-1)).toBe('the two differ in commit, build');
  });

  it('of which one alone is scaled rest on measured times both', () => {
    const scaled = (file: Record<string, unknown>) => ({
      ...file,
      results: (file.results as object[]).map((one) => ({
        ...one,
        scaled: { model: 'molmoe-1b', T_total: 9, flops_total: 9, exact_flops_total: 9 },
      })),
    });
    expect(derived(scaled(exp3_file()), exp4_file()).file.times_of).toEqual({
      exp3: 'molmoe-mini',
      exp4: 'molmoe-mini',
      scaled: false,
    });
    const both = derived(scaled(exp3_file()), scaled(exp4_file())).file;
    expect(both.times_of).toEqual({ exp3: 'molmoe-1b', exp4: 'molmoe-1b', scaled: true });
    expect(both.exp3.latencies).toEqual(new Array(6).fill(9));
    expect(both.statistics).toEqual({ exp3: null, exp4: null, combined: null });
  });
});

it('of few points has no verdict', () => {
  const few = (file: Record<string, unknown>, count: number) => ({
    ...file,
    results: (file.results as object[]).slice(0, count),
  });
  const { findings, figures } = derived(few(exp3_file(), 2), few(exp4_file(), 2));
  const panel = figures[0]?.panels[0] as Scatter | undefined;
  const label = panel?.fits?.[0]?.label;
  expect(label).toMatch(/ms a TFLOP; too few points for R², n.=.2$/);
  expect(findings.map(({ outcome }) => outcome)).toEqual(['not tested', 'not tested', 'not tested']);
  expect(figures[0]?.panels.length).toBe(2);
  expect(derived(few(exp3_file(), 0), few(exp4_file(), 0)).figures).toEqual([]);
  // Two points of a series always lie on a line: its slope is held against nothing.
  const { combined } = derived(exp3_file(), few(exp4_file(), 4)).file.statistics;
  expect(combined).toMatchObject({ n: 8, ratio: { slope: null } });
});
