import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { e1 } from '../../experiments/core/e1.ts';
import type { Chart, Figure } from '../../experiments/lab/charts.ts';
import { draw } from '../../experiments/lab/figures.ts';
import { find_published } from '../../experiments/lab/read.ts';
import { parse_python_json } from '../../experiments/study/python_json.ts';
import { find_study, STUDY_NAMES } from '../../experiments/study/study.ts';
import { repo_root } from '../support/golden.ts';
import { CONTEXT_TEXT, pass, STUDY, stats } from '../support/study_files.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-study-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(scratch, 'study-'));
});

/** As Python's json.dump writes it: NaN and infinities as words. */
const as_python = (value: unknown): string =>
  JSON.stringify(value, (_, one) => (typeof one === 'number' && !Number.isFinite(one) ? `<${one}>` : one), 2).replace(
    /"<(-?\w+)>"/g,
    '$1',
  );
const write = (name: string, value: unknown) => writeFileSync(join(folder, `${name}.json`), as_python(value));
async function figures_of(name: string, value: unknown): Promise<readonly Figure[]> {
  write(name, value);
  return (await find_study(folder)).figures;
}
const notes_of = (figures: readonly Figure[]) => figures.flatMap(({ notes }) => notes).join('\n');
async function failure(of: Promise<unknown>): Promise<string> {
  const error = await of.then(
    () => new Error('no failure'),
    (reason) => reason as Error,
  );
  expect(error.message).not.toContain('\n');
  return error.message.replace(folder, 'FOLDER');
}

/** Every number a figure draws, in the order of its panels. */
const numbers_of = (figures: readonly Figure[]): number[] => {
  const of = (chart: Chart): number[] => {
    if (chart.kind === 'lines' || chart.kind === 'scatter')
      return chart.series.flatMap(({ points }) => points.flatMap(({ x, y }) => [x, y]));
    if (chart.kind === 'stack') return chart.bars.flatMap(({ segments }) => segments.map(({ value }) => value));
    if (chart.kind === 'pie') return chart.slices.map(({ value }) => value);
    return chart.kind === 'distribution' ? chart.groups.flatMap(({ values }) => [...values]) : [];
  };
  return figures.flatMap(({ panels }) => panels.flatMap(of));
};

const DRAWN: Readonly<Record<string, readonly string[]>> = {
  exp1_latency_distribution: ['exp1_latency_distribution_histogram', 'exp1_latency_distribution_cdf'],
  exp2_component_profiling: ['exp2_component_profiling_parameters', 'exp2_component_profiling_latency'],
  exp3_vision_tokens_vs_latency: ['exp3_vision_tokens_vs_latency', 'exp3_vision_tokens_vs_latency_breakdown'],
  exp4_language_tokens_vs_latency: ['exp4_language_tokens_vs_latency', 'exp4_language_tokens_vs_latency_breakdown'],
  exp4_language_tokens_vs_latency_no_eos: [
    'exp4_language_tokens_vs_latency_no_eos',
    'exp4_language_tokens_vs_latency_no_eos_breakdown',
  ],
  exp4_language_tokens_vs_latency_with_eos: [
    'exp4_language_tokens_vs_latency_with_eos',
    'exp4_language_tokens_vs_latency_with_eos_breakdown',
  ],
  exp5_flops_vs_latency: ['exp5_flops_vs_latency', 'exp5_flops_vs_latency_vision', 'exp5_flops_vs_latency_language'],
  exp6_crop_overlap_analysis: ['exp6_crop_overlap_analysis'],
  exp1_context_scaling_results: ['exp1_vision_tokens_vs_latency', 'exp1_vision_tokens_vs_latency_breakdown'],
  exp2_moe_topk_results: ['exp2_moe_topk_vs_latency_breakdown'],
  exp3_transformer_blocks_mask_results: ['exp3_transformer_blocks_vs_latency_breakdown'],
  exp_layer_skipping_results: ['exp_layer_skipping'],
  exp4_output_tokens_scaling_results: ['exp4_output_tokens_scaling', 'exp4_output_tokens_vs_latency_breakdown'],
  flops_scaling_analysis: ['flops_scaling_analysis'],
  'coco-2014-vqa_imgsizetier-low_crops3_topk8_blocks16': ['stage_latency_stack_all_configs_coco-2014-vqa'],
};

