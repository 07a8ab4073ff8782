import { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import { shown } from '../../engine/weights/text.ts';
import { type OpenableSet, type Place, parquet_set } from './parquet_set.ts';
import { python_list } from './python_list.ts';

/** Sets of the Hugging Face hub, as their Parquet files are published. */

const id = z.union([z.string(), z.number()]);
const texts = z.array(z.string());
/** What the study copies, without what a file leaves out. */
const known = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== null)) as T;
const some = (answers: readonly string[] | null | undefined) =>
  answers === undefined || answers === null || answers.length === 0 ? null : answers;

const text_vqa = parquet_set({
  folders: ['TextVQA', 'text_vqa', 'textvqa'],
  image: 'image',
  columns: z.object({
    question_id: id,
    question: z.string(),
    answers: texts.nullable(),
    image_id: id,
    flickr_300k_url: z.string().nullable(),
  }),
  sample_of: ({ question_id, question, answers, image_id, flickr_300k_url }, { image }) => ({
    id: String(question_id),
    question,
    style: 'text_vqa',
    answers: some(answers),
    metadata: known({ image_url: flickr_300k_url, image_id, example_id: question_id, image }),
  }),
});

const raw = z.object({ raw_answer: z.string() });

const okvqa = parquet_set({
  folders: ['OK-VQA', 'okvqa'],
  image: 'image',
  columns: z.object({
    question_id: id,
    question: z.string(),
    answers: z.union([z.array(raw), z.object({ raw_answer: texts })]).nullable(),
  }),
  sample_of: ({ question_id, question, answers }, { image }) => ({
    id: String(question_id),
    question,
    style: 'okvqa',
    answers: some(Array.isArray(answers) ? answers.map(({ raw_answer }) => raw_answer) : answers?.raw_answer),
    metadata: { example_id: question_id, image },
  }),
});

const letter = (index: number): string => String.fromCharCode(65 + index);

const science_qa = parquet_set({
  folders: ['ScienceQA', 'science_qa_img', 'science_qa'],
  image: 'image',
  pictures_only: true,
  columns: z.object({
    question: z.string(),
    choices: texts.min(1),
    answer: z.int().nonnegative(),
    hint: z.string().nullable(),
  }),
  sample_of({ question, choices, answer, hint }, { row, where, image }) {
    if (answer >= choices.length) {
      throw new InputError(`${where}: answer: expected one of ${choices.length} choices, found number ${answer}`);
    }
    return {
      id: String(row),
      question: hint ? `${hint}\n${question}` : question,
      style: 'science_qa',
      answers: [letter(answer)],
      options: choices,
      answer_index: answer,
      metadata: { example_id: row, image },
    };
  },
});

const doc_qa = parquet_set({
  folders: ['DocumentVQA', 'doc_qa', 'DocVQA'],
  image: 'image',
  columns: z.object({
    questionId: id,
    question: z.string(),
    question_types: texts.nullable(),
    docId: id,
    answers: texts.nullable(),
  }),
  sample_of: ({ questionId, question, question_types, docId, answers }, { image }) => ({
    id: String(questionId),
    question,
    style: 'doc_qa',
    answers: some(answers),
    metadata: known({ doc_id: docId, question_types, example_id: questionId, image }),
  }),
});

/** An option that is a picture: none of the options' pictures reaches the model, and the question's own is one of them. */
const is_picture = (option: string): boolean => /^\s*(<image \d+>|<img=)/.test(option);

const mmmu_row = z.object({
  id: z.string(),
  question: z.string(),
  options: z.union([z.string(), texts]),
  answer: z.string().nullable(),
  question_type: z.string(),
});

const mmmu = parquet_set({
  folders: ['MMMU', 'mmmu'],
  // The study's tools call the development split so.
  stems: { train: ['dev'] },
  image: 'image_1',
  columns: mmmu_row,
  sample_of(row, place) {
    const { id: example_id, question, question_type } = row;
    // The test split says "?".
    const answer = row.answer === null || row.answer === '?' ? null : row.answer;
    const metadata = known({ answer, example_id, question_type, image: place.image });
    if (question_type !== 'multiple-choice') {
      const answers = answer === null ? null : (python_list(answer) ?? [answer]);
      return { id: example_id, question, style: 'vqa2', answers, metadata };
    }
    const { options, answer_index } = choices_of(row, answer, place);
    return {
      id: example_id,
      question,
      style: 'a_okvqa_mc',
      answers: answer === null ? null : [answer],
      options,
      ...(answer_index === undefined ? {} : { answer_index }),
      metadata,
      without_picture: options.filter(is_picture).length > 1,
    };
  },
});

function choices_of({ options }: z.infer<typeof mmmu_row>, answer: string | null, { where }: Place) {
  const list = typeof options === 'string' ? python_list(options) : options;
  if (list === undefined || list.length === 0) {
    throw new InputError(`${where}: options: expected a list of texts, found ${shown(options)}; get the file anew`);
  }
  if (answer === null) return { options: list };
  const answer_index = list.findIndex((_, i) => letter(i) === answer);
  if (answer_index < 0) {
    throw new InputError(`${where}: answer: expected a letter of ${list.length} options, found ${shown(answer)}`);
  }
  return { options: list, answer_index };
}

export const HUB_SETS = { text_vqa, okvqa, science_qa_img: science_qa, doc_qa, mmmu } as const satisfies Readonly<
  Record<string, OpenableSet>
>;
