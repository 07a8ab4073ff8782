import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { InputError } from '../../../engine/errors.ts';
import { merge_answers } from '../../../experiments/accuracy/log/merge.ts';
import { grid_of_run } from '../../../experiments/accuracy/log/run_file.ts';
import type { AnswerLine } from '../../../experiments/accuracy/log/schema.ts';
import { tally } from '../../../experiments/accuracy/log/tally.ts';
import { basic_statistics } from '../../../experiments/lab/stats.ts';
import { answer_all, fake_answer, fake_run, merged_text, open_worker } from '../../support/answers.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-merge-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const new_folder = () => mkdtempSync(join(scratch, 'run-'));
let folder: string;
beforeEach(() => {
  folder = new_folder();
});

const run = fake_run(7, [1, 2, 3]);
const grid = grid_of_run(run);
const keys = Array.from({ length: grid.size }, (_, slot) => grid.key(slot));
const failure = async (folders = [folder]): Promise<string> => {
  const error = await merge_answers(folders).then(
    () => new Error('no error'),
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(InputError);
  expect(error.message).not.toContain('\n');
  return error.message;
};

/** One worker, undisturbed. */
const undisturbed = await (async () => {
  const alone = new_folder();
  await answer_all(alone, run);
  return merged_text(alone);
})();

describe('merge_answers', () => {
  it('writes all answers by configuration and then by sample, and what they come to', async () => {
    await answer_all(folder, run);
    const { summary, files, duplicates } = await merge_answers([folder]);
    expect([files, duplicates]).toEqual([1, 0]);
    const [head, ...lines] = readFileSync(join(folder, 'merged.jsonl'), 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line));
    expect(head).toEqual({ schema: 'molmoe.merged_answers/1', run: run.run, fingerprint: run.fingerprint });
    expect(lines).toEqual(keys.map((key) => fake_answer(key)));
    expect(JSON.parse(readFileSync(join(folder, 'summary.json'), 'utf8'))).toEqual(summary);
    expect(summary.configurations.map(({ knobs, n }) => [knobs, n])).toEqual(
      [1, 2, 3].map((maxCrops) => [{ maxCrops }, 7]),
    );
    const scores = keys.slice(7, 14).map((key) => fake_answer(key).scores.vqa as number);
    const { mean, std } = basic_statistics(scores);
    expect(summary.configurations[1]?.scores.vqa?.mean).toBeCloseTo(mean, 12);
    expect(summary.configurations[1]?.scores.vqa?.std).toBeCloseTo(std, 12);
    expect(Object.keys(summary.configurations[0]?.flops ?? {})).toEqual([
      'decode',
      'prefill',
      'projector',
      'vision_encoder',
    ]);
    expect(summary.configurations[0]?.latency).toEqual({});
    expect(readdirSync(folder).sort()).toEqual(['merged.jsonl', 'run.json', 'summary.json', 'workers']);
  });

  it('is the same by any split over any workers, in any order and any groups, some asked twice, some torn', async () => {
    // Who answers each question (some twice), in which order, in groups of how many.
    const plan = fc.integer({ min: 1, max: 5 }).chain((count) =>
      fc.record({
        owners: fc.array(fc.uniqueArray(fc.nat(count - 1), { minLength: 1, maxLength: 2 }), {
          minLength: grid.size,
          maxLength: grid.size,
        }),
        order: fc.shuffledSubarray([...keys.keys()], { minLength: grid.size }),
        group: fc.integer({ min: 1, max: 8 }),
        torn: fc.nat(60),
        count: fc.constant(count),
      }),
    );
    await fc.assert(
      fc.asyncProperty(plan, async ({ owners, order, group, torn, count }) => {
        const here = new_folder();
        const logs = await Promise.all(
          Array.from({ length: count }, (_, i) => open_worker(here, run, `${i}/${count}`)),
        );
        const waiting: AnswerLine[][] = logs.map(() => []);
        for (const slot of order) {
          for (const owner of owners[slot] as number[]) {
            waiting[owner]?.push(fake_answer(keys[slot] as never));
            if (waiting[owner]?.length === group) await logs[owner]?.append(waiting[owner].splice(0));
          }
        }
        await Promise.all(logs.map((log, i) => log.append(waiting[i] as AnswerLine[])));
        await Promise.all(logs.map((log) => log.close()));
        appendFileSync(
          join(here, 'workers', `0-of-${count}`, 'answers.jsonl'),
          JSON.stringify(fake_answer(keys[0] as never)).slice(0, torn),
        );
        expect(await merged_text(here)).toBe(undisturbed);
        rmSync(here, { recursive: true });
      }),
      { numRuns: 40 },
    );
  });

  it('is the same after a file was cut at any byte and its worker started again', async () => {
    const small = fake_run(2, [1]);
    await answer_all(folder, small);
    const whole = await merged_text(folder);
    const path = join(folder, 'workers/0-of-1/answers.jsonl');
    const bytes = readFileSync(path);
    const answers = () =>
      readFileSync(path, 'utf8')
        .split('\n')
        .filter((line) => !line.startsWith('{"schema"'));
    const all = answers();
    // All of a head is one line: where in it the cut is tells little, so that is tried at some places.
    const first = bytes.indexOf(10);
    const ends = [...Array(8).keys(), ...Array.from({ length: 20 }, (_, i) => Math.floor((i * first) / 20))];
    const rest = Array.from({ length: bytes.length - first + 9 }, (_, i) => first - 8 + i);
    for (const cut of [...ends, ...rest]) {
      writeFileSync(path, bytes);
      truncateSync(path, cut);
      const answered = Math.max(0, bytes.subarray(0, cut).toString('latin1').split('\n').length - 2);
      const log = await open_worker(folder, small);
      const left = [...log.left()];
      expect(left).toHaveLength(2 - answered);
      await log.append(left.map((key) => fake_answer(key)));
      await log.close();
      expect(answers()).toEqual(all);
      if (cut % 50 === 0) expect(await merged_text(folder)).toBe(whole);
    }
  });

  it('takes folders of several machines, each of which did its part', async () => {
    const other = new_folder();
    await answer_all(folder, run, '0/2');
    await answer_all(other, run, '1/2');
    expect(await failure([other])).toContain('missing');
    const out = join(new_folder(), 'merged');
    await merge_answers([folder, other], out);
    expect(readdirSync(out).sort()).toEqual(['merged.jsonl', 'summary.json']);
    await merge_answers([other, folder]);
    expect(readFileSync(join(other, 'merged.jsonl'))).toEqual(readFileSync(join(out, 'merged.jsonl')));
    expect(readFileSync(join(other, 'summary.json'))).toEqual(readFileSync(join(out, 'summary.json')));
  });

  it('times are no part of an answer: of two that say the same, one is kept, always the same', async () => {
    const timed = (T_total: number): Partial<AnswerLine> => ({
      latency: [
        { T_vision_encoder: 1, T_projector: 1, T_LLM_prefill: 2, T_LLM_decode: null, T_total, num_output_tokens: 1 },
      ],
    });
    const texts = [];
    for (const times of [
      [31, 32],
      [32, 31],
    ]) {
      const here = new_folder();
      // Both are open before either answers, as two workers of one shard are.
      const logs = [await open_worker(here, run), await open_worker(here, run)];
      for (const [i, log] of logs.entries()) {
        await log.append(keys.map((key) => fake_answer(key, timed(times[i] as number))));
        await log.close();
      }
      const { duplicates, summary } = await merge_answers([here]);
      expect(duplicates).toBe(grid.size);
      expect(summary.configurations[0]?.latency.T_total).toEqual({ n: 7, mean: 31, std: 0 });
      expect(summary.configurations[0]?.latency.T_LLM_decode).toBeUndefined();
      texts.push(readFileSync(join(here, 'merged.jsonl'), 'utf8'));
    }
    expect(texts[0]).toBe(texts[1]);
  });
});

