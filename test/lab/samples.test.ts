import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { dry_executor } from '../../engine/gpu/dry.ts';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { Engine, type GenerateRequest } from '../../engine/molmoe.ts';
import { synthetic_source } from '../../engine/weights/formula.ts';
import { type Conduct, run_cells } from '../../experiments/lab/conduct.ts';
import { asked_digest } from '../../experiments/lab/inputs.ts';
import { latency } from '../../experiments/lab/instruments.ts';
import { type Cell, cell_of_sample } from '../../experiments/lab/plan.ts';
import { open_results } from '../../experiments/lab/record.ts';
import { choose_samples, type Samples } from '../../experiments/lab/samples.ts';
import { scaler_of } from '../../experiments/lab/scale.ts';
import type { Protocol } from '../../experiments/lab/schema.ts';
import { dry_device } from '../support/dry.ts';
import { FAKE_RUN, fake_configuration } from '../support/records.ts';
import { type ToyDataset, toy_dataset } from '../support/toy_dataset.ts';

const config = preset_config('molmoe-tiny');
const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
const traits = { subgroups: true, subgroup_size: 8, f16: true, software: true } as never;
/** Tilings 1x1 and 1x2, in turn. */
const SIZES = [0, 1, 2, 3, 4, 5].map((n): [number, number] => (n % 2 === 0 ? [200, 200] : [560, 336]));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'molmoe-samples-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const on = (samples: Samples) => ({ config, tokenizer, asked: {}, tokens_per_readback: 1, samples });
const cells_of = (samples: Samples, new_tokens = 0): Cell[] =>
  samples.list.map((_, place) => cell_of_sample(on(samples), { sample: place }, place, { new_tokens }) as Cell);

describe('choose_samples', () => {
  it('takes the first of the set, all where it has fewer, and opens no picture', async () => {
    const set = toy_dataset(SIZES);
    const two = await choose_samples(set, 2, 'fill');
    expect(two.list.map(({ id }) => id)).toEqual(['q0', 'q1']);
    expect((await choose_samples(set, 100, 'fill')).list.length).toBe(6);
    expect(two.record).toEqual({
      ...{ name: 'toy', split: 'test', size: 6, digest: 'toy-1', source: 'made for tests', resize: 'fill' },
    });
    expect(set.opened).toEqual([]);
  });

  it('refuses an empty set, and leaves it to the cell to say that a picture is broken', async () => {
    await expect(choose_samples(toy_dataset([]), 1, 'fill')).rejects.toThrow(/toy test: expected samples, found none/);
    const set = toy_dataset(SIZES);
    set.broken.add('q0');
    const { sizes, nominal } = await choose_samples(set, 3, 'fill');
    expect([[...sizes.keys()], nominal]).toEqual([['q1', 'q2'], { width: 560, height: 336 }]);
  });
});

describe('a sample as a request', () => {
  it('asks in the words of its style, and has its picture only when it is opened', async () => {
    const samples = await choose_samples(toy_dataset(SIZES), 1, 'fill');
    const [{ requests, knobs }] = cells_of(samples) as [Cell];
    const [{ request, later, image, sample }] = requests as [Cell['requests'][number]];
    expect(request).toMatchObject({ prompt: 'vqa2: What is this?', resize: 'fill', maxNewTokens: 0, ignoreEos: true });
    expect([request.image, image, later?.size, knobs]).toEqual([undefined, 'q0.jpg', { width: 200, height: 200 }, {}]);
    expect(sample).toEqual({
      ...{ id: 'q0', style: 'vqa2', answers: ['a ramp'] },
      metadata: { image_id: 0, example_id: 0, question_type: 'what' },
    });
  });

  it('is told from others by the digest of the set and its id, not by pixels', async () => {
    const digest_of = async (set: ToyDataset, place = 0) =>
      asked_digest((cells_of(await choose_samples(set, 2, 'fill'))[place] as Cell).requests);
    const first = await digest_of(toy_dataset(SIZES));
    expect(await digest_of(toy_dataset(SIZES))).toBe(first);
    expect(await digest_of(toy_dataset(SIZES), 1)).not.toBe(first);
    expect(await digest_of({ ...toy_dataset(SIZES), digest: 'toy-2' })).not.toBe(first);
  });

  it('is weighed by its size; of an unknown one it is not said that it does not fit', async () => {
    const samples = await choose_samples(toy_dataset(SIZES), 2, 'fill');
    const [small, large] = cells_of(samples) as [Cell, Cell];
    expect(large.weight).toBeGreaterThan(small.weight);
    const many = config.max_position_embeddings - 400;
    const planned = (sizes: Samples['sizes']) =>
      cell_of_sample(on({ ...samples, sizes }), { sample: 1 }, 1, { new_tokens: many });
    expect(planned(samples.sizes)).toMatchObject({ reason: expect.stringMatching(/expected at most \d+ positions/) });
    expect(planned(new Map())).toHaveProperty('weight');
  });
});

const PROTOCOL: Protocol = { ...FAKE_RUN.fingerprint.protocol, warmup: 1, runs: 1, instrumented: 1, once_for: 'shape' };

/** The small model on an executor that computes nothing, and what was asked of it. */
async function counting_model(name = 'molmoe-tiny') {
  const of = preset_config(name);
  const engine = await Engine.create({
    ...{ name, config: of, tokenizer, dtype: 'f16' },
    executor: dry_executor(dry_device(traits)),
    source: synthetic_source(tensor_specs(of), 0, 'F32'),
  });
  const asked: string[] = [];
  const generate = engine.generate.bind(engine);
  engine.generate = (request: GenerateRequest) => {
    asked.push(`${request.image?.width} ${request.timing ?? 'plain'} ${request.maxNewTokens}`);
    return generate(request);
  };
  return { engine, asked };
}

