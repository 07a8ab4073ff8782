import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../../engine/errors.ts';
import { file_error } from '../../engine/node/files.ts';
import type { Experiment } from '../lab/define.ts';
import { find_published } from '../lab/read.ts';
import type { head_shape, Protocol, Provenance, Run } from '../lab/schema.ts';

/** Published files of a whole results folder, as claims are held against them. */

export interface PublishedFile {
  readonly experiment: string;
  /** Without its ending. */
  readonly name: string;
  readonly path: string;
  readonly body: Record<keyof typeof head_shape, unknown> & {
    readonly provenance: Provenance;
    readonly protocol: Protocol;
    readonly knobs: Readonly<Record<string, unknown>>;
    readonly ceilings: Run['ceilings'];
    readonly ended: string;
  };
}

/** What was measured: verdicts are about one of these, and no two are mixed. */
export interface Subject {
  readonly adapter: string;
  readonly type: 'software' | 'hardware';
  readonly model: string;
  readonly dtype: string;
  readonly weights: string;
  /** The whole model that its times were scaled to. */
  readonly scaled_to: string | null;
}

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

export const subject_of = ({ body: { provenance } }: PublishedFile): Omit<Subject, 'scaled_to'> => {
  const { adapter, model } = provenance;
  return {
    adapter: adapter.description || adapter.device,
    type: adapter.type,
    model: model.name,
    dtype: model.dtype,
    weights: model.weights,
  };
};

export const subject_key = (subject: Omit<Subject, 'scaled_to'>): string =>
  [subject.adapter, subject.model, subject.dtype, subject.weights].join('\n');

/** In the order in which they are found. */
export function subjects_of(files: readonly PublishedFile[]): Subject[] {
  const by_key = new Map<string, Subject>();
  for (const file of files) {
    const subject = subject_of(file);
    const key = subject_key(subject);
    const known = by_key.get(key);
    by_key.set(key, { ...subject, scaled_to: known?.scaled_to ?? scaled_in(file.body) });
  }
  return [...by_key.values()];
}

/** Rows say themselves what their times were scaled to. */
function scaled_in(body: object): string | null {
  const { configurations, summary, results } = body as Partial<Record<string, unknown>>;
  const rows = [configurations, summary, results].flatMap((list) => (Array.isArray(list) ? list : [])) as {
    scaled?: { model?: string } | null;
  }[];
  return rows.find((row) => row.scaled?.model)?.scaled?.model ?? null;
}
