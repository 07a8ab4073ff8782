import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { BatchAnswer, BatchRefusal } from '../../engine/batch_requests.ts';
import { InputError, OutOfMemoryError } from '../../engine/errors.ts';
import type { GenerateRequest } from '../../engine/request.ts';
import { type Answerer, type Answering, answer_left } from '../../experiments/accuracy/answering.ts';
import { search_batch_size } from '../../experiments/accuracy/batch_size.ts';
import { merge_answers } from '../../experiments/accuracy/log/merge.ts';
import type { AnswerLine } from '../../experiments/accuracy/log/schema.ts';
import { fake_run, open_worker } from '../support/answers.ts';

const root = mkdtempSync(join(tmpdir(), 'answering-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const new_folder = () => join(root, String(++folders));

/** A model that says each question back, holds so many at once, and cannot answer some. */
interface Model {
  readonly holds: number;
  readonly refuses?: (prompt: string) => boolean;
  readonly breaks?: Error;
}

function answerer({ holds, refuses = () => false, breaks }: Model) {
  const batches: number[] = [];
  const alone: string[] = [];
  const reply = ({ prompt, knobs = {} }: GenerateRequest): BatchAnswer => ({
    ...{
      text: ` ${prompt} ${JSON.stringify(knobs)}`,
      tokens: [1, 2],
      finish: 'eos',
      preprocess_ms: 0,
      tiling: undefined,
    },
    counts: { crops: 0, views: 0, text_tokens: 3, prompt_tokens: 4, new_tokens: 2 },
  });
  const model = {
    generate_batch: (requests: readonly GenerateRequest[]) => ({
      get result() {
        batches.push(requests.length);
        if (breaks) return Promise.reject(breaks);
        if (requests.length > holds) return Promise.reject(new OutOfMemoryError(`${requests.length} do not fit`));
        const answers = requests.map((request): BatchAnswer | BatchRefusal =>
          refuses(request.prompt) ? { error: new InputError(`${request.prompt}: too long`) } : reply(request),
        );
        return Promise.resolve({ answers });
      },
    }),
    generate: (request: GenerateRequest) => {
      alone.push(`${request.prompt} ${JSON.stringify(request.knobs)}`);
      const stage = (name: string, wall_ms: number) => ({ stage: name, started_ms: 0, wall_ms });
      return {
        result: Promise.resolve({
          ...reply(request),
          stages: [stage('prefill', 2), stage('decode', 1)],
          total_ms: 3,
          decode_step_ms: [0.5, 0.5],
        }),
      };
    },
    executor: { device: { check: () => undefined } },
  };
  return { model: model as unknown as Answerer, batches, alone };
}

type Over = Partial<Answering> & { readonly start?: number };

async function answer(folder: string, run: ReturnType<typeof fake_run>, model: Answerer, over: Over = {}) {
  const log = await open_worker(folder, run);
  const failed: string[] = [];
  let done = 0;
  try {
    await answer_left({
      model,
      counter: { flops: async () => ({ prefill: 7 }), whole: async () => Promise.reject(new Error('not asked for')) },
      log,
      askings: run.fingerprint.configurations.map(({ hash, knobs }) => ({
        ...{ hash, weight: 1, batch: search_batch_size(over.start ?? 4, 8, true) },
        request: (place) => ({
          ...{ id: run.samples[place] as string, image: null },
          request: { prompt: run.samples[place] as string, knobs },
          sample: { id: run.samples[place] as string, style: 'vqa2', answers: ['yes'], metadata: {} },
        }),
      })),
      // No sample stands at place 0: what is counted of it whole needs an adapter.
      places: new Map(run.samples.map((id, place) => [id, place])),
      metric: null,
      protocol: { ...run.fingerprint.protocol, runs: 2, warmup: 1 },
      timed: 0,
      on_done: (weight) => {
        done += weight;
      },
      on_failed: (sample) => failed.push(sample),
      ...over,
    });
  } finally {
    await log.close();
  }
  return { failed, done };
}

/** The counter is asked for all of a run's first sample. */
const with_counts = {
  counter: {
    flops: async () => ({ prefill: 7 }),
    whole: async () => undefined as unknown as NonNullable<AnswerLine['counted']>,
  },
};

const lines_in = (folder: string): AnswerLine[] =>
  readFileSync(join(folder, 'workers/0-of-1/answers.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter((line) => line.schema === undefined);

describe('answering', () => {
  it('gives every sample under all knobs one answer, in batches that grow', async () => {
    const [folder, run] = [new_folder(), fake_run(30)];
    const { model, batches } = answerer({ holds: 100 });
    const { failed, done } = await answer(folder, run, model, with_counts);
    expect(failed).toEqual([]);
    expect(done).toBe(60);
    expect(batches).toEqual([4, 6, 8, 8, 4, 4, 6, 8, 8, 4]);
    const { summary } = await merge_answers([folder]);
    expect(summary.configurations.map(({ n }) => n)).toEqual([30, 30]);
    expect(lines_in(folder)[0]).toMatchObject({
      answer: 'question-0 {"maxCrops":1}',
      tokens: { num_output_tokens: 2 },
    });
  });

  it('halves a batch that does not fit, and goes on', async () => {
    const [folder, run] = [new_folder(), fake_run(12, [1])];
    const { model, batches } = answerer({ holds: 3 });
    const { failed } = await answer(folder, run, model, { ...with_counts, start: 8 });
    expect(failed).toEqual([]);
    expect(batches.slice(0, 3)).toEqual([8, 4, 2]);
    expect(Math.max(...batches.slice(3))).toBeLessThanOrEqual(3);
    expect(lines_in(folder)).toHaveLength(12);
  });

  it('writes errors apart, never counts them as answers, and asks again the next time', async () => {
    const [folder, run] = [new_folder(), fake_run(10, [1])];
    const first = answerer({ holds: 100, refuses: (prompt) => /[37]$/.test(prompt) });
    expect((await answer(folder, run, first.model, with_counts)).failed).toEqual(['question-3', 'question-7']);
    expect(lines_in(folder)).toHaveLength(8);
    await expect(merge_answers([folder])).rejects.toThrow(/2 missing: .*question-3.*too long/);
    const second = answerer({ holds: 100 });
    expect((await answer(folder, run, second.model, with_counts)).failed).toEqual([]);
    expect(second.batches).toEqual([2]);
    expect((await merge_answers([folder])).summary.configurations[0]?.n).toBe(10);
  });

  it('tells of a sample that does not fit even alone, and answers the others', async () => {
    const [folder, run] = [new_folder(), fake_run(3, [1])];
    const { model } = answerer({ holds: 0 });
    expect((await answer(folder, run, model, with_counts)).failed).toHaveLength(3);
    expect(readdirSync(join(folder, 'workers/0-of-1'))).toContain('errors.jsonl');
  });

  it('passes on what is no fault of a sample', async () => {
    const { model } = answerer({ holds: 9, breaks: new TypeError('a bug') });
    await expect(answer(new_folder(), fake_run(3), model, with_counts)).rejects.toThrow('a bug');
  });

  it('times the first samples alone when all batches are through: knobs in turn, warmed up once each', async () => {
    const [folder, run] = [new_folder(), fake_run(4)];
    const { model, alone, batches } = answerer({ holds: 100 });
    const { done } = await answer(folder, run, model, { ...with_counts, timed: 2 });
    expect(batches).toEqual([4, 4]);
    const a = '{"maxCrops":1}';
    const b = '{"maxCrops":2}';
    const rounds = (id: string) => [`${id} ${a}`, `${id} ${b}`, `${id} ${a}`, `${id} ${b}`];
    const warm = [`question-0 ${a}`, `question-0 ${b}`];
    expect(alone).toEqual([...warm, ...rounds('question-0'), ...rounds('question-1')]);
    expect(done).toBe(8 + 8);
    const timed = lines_in(folder).filter(({ latency }) => latency !== undefined);
    expect(timed.map(({ sample }) => sample).sort()).toEqual(['question-0', 'question-0', 'question-1', 'question-1']);
    expect(timed[0]?.latency).toHaveLength(2);
    expect(timed[0]?.latency?.[0]).toMatchObject({ T_LLM_prefill: 2, T_LLM_decode: 1, T_total: 3, T_projector: null });
  });

  it('stops between two batches when it is asked to, and keeps what is done', async () => {
    const [folder, run] = [new_folder(), fake_run(30, [1])];
    const stop = new AbortController();
    const { model } = answerer({ holds: 100 });
    const on_done = () => stop.abort();
    await expect(answer(folder, run, model, { ...with_counts, on_done, signal: stop.signal })).rejects.toThrow(
      /abort/i,
    );
    expect(lines_in(folder)).toHaveLength(4);
  });
});