async function run(set: ToyDataset, over: Partial<Conduct> = {}, new_tokens = 0) {
  const { engine, asked } = await counting_model();
  const { fingerprint, ceilings } = FAKE_RUN;
  const plan = { options: {}, cells: [], skipped: [] };
  const results = await open_results(folder, { experiment: 'toy', fingerprint, ceilings, plan });
  const failed: string[] = [];
  try {
    await run_cells(cells_of(await choose_samples(set, 100, 'fill'), new_tokens), {
      results,
      instrument: latency,
      protocol: PROTOCOL,
      load: async () => engine,
      routing: false,
      on_failed: ({ key }, reason) => failed.push(`${key} ${reason}`),
      ...over,
    });
    return { asked, failed, saved: [...results.finished().values()], kept: results.failed() };
  } finally {
    await results.close();
  }
}
const failed_file = () => JSON.parse(readFileSync(join(folder, 'failed.json'), 'utf8')).cells;

describe('a run over samples', () => {
  it('warms up and stamps once for each shape, and times each sample', async () => {
    const { asked, saved } = await run(toy_dataset(SIZES));
    expect(asked.slice(0, 6)).toEqual([
      ...['200 plain 0', '200 plain 0', '200 kernel 0'],
      ...['560 plain 0', '560 plain 0', '560 kernel 0'],
    ]);
    expect(asked.slice(6)).toEqual(['200 plain 0', '560 plain 0', '200 plain 0', '560 plain 0']);
    expect(saved.map(({ instrumented }) => instrumented !== null)).toEqual([true, true, false, false, false, false]);
    expect(saved.map(({ clean }) => clean.samples.length)).toEqual([1, 1, 1, 1, 1, 1]);
    // That each sample runs but once is no fault of its times.
    expect(saved.flatMap(({ warnings }) => warnings).filter((text) => text.includes('T_total'))).toEqual([]);
  });

  it('keeps where each sample comes from, and counts opening its picture as data processing', async () => {
    const { saved } = await run(toy_dataset(SIZES.slice(0, 1), 40), {}, 2);
    const [{ clean, sample, answer, tokens }] = saved as [(typeof saved)[number]];
    const [times] = clean.samples as [(typeof clean.samples)[number]];
    expect(times.T_data_processing).toBeGreaterThan(35);
    expect(times.T_system_total).toBeCloseTo(times.T_total + times.T_data_processing, 6);
    expect(times.T_first_token as number).toBeGreaterThan(35);
    expect(sample?.metadata).toEqual({ image_id: 0, example_id: 0, question_type: 'what' });
    expect([tokens.num_output_tokens, answer?.finish, answer?.forced]).toEqual([2, 'length', true]);
  });

  it('warms a long answer up with a short one', async () => {
    const { asked } = await run(toy_dataset(SIZES.slice(0, 1)), {}, 40);
    expect(asked).toEqual(['200 plain 16', '200 plain 40', '200 kernel 40']);
  });

  it('leaves a broken picture out, says so, and tries it again', async () => {
    const set = toy_dataset(SIZES);
    set.broken.add('q3');
    const reason = 'q3.jpg: cannot be decoded: cut off';
    const first = await run(set);
    expect(first.saved.map(({ key }) => key)).toEqual(['sample=0', 'sample=1', 'sample=2', 'sample=4', 'sample=5']);
    expect(first.failed).toEqual([`sample=3 ${reason}`]);
    expect(failed_file()).toEqual([{ key: 'sample=3', settings: { sample: 3 }, reason }]);
    const again = await run(set);
    expect([again.asked, again.failed.length, failed_file().length]).toEqual([[], 1, 1]);
    set.broken.clear();
    const mended = await run(set);
    expect([mended.saved.length, mended.kept, failed_file()]).toEqual([6, [], []]);
    expect(mended.asked).toEqual(['560 plain 0', '560 plain 0', '560 kernel 0']);
  });

  it('ends on a fault that is not the sample’s own', async () => {
    const model = {
      ...(await counting_model()).engine,
      generate: () => {
        throw new Error('the device is lost');
      },
    };
    await expect(run(toy_dataset(SIZES), { load: async () => model as never })).rejects.toThrow('the device is lost');
  });

  it('is at fault itself where none of them can be read', async () => {
    const set = toy_dataset(SIZES);
    for (const n of SIZES.keys()) set.broken.add(`q${n}`);
    await expect(run(set)).rejects.toThrow(/found none: all 6 failed, sample=0 for q0.jpg: cannot be decoded/);
    expect(failed_file().length).toBe(6);
  });
});

it('times of a slice follow from the stamps of a like request, and no parts are claimed', async () => {
  const { engine } = await counting_model('molmoe-slice');
  const one = fake_configuration('low', 'short', 'short');
  const scaler = scaler_of(engine);
  const strip = {
    ...(one.instrumented as object),
    strip: {
      columns: [],
      rows: [
        [2, 0, 3, 0, 6],
        [2, -1, 7, 6, 2],
      ],
    },
  };
  const like = strip as unknown as NonNullable<typeof one.instrumented>;
  const own = await scaler({}, { ...one, instrumented: like });
  const borrowed = await scaler({}, { ...one, instrumented: null }, like);
  expect(await scaler({}, { ...one, instrumented: null })).toEqual({
    why_not: expect.stringMatching(/no instrumented/),
  });
  if (!own || !borrowed || !('samples' in own) || !('samples' in borrowed)) throw new InputError('not scaled');
  expect(borrowed.samples).toEqual(own.samples);
  expect([borrowed.method, borrowed.parts]).toEqual(['stamps by layer of a like request', []]);
  expect(own.parts.length).toBeGreaterThan(0);
});
