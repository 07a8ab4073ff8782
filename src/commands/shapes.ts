import { join } from 'node:path';
import { encode_png } from '../../engine/node/encode_png.ts';
import { file_error, make_folders, write_atomic } from '../../engine/node/files.ts';
import { type Split, shapes_sample } from '../../experiments/datasets/shapes.ts';
import { note, out, progress, table } from '../print.ts';

export interface ShapesFlags {
  readonly out: string;
  readonly split: Split;
  readonly from: number;
  readonly numSamples: number;
  readonly json?: boolean;
}

/** Pictures of the built-in set as files, with what is asked about each: something to show to nano. */
export async function shapes({ out: folder, split, from, numSamples, json }: ShapesFlags): Promise<undefined> {
  await make_folders(folder).catch((error) => {
    throw file_error(error, folder, 'a folder that can be written');
  });
  const rows: { picture: string; type: string; question: string; answer: string; seed: number }[] = [];
  const bar = progress(`writing ${folder}`);
  for (let n = from; n < from + numSamples; n++) {
    bar.update(n - from, numSamples);
    const { id, picture, type, question, answer, seed } = shapes_sample(split, n);
    await write_atomic(join(folder, `${id}.png`), await encode_png(picture));
    rows.push({ picture: `${id}.png`, type, question, answer, seed });
  }
  bar.end();
  const said = { schema: 'molmoe.shapes/1', split, samples: rows };
  await write_atomic(join(folder, 'samples.json'), `${JSON.stringify(said, null, 2)}\n`);
  if (json) out(`${JSON.stringify(said)}\n`);
  else {
    const head = ['picture', 'type', 'question', 'answer'];
    out(`${table([head, ...rows.map(({ picture, type, question, answer }) => [picture, type, question, answer])])}\n`);
  }
  note(`${rows.length} pictures and samples.json in ${folder}`);
}
