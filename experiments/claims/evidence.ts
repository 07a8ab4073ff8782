import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../engine/errors.ts';
import { file_error } from '../../engine/node/files.ts';
import type { Experiment } from '../lab/define.ts';
import { find_published } from '../lab/read.ts';
import type { PublishedFile } from './subject.ts';

/** Published files of a whole results folder, as claims are held against them. */

export interface Evidence {
  readonly files: readonly PublishedFile[];
  /** Folders whose files could not be read, and why. */
  readonly faults: readonly string[];
  /** Files that claims do not rest on, and why. */
  readonly left_out: readonly { readonly path: string; readonly why: string }[];
}

const DEPTH = 5;
/** Folders that hold no published files. */
const OTHERS = new Set(['configurations', 'figures', 'traces', 'schema', 'node_modules']);

export async function read_evidence(folder: string, experiments: readonly Experiment[]): Promise<Evidence> {
  const files: PublishedFile[] = [];
  const faults: string[] = [];
  for (const one of await folders_in(folder, DEPTH)) {
    try {
      for (const { experiment, files: found } of await find_published(one, experiments)) {
        for (const [name, body] of Object.entries(found)) {
          const path = join(one, `${name}.json`);
          files.push({ experiment: experiment.name, name, path, body: body as PublishedFile['body'] });
        }
      }
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      faults.push(error.message);
    }
  }
  const left_out = files.flatMap((file) => {
    const why = why_left_out(file);
    return why === null ? [] : [{ path: file.path, why }];
  });
  return { files: files.filter((file) => why_left_out(file) === null), faults, left_out };
}

async function folders_in(folder: string, depth: number): Promise<string[]> {
  let inside: Dirent[];
  try {
    inside = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    throw file_error(error, folder, 'a folder of results');
  }
  if (depth === 0) return [folder];
  const below = inside
    .filter((one) => one.isDirectory() && !OTHERS.has(one.name) && !one.name.startsWith('.'))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const found = [folder];
  for (const { name } of below) found.push(...(await folders_in(join(folder, name), depth - 1)));
  return found;
}

/** A claim is about the model as it is, on the kernels that the adapter gets by itself. */
function why_left_out({ body: { knobs, provenance, protocol } }: PublishedFile): string | null {
  const turned = Object.entries(knobs).filter(([, value]) => value !== null && value !== false);
  if (turned.length > 0) return `knobs were turned for all of it: ${turned.map(([name]) => name).join(', ')}`;
  if (provenance.mode !== 'release') return 'it was measured with validation on, which slows it';
  if (provenance.variant !== 'auto') return `it was measured on one family of kernels: ${provenance.variant}`;
  return protocol.tokens_per_readback > 1 ? 'several tokens were read back together' : null;
}
