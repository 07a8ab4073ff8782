import { InputError } from '../../engine/errors.ts';
import type { SavedResults } from '../lab/read.ts';
import type { Configuration } from '../lab/schema.ts';
import type { Comparison } from './metrics/paired.ts';
import { against } from './quality.ts';

/** Answers of B held against A's to the same questions. */
export interface ComparedAnswers extends Comparison {
  readonly key: string;
  readonly metric: string;
}

/** Of cells that both have; none where either has times and no answers. */
export function compare_answers(a: SavedResults, b: SavedResults): ComparedAnswers[] {
  const in_b = new Map(b.configurations.map((one) => [one.key, one]));
  return a.configurations.flatMap((one) => {
    const other = in_b.get(one.key);
    if (one.answers === undefined || other?.answers === undefined) return [];
    check_same_metric(one, other);
    return { key: one.key, metric: one.answers.metric, ...against(named(other, 'B'), named(one, 'A')) };
  });
}

const named = (one: Configuration, side: string): Configuration => ({ ...one, key: `${one.key} of ${side}` });

function check_same_metric({ key, answers }: Configuration, other: Configuration): void {
  const [a, b] = [answers?.metric, other.answers?.metric];
  if (a === b) return;
  throw new InputError(
    `${key}: expected answers scored alike, found ${a} in A and ${b} in B; score one anew: molmoe merge <folder> --metric ${a}`,
  );
}
