import { dirname, join } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import { legacy_random } from '../lab/legacy_random.ts';
import type { Dataset } from './dataset.ts';
import { listed } from './listed.ts';
import {
  checked_record,
  file_picture,
  find_file,
  type Home,
  inner_path,
  list_in,
  read_annotations,
} from './local_files.ts';

const VALIDATION = 1024;
const SEED = 63069;

const question_schema = z.object({
  file_path: z.string(),
  question: z.string(),
  question_id: z.int(),
  answers: z.array(z.string()).optional(),
});

/** The published set has no validation split: the study takes 1,024 of the shuffled training questions, and so does this. */
export async function open_st_qa(home: Home, split: string): Promise<Dataset> {
  const name = `${split === 'test' ? 'test' : 'train'}_task_3.json`;
  const path = await find_file(home, `the questions (${split})`, [join('scene-text', name), name]);
  const { value, digest } = await read_annotations(path);
  const seen = new Set<number>();
  const questions = list_in(value, 'data', path).map((record, i) => {
    const where = `${path}: data[${i}]`;
    const question = checked_record(question_schema, record, where);
    if (seen.has(question.question_id)) {
      throw new InputError(`${where}.question_id: expected each once, found ${question.question_id} again`);
    }
    seen.add(question.question_id);
    inner_path(question.file_path, `${where}.file_path`);
    if (split !== 'test' && question.answers === undefined) {
      throw new InputError(`${where}.answers: expected answers, found nothing; is it the test file?`);
    }
    return question;
  });
  const image_of = ({ file_path }: { file_path: string }) => ({
    name: file_path,
    path: join(dirname(path), file_path),
  });
  return listed({
    name: home.name,
    split,
    source: path,
    parts: [digest],
    records: split === 'test' ? questions : part_of(questions, split),
    image_of,
    sample_of: (asked) => ({
      id: String(asked.question_id),
      picture: file_picture(image_of(asked)),
      question: asked.question,
      style: 'st_qa',
      answers: asked.answers ?? null,
      metadata: { example_id: asked.question_id, image: asked.file_path },
    }),
  });
}

function part_of<Q extends { readonly question_id: number }>(questions: readonly Q[], split: string): Q[] {
  const sorted = questions.toSorted((a, b) => a.question_id - b.question_id);
  // All of them without replacement: what numpy's shuffle leaves.
  const shuffled = legacy_random(SEED).choice(sorted, sorted.length);
  return split === 'validation' ? shuffled.slice(0, VALIDATION) : shuffled.slice(VALIDATION);
}
