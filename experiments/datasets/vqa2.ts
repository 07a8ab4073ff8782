import { join } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import type { Dataset } from './dataset.ts';
import { grouped, listed } from './listed.ts';
import {
  BASES,
  checked_record,
  file_picture,
  find_file,
  type Home,
  image_folder,
  interned,
  list_in,
  read_annotations,
} from './local_files.ts';

const YEARS: Readonly<Record<string, string>> = { train: 'train2014', validation: 'val2014', test: 'test2015' };

const question_schema = z.object({ image_id: z.int().nonnegative(), question: z.string(), question_id: z.int() });
type Question = z.infer<typeof question_schema>;

const annotation_schema = z.object({
  question_id: z.int(),
  question_type: z.string().optional(),
  answers: z.array(z.object({ answer: z.string() })).min(1),
});
interface Answered {
  readonly answers: readonly string[];
  readonly question_type?: string;
}

/** Questions are grouped by image, images as the questions first name them: as the study goes through them. */
export async function open_vqa2(home: Home, split: string): Promise<Dataset> {
  const year = YEARS[split] as string;
  const places = (name: string) => BASES.map((base) => join(base, name));
  const path = await find_file(home, `the questions (${split})`, places(`v2_OpenEnded_mscoco_${year}_questions.json`));
  const answers_path =
    split === 'test'
      ? undefined
      : await find_file(home, `the annotations (${split})`, places(`v2_mscoco_${year}_annotations.json`));
  const folder = await image_folder(home, year, `COCO_${year}_`);

  const file = await read_annotations(path);
  const ids = new Set<number>();
  const questions = list_in(file.value, 'questions', path).map((record, i) => {
    const question = checked_record(question_schema, record, `${path}: questions[${i}]`);
    if (ids.has(question.question_id)) {
      throw new InputError(
        `${path}: questions[${i}].question_id: expected each once, found ${question.question_id} again`,
      );
    }
    ids.add(question.question_id);
    return question;
  });
  const answers = answers_path === undefined ? undefined : await read_answers(answers_path);
  const unanswered = answers && questions.find(({ question_id }) => !answers.by_question.has(question_id));
  if (unanswered) {
    throw new InputError(
      `${answers_path}: expected answers to every question of ${path}, found none to question ${unanswered.question_id}; take both of one split`,
    );
  }
  const image_of = ({ image_id }: Question) => {
    const name = `COCO_${year}_${String(image_id).padStart(12, '0')}.jpg`;
    return { name: `${year}/${name}`, path: join(folder, name) };
  };
  return listed({
    name: home.name,
    split,
    source: path,
    parts: [file.digest, answers?.digest ?? ''],
    records: grouped(questions, ({ image_id }) => image_id),
    image_of,
    sample_of(asked) {
      const { question, question_id, image_id } = asked;
      const known = answers?.by_question.get(question_id);
      const type = known?.question_type;
      return {
        id: String(question_id),
        picture: file_picture(image_of(asked)),
        question,
        style: 'vqa2',
        answers: known?.answers ?? null,
        metadata: {
          image_id,
          example_id: question_id,
          ...(type === undefined ? {} : { question_type: type }),
          image: image_of(asked).name,
        },
      };
    },
  });
}

async function read_answers(path: string): Promise<{ by_question: Map<number, Answered>; digest: string }> {
  const { value, digest } = await read_annotations(path);
  const one = interned();
  const by_question = new Map<number, Answered>();
  for (const [i, record] of list_in(value, 'annotations', path).entries()) {
    const { question_id, question_type, answers } = checked_record(
      annotation_schema,
      record,
      `${path}: annotations[${i}]`,
    );
    by_question.set(question_id, {
      answers: answers.map(({ answer }) => one(answer)),
      ...(question_type === undefined ? {} : { question_type: one(question_type) }),
    });
  }
  return { by_question, digest };
}