describe('files as the study wrote them', () => {
  it('are all known', () => {
    expect([...STUDY_NAMES, 'coco-2014-vqa_imgsizetier-low_crops3_topk8_blocks16.json']).toEqual(
      Object.keys(STUDY).map((name) => `${name}.json`),
    );
    expect(Object.keys(DRAWN)).toEqual(Object.keys(STUDY));
  });

  it.each(Object.entries(DRAWN))('%s.json is drawn, and says that it has no provenance', async (name, drawn) => {
    const figures = await figures_of(name, STUDY[name]);
    expect(figures.map((figure) => figure.name)).toEqual(drawn);
    for (const figure of figures) {
      expect(figure.notes[0]).toMatch(/^From a file of the original study: no provenance/);
      const svg = await draw(figure, {});
      expect(svg).toContain('From a file of the original study');
      expect(svg).not.toMatch(/NaN|Infinity|undefined|null/);
    }
  });

  it('a plain list over text lengths too', async () => {
    const [figure] = await figures_of('exp1_context_scaling_results', CONTEXT_TEXT);
    const [chart] = (figure as Figure).panels as [Extract<Chart, { kind: 'lines' }>];
    expect(figure?.name).toBe('exp1_context_scaling');
    expect(chart.series[0]?.points.slice(0, 2)).toEqual([
      { x: 50, y: 70, n: 1 },
      { x: 150, y: 82, n: 1 },
    ]);
    expect(chart.fits?.[0]?.slope).toBeCloseTo(0.12, 12);
    await draw(figure as Figure, {});
  });

  it('show their numbers: medians at each length, costs a token, means of pieces', async () => {
    const [cost, parts] = await figures_of('exp4_language_tokens_vs_latency', STUDY.exp4_language_tokens_vs_latency);
    const [decode] = (cost as Figure).panels as [Extract<Chart, { kind: 'lines' }>];
    expect(decode.series[0]?.points.map(({ x, n }) => [x, n])).toEqual(
      [8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096].map((x) => [x, 3]),
    );
    expect(decode.fits?.[0]?.slope).toBeGreaterThan(35);
    const [stack] = (parts as Figure).panels as [Extract<Chart, { kind: 'stack' }>];
    expect(stack.bars.map(({ label }) => label[0])).toEqual([
      '8',
      '16',
      '32',
      '64',
      '128',
      '256',
      '512',
      '1024',
      '2048',
      '4096',
    ]);
    expect(stack.bars[0]?.segments.map(({ name }) => name)).toEqual([
      'vision encoder',
      'projector',
      'prefill of the language model',
      'decode',
    ]);
  });

  it('lie beside ours, also of the same name as ours would have', async () => {
    for (const file of Object.keys(e1.schemas))
      cpSync(join(repo_root, `test/fixtures/results/e1/${file}.json`), join(folder, `${file}.json`));
    write('exp2_moe_topk_results', STUDY.exp2_moe_topk_results);
    const study = await find_study(folder);
    expect(study.stems).toEqual(['exp2_moe_topk_results']);
    const { moe_topk } = await import('../../experiments/profiling/moe_topk.ts');
    const ours = await find_published(folder, [e1, moe_topk], study.stems);
    expect(ours.map(({ experiment }) => experiment.name)).toEqual(['e1']);
    write('exp2_moe_topk_results', { schema: 'molmoe.exp2.moe_topk_results/2' });
    expect((await find_study(folder)).stems).toEqual([]);
  });
});

