import { relative, resolve } from 'node:path';
import { InputError, UsageError } from '../../engine/errors.ts';
import { type Evidence, read_evidence } from '../../experiments/claims/evidence.ts';
import { CLAIMS } from '../../experiments/claims/index.ts';
import { type Subject, subjects_of } from '../../experiments/claims/subject.ts';
import { type Verdict, verdicts_on } from '../../experiments/claims/verdicts.ts';
import type { IndexEntry } from '../../experiments/lab/report.ts';
import { commit, dirty, version } from '../build.ts';
import { bold, dim, note, out, warn } from '../print.ts';
import { EXPERIMENTS } from '../registry.ts';

export interface ClaimFlags {
  readonly adapter?: string;
  readonly model?: string;
  readonly full?: boolean;
  readonly json?: boolean;
}

/** Published statements, held against the results in a folder. */
export async function claims(folder: string, flags: ClaimFlags): Promise<number> {
  const evidence = await read_evidence(folder, EXPERIMENTS);
  const judged = judge(folder, evidence, flags);
  if (flags.json) out(`${JSON.stringify(report(folder, evidence, judged))}\n`);
  else print(folder, judged, flags.full === true);
  for (const fault of evidence.faults) warn(fault);
  return evidence.faults.length > 0 ? 1 : 0;
}

/** A section of the index of results; null where no claim is decided. */
export async function claims_entry(folder: string): Promise<IndexEntry | null> {
  const evidence = await read_evidence(folder, EXPERIMENTS);
  if (evidence.files.length === 0) return null;
  const { subject, verdicts } = judge(folder, evidence, {});
  if (verdicts.every(({ outcome }) => outcome === 'not tested')) return null;
  return {
    experiment: {
      name: 'claims',
      title: 'Claims',
      question: 'Which published statements hold on this machine?',
      group: 'claims',
    },
    folder: '',
    head: {
      model: `${subject.scaled_to === null ? '' : `${subject.scaled_to}, scaled from `}${subject.model}, ${subject.dtype}`,
      weights: subject.weights,
      adapter: `${subject.adapter} (${subject.type})`,
      date: counted(verdicts),
      cells: 0,
      runs: 0,
    },
    findings: verdicts.map((verdict) => ({
      expectation: `${verdict.statement} (${said_by(verdict)})`,
      outcome: verdict.outcome,
      because: here_text(verdict),
    })),
    figures: [],
    files: [],
  };
}

export interface JudgedSubject {
  readonly subject: Subject;
  readonly verdicts: readonly Verdict[];
  /** Others that results in the folder are about. */
  readonly others: readonly Subject[];
}

/** Of several adapters and models the one that is asked for, or that most claims are decided on. */
export function judge(
  folder: string,
  { files, faults, left_out }: Evidence,
  { adapter, model }: ClaimFlags,
): JudgedSubject {
  const all = subjects_of(files);
  if (all.length === 0) {
    const why = faults[0] ?? (left_out[0] && `${left_out[0].path}: ${left_out[0].why}`);
    throw new InputError(
      `${folder}: expected published files of experiments, found none that claims can rest on${why === undefined ? '' : ` (${why})`}; run an experiment, such as \`molmoe e1\`, or name another folder`,
    );
  }
  const part_of = (part: string | undefined, ...names: readonly (string | null)[]) =>
    part === undefined || names.some((name) => name?.toLowerCase().includes(part.toLowerCase()));
  const asked = all.filter((one) => part_of(adapter, one.adapter) && part_of(model, one.model, one.scaled_to));
  if (asked.length === 0) {
    const given = [adapter && `--adapter ${adapter}`, model && `--model ${model}`].filter(Boolean).join(' ');
    throw new UsageError(`${given}: expected one of ${all.map(subject_text).join('; ')}; found none of that name`);
  }
  const tried = asked.map((subject) => ({ subject, verdicts: verdicts_on(subject, files, CLAIMS) }));
  const decided = ({ verdicts }: (typeof tried)[number]) =>
    verdicts.filter((one) => one.outcome !== 'not tested').length;
  const [chosen] = tried.toSorted((a, b) => decided(b) - decided(a)) as [(typeof tried)[number]];
  return { ...chosen, others: all.filter((one) => one !== chosen.subject) };
}

export function subject_text({ adapter, type, model, dtype, weights, scaled_to }: Subject): string {
  const name = scaled_to === null ? model : `${scaled_to}, scaled from ${model}`;
  return `${name} (${weights}, ${dtype}) on ${adapter} (${type})`;
}

const OUTCOMES = ['confirmed', 'refuted', 'not tested'] as const;

export const counted = (verdicts: readonly Verdict[]): string =>
  OUTCOMES.map((name) => `${verdicts.filter(({ outcome }) => outcome === name).length} ${name}`).join(', ');

const said_by = ({ source: { who, year } }: Verdict): string => `${who}${year === null ? '' : ` ${year}`}`;

function print(folder: string, { subject, verdicts, others }: JudgedSubject, full: boolean): void {
  out(`${bold(`claims about ${subject_text(subject)}`)}\n`);
  for (const about of new Set(verdicts.map((one) => one.about))) {
    out(`\n${bold(about)}\n`);
    for (const one of verdicts.filter((verdict) => verdict.about === about))
      out(`${verdict_text(one, folder, full)}\n`);
  }
  out(`\n${counted(verdicts)}\n`);
  if (!full) note(dim('--full says where each was said, what decides it, and which files it rests on'));
  if (others.length > 0) {
    const names = others.map(subject_text).join('; ');
    note(dim(`also there, and not mixed in: ${names} (--model and --adapter choose)`));
  }
}

const here_text = ({ outcome, sentence, n }: Verdict): string =>
  `${sentence}${n === null || outcome === 'not tested' ? '' : `; n = ${n}`}`;

function verdict_text(verdict: Verdict, folder: string, full: boolean): string {
  const { outcome, id, statement, source, test, files, run } = verdict;
  const here = here_text(verdict);
  const lines = full
    ? [
        `claim     ${id}`,
        `said by   ${said_by(verdict)}: ${source.where}`,
        `holds if  ${test}`,
        `here      ${here}`,
        ...(files.length > 0 ? [`rests on  ${files.map((path) => relative(folder, path)).join(', ')}`] : []),
        ...(outcome === 'not tested' ? [`decide    ${run}`] : []),
      ]
    : [`${here}${outcome === 'not tested' ? ` (${run})` : ''}`];
  const head = `${outcome.padEnd(10)}  ${statement}${full ? '' : ` [${said_by(verdict)}]`}`;
  return [head, ...lines.map((line) => dim(`            ${line}`))].join('\n');
}

function report(folder: string, { faults, left_out }: Evidence, { subject, verdicts, others }: JudgedSubject) {
  return {
    schema: 'molmoe.claims/1',
    version,
    commit,
    dirty,
    folder: resolve(folder),
    subject,
    others,
    claims: verdicts.map((one) => ({ ...one, adapter: subject.adapter, model: subject.scaled_to ?? subject.model })),
    left_out,
    faults,
  };
}
