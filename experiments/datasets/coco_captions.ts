import { join } from 'node:path';
import { z } from 'zod';
import { InputError } from '../../engine/errors.ts';
import type { Dataset } from './dataset.ts';
import { listed } from './listed.ts';
import {
  BASES,
  checked_record,
  file_picture,
  find_file,
  type Home,
  image_folder,
  inner_path,
  list_in,
  read_annotations,
} from './local_files.ts';

const image_schema = z.object({ id: z.int(), file_name: z.string() });
const caption_schema = z.object({ image_id: z.int(), id: z.int(), caption: z.string() });
type Caption = z.infer<typeof caption_schema>;

/** One sample an image, in the order of the file's images; the prompt is the style's own. */
export async function open_coco_captions(home: Home, split: string): Promise<Dataset> {
  const year = split === 'train' ? 'train2014' : 'val2014';
  const file = `captions_${year}.json`;
  const places = BASES.flatMap((base) => [join(base, file), join(base, 'annotations', file)]);
  const path = await find_file(home, `the captions (${split})`, places);
  const folder = await image_folder(home, year, `COCO_${year}_`);
  const { value, digest } = await read_annotations(path);

  const captions = new Map<number, Caption[]>();
  for (const [i, record] of list_in(value, 'annotations', path).entries()) {
    const caption = checked_record(caption_schema, record, `${path}: annotations[${i}]`);
    captions.set(caption.image_id, [...(captions.get(caption.image_id) ?? []), caption]);
  }
  const seen = new Set<number>();
  const images = list_in(value, 'images', path).map((record, i) => {
    const where = `${path}: images[${i}]`;
    const { id, file_name } = checked_record(image_schema, record, where);
    if (seen.has(id)) throw new InputError(`${where}.id: expected each once, found ${id} again; get the file anew`);
    seen.add(id);
    const own = captions.get(id);
    if (own === undefined)
      throw new InputError(`${where}: expected captions of image ${id}, found none; get the file anew`);
    const name = inner_path(file_name, `${where}.file_name`);
    return { id, captions: own, image: { name: `${year}/${name}`, path: join(folder, name) } };
  });
  return listed({
    name: home.name,
    split,
    source: path,
    parts: [digest],
    records: images,
    image_of: ({ image }) => image,
    sample_of: ({ id, captions: own, image }) => ({
      id: String(id),
      picture: file_picture(image),
      question: '',
      style: 'coco_captioning',
      answers: own.map(({ caption }) => caption),
      metadata: { image_id: id, caption_id: own.map((caption) => caption.id), image: image.name },
    }),
  });
}
