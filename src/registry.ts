import * as experiments from '../experiments/index.ts';
import type { Experiment } from '../experiments/lab/define.ts';

/** Every experiment, in the order of experiments/index.ts. */
export const EXPERIMENTS: readonly Experiment[] = Object.values(experiments);
