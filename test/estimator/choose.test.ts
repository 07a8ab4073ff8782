import { describe, expect, it } from 'vitest';
import { dry_run } from '../../engine/dry_run.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { parameter_counts } from '../../engine/model/tensors.ts';
import { e3 } from '../../experiments/core/e3.ts';
import { choose_estimator, is_own, nearness, site_of, under } from '../../experiments/estimator/choose.ts';
import { forecast, left_out_error } from '../../experiments/estimator/forecast.ts';
import { estimator_in, type Known } from '../../experiments/estimator/model_file.ts';
import { count_request, sizes_of } from '../../experiments/estimator/request_work.ts';
import { work_of } from '../../experiments/estimator/work.ts';
import { device_of, machine_of } from '../../experiments/lab/machine.ts';
import type { Provenance, Run } from '../../experiments/lab/schema.ts';
import { dry_device } from '../support/dry.ts';
import { e3_configurations, e3_run, LLVMPIPE, settings_of } from '../support/e3_records.ts';

const model_of = (name: string): Provenance['model'] => {
  const config = preset_config(name);
  return {
    ...e3_run().fingerprint.provenance.model,
    name,
    layers: config.n_layers,
    parameters: parameter_counts(config),
  };
};

/** Results of a model on an adapter of a host, without cells where none are asked for. */
function known(model: string, adapter: string, cpu = 'some CPU', cells = 0): Known {
  const run = e3_run(adapter);
  const { provenance } = run.fingerprint;
  const changed = { ...provenance, model: model_of(model), host: { ...provenance.host, cpu } };
  const { files } = e3.derive({
    run: { ...run, fingerprint: { ...run.fingerprint, provenance: changed } },
    configurations: e3_configurations(settings_of(Math.max(1, cells), 1), LLVMPIPE),
    skipped: [],
  });
  return { source: `${model} ${adapter} ${cpu}`, file: files.e3_estimator_model as Known['file'] };
}

const mini = preset_config('molmoe-mini');
const here = site_of(known('molmoe-mini', 'llvmpipe 1').file.provenance);

describe('models beside each other', () => {
  it.each([
    ['molmoe-mini', 'molmoe-mini', 'same'],
    ['molmoe-1b', 'molmoe-slice', 'depth'],
    ['molmoe-slice', 'molmoe-1b', 'depth'],
    ['molmoe-1b', 'molmoe-mini', 'other'],
    ['molmoe-tiny', 'molmoe-1b', 'other'],
  ])('%s by what was measured of %s: %s', (asked, measured, expected) => {
    expect(nearness(preset_config(asked), model_of(measured))).toBe(expected);
  });

  it('are told from each other by what results say of their parameters', () => {
    const { parameters: _, ...model } = model_of('molmoe-mini');
    expect(nearness(mini, { ...model, parameters: {} })).toBe('other');
  });
});

describe('the estimator of an adapter', () => {
  const chosen = (all: readonly Known[], dtype = 'f16') => choose_estimator(all, here, mini, dtype);

  it('is of this adapter and its driver, or none', () => {
    expect(chosen([known('molmoe-mini', 'llvmpipe 2'), known('molmoe-mini', 'SwiftShader')])).toBeUndefined();
    expect(chosen([])).toBeUndefined();
    const gl = { ...here, backend: 'opengl' };
    expect(choose_estimator([known('molmoe-mini', 'llvmpipe 1')], gl, mini, 'f16')).toBeUndefined();
  });

  it('is of the nearest model, and of equals the first', () => {
    const all = [
      known('molmoe-1b', 'llvmpipe 1'),
      known('molmoe-mini', 'llvmpipe 1'),
      known('molmoe-mini', 'llvmpipe 1'),
    ];
    const choice = chosen(all);
    expect([choice?.known, choice?.nearness, choice && is_own(choice)]).toEqual([all[1], 'same', true]);
    const slice = choose_estimator(all.slice(0, 1), here, preset_config('molmoe-slice'), 'f16');
    expect([slice?.nearness, slice && is_own(slice)]).toEqual(['depth', true]);
  });

  it('of another host, model or storage does not stand without a word', () => {
    const far = chosen([known('molmoe-mini', 'llvmpipe 1', 'another CPU')]);
    const other = chosen([known('molmoe-tiny', 'llvmpipe 1')]);
    const q8 = chosen([known('molmoe-mini', 'llvmpipe 1')], 'q8');
    for (const choice of [far, other, q8]) expect(choice && is_own(choice)).toBe(false);
    const ceilings = { ...(e3_run().ceilings as NonNullable<Run['ceilings']>), fma_f32_flops: 1e12 };
    expect(far && under(far, ceilings).roof.fma_f32_flops).toBe(1e12);
    expect(other && under(other, ceilings).roof.fma_f32_flops).toBe(110e9);
    // A GPU of its own is as fast in any host.
    const hardware = choose_estimator(
      [known('molmoe-mini', 'llvmpipe 1', 'another CPU')],
      { ...here, software: false },
      mini,
      'f16',
    );
    expect(hardware?.other_host).toBe(false);
  });
});

