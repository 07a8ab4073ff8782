import type { z } from 'zod';
import { type Bounds, type Estimate, LEAST_RUNS, on_a_line, outcome_within } from '../lab/judge.ts';
import type { Finding, Provenance, Run } from '../lab/schema.ts';
import { short_ms } from '../lab/tables.ts';
import { interval_name } from '../lab/words.ts';

/** Who said it, and where: "title (authors, venue), identifier". */
export interface Source {
  readonly who: string;
  readonly where: string;
  readonly year: number | null;
}

/** What a claim reads of a published file; the file as a whole has been checked already. */
export interface View<T extends z.ZodType = z.ZodType> {
  readonly experiment: string;
  /** Without its ending. */
  readonly file: string;
  readonly shape: T;
}

export const view = <T extends z.ZodType>(experiment: string, file: string, shape: T): View<T> => ({
  experiment,
  file,
  shape,
});

/** A published file, read. */
export interface Found<T> {
  readonly body: T;
  readonly path: string;
  readonly provenance: Provenance;
  readonly ceilings: Run['ceilings'];
}

export interface Judged {
  readonly outcome: Finding['outcome'];
  /** The numbers it rests on; of what is not tested, why. */
  readonly sentence: string;
  readonly number?: { readonly value: number; readonly unit: string };
  /** Runs behind each number, at least. */
  readonly n?: number;
}

export type Needs = Readonly<Record<string, View>>;
export type Read<N extends Needs> = { readonly [K in keyof N]: Found<z.infer<N[K]['shape']>> };

/** One way to decide a claim: the files it takes, and what follows from them. */
export interface Way {
  readonly needs: Needs;
  /** Files of other adapters with the same model are handed over too. */
  readonly across: boolean;
  readonly decide: (found: Read<Needs>, others: readonly Read<Needs>[]) => Judged;
}

/** Ties the shapes of the files to what decides. */
export const way = <N extends Needs>(needs: N, decide: (found: Read<N>) => Judged): Way => ({
  needs,
  across: false,
  decide: decide as Way['decide'],
});

export const way_across = <N extends Needs>(
  needs: N,
  decide: (found: Read<N>, others: readonly Read<N>[]) => Judged,
): Way => ({ needs, across: true, decide: decide as Way['decide'] });

/** A published statement, and what decides whether it holds here. */
export interface Claim {
  readonly id: string;
  readonly statement: string;
  readonly source: Source;
  /** What is compared, and from where on it holds. */
  readonly test: string;
  /** Tried one after the other until one decides. */
  readonly ways: readonly Way[];
  /** A command that makes what it needs. */
  readonly run: string;
}

export const not_tested = (sentence: string): Judged => ({ outcome: 'not tested', sentence });

const UNSETTLED = 'that does not settle it; more runs would';

const digits = (x: number): string => String(Number(x.toPrecision(3)));

/** An estimate held against bounds; `words` says what it is, with its value as written. */
export function held(
  estimate: Estimate | null,
  bounds: Bounds,
  unit: string,
  words: (value: string) => string,
): Judged {
  if (estimate === null) return not_tested(`no such time of ${LEAST_RUNS} runs or more`);
  const { value, low, high, n } = estimate;
  const outcome = outcome_within(estimate, bounds);
  const said = `${words(`${digits(value)}${unit === '' ? '' : ` ${unit}`}`)} (${interval_name(n)} ${digits(low)} to ${digits(high)})`;
  return {
    outcome,
    sentence: outcome === 'not tested' ? `${said}: ${UNSETTLED}` : said,
    number: { value, unit },
    n,
  };
}

/** R squared from which a line is said to fit. */
export const LINEAR = 0.99;

/** Medians over what grows are on a line; `of` says over what, `a` what one more of it is. */
export function linear(points: readonly (Estimate & { readonly x: number })[], of: string, a: string): Judged {
  const values = [...new Set(points.map(({ x }) => x))].toSorted((one, other) => one - other);
  if (values.length < 3) return not_tested(`fewer than three ${of} have ${LEAST_RUNS} runs or more`);
  const { fit, outcome } = on_a_line(points, LINEAR);
  const r_squared = fit.r_squared ?? 0;
  const said = `over ${values.length} ${of}, ${values[0]} to ${values.at(-1)}, ${short_ms(fit.slope)} a ${a}, R squared ${r_squared.toFixed(4)}`;
  return {
    outcome,
    sentence: outcome === 'not tested' ? `${said}: ${UNSETTLED}` : said,
    number: { value: r_squared, unit: 'R squared' },
    n: Math.min(...points.map(({ n }) => n)),
  };
}

/** An exact number, or one without an interval of its own. */
export function exactly(value: number, holds: boolean, unit: string, sentence: string, n?: number): Judged {
  return {
    outcome: holds ? 'confirmed' : 'refuted',
    sentence,
    number: { value, unit },
    ...(n === undefined ? {} : { n }),
  };
}

/** "12 % less", "3 % more". */
export const less = (percent: string): string =>
  percent.startsWith('-') ? `${percent.slice(1)} more` : `${percent} less`;

/** What an experiment found itself, taken over, with the number that it rests on. */
export function as_found(
  findings: readonly Finding[],
  expectation: string,
  number?: Judged['number'],
  n?: number,
): Judged {
  const found = findings.find((one) => one.expectation === expectation);
  if (found === undefined) return not_tested(`its findings hold no "${expectation}"`);
  if (n !== undefined && n < LEAST_RUNS && found.outcome !== 'not tested') {
    return not_tested(`${found.because}: n = ${n} settles nothing`);
  }
  return { outcome: found.outcome, sentence: found.because, number, n };
}
