import * as experiments from '../experiments/index.ts';
import { type Experiment, GROUPS } from '../experiments/lab/define.ts';

const by_name = new Intl.Collator('en', { numeric: true });

/**
 * Every experiment of experiments/index.ts, group by group, each by its name, and what reads results of others behind
 * these: in this order they are listed and run.
 */
export const EXPERIMENTS: readonly Experiment[] = readers_last(
  Object.values(experiments).toSorted(
    (a, b) => GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group) || by_name.compare(a.name, b.name),
  ),
);

function readers_last(sorted: readonly Experiment[]): Experiment[] {
  const placed = new Set<Experiment>();
  const place = (one: Experiment, above: readonly Experiment[]): void => {
    if (placed.has(one) || above.includes(one)) return;
    const sources = Object.values(one.reads).map(({ experiment }) => experiment);
    for (const source of sorted.filter(({ name }) => sources.includes(name))) place(source, [...above, one]);
    placed.add(one);
  };
  for (const one of sorted) place(one, []);
  return [...placed];
}
