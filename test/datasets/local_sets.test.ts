import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { grouped } from '../../experiments/datasets/listed.ts';
import { ONE_PIXEL, opened, taken } from './support.ts';

delete process.env.MOLMO_DATA_DIR;

/** Files as the sets publish them, made here. */
const scratch = mkdtempSync(join(tmpdir(), 'molmoe-sets-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

type Files = Readonly<Record<string, unknown>>;
let folders = 0;
/** A folder with these files: bytes as they are, anything else as JSON. */
function folder_of(files: Files): string {
  const at = join(scratch, String(folders++));
  mkdirSync(at);
  for (const [name, content] of Object.entries(files)) {
    const path = join(at, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(
      path,
      content instanceof Uint8Array || typeof content === 'string' ? content : JSON.stringify(content),
    );
  }
  return at;
}

const JPEG = (id: number) => `COCO_val2014_${String(id).padStart(12, '0')}.jpg`;
const asked = (image_id: number, n: number) => ({
  image_id,
  question: `what is thing ${n} of ${image_id}?`,
  question_id: image_id * 1000 + n,
});
const answered = (image_id: number, n: number) => ({
  question_id: image_id * 1000 + n,
  question_type: 'what is',
  image_id,
  answers: Array.from({ length: 10 }, (_, i) => ({ answer: `a${n}`, answer_confidence: 'yes', answer_id: i + 1 })),
});
const QUESTIONS = 'v2_OpenEnded_mscoco_val2014_questions.json';
const ANSWERS = 'v2_mscoco_val2014_annotations.json';
const ORDER = [
  [42, 0],
  [7, 0],
  [42, 1],
  [393243, 0],
  [7, 1],
  [42, 2],
] as const;

const vqa2 = (base = '', changes: Files = {}): Files => {
  const files: Record<string, unknown> = {
    [QUESTIONS]: { info: {}, questions: ORDER.map(([image, n]) => asked(image, n)) },
    [ANSWERS]: { annotations: ORDER.map(([image, n]) => answered(image, n)).reverse() },
    ...Object.fromEntries([42, 7, 393243].map((id) => [`val2014/${JPEG(id)}`, ONE_PIXEL])),
    ...changes,
  };
  return Object.fromEntries(
    Object.entries(files)
      .filter(([, content]) => content !== undefined)
      .map(([name, content]) => [base + name, content]),
  );
};

describe('coco_2014_vqa', () => {
  it('goes through images as the questions first name them', async () => {
    const set = await opened('coco_2014_vqa', folder_of(vqa2('torch_datasets/downloads/')));
    expect(set).toMatchObject({ name: 'coco_2014_vqa', split: 'validation', size: 6 });
    const samples = await taken(set);
    expect(samples.map(({ id }) => id)).toEqual(['42000', '42001', '42002', '7000', '7001', '393243000']);
    expect(samples[1]).toMatchObject({
      question: 'what is thing 1 of 42?',
      style: 'vqa2',
      answers: Array(10).fill('a1'),
      metadata: {
        image_id: 42,
        example_id: 42001,
        question_type: 'what is',
        image: 'val2014/COCO_val2014_000000000042.jpg',
      },
    });
    expect(await samples[1]?.picture?.open()).toMatchObject({ width: 1, height: 1 });
    expect(await samples[1]?.picture?.size()).toEqual({ width: 1, height: 1 });
    expect((await taken(set, 9, 4)).map(({ id }) => id)).toEqual(['7001', '393243000']);
  });

  it('may lie in the folder itself, images among the files', async () => {
    const direct = folder_of(vqa2());
    expect((await opened('coco_2014_vqa', direct)).size).toBe(6);
    const flat = folder_of(
      Object.fromEntries(
        Object.entries(vqa2()).map(([name, content]) => [name.replace('val2014/COCO', 'COCO'), content]),
      ),
    );
    const set = await opened('coco_2014_vqa', flat);
    expect(await (await taken(set, 1))[0]?.picture?.size()).toEqual({ width: 1, height: 1 });
    // The same files are the same data, wherever they lie.
    expect(set.digest).toBe((await opened('coco_2014_vqa', direct)).digest);
  });

  it('has a digest that tells answers and images apart', async () => {
    const other = vqa2('', { [ANSWERS]: { annotations: ORDER.map(([image, n]) => answered(image, n)) } });
    const missing = vqa2('', { [`val2014/${JPEG(7)}`]: undefined });
    const larger = vqa2('', { [`val2014/${JPEG(7)}`]: Buffer.concat([ONE_PIXEL, Buffer.from('x')]) });
    const sets = await Promise.all(
      [vqa2(), other, missing, larger].map((files) => opened('coco_2014_vqa', folder_of(files))),
    );
    expect(new Set(sets.map(({ digest }) => digest)).size).toBe(4);
  });

  it('has no answers in its test split, and needs no annotations there', async () => {
    const at = folder_of({
      'v2_OpenEnded_mscoco_test2015_questions.json': { questions: [asked(1, 0)] },
      'test2015/COCO_test2015_000000000001.jpg': ONE_PIXEL,
    });
    const [sample] = await taken(await opened('coco_2014_vqa', at, 'test'));
    expect(sample).toMatchObject({ answers: null, metadata: { image_id: 1, example_id: 1000 } });
  });

  it('goes on after an image that is broken or missing', async () => {
    const at = folder_of(vqa2('', { [`val2014/${JPEG(42)}`]: 'no picture', [`val2014/${JPEG(7)}`]: undefined }));
    const outcomes: string[] = [];
    for (const { picture } of await taken(await opened('coco_2014_vqa', at))) {
      outcomes.push(
        await (picture as { open: () => Promise<unknown> }).open().then(
          () => 'opened',
          (error) => (error instanceof InputError ? error.message.replace(/.*val2014\//, '') : String(error)),
        ),
      );
    }
    expect(outcomes.at(-1)).toBe('opened');
    expect(outcomes[0]).toBe(
      `${JPEG(42)}: expected a PNG, JPEG, WebP, GIF or TIFF image, found 10 bytes starting 6e 6f 20 70`,
    );
    expect(outcomes[3]).toBe(`${JPEG(7)}: expected a readable image file, found no such file`);
  });

  it.each([
    [
      { [QUESTIONS]: undefined },
      /v2_OpenEnded.*: expected the questions \(validation\) of coco_2014_vqa, found nothing.*https:\/\/visualqa.org/,
    ],
    [{ [ANSWERS]: undefined }, /v2_mscoco_val2014_annotations.json: expected the annotations \(validation\)/],
    [
      Object.fromEntries([42, 7, 393243].map((id) => [`val2014/${JPEG(id)}`, undefined])),
      /val2014: expected the folder val2014 of images/,
    ],
    [
      { [QUESTIONS]: '{"questions": [' },
      /questions.json: expected JSON, found JSON that is cut off or broken; get it anew$/,
    ],
    [{ [QUESTIONS]: '' }, /expected JSON, found an empty file/],
    [{ [QUESTIONS]: [] }, /questions.json: expected a list questions, found nothing/],
    [{ [QUESTIONS]: { questions: [] } }, /expected records of validation, found none/],
    [
      { [QUESTIONS]: { questions: [asked(42, 0), { ...asked(42, 1), question: null }] } },
      /questions.json: questions\[1\]: question: expected string, found null; get the file anew$/,
    ],
    [
      { [QUESTIONS]: { questions: [asked(42, 0), { image_id: 42 }] } },
      /questions\[1\]: question: expected string, found nothing/,
    ],
    [
      { [QUESTIONS]: { questions: [asked(42, 0), asked(42, 0)] } },
      /questions\[1\].question_id: expected each once, found 42000 again/,
    ],
    [
      { [ANSWERS]: { annotations: [answered(42, 0)] } },
      /annotations.json: expected answers to every question of .*, found none to question 7000; take both of one split/,
    ],
    [
      { [ANSWERS]: { annotations: [{ ...answered(42, 0), answers: [{ answer: 3 }] }] } },
      /annotations\[0\]: answers\[0\].answer: expected string, found number/,
    ],
  ])('says in one line what is wrong: %#', async (changes, message) => {
    const found = opened('coco_2014_vqa', folder_of(vqa2('', changes as Files)));
    await expect(found).rejects.toThrow(InputError);
    await expect(found).rejects.toThrow(message);
    await expect(found).rejects.not.toThrow(/\n/);
  });

  it('needs a folder, which exists', async () => {
    await expect(opened('coco_2014_vqa', join(scratch, 'nowhere'))).rejects.toThrow(
      /expected the folder with the files/,
    );
    await expect(opened('coco_2014_vqa', undefined as unknown as string)).rejects.toThrow(
      /^folder: expected the one with the files of coco_2014_vqa, found none given/,
    );
  });

  it('joins splits', async () => {
    const train = Object.fromEntries(
      Object.entries(vqa2()).map(([name, content]) => [
        name.replaceAll('val2014', 'train2014'),
        typeof content === 'object' && !(content instanceof Uint8Array)
          ? JSON.parse(JSON.stringify(content).replaceAll('"image_id":42,', '"image_id":43,'))
          : content,
      ]),
    );
    const set = await opened('coco_2014_vqa', folder_of({ ...vqa2(), ...train }), 'train+validation');
    expect(set).toMatchObject({ split: 'train+validation', size: 12 });
    const samples = await taken(set, 9, 5);
    expect(samples[0]?.metadata).toMatchObject({ image: 'train2014/COCO_train2014_000000393243.jpg' });
    expect(samples[1]?.id).toBe('42000');
  });
});

describe('grouping', () => {
  it('keeps every record, groups whole, and the order of first meetings', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(6), fc.nat())), (records) => {
        const found = grouped(records, ([key]) => key);
        expect([...found].sort()).toEqual([...records].sort());
        const keys = found.map(([key]) => key).filter((key, i, all) => key !== all[i - 1]);
        expect(keys).toEqual([...new Set(records.map(([key]) => key))]);
        for (const key of keys) {
          expect(found.filter(([one]) => one === key)).toEqual(records.filter(([one]) => one === key));
        }
      }),
    );
  });
});

