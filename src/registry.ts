import * as experiments from '../experiments/index.ts';
import { type Experiment, GROUPS } from '../experiments/lab/define.ts';

const by_name = new Intl.Collator('en', { numeric: true });

/** Every experiment of experiments/index.ts, group by group, each by its name: in this order they are listed and run. */
export const EXPERIMENTS: readonly Experiment[] = Object.values(experiments).toSorted(
  (a, b) => GROUPS.indexOf(a.group) - GROUPS.indexOf(b.group) || by_name.compare(a.name, b.name),
);