describe('gaps that are known', () => {
  it('tokens that were not counted: crops instead, and it says so', async () => {
    const results = [1, 2, 3].map((k) => pass(k, { num_vision_tokens: 0, num_language_tokens: 0 }));
    const figures = await figures_of('exp3_vision_tokens_vs_latency', { results });
    const [chart] = (figures[0] as Figure).panels as [Extract<Chart, { kind: 'lines' }>];
    expect([chart.x.label, chart.series[0]?.points.map(({ x }) => x)]).toEqual(['Crops, overview included', [2, 3, 4]]);
    expect(chart.fits?.[0]?.label).toContain('× crops');
    expect(notes_of(figures)).toContain('num_vision_tokens is 0 in every row: it was not counted');
  });

  it('components that were not timed: vision as one, and it says so', async () => {
    const results = [1, 2].map((k) => pass(k, { T_vision_encoder: 0, T_projector: 0 }));
    const figures = await figures_of('exp2_component_profiling', { results, average_latencies: {}, parameters: {} });
    const [pie] = (figures[0] as Figure).panels as [Extract<Chart, { kind: 'pie' }>];
    expect(figures.map(({ name }) => name)).toEqual(['exp2_component_profiling_latency']);
    expect(pie.slices.map(({ name }) => name)).toEqual([
      'vision encoder and projector',
      'prefill of the language model',
    ]);
    expect(notes_of(figures)).toContain('T_vision_encoder is 0 in every row: it was not measured');
  });

  it('differences that were cut off at 0 are told, not mended', async () => {
    const results = [8, 16, 32].map((n) =>
      pass(1, { max_new_tokens: n, num_output_tokens: n, T_LLM_decode: n === 16 ? 0 : 30 * n, T_total: 40 * n }),
    );
    const figures = await figures_of('exp4_language_tokens_vs_latency', { results, use_eos_token: true });
    expect(numbers_of(figures.slice(0, 1)).slice(0, 6)).toEqual([8, 240, 16, 0, 32, 960]);
    expect(notes_of(figures)).toMatch(/T_LLM_decode is exactly 0 in 1 of 3 rows/);
    expect(notes_of(figures)).toContain('answers may end before their length');
  });

  it('a forward that failed is told with its error', async () => {
    const figures = await figures_of('flops_scaling_analysis', {
      1: { error: 'CUDA out of memory' },
      8: STUDY.flops_scaling_analysis && { mean: 90, median: 88 },
    });
    expect(notes_of(figures)).toContain('with 1 experts a token nothing was measured: CUDA out of memory');
  });

  it('a row without prefill, as the mode over a data set left it', async () => {
    const summary = [
      { top_k: 1, accuracy: 0.5 },
      { top_k: 8, prefill: stats(100), decode: stats(400) },
    ];
    const figures = await figures_of('exp2_moe_topk_results', { summary, all_samples: [] });
    expect(notes_of(figures)).toContain('1 of 2 rows hold neither prefill nor decode');
    expect(numbers_of(figures)).toEqual([100, 400]);
  });
});

