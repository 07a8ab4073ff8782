import { access } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../../engine/errors.ts';
import { checked_bundle } from './bundle.ts';
import { digest_of } from './fingerprint.ts';
import { read_json } from './read.ts';
import { open_results } from './record.ts';

/** A file that holds a whole run becomes a results folder beside it, of its name without the ending. Returns the folder. */
export async function unpack(path: string): Promise<string> {
  const bundle = checked_bundle(await read_json(path, 'results as the live page saves them', 'choose another'), path);
  const { run, plan, configurations } = bundle;
  const { experiment, fingerprint, ceilings, started } = run;
  if (digest_of(fingerprint) !== run.run) {
    throw new InputError(`${path}: expected the digest of its run, found another; the file was changed: save it again`);
  }
  const folder = join(dirname(path), basename(path).replace(/\.json$/i, ''));
  if (folder === path) throw new InputError(`${path}: expected a name that ends in .json, found none; rename the file`);
  await refuse_taken(folder);
  const { schema: _, experiment: __, ...planned } = plan;
  const results = await open_results(folder, { experiment, fingerprint, plan: planned, ceilings, started });
  try {
    for (const one of configurations) await results.save(one);
  } finally {
    await results.close();
  }
  return folder;
}

/** Its own folder may be there from an earlier time: opening it compares. Anything else is left alone. */
async function refuse_taken(folder: string): Promise<void> {
  const is_there = (path: string) =>
    access(path).then(
      () => true,
      () => false,
    );
  if (!(await is_there(folder)) || (await is_there(join(folder, 'run.json')))) return;
  throw new InputError(`${folder}: expected no such place yet, or results of this file; move it elsewhere`);
}
