import { z } from 'zod';
import { FRONT_RULE, pareto_front, TIED_FRONT_RULE, tied_front } from '../lab/pareto.ts';
import { type Configuration, finite } from '../lab/schema.ts';
import { knobs_of, knobs_shape } from './knob_grid.ts';
import type { Quality } from './quality.ts';
import { against, comparison_schema, record_of } from './quality.ts';

/** Settings that no other beats in accuracy and in what a request costs. */

export const FRONT_RULES = { strict: FRONT_RULE, ties: TIED_FRONT_RULE } as const;
export type FrontRule = keyof typeof FRONT_RULES;
const DRAWN = { strict: pareto_front, ties: tied_front } as const;

/** A cell in a contest: how good its answers are, and what a request costs, in FLOPs or ms. */
export interface Entrant {
  readonly one: Configuration;
  readonly row: Pick<Quality, 'accuracy' | 'accuracy_ci95' | 'num_samples' | 'flops'>;
  readonly cost: number;
}

export interface Entered {
  readonly entrants: readonly Entrant[];
  /** The model as it is, where the grid has it. */
  readonly full: Entrant | undefined;
}

export const front_shape = z.array(
  z.strictObject({
    key: z.string(),
    ...knobs_shape,
    cost: finite,
    accuracy: finite,
    accuracy_ci95: z.tuple([finite, finite]).nullable(),
    /** Against the one before, which costs less, on the same samples; null of the first. */
    step: comparison_schema.nullable(),
  }),
);
export type Front = z.infer<typeof front_shape>;

/** From the cheapest on. Whether a step up is more than chance, its comparison says. */
export function front_of(entrants: readonly Entrant[], rule: FrontRule = 'strict'): Front {
  const on = DRAWN[rule](entrants.map(({ cost: x, row: { accuracy: y } }) => ({ x, y })));
  return on.map((place, i) => {
    const { one, cost, row } = entrants[place] as Entrant;
    const before = i === 0 ? undefined : entrants[on[i - 1] as number];
    return {
      ...{ key: one.key, ...knobs_of(one), cost, accuracy: row.accuracy },
      accuracy_ci95: row.accuracy_ci95,
      step: before === undefined ? null : record_of(against(one, before.one)),
    };
  });
}