describe('merge_answers refuses', () => {
  it('what is no run', async () => {
    expect(await failure()).toBe(
      `${folder}: expected answers of a run, found no run.json; name the folder workers wrote to`,
    );
    expect(await failure([])).toBe('merge: expected a folder of answers, found none; name one');
  });

  it('folders of different runs', async () => {
    const other = new_folder();
    await answer_all(folder, run);
    await answer_all(other, fake_run(7, [1, 2, 3], { dataset: { ...run.fingerprint.dataset, digest: 'dead' } }));
    expect(await failure([folder, other])).toBe(
      `${other}: expected answers of one run, found those of another: dataset.digest: "dead" -> "beef"; merge it apart from ${folder}`,
    );
  });

  it('gaps, with what each ended in', async () => {
    const log = await open_worker(folder, run);
    await log.append(keys.slice(3).map((key) => fake_answer(key)));
    await log.fail(keys[1] as never, 'out of\nmemory');
    await log.close();
    expect(await failure()).toBe(
      `${folder}: expected 21 answers, found 3 missing: sample "question-0" with {"maxCrops":1}; sample "question-1" with {"maxCrops":1} ("out of\\nmemory"); sample "question-2" with {"maxCrops":1}; run the workers again, they do what is left`,
    );
    expect(readdirSync(folder).sort()).toEqual(['run.json', 'workers']);
  });

  it('more gaps than one wants to read', async () => {
    await (await open_worker(folder, run)).close();
    const message = await failure();
    expect(message).toContain('found 21 missing');
    expect(message.split('; ')).toHaveLength(12);
    expect(message).toContain('; and 11 more; run the workers again');
  });

  it('answers that differ, saying how', async () => {
    await answer_all(folder, run);
    const other = new_folder();
    const log = await open_worker(other, run, '1/2');
    await log.append([
      fake_answer(keys[9] as never, { answer: 'a cat' }),
      fake_answer(keys[1] as never),
      fake_answer(keys[2] as never, { scores: {} }),
    ]);
    await log.close();
    const { answer, scores } = fake_answer(keys[9] as never);
    const [a, b] = [join(folder, 'workers/0-of-1/answers.jsonl'), join(other, 'workers/1-of-2/answers.jsonl')];
    const message = await failure([folder, other]);
    expect(message).toContain(
      `expected one answer to each question, found 2 with answers that differ: sample "question-2" with {"maxCrops":2}: answer: ${JSON.stringify(answer)} -> "a cat" (${a}, ${b}); sample "question-2" with {"maxCrops":1}: scores.`,
    );
    expect(scores).not.toEqual({});
    expect(message).toMatch(/; delete the wrong lines$/);
    expect(readdirSync(folder).sort()).toEqual(['run.json', 'workers']);
  });

  it('more answers that differ than one wants to read', async () => {
    await answer_all(folder, run);
    const other = new_folder();
    const log = await open_worker(other, run);
    await log.append(keys.map((key) => fake_answer(key, { answer: 'a cat' })));
    await log.close();
    expect(await failure([folder, other])).toMatch(
      /found 21 with answers that differ: .*; and 11 more; delete the wrong lines$/,
    );
  });
});

describe('tally', () => {
  it('agrees with the statistics of the lab, and leaves out what did not run', () => {
    const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(values, (all) => {
        const sums = tally();
        for (const score of all) {
          const times = { T_vision_encoder: null, T_projector: null, T_LLM_prefill: 1, T_LLM_decode: 0, T_total: 1 };
          const latency = [{ ...times, T_decode_per_step: [1, 2], num_output_tokens: 1 }];
          sums.add(fake_answer(keys[0] as never, { scores: { score }, latency }));
        }
        const { n, scores, latency } = sums.result();
        const { mean, std } = basic_statistics(all);
        expect(n).toBe(all.length);
        expect(scores.score?.mean).toBeCloseTo(mean, 6);
        expect(scores.score?.std).toBeCloseTo(std, 6);
        expect(Object.keys(latency)).toEqual(['T_LLM_decode', 'T_LLM_prefill', 'T_total', 'num_output_tokens']);
      }),
    );
  });
});
