import { dirname, join, relative } from 'node:path';
import { z } from 'zod';
import type { Dataset } from './dataset.ts';
import { grouped, listed } from './listed.ts';
import {
  BASES,
  checked_record,
  file_picture,
  find_file,
  find_folder,
  type Home,
  inner_path,
  list_in,
  read_annotations,
} from './local_files.ts';

const question_schema = z.object({
  image: z.string(),
  question: z.string(),
  answer: z.int().nonnegative(),
  question_id: z.int().optional(),
  image_id: z.int().optional(),
});

/** One sample a question, grouped by image; each question has its own answer alone. */
export async function open_tally_qa(home: Home, split: string): Promise<Dataset> {
  const folders = BASES.flatMap((base) => [join(base, 'tally_qa'), join(base, 'TallyQA'), join(base, 'tallyqa')]);
  const places = [...folders, ...BASES].map((folder) => join(folder, `${split}.json`));
  const path = await find_file(home, `the questions (${split})`, places);
  const { value, digest } = await read_annotations(path);
  const questions = list_in(value, null, path).map((record, i) => {
    const where = `${path}: [${i}]`;
    const question = checked_record(question_schema, record, where);
    inner_path(question.image, `${where}.image`);
    return { ...question, place: i };
  });
  // VG_100K, VG_100K_2, train2014, val2014: each beside the file, or where COCO's lie for the other sets.
  const beside = relative(home.folder, dirname(path));
  const roots = new Map<string, string>();
  for (const top of new Set(questions.map(({ image }) => image.split('/')[0] as string))) {
    const tops = [beside, ...BASES].map((base) => join(base, top));
    roots.set(top, dirname(await find_folder(home, `the folder ${top} of images`, tops)));
  }
  const image_of = ({ image }: { image: string }) => ({
    name: image,
    path: join(roots.get(image.split('/')[0] as string) as string, image),
  });
  return listed({
    name: home.name,
    split,
    source: path,
    parts: [digest],
    records: grouped(questions, ({ image }) => image),
    image_of,
    sample_of: (asked) => {
      const { question, answer, question_id, image_id, image, place } = asked;
      const id = question_id ?? place;
      return {
        id: String(id),
        picture: file_picture(image_of(asked)),
        question,
        style: 'tally_qa',
        answers: [String(answer)],
        metadata: { image_id: image_id ?? image, example_id: id, answers: [answer], image },
      };
    },
  });
}
