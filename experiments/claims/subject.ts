import type { head_shape, Protocol, Provenance, Run } from '../lab/schema.ts';

/** What a claim is held against, wherever the files came from. */

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