describe('coco_caption', () => {
  const captions = (changes: object = {}) => ({
    images: [9, 4].map((id) => ({ id, file_name: JPEG(id), width: 640 })),
    annotations: [
      { image_id: 4, id: 1, caption: 'A cat.' },
      { image_id: 9, id: 2, caption: 'A dog.' },
      { image_id: 4, id: 3, caption: 'A small cat.' },
    ],
    ...changes,
  });

  it('is an image a sample, with all its captions', async () => {
    const at = folder_of({ 'annotations/captions_val2014.json': captions(), [`val2014/${JPEG(9)}`]: ONE_PIXEL });
    const samples = await taken(await opened('coco_caption', at));
    expect(samples.map(({ id, answers, metadata, question }) => [id, answers, metadata.caption_id, question])).toEqual([
      ['9', ['A dog.'], [2], ''],
      ['4', ['A cat.', 'A small cat.'], [1, 3], ''],
    ]);
    expect(samples[0]?.style).toBe('coco_captioning');
  });

  it.each([
    [{ annotations: [] }, /images\[0\]: expected captions of image 9, found none/],
    [{ images: [{ id: 4, file_name: '../../secret.png' }] }, /images\[0\].file_name: expected a path inside/],
    [{ images: [...captions().images, captions().images[0]] }, /images\[2\].id: expected each once, found 9 again/],
  ])('refuses %#', async (changes, message) => {
    const at = folder_of({ 'captions_val2014.json': captions(changes), [`val2014/${JPEG(9)}`]: ONE_PIXEL });
    await expect(opened('coco_caption', at)).rejects.toThrow(message);
  });
});

