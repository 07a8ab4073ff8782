import { cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError, UsageError } from '../../engine/errors.ts';
import { random_numbers } from '../../experiments/lab/random.ts';
import { repo_root } from '../support/golden.ts';
import { opened, taken } from './support.ts';

/** Parquet files in the hub's own form; make.py beside them says what is in them. */
const FIXTURES = join(repo_root, 'test/fixtures/datasets');
const scratch = mkdtempSync(join(tmpdir(), 'molmoe-hub-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let copies = 0;
/** The set's folder alone, to be broken. */
function copy_of(folder: string): string {
  const at = join(scratch, String(copies++));
  cpSync(join(FIXTURES, folder), join(at, folder), { recursive: true });
  return at;
}

describe('Parquet files of the hub', () => {
  it('text_vqa: parts in order, row groups as they are needed', async () => {
    const set = await opened('text_vqa', FIXTURES);
    expect(set).toMatchObject({ name: 'text_vqa', split: 'validation', size: 8, source: join(FIXTURES, 'TextVQA') });
    const samples = await taken(set);
    expect(samples.map(({ id }) => Number(id))).toEqual(Array.from({ length: 8 }, (_, i) => 34602 + i));
    expect(samples[5]).toMatchObject({
      question: 'what is written on sign 5?',
      style: 'text_vqa',
      answers: Array.from({ length: 10 }, (_, i) => (i % 2 === 0 ? 'stop' : 'exit 5')),
      metadata: {
        image_url: 'https://example.org/5_z.jpg',
        image_id: '00055e1d',
        example_id: 34607,
        image: 'data/validation-00001-of-00002.parquet#0',
      },
    });
    for (const [row, { picture }] of samples.entries()) {
      expect(await picture?.size()).toEqual({ width: 10 * (row + 1), height: 7 });
    }
    const picture = await samples[7]?.picture?.open();
    expect(picture).toMatchObject({ width: 80, height: 7 });
    expect([...(picture?.rgb.slice(0, 3) ?? [])]).toEqual([280 % 256, 80, 160]);
    for (let from = 0; from <= 9; from++) {
      expect((await taken(set, 20, from)).map(({ id }) => id)).toEqual(samples.slice(from).map(({ id }) => id));
    }
  });

  it('a test split has no answers', async () => {
    expect((await taken(await opened('text_vqa', FIXTURES, 'test')))[0]?.answers).toBeNull();
    const [page] = await taken(await opened('doc_qa', FIXTURES, 'test'));
    expect(page).toMatchObject({ answers: null, metadata: { doc_id: 14465, example_id: 49153 } });
    expect(page?.metadata).not.toHaveProperty('question_types');
  });

  it('okvqa: the answers as they were given', async () => {
    const samples = await taken(await opened('okvqa', FIXTURES));
    expect(samples.map(({ answers }) => answers)).toEqual(
      [0, 1, 2].map((row) => [`race ${row}`, `racing ${row}`, `motocross ${row}`]),
    );
    expect(samples[1]?.metadata).toMatchObject({ example_id: 2971476 });
  });

  it.each([FIXTURES, join(FIXTURES, 'no_statistics')])('science_qa_img: rows with a picture alone: %s', async (at) => {
    const set = await opened('science_qa_img', at);
    expect(set.size).toBe(3);
    const samples = await taken(set);
    expect(samples.map(({ id, question }) => [id, question.split('\n')])).toEqual([
      ['1', ['Look at the map.', 'Which of these states is farthest north (1)?']],
      ['3', ['Which of these states is farthest north (3)?']],
      ['6', ['Which of these states is farthest north (6)?']],
    ]);
    expect(samples[0]).toMatchObject({ answer_index: 1, answers: ['B'], style: 'science_qa' });
    expect(samples[0]?.options).toHaveLength(3);
    expect(await Promise.all(samples.map(({ picture }) => picture?.size()))).toEqual(
      [20, 40, 70].map((width) => ({ width, height: 7 })),
    );
    for (let from = 0; from <= 3; from++) {
      expect((await taken(set, 9, from)).map(({ id }) => id)).toEqual(samples.slice(from).map(({ id }) => id));
    }
  });

  it('doc_qa: types of a question, and all its answers', async () => {
    const samples = await taken(await opened('doc_qa', FIXTURES));
    expect(samples[1]).toMatchObject({
      answers: ['1/8/93', 'January 8, 1993'],
      metadata: { doc_id: 14466, question_types: ['handwritten', 'form'], example_id: 49154 },
    });
  });

  it('mmmu: subjects in order, choices read as Python writes them, no picture where choices are pictures', async () => {
    const samples = await taken(await opened('mmmu', FIXTURES));
    expect(samples.map(({ id }) => id)).toEqual([
      'validation_Accounting_1',
      'validation_Art_1',
      'validation_Art_Theory_1',
      'validation_Art_Theory_2',
    ]);
    const [accounting, art, open, hidden] = samples;
    expect(accounting).toMatchObject({
      style: 'a_okvqa_mc',
      options: ['$6', "it's $7", '$8', '\\sum x'],
      answer_index: 1,
      answers: ['B'],
      metadata: { answer: 'B', example_id: 'validation_Accounting_1', question_type: 'multiple-choice' },
    });
    expect(accounting?.picture).not.toBeNull();
    expect(art?.picture).toBeNull();
    expect(open).toMatchObject({ style: 'vqa2', answers: ['4', 'four'], metadata: { answer: "['4', 'four']" } });
    expect(hidden).toMatchObject({ answers: null });
    expect(hidden).not.toHaveProperty('answer_index');
    expect(hidden?.picture).not.toBeNull();
  });

  it('may lie in the folder itself', async () => {
    const set = await opened('text_vqa', join(FIXTURES, 'TextVQA'));
    expect(set.size).toBe(8);
    expect((await opened('text_vqa', join(FIXTURES, 'TextVQA/data'))).size).toBe(8);
    expect((await opened('text_vqa', FIXTURES)).digest).toBe(set.digest);
  });
});

describe('what is missing or broken', () => {
  const part = 'TextVQA/data/validation-00001-of-00002.parquet';

  it('is a set, its folder, or a part of it', async () => {
    await expect(opened('okvqa', join(FIXTURES, 'no_statistics'))).rejects.toThrow(
      /expected Parquet files \(validation\) of okvqa, found nothing there, nor .*get it from https:.*take the set shapes/,
    );
    await expect(opened('okvqa', FIXTURES, 'test')).rejects.toThrow(UsageError);
    await expect(opened('okvqa', join(scratch, 'none'))).rejects.toThrow(/found none; check --data-dir/);
    const at = copy_of('TextVQA');
    rmSync(join(at, part));
    await expect(opened('text_vqa', at)).rejects.toThrow(
      /TextVQA\/data\/validation: expected 2 parts, found 1 of validation missing: 00001; get the rest$/,
    );
  });

  it('is a set under the name of another', async () => {
    const at = copy_of('OK-VQA');
    renameSync(join(at, 'OK-VQA'), join(at, 'TextVQA'));
    const found = opened('text_vqa', at);
    await expect(found).rejects.toThrow(
      /expected the columns of text_vqa, found 1 missing: flickr_300k_url; it has "image"/,
    );
  });

  it('is said of the file, and of its row', async () => {
    const at = copy_of('ScienceQA');
    const file = join(at, 'ScienceQA/data/validation-00000-of-00001-6c7328ff6c84284c.parquet');
    writeFileSync(file, readFileSync(file).subarray(0, 3000));
    const found = opened('science_qa_img', at);
    await expect(found).rejects.toThrow(InputError);
    await expect(found).rejects.toThrow(`${file}: expected a Parquet file, found one that cannot be read`);
    mkdirSync(dirname(join(at, 'MMMU/Art/validation.parquet')), { recursive: true });
    writeFileSync(join(at, 'MMMU/Art/validation.parquet'), 'no parquet');
    await expect(opened('mmmu', at)).rejects.toThrow(InputError);
  });

  it('never is anything but one line, whatever byte is wrong', async () => {
    const at = copy_of('TextVQA');
    const file = join(at, part);
    const whole = readFileSync(file);
    const random = random_numbers(7);
    let broken = 0;
    for (let trial = 0; trial < 60; trial++) {
      const bytes = Buffer.from(whole);
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
      writeFileSync(file, bytes);
      try {
        for (const { picture } of await taken(await opened('text_vqa', at))) await picture?.open();
      } catch (error) {
        broken += 1;
        expect(error, String(error)).toBeInstanceOf(InputError);
        expect((error as Error).message).not.toContain('\n');
      }
    }
    expect(broken).toBeGreaterThan(10);
  });
});
