import { afterAll, describe, expect, it } from 'vitest';
import { formula_picture } from '../../engine/input/pictures.ts';
import { Molmoe } from '../../engine/node/load.ts';
import { measure, measure_by, measure_kernels } from '../../experiments/lab/measure.ts';

const NEAR = 0.05;

describe.each(['molmoe-tiny', 'molmoe-mini'])('%s', async (name) => {
  const model = await Molmoe.load({ model: name, hush: true });
  afterAll(() => model.close());
  const request = { prompt: ' ', image: formula_picture('rings', 336, 336), maxNewTokens: 6, ignoreEos: true };
  await measure(model.engine, request);

  it('stages and gaps make the span, parts their stage, kernels everything', async () => {
    const { run, kernels, strip } = await measure_kernels(model.engine, request);
    const sum = (values: readonly number[]) => values.reduce((total, x) => total + x, 0);
    const stages = sum(run.stages.map((stage) => stage.gpu_ms));
    expect(Math.abs(stages + run.gaps_ms - run.span_ms)).toBeLessThan(NEAR * run.span_ms);
    expect(run.stages.map((stage) => stage.stage)).toEqual(['vision_encoder', 'projector', 'prefill', 'decode']);
    for (const { stage, gpu_ms, span_ms } of run.stages) {
      const parts = sum(run.parts.filter((part) => part.stage === stage).map((part) => part.gpu_ms));
      expect(Math.abs(parts - gpu_ms)).toBeLessThan(NEAR * gpu_ms);
      expect(gpu_ms).toBeLessThanOrEqual(span_ms * 1.0001);
    }
    expect(Math.abs(sum(kernels.map((row) => row.gpu_ms)) - run.sum_ms)).toBeLessThan(NEAR * run.sum_ms);
    expect(run.faults).toMatchObject({ negative: 0, quantised: false });
    expect(strip.every(([, , , begin_ms, gpu_ms]) => begin_ms >= 0 && gpu_ms >= 0)).toBe(true);
    // Time in the strip is the time from the first stamp: joined passes keep the gaps inside them.
    expect(sum(strip.map((row) => row[4]))).toBeGreaterThan(0.95 * run.sum_ms);
    expect(sum(strip.map((row) => row[4]))).toBeLessThanOrEqual(1.0001 * run.span_ms);
  });

  it('plain stages and gaps make the total', async () => {
    const { sample } = await measure(model.engine, request);
    const { T_vision_encoder, T_projector, T_LLM_prefill, T_LLM_decode, T_gaps, T_total } = sample;
    const stages =
      (T_vision_encoder as number) + (T_projector as number) + (T_LLM_prefill as number) + (T_LLM_decode as number);
    expect(stages + T_gaps).toBeCloseTo(T_total, 6);
    expect(T_gaps).toBeGreaterThan(0);
    expect(T_gaps).toBeLessThan(NEAR * T_total + 5);
    expect(sample.T_decode_per_step.length).toBe(5);
    expect(sample.T_vision_total as number).toBeGreaterThanOrEqual(
      (T_vision_encoder as number) + (T_projector as number),
    );
    expect(sample.T_system_total).toBeCloseTo(T_total + sample.T_data_processing, 6);
  });

  it('older methods give signed differences, and hooks miss the first block', async () => {
    const direct = (await measure(model.engine, request)).sample;
    const by_difference = await measure_by('subtraction', model.engine, request);
    const total = (by_difference.T_vision_total as number) + by_difference.T_LLM_prefill + by_difference.T_LLM_decode;
    expect(total).toBeCloseTo(by_difference.T_total, 6);
    const hook = await measure_by('hook', model.engine, request);
    expect(hook.T_LLM_prefill).toBeGreaterThan(0);
    expect(hook.T_LLM_prefill).toBeLessThan(1.5 * (direct.T_LLM_prefill as number));
  });
});

it('a request without a picture has no vision times', async () => {
  const model = await Molmoe.load({ model: 'molmoe-tiny', hush: true });
  const { sample } = await measure(model.engine, { prompt: 'some text', maxNewTokens: 1 });
  model.close();
  expect(sample).toMatchObject({ T_vision_encoder: null, T_projector: null, T_vision_total: null });
  expect(sample).toMatchObject({ T_LLM_decode: null, T_decode_per_token: null, T_decode_per_step: [] });
});