describe('hostile files', () => {
  it('NaN, infinities, negative and impossible times are left out, and it says how many', async () => {
    const results = [100, Number.NaN, -5, 1e300, Number.POSITIVE_INFINITY, -1, 120].map((T_total) =>
      pass(1, { T_total }),
    );
    const figures = await figures_of('exp1_latency_distribution', { results });
    expect(numbers_of(figures.slice(0, 1))).toEqual([100, 120]);
    expect(notes_of(figures)).toContain('T_total is negative: left out (2 values)');
    expect(notes_of(figures)).toContain('T_total is beyond any measurement: left out');
    for (const figure of figures) await draw(figure, {});
  });

  it('more values than a picture holds are drawn evenly by rank', async () => {
    const results = Array.from({ length: 60_000 }, (_, i) => ({ T_total: 100 + (i % 977) }));
    const [histogram, cdf] = await figures_of('exp1_latency_distribution', { results });
    expect([numbers_of([histogram as Figure]).length, numbers_of([cdf as Figure]).length]).toEqual([20_000, 2_000]);
    expect((histogram as Figure).notes[1]).toMatch(/^60000 samples.*drawn as 20000 of them evenly by rank/);
    await draw(cdf as Figure, {});
  });

  it.each<[string, string, unknown, RegExp]>([
    ['an empty list', 'exp1_latency_distribution', { results: [] }, /expected rows in results, found none/],
    ['a list in place of the object', 'exp1_latency_distribution', [], /expected an object, found a list/],
    ['no list', 'exp3_vision_tokens_vs_latency', { results: 'many' }, /expected a list as results, found "many"/],
    ['rows that are none', 'exp2_component_profiling', { results: [1] }, /expected an object as results\[0\], found 1/],
    [
      'text in place of a time',
      'exp1_latency_distribution',
      { results: [{ T_total: 'slow' }] },
      /expected a number as results\[0\]\.T_total, found "slow"/,
    ],
    [
      'nothing measured',
      'exp1_latency_distribution',
      { results: [{ T_total: null }] },
      /expected T_total in its rows, found none that was measured/,
    ],
    [
      'no axis',
      'exp2_moe_topk_results',
      { summary: [{ prefill: stats(1) }] },
      /expected top_k in its rows, found none above 0/,
    ],
    [
      'statistics that are none',
      'exp2_moe_topk_results',
      { summary: [{ top_k: 1, prefill: 3 }] },
      /expected statistics as summary\[0\]\.prefill, found 3/,
    ],
    [
      'lists of two lengths',
      'exp5_flops_vs_latency',
      { exp3: { flops: [1, 2], latencies: [1] } },
      /as many exp3\.flops as exp3\.latencies, found 2 and 1/,
    ],
    ['nothing of it', 'exp5_flops_vs_latency', {}, /expected flops and latencies of exp3 or exp4/],
    [
      'experts that are no number',
      'flops_scaling_analysis',
      { mean: 3 },
      /expected statistics by experts a token, found mean/,
    ],
    [
      'no stages',
      'd_imgsizetier-low_crops3_topk8_blocks16',
      { latency_stats: {} },
      /expected latency_stats with means of stages/,
    ],
  ])('%s is one line', async (_, name, value, line) => {
    const message = await failure(figures_of(name, value));
    expect(message).toMatch(new RegExp(`^FOLDER/${name}\\.json: `));
    expect(message).toMatch(line);
  });

  it.each(['', '{"results": [', '{"a": NaNa}', 'None'])('%j is no JSON', async (text) => {
    writeFileSync(join(folder, 'exp1_latency_distribution.json'), text);
    expect(await failure(find_study(folder))).toMatch(
      /expected results of the study as JSON, found (an empty file|JSON that is cut off or broken); restore it$/,
    );
  });

  it('words of Python inside text stay text', () => {
    const value = { a: 'NaN, "Infinity" \\', NaN: [1, 'NaN'], é: -0.5 };
    expect(parse_python_json(`[NaN, -Infinity, ${JSON.stringify(value)}]`, 'x')).toEqual([null, null, value]);
  });

  it('whatever stands in place of a number: drawn or refused in one line', async () => {
    const junk = fc.oneof(
      fc.double(),
      fc.constantFrom(null, '', 'x', true, [], {}, Number.NaN, -0, 1e308, 5e-324),
      fc.nat(),
    );
    const row = fc.dictionary(
      fc.constantFrom(...Object.keys(pass(1)), 'max_new_tokens', 'num_output_tokens', '__proto__'),
      junk,
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(row, { maxLength: 4 }),
        fc.constantFrom('exp3_vision_tokens_vs_latency', 'exp4_language_tokens_vs_latency'),
        async (results, name) => {
          rmSync(folder, { recursive: true });
          folder = mkdtempSync(join(scratch, 'study-'));
          const found = await figures_of(name, { results }).catch((error: Error) => error.message);
          if (typeof found === 'string') expect(found).toMatch(/^[^\n]*: expected [^\n]*, found [^\n]*; [^\n]*$/);
          else for (const figure of found) await draw(figure, {});
        },
      ),
      { numRuns: 80 },
    );
  });
});
