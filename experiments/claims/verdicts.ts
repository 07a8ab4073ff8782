import type { Claim, Found, Judged, Needs, Read, View, Way } from './claim.ts';
import { type PublishedFile, type Subject, subject_key, subject_of } from './subject.ts';

/** What came of a claim, with all that a reader needs to check it. */
export interface Verdict
  extends Pick<Claim, 'id' | 'statement' | 'source' | 'test' | 'run'>,
    Pick<Judged, 'outcome' | 'sentence'> {
  readonly about: string;
  readonly number: number | null;
  readonly unit: string | null;
  /** Runs behind each number, at least. */
  readonly n: number | null;
  /** The files that it rests on; none where it was not tested. */
  readonly files: readonly string[];
}

export function verdicts_on(
  subject: Subject,
  files: readonly PublishedFile[],
  claims: Readonly<Record<string, readonly Claim[]>>,
): Verdict[] {
  return Object.entries(claims).flatMap(([about, some]) =>
    some.map((claim) => verdict_on(claim, about, subject, files)),
  );
}

function verdict_on(claim: Claim, about: string, subject: Subject, files: readonly PublishedFile[]): Verdict {
  const { id, statement, source, test, run } = claim;
  const key = subject_key(subject);
  const own = files.filter((file) => subject_key(subject_of(file)) === key);
  const { judged, paths } = decided(claim, own, others_of(subject, files));
  const { outcome, sentence, number, n } = judged;
  return {
    ...{ id, about, statement, source, test, run, outcome, sentence },
    number: number?.value ?? null,
    unit: number?.unit ?? null,
    n: n ?? null,
    files: paths,
  };
}

/** Files of the same model on each other adapter. */
function others_of(subject: Subject, files: readonly PublishedFile[]): PublishedFile[][] {
  const by_adapter = new Map<string, PublishedFile[]>();
  for (const file of files) {
    const { adapter, model, dtype } = subject_of(file);
    if (adapter === subject.adapter || model !== subject.model || dtype !== subject.dtype) continue;
    by_adapter.set(adapter, [...(by_adapter.get(adapter) ?? []), file]);
  }
  return [...by_adapter.values()];
}

interface Decided {
  readonly judged: Judged;
  readonly paths: readonly string[];
}

/** The first way that decides, on the first files that let it; else why the first way did not. */
function decided(claim: Claim, own: readonly PublishedFile[], others: readonly (readonly PublishedFile[])[]): Decided {
  const open: Decided[] = [];
  for (const way of claim.ways) {
    for (const found of reads(way, own)) {
      const beside = way.across ? others.flatMap((files) => reads(way, files).slice(0, 1)) : [];
      const judged = way.decide(found, beside);
      const paths = [...new Set([found, ...beside].flatMap((read) => Object.values(read).map(({ path }) => path)))];
      if (judged.outcome !== 'not tested') return { judged, paths };
      open.push({ judged, paths });
    }
  }
  return open[0] ?? { judged: { outcome: 'not tested', sentence: missing(claim) }, paths: [] };
}

function missing({ ways }: Claim): string {
  const names = ways.map(({ needs }) =>
    [...new Set(Object.values(needs).map(({ experiment }) => experiment))].join(' and '),
  );
  return `no results of ${[...new Set(names)].join(' or ')}`;
}

const folder_of = (path: string): string => path.slice(0, Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);

/** Every choice of files that a way can take, those of most runs first, then the newest. Of one experiment from one folder. */
function reads({ needs }: Way, files: readonly PublishedFile[]): Read<Needs>[] {
  let choices: Record<string, Found<unknown>>[] = [{}];
  for (const [name, view] of Object.entries(needs)) {
    const found = candidates(view, files);
    const belongs = (choice: Record<string, Found<unknown>>, one: Found<unknown>) =>
      Object.entries(choice).every(
        ([other, { path }]) => needs[other]?.experiment !== view.experiment || folder_of(path) === folder_of(one.path),
      );
    choices = choices.flatMap((choice) =>
      found.filter((one) => belongs(choice, one)).map((one) => ({ ...choice, [name]: one })),
    );
  }
  return choices;
}

const candidates = ({ experiment, file, shape }: View, files: readonly PublishedFile[]): Found<unknown>[] =>
  files
    .filter((one) => one.experiment === experiment && one.name === file)
    .toSorted((a, b) => b.body.protocol.runs - a.body.protocol.runs || (a.body.ended < b.body.ended ? 1 : -1))
    .map(({ body, path }) => ({
      body: shape.parse(body),
      path,
      provenance: body.provenance,
      ceilings: body.ceilings,
    }));
