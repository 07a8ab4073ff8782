import { resolve_model } from '../../engine/node/choose_model.ts';
import { type KnownModel, read_known } from '../../engine/node/known_model.ts';
import type { Folder } from '../../engine/weights/source.ts';

/** A model as its files describe it. */
export interface Subject extends KnownModel {
  readonly name: string;
  /** Of a checkpoint; a preset has none. */
  readonly folder: Folder | undefined;
}

/** Where no device is opened, `auto` cannot mean what fits it: it is the checkpoint that lies here, else the whole model. */
export const find_model = (model: string) => resolve_model(model) ?? ({ kind: 'preset', name: 'molmoe-1b' } as const);

export async function read_subject(model: string, tokenizer?: string): Promise<Subject> {
  const found = find_model(model);
  return { name: found.name, ...(await read_known(found, tokenizer)) };
}
