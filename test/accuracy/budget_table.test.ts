import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { dry_model } from '../../engine/dry_run.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { config_of, resolve_model } from '../../engine/node/choose_model.ts';
import { ANY, answer_tokens, beginning_of, expected_answer } from '../../experiments/budget/answer_length.ts';
import { make_counter } from '../../experiments/budget/counts.ts';
import { find_table, read_table_file, table_for } from '../../experiments/budget/quality_table.ts';
import { count_with, type Sizes } from '../../experiments/estimator/request_work.ts';
import type { Work } from '../../experiments/estimator/work.ts';
import { dry_device } from '../support/dry.ts';
import { fake_table } from '../support/quality_table.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-table-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const nano = await config_of(resolve_model('nano') as NonNullable<ReturnType<typeof resolve_model>>);

const write = (name: string, value: object): string => {
  const path = join(scratch, name);
  writeFileSync(path, JSON.stringify(value));
  return path;
};

describe('how long an answer will be', () => {
  const answers = [
    ...Array.from({ length: 20 }, (_, i) => ({ question: 'What color is it?', tokens: i === 19 ? 9 : 1 })),
    ...Array.from({ length: 10 }, () => ({ question: 'describe the picture.', tokens: 7 })),
    { question: 'how many?', tokens: 2 },
  ];

  it('is the upper end of answers to questions that begin so, where ten of them are known', () => {
    expect(beginning_of('  What color, is it?')).toBe('what color');
    expect(answer_tokens(answers)).toEqual({ [ANY]: 7, 'what color': 1, 'describe the': 7 });
  });

  it('with the token that ends it, and in words', () => {
    const known = answer_tokens(answers);
    expect(expected_answer(known, 'what color is the cat?')).toEqual({
      new_tokens: 2,
      because: '95 of 100 measured answers to "what color ..." are no longer',
    });
    const any = { new_tokens: 8, because: '95 of 100 measured answers are no longer' };
    for (const prompt of ['why?', '', undefined]) expect(expected_answer(known, prompt)).toEqual(any);
  });
});

describe('a table of what answers are worth', () => {
  it('is read from a file of exp5: knobs that stand where the model has them are not turned', async () => {
    const table = table_for(await read_table_file(write('table.json', fake_table(nano))), nano);
    expect(table).toMatchObject({ model: 'nano', samples: 200, what: '200 samples of shapes test, em, 2026-11-27' });
    expect(table.candidates).toHaveLength(27);
    expect(table.candidates.at(-1)).toMatchObject({ knobs: {}, turned: [], quality: 1 });
    expect(table.candidates[0]).toMatchObject({
      knobs: { maxCrops: 1, topK: 1, blocks: [0] },
      turned: ['crops', 'experts', 'blocks'],
    });
  });

  it('and from its folder, where files of single settings say how long their answers are', async () => {
    const folder = join(scratch, 'exp5');
    mkdirSync(folder);
    const { summary, ...rest } = fake_table(nano);
    const rows = summary.map(({ answer_tokens: _, ...row }) => row);
    writeFileSync(join(folder, 'exp5_accuracy_results.json'), JSON.stringify({ ...rest, summary: rows }));
    const all_samples = Array.from({ length: 12 }, () => ({
      question: 'where is it?',
      answer: 'top left',
      tokens: { num_crops: 2, num_output_tokens: 2 },
    }));
    writeFileSync(
      join(folder, 'exp5_accuracy_results_crops1_topk1_blocks1.json'),
      JSON.stringify({ schema: 'molmoe.exp5.accuracy_results_configuration/2', all_samples }),
    );
    const { candidates } = table_for(await read_table_file(folder), nano);
    expect(candidates[0]?.answer_tokens).toEqual({ [ANY]: 2, 'where is': 2 });
    expect(candidates[1]?.answer_tokens).toEqual({ [ANY]: 2 }); // the mean, rounded up
  });

  const [row] = fake_table(nano).summary;
  it.each([
    ['of another schema', { schema: 'molmoe.exp6.results/2' }, /expected schema molmoe.exp5.accuracy_results/],
    ['without settings', { summary: [] }, /summary/],
    ['with a score beyond 1', { summary: [{ ...row, accuracy: 1.5 }] }, /accuracy/],
    ['with one setting twice', { summary: [row, row] }, /expected each setting once, found .* twice/],
    [
      'with blocks that the model lacks',
      { summary: [{ ...row, active_block_indices: [99] }] },
      /expected numbers from 0 to 7/,
    ],
  ])('refuses one %s, in a line', async (_, over, message) => {
    const read = async () => table_for(await read_table_file(write('bad.json', fake_table(nano, over))), nano);
    const error = await read().then(
      () => undefined,
      (fault: Error) => fault,
    );
    expect(error?.message).toMatch(message);
    expect(error?.message).not.toMatch(/\n/);
  });

  it('refuses one of another model, and says so where there is none', async () => {
    const path = write('nano.json', fake_table(nano));
    const mini = preset_config('molmoe-mini');
    await expect(find_table(mini, path)).rejects.toThrow(
      /expected settings of the model that is asked, found those of nano/,
    );
    await expect(find_table(mini, undefined)).rejects.toThrow(/found none of this model; run `molmoe exp5`/);
    await expect(read_table_file(join(scratch, 'none.json'))).rejects.toThrow(/a quality table/);
  });
});

/** Every amount to a thousandth. */
function near(a: Work, b: Work): boolean {
  const flat = (work: Work) =>
    Object.entries(work).flatMap(([stage, families]) =>
      Object.entries(families).flatMap(([family, amounts]) =>
        amounts.map((x, i) => [`${stage} ${family} ${i}`, x] as const),
      ),
    );
  const others = new Map(flat(b));
  const own = flat(a);
  return (
    own.length === others.size &&
    own.every(([name, x]) => Math.abs(x - (others.get(name) ?? 0)) <= 1e-3 * Math.abs(x) + 1e-6)
  );
}

describe('work counted block by block', () => {
  it.each([
    ['everything', {}],
    ['fewer crops', { maxCrops: 2 }],
    ['fewer experts', { topK: 3 }],
    ['fewer blocks', { blocks: [0, 2, 3, 7] }],
    ['no block', { blocks: [] }],
    ['experts by the block', { topK: [8, 8, 1, 1, 4, 4, 2, 2] }],
    ['all of these', { maxCrops: 1, topK: 2, blocks: [0, 1, 5] }],
  ])('is that of the whole request: %s', async (_, knobs) => {
    const machine = { device: dry_device({ subgroup_size: 8, software: true }) };
    const count = await make_counter(nano, 'f16', machine);
    const whole = await dry_model(nano, 'f16', machine);
    for (const picture of [{ width: 128, height: 96 }, null]) {
      for (const new_tokens of [1, 2, 9]) {
        for (const text_tokens of [8, 13, 24]) {
          const sizes: Sizes = { picture, text_tokens, new_tokens, knobs };
          const { work, ...rest } = await count(sizes);
          const { work: expected, ...counts } = await count_with(whole, nano, sizes);
          expect(rest).toEqual(counts);
          expect(near(work, expected), JSON.stringify([sizes, work, expected])).toBe(true);
        }
      }
    }
  });
});