describe('tally_qa', () => {
  const test = [
    { image: 'VG_100K/2.jpg', question: 'How many cups?', answer: 3, question_id: 11, image_id: 2, issimple: true },
    { image: 'val2014/a.jpg', question: 'How many dogs?', answer: 0, question_id: 12, image_id: 5 },
    { image: 'VG_100K/2.jpg', question: 'How many forks?', answer: 1, question_id: 13, image_id: 2 },
  ];
  const images = { 'torch_datasets/downloads/val2014/a.jpg': ONE_PIXEL, 'tally_qa/VG_100K/2.jpg': ONE_PIXEL };

  it('is a question a sample, each with its own answer, grouped by image', async () => {
    const samples = await taken(await opened('tally_qa', folder_of({ 'tally_qa/test.json': test, ...images })));
    expect(samples.map(({ id, answers }) => [id, answers])).toEqual([
      ['11', ['3']],
      ['13', ['1']],
      ['12', ['0']],
    ]);
    for (const { picture } of samples) expect(await picture?.size()).toEqual({ width: 1, height: 1 });
    await expect(opened('tally_qa', scratch, 'validation')).rejects.toThrow(
      'split: expected train or test of tally_qa',
    );
  });

  it.each([
    [{ 'test.json': { questions: test } }, /test.json: expected a list, found/],
    [{ 'test.json': [{ ...test[0], answer: '3' }] }, /test.json: \[0\]: answer: expected number, found string/],
    [{ 'test.json': [{ ...test[0], image: '/etc/passwd' }] }, /\[0\].image: expected a path inside the set's folder/],
    [{ 'test.json': [{ ...test[0], image: 'VG_100K/../../x.jpg' }] }, /expected a path inside/],
    [{ 'test.json': [{ ...test[0], image: 'VG_100K_2/2.jpg' }] }, /VG_100K_2: expected the folder VG_100K_2 of images/],
  ])('refuses %#', async (files, message) => {
    await expect(opened('tally_qa', folder_of({ ...files, ...images }))).rejects.toThrow(message);
  });
});

describe('st_qa', () => {
  const SHUFFLED = {
    first: [183, 524, 1, 698, 76, 149, 715, 705],
    digest: '3abeed89f5add204e2de4ca89b5445d76b1e2a33d5342f0bc1d49ed19723e1b2',
  };
  const questions = Array.from({ length: 1100 }, (_, i) => ({
    file_path: `coco-text/${i}.jpg`,
    question: `what does sign ${i} say?`,
    // Not in the file's order.
    question_id: (i * 7) % 1100,
    answers: [`word ${i}`],
  }));

  it('is split as the study splits it: by id, shuffled, the first 1,024', async () => {
    const at = folder_of({ 'scene-text/train_task_3.json': { data: questions } });
    const validation = (await taken(await opened('st_qa', at))).map(({ id }) => Number(id));
    const train = (await taken(await opened('st_qa', at, 'train'))).map(({ id }) => Number(id));
    expect(validation).toHaveLength(1024);
    // np.random.RandomState(63069).shuffle(list(range(1100))) of numpy 2.4.
    expect(validation.slice(0, 8)).toEqual(SHUFFLED.first);
    expect(
      createHash('sha256')
        .update([...validation, ...train].join())
        .digest('hex'),
    ).toBe(SHUFFLED.digest);
    expect((await opened('st_qa', at)).digest).not.toBe((await opened('st_qa', at, 'train')).digest);
    const joined = await opened('st_qa', at, 'train+validation');
    expect(joined.size).toBe(1100);
  });

  it('has no answers in its test split', async () => {
    const [{ answers: _, ...unanswered }] = questions as [(typeof questions)[number]];
    const at = folder_of({ 'test_task_3.json': { data: [unanswered] }, 'train_task_3.json': { data: [unanswered] } });
    expect((await taken(await opened('st_qa', at, 'test')))[0]).toMatchObject({
      answers: null,
      metadata: { example_id: 0 },
    });
    await expect(opened('st_qa', at)).rejects.toThrow(
      /data\[0\].answers: expected answers, found nothing; is it the test file/,
    );
  });

  it('reads through links, as data folders have them', async () => {
    const at = folder_of({ 'scene-text/train_task_3.json': { data: questions.slice(0, 3) } });
    symlinkSync(join(at, 'scene-text'), join(at, 'linked'));
    expect((await opened('st_qa', join(at, 'linked'))).size).toBe(3);
  });
});
