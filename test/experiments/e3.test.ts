import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { Molmoe } from '../../engine/node/load.ts';
import { e3 } from '../../experiments/core/e3.ts';
import type { E3Files } from '../../experiments/core/e3_files.ts';
import { examples_of } from '../../experiments/estimator/example.ts';
import { estimator_in, read_model } from '../../experiments/estimator/model_file.ts';
import { count_request } from '../../experiments/estimator/request_work.ts';
import { rings } from '../../experiments/lab/inputs.ts';
import { latency } from '../../experiments/lab/instruments.ts';
import type { Configuration } from '../../experiments/lab/schema.ts';
import { E3_SUBJECT, e3_configurations, e3_run, LLVMPIPE, SWIFTSHADER, settings_of } from '../support/e3_records.ts';
import { FAKE_RUN, fake_configuration } from '../support/records.ts';

const folder = mkdtempSync(join(tmpdir(), 'molmoe-e3-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const options = Object.fromEntries(Object.entries(e3.options).map(([key, type]) => [key, type.parse(undefined)]));
const derive = (configurations: readonly Configuration[], run = e3_run(), others?: unknown) =>
  e3.derive({ run, configurations: e3.sorted(configurations), skipped: [], others });
const outcomes = ({ findings }: ReturnType<typeof derive>) => findings.map(({ outcome }) => outcome);
const files_of = (derived: ReturnType<typeof derive>) => derived.files as unknown as E3Files;

describe('the plan of E3', () => {
  it('is sixty configurations of different keys; quick ones are few and small', () => {
    const { cells, skipped } = e3.plan(E3_SUBJECT, options);
    expect([new Set(cells.map(({ key }) => key)).size, skipped]).toEqual([60, []]);
    const quick = e3.plan(E3_SUBJECT, { ...options, ...e3.quick.options });
    expect(quick.cells).toHaveLength(8);
    expect(Math.max(...quick.cells.map(({ weight }) => weight))).toBeLessThan(
      0.3 * Math.max(...cells.map(({ weight }) => weight)),
    );
  });

  it('turns each knob as its settings say', () => {
    for (const { settings, knobs, requests } of e3.plan(E3_SUBJECT, options).cells) {
      expect(knobs).toMatchObject({ topK: settings.top_k, maxCrops: settings.max_crops });
      expect(knobs.blocks?.length ?? 16).toBe(settings.blocks);
      expect(requests[0]?.request.maxNewTokens).toBe(settings.answer);
      expect(requests[0]?.image === null).toBe(settings.image === 'none');
    }
  });

  it('leaves out what a model does not have, with the reason, and refuses a value said twice', () => {
    const config = preset_config('molmoe-tiny');
    const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
    const { cells, skipped } = e3.plan({ ...E3_SUBJECT, config, tokenizer }, { ...options, topK: [2, 64] });
    expect(cells.length + skipped.length).toBe(60);
    expect(skipped[0]?.reason).toMatch(/topK: expected a whole number from 1 to 8/);
    expect(() => e3.check({ ...options, newTokens: [2, 8, 2] }, new Set())).toThrow(
      'newTokens: expected each value once, found 2 twice',
    );
    expect(() => e3.check(options, new Set())).not.toThrow();
  });
});

describe('on made-up results', () => {
  const other = derive(e3_configurations(settings_of(24, 2), SWIFTSHADER, 3), e3_run('SwiftShader driver 5.0.0'));
  const others = [{ source: 'there.json', file: other.files.e3_estimator_model }];
  const derived = derive(e3_configurations(settings_of(36, 1), LLVMPIPE), e3_run(), others);
  const files = files_of(derived);

  it('writes the four files of the study, which keep to their schemas', () => {
    expect(Object.keys(derived.files)).toEqual([
      'e3_estimator_model',
      'e3_calibration_results',
      'e3_transfer_curves',
      'e3_guardrail_analysis',
    ]);
    for (const [name, schema] of Object.entries(e3.schemas))
      schema.parse(JSON.parse(JSON.stringify(derived.files[name])));
  });

  it('draws the three figures of the study, from the files alone', () => {
    const drawn = e3.draw(JSON.parse(JSON.stringify(derived.files)));
    expect(drawn.figures.map(({ name }) => name)).toEqual([
      'e3_prediction_error_vs_samples',
      'e3_predicted_vs_actual',
      'e3_guardrail_effectiveness',
    ]);
    expect(JSON.stringify(drawn.figures)).toBe(JSON.stringify(derived.figures));
    expect(drawn.findings).toEqual(derived.findings);
  });

  it('finds what was made up: sums of terms, wide and narrow, here and elsewhere', () => {
    expect(outcomes(derived)).toEqual([
      ...['confirmed', 'confirmed', 'confirmed', 'confirmed', 'confirmed', 'confirmed', 'confirmed'],
      ...['refuted', 'confirmed'],
    ]);
  });

  it('holds every method, phase, knob and budget that was asked for', () => {
    const { held_out, held_out_levels } = files.e3_calibration_results;
    expect(Object.keys(held_out)).toEqual([
      'estimator',
      'roofline',
      'linear',
      'polynomial',
      'network',
      'network_total',
    ]);
    expect(Object.keys(held_out.estimator ?? {})).toEqual([
      'vision_encoder',
      'projector',
      'prefill',
      'decode_per_token',
      'total',
    ]);
    expect(held_out_levels.map(({ knob }) => knob)).toEqual(
      expect.arrayContaining(['image', 'prompt', 'answer', 'top_k', 'blocks']),
    );
    expect([...new Set(files.e3_guardrail_analysis.rows.map(({ fraction }) => fraction))]).toEqual([0.5, 0.7, 0.85, 1]);
    const [adapter] = files.e3_transfer_curves.adapters;
    expect([adapter?.other_adapter, adapter?.samples]).toEqual([true, 24]);
    expect(new Set(adapter?.curves.map(({ N }) => N))).toEqual(new Set([0, 10, 25]));
    expect(files.e3_estimator_model.drawn_towards).toEqual([expect.stringContaining('SwiftShader')]);
  });

  it('the model that is read back is the one that was fitted', async () => {
    const path = join(folder, 'e3_estimator_model.json');
    writeFileSync(path, JSON.stringify(derived.files.e3_estimator_model));
    const [by_file, by_folder] = [await read_model(path), await read_model(folder)];
    expect(by_folder).toEqual(by_file);
    const estimator = estimator_in(by_file.file);
    expect(estimator?.left_out).toHaveLength(36);
    expect(estimator?.full.stages.prefill).toHaveLength(10);
    writeFileSync(path, readFileSync(path, 'utf8').replace('"fold":1,', '"fold":99,'));
    await expect(read_model(path)).rejects.toThrow(/expected a fold for each left-out sample/);
    writeFileSync(path, '{"schema":"molmoe.e1.stage_latency_breakdown/2"}');
    await expect(read_model(path)).rejects.toThrow(/expected schema molmoe.e3.estimator_model\/2, found "molmoe.e1/);
    writeFileSync(path, '{"schema":');
    await expect(read_model(path)).rejects.toThrow(/cut off or broken/);
    await expect(read_model(join(folder, 'none.json'))).rejects.toThrow(/no such file/);
  });

  it('its own results are nothing to learn from, and inputs that were edited are refused', () => {
    const own = [{ source: 'here.json', file: derived.files.e3_estimator_model }];
    const few = e3_configurations(settings_of(6, 1), LLVMPIPE);
    expect(files_of(derive(few, e3_run(), own)).e3_estimator_model.drawn_towards).toEqual([]);
    expect(() => derive(few, e3_run(), [{ source: 'x', file: {} }])).toThrow(
      /inputs\/others.json: expected estimators/,
    );
  });
});

describe('on results that say little', () => {
  const untested = (derived: ReturnType<typeof derive>) =>
    expect(new Set(outcomes(derived))).toEqual(new Set(['not tested']));

  it('nothing is said of a handful of configurations, but they make a model', () => {
    const derived = derive(e3_configurations(settings_of(6, 1), LLVMPIPE));
    untested(derived);
    expect(files_of(derived).e3_estimator_model.estimator?.left_out).toHaveLength(6);
    for (const [name, schema] of Object.entries(e3.schemas)) schema.parse(derived.files[name]);
  });

  it('nor of none, without ceilings, or without stamps that match', () => {
    untested(derive([]));
    const some = e3_configurations(settings_of(12, 1), LLVMPIPE);
    const unstamped = derive(some.map((one) => ({ ...one, instrumented: null })));
    untested(unstamped);
    const { estimator, samples, unused } = files_of(unstamped).e3_estimator_model;
    expect([estimator, samples, [...unused].sort()]).toEqual([null, [], some.map(({ key }) => key).sort()]);
    const cut = some.map((one) => ({
      ...one,
      counters: { ...one.counters, prefill: fake_configuration('low', 'short', 'short').counters.prefill },
    }));
    expect(files_of(derive(cut)).e3_estimator_model.samples).toEqual([]);
    untested(derive(some, { ...e3_run(), ceilings: null }));
  });

  it('a machine that something else uses is told from a quiet one', () => {
    const busy = { ...LLVMPIPE, noise: 0.5, disturbed: { share: 0.4, times: 6 } };
    const derived = derive(e3_configurations(settings_of(18, 1), busy));
    expect(outcomes(derived)[0]).toBe('refuted');
    for (const [name, schema] of Object.entries(e3.schemas)) schema.parse(derived.files[name]);
  });

  it('cells that are all alike are no reason to fail', () => {
    const [one] = e3_configurations(settings_of(1, 1), LLVMPIPE) as [Configuration];
    const alike = Array.from({ length: 14 }, (_, i) => ({ ...one, key: `cell${i}` }));
    for (const [name, schema] of Object.entries(e3.schemas)) schema.parse(derive(alike).files[name]);
  });
});

describe('on the adapter', () => {
  let model: Molmoe;
  beforeAll(async () => {
    model = await Molmoe.load({ model: 'molmoe-tiny', hush: true });
  });
  afterAll(() => model.close());

  it('work that is counted without it is the work that it did', async () => {
    const { config, dtype } = model.facts;
    const knobs = { maxCrops: 1, topK: 3, blocks: [0, 1, 2] };
    const request = {
      id: 'only',
      image: 'rings',
      request: { prompt: 'What is this?', image: rings(500, 400).picture, maxNewTokens: 3, ignoreEos: true, knobs },
    };
    const protocol = { ...FAKE_RUN.fingerprint.protocol, warmup: 0, runs: 1, instrumented: 1 };
    const seen = await latency.observe(model.engine, [request], protocol, { on_run: () => {} });
    const configuration = {
      ...fake_configuration('low', 'short', 'short'),
      ...seen,
      settings: { top_k: 3, blocks: 3 },
    } as Configuration;
    const [sample] = examples_of([configuration]).samples;
    const { executor } = model.engine;
    const counted = await count_request(config, dtype, executor, {
      picture: { width: 500, height: 400 },
      text_tokens: sample?.text_tokens as number,
      new_tokens: 3,
      knobs,
    });
    expect(counted.work).toEqual(sample?.work);
    expect(sample).toMatchObject({ ...counted.quantities });
  });
});
