import { InputError } from '../../../engine/errors.ts';
import { bootstrap_ratio, check_scores, grouped, type Interval, type Resampling, type Scored } from './bootstrap.ts';
import { mcnemar, sign_flips } from './paired_tests.ts';
import { quoted } from './text.ts';

/** A configuration and its scores. */
export interface Configuration {
  readonly name: string;
  readonly scored: readonly Scored[];
}

export interface Pair {
  readonly picture: string;
  readonly a: number;
  readonly b: number;
}

function by_id({ name, scored }: Configuration): Map<string, Scored> {
  check_scores(scored, name);
  const ids = new Map(scored.map((one) => [one.id, one]));
  if (ids.size < scored.length) throw new InputError(`${name}: expected each sample once, found one twice`);
  return ids;
}

function check_same(ids: ReadonlyMap<string, Scored>, others: ReadonlyMap<string, Scored>, name: string): void {
  const alone = [...ids.keys()].find((id) => !others.has(id));
  if (alone !== undefined) {
    throw new InputError(`comparison: expected the same samples on both sides, found ${quoted(alone)} only in ${name}`);
  }
}

/** Scores of the same samples, side by side. */
export function pair_up(a: Configuration, b: Configuration): Pair[] {
  const [ids, others] = [by_id(a), by_id(b)];
  check_same(ids, others, a.name);
  check_same(others, ids, b.name);
  return a.scored.map(({ id, picture, score }) => {
    const other = others.get(id) as Scored;
    if (other.picture !== picture) {
      const found = `${quoted(picture)} and ${quoted(other.picture)}`;
      throw new InputError(`comparison: expected one picture of sample ${quoted(id)}, found ${found}`);
    }
    return { picture, a: score, b: other.score };
  });
}

export interface Comparison {
  readonly samples: number;
  readonly pictures: number;
  readonly mean_a: number;
  readonly mean_b: number;
  /** b less a. */
  readonly difference: number;
  readonly ci95: Interval['ci95'];
  readonly test: 'McNemar' | 'sign flips';
  readonly p: number;
  readonly text: string;
}

/** The second configuration against the first, on the same samples, its interval clustered by picture. */
export function compare_paired(a: Configuration, b: Configuration, resampling: Resampling = {}): Comparison {
  const pairs = pair_up(a, b);
  const pictures = grouped(pairs, ({ picture }) => picture);
  const sums = pictures.map((group) => ({
    change: group.reduce((sum, pair) => sum + (pair.b - pair.a), 0),
    n: group.length,
  }));
  const { value: difference, ci95 } = bootstrap_ratio(sums, 'change', 'n', resampling);
  const found = {
    samples: pairs.length,
    pictures: pictures.length,
    mean_a: pairs.reduce((sum, pair) => sum + pair.a, 0) / pairs.length,
    mean_b: pairs.reduce((sum, pair) => sum + pair.b, 0) / pairs.length,
    difference,
    ci95,
    ...chance_of(pairs, sums, resampling.seed),
  };
  return { ...found, text: in_words(a.name, b.name, found) };
}

function chance_of(
  pairs: readonly Pair[],
  pictures: readonly { readonly change: number }[],
  seed?: number,
): Pick<Comparison, 'test' | 'p'> {
  const all_or_nothing = pairs.every((pair) => [pair.a, pair.b].every((score) => score === 0 || score === 1));
  // McNemar's samples must be independent: one a picture.
  if (!all_or_nothing || pictures.length < pairs.length) {
    const changes = pictures.map(({ change }) => change);
    return { test: 'sign flips', p: sign_flips(changes, seed) };
  }
  const only_a = pairs.filter((pair) => pair.a > pair.b).length;
  const only_b = pairs.filter((pair) => pair.b > pair.a).length;
  return { test: 'McNemar', p: mcnemar(only_a, only_b) };
}

function in_words(a: string, b: string, found: Omit<Comparison, 'text'>): string {
  const { samples, pictures, difference, ci95, test, p } = found;
  const apart = `${Math.abs(difference).toFixed(3)} ${difference > 0 ? 'above' : 'below'}`;
  const head = difference === 0 ? `${b} scores as ${a} does` : `${b} scores ${apart} ${a}`;
  const of = `${count(samples, 'sample')} of ${count(pictures, 'picture')}`;
  const rest = `${of}, ${test} p ${p < 0.001 ? '< 0.001' : `= ${p.toFixed(3)}`}`;
  if (ci95 === null) return `${head} (${rest}): one picture tells nothing of chance`;
  const range = `95 % interval ${ci95[0].toFixed(3)} to ${ci95[1].toFixed(3)}`;
  return `${head} (${range}; ${rest}): ${verdict(ci95, p)}`;
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? '' : 's'}`;

function verdict([low, high]: readonly [number, number], p: number): string {
  if (low <= 0 && high >= 0) return 'the interval includes 0, no difference: the two are not told apart';
  // An interval of few pictures is too narrow.
  if (p >= 0.05)
    return 'the interval does not include 0, no difference, but the test finds none: more samples would tell';
  return 'the interval does not include 0, no difference: the two are told apart';
}