describe('a request by its sizes', () => {
  it('has the prompt and the crops that the tables say', () => {
    const at = (width: number, height: number, text_tokens = 9) =>
      sizes_of(mini, { picture: { width, height }, text_tokens, new_tokens: 1, knobs: {} });
    expect(at(336, 336)).toMatchObject({
      tiling: [1, 1],
      vision_tokens: 288,
      quantities: { views: 2, positions: 326, steps: 0, blocks: 16, top_k: 8 },
    });
    expect(at(1008, 784)).toMatchObject({
      tiling: [3, 4],
      vision_tokens: 1152,
      quantities: { views: 13, positions: 1206 },
    });
    const text = sizes_of(mini, { picture: null, text_tokens: 30, new_tokens: 9, knobs: { topK: 4, blocks: [0, 5] } });
    expect(text.quantities).toEqual({ views: 0, positions: 31, steps: 8, top_k: 4, blocks: 2 });
    expect(
      sizes_of(mini, { picture: null, text_tokens: 5, new_tokens: 1, knobs: { blocks: [] } }).quantities.top_k,
    ).toBe(0);
  });

  it('is refused where the model cannot take it', () => {
    const sizes = { picture: null, text_tokens: 20, new_tokens: 4, knobs: {} };
    expect(() => sizes_of(mini, { ...sizes, knobs: { topK: 65 } })).toThrow(
      /topK: expected a whole number from 1 to 64/,
    );
    expect(() => sizes_of(mini, { ...sizes, knobs: { topKVision: 0 } })).toThrow(/topKVision/);
    expect(() => sizes_of(mini, { ...sizes, knobs: { blocks: [16] } })).toThrow(
      /blocks: expected numbers from 0 to 15/,
    );
    expect(() => sizes_of(mini, { ...sizes, text_tokens: 40_000 })).toThrow(/positions/);
    expect(() => sizes_of(mini, { ...sizes, picture: { width: 9, height: 9 }, knobs: { maxCrops: 0 } })).toThrow(
      /maxCrops/,
    );
  });

  it('counts the same on a machine that results remember', async () => {
    const device = dry_device({ subgroup_size: 8, software: true, workgroup_bytes: 32768 });
    const config = preset_config('molmoe-tiny');
    const sizes = { picture: { width: 600, height: 400 }, text_tokens: 20, new_tokens: 4, knobs: { topKVision: 1 } };
    const remembered = device_of(JSON.parse(JSON.stringify(machine_of(device))), true);
    expect((await count_request(config, 'f16', { device: remembered }, sizes)).work).toEqual(
      (await count_request(config, 'f16', { device }, sizes)).work,
    );
  });
});

it('a long answer, counted at some of its steps, is what all of them are', async () => {
  const config = preset_config('molmoe-tiny');
  const machine = { device: dry_device({ subgroup_size: 8, software: true }) };
  const request = { picture: null, text_tokens: 30, new_tokens: 700, knobs: { topK: 3, blocks: [0, 2] } };
  const { work } = await count_request(config, 'f16', machine, request);
  const whole = await dry_run(config, 'f16', machine, {
    prompt_tokens: 31,
    views: 0,
    maxNewTokens: 700,
    knobs: request.knobs,
  });
  const exact = work_of(whole.ledger.rows());
  expect(work.prefill).toEqual(exact.prefill);
  expect(Object.keys(work.decode ?? {}).sort()).toEqual(Object.keys(exact.decode ?? {}).sort());
  for (const [family, counts] of Object.entries(exact.decode ?? {})) {
    counts.forEach((count, i) => {
      const found = work.decode?.[family as 'rows']?.[i] as number;
      expect(Math.abs(found - count), `${family} ${i}`).toBeLessThanOrEqual(1e-3 * count);
    });
  }
});

describe('a forecast', () => {
  const measured = known('molmoe-mini', 'llvmpipe 1', 'some CPU', 30);
  const estimator = estimator_in(measured.file) as NonNullable<ReturnType<typeof estimator_in>>;
  const choice = choose_estimator([measured], here, mini, 'f16');
  const [sample] = measured.file.samples as [(typeof measured.file.samples)[number]];
  const counted = { work: sample.work, steps: sample.steps, quantities: sample, tiling: null, vision_tokens: 0 };

  it('says each stage and all of it, between ends, and what a token takes', () => {
    const said = forecast(estimator, counted, choice, false);
    const sum = said.stages.reduce((total, { ms }) => total + ms, estimator.full.rest_ms);
    expect(said.total.ms).toBeCloseTo(sum, 6);
    for (const { ms, interval } of [...said.stages, said.total]) {
      expect((interval as [number, number])[0]).toBeLessThan(ms);
      expect((interval as [number, number])[1]).toBeGreaterThan(ms);
    }
    const decode = said.stages.find(({ stage }) => stage === 'decode');
    expect(said.decode_per_token?.ms).toBeCloseTo((decode?.ms as number) / sample.steps, 9);
    expect(said.warnings).toEqual([]);
    expect(left_out_error(estimator)).toBeLessThan(0.05);
  });

  it('has no ends where it is rough, and says why; what lies beyond the samples is told', () => {
    const far = choose_estimator([measured], { ...here, cpu: 'another CPU' }, preset_config('molmoe-1b'), 'q8');
    const said = forecast(estimator, { ...counted, quantities: { ...sample, positions: 9000 } }, far, true);
    expect([said.total.interval, said.rough]).toEqual([null, true]);
    expect(said.warnings.join('\n')).toMatch(
      /other widths[\s\S]*stored as f16[\s\S]*another host[\s\S]*prompt positions: 9000 is beyond/,
    );
  });

  it('of a request that decodes nothing has no time for a token', () => {
    const { decode: _, ...work } = sample.work;
    const said = forecast(
      estimator,
      { ...counted, work, steps: 0, quantities: { ...sample, steps: 0 } },
      choice,
      false,
    );
    expect([said.decode_per_token, said.stages.some(({ stage }) => stage === 'decode')]).toEqual([null, false]);
  });
});
