import { percentile } from '../lab/stats.ts';

/** What the last runs say of predictions: the machine is another one at another hour, and more or less at rest. */
export interface Pace {
  /** `high_ms`: the upper end of the interval, as the estimator says it. */
  readonly note: (predicted_ms: number, high_ms: number, measured_ms: number) => void;
  /** Median of measured over predicted; 1 where nothing ran. */
  readonly factor: () => number;
  /** How far of the way to the upper end, at this pace, 98 of 100 runs came; 1 before enough ran to say. */
  readonly reach: () => number;
  /** Runs that the pace rests on. */
  readonly runs: () => number;
}

/** Enough for a median that one disturbed run does not move, few enough to follow the machine. */
const LAST = 20;
/** Enough for the one run of fifty that takes longest. */
const LAST_REACHED = 200;
const LEAST_REACHED = 50;
const REACHED_BY = 98;

export function make_pace(): Pace {
  const ratios: number[] = [];
  const reached: number[] = [];
  const keep = (values: number[], value: number, most: number) => {
    values.push(value);
    if (values.length > most) values.shift();
  };
  const factor = () => (ratios.length === 0 ? 1 : percentile(ratios, 50));
  return {
    note: (predicted_ms, high_ms, measured_ms) => {
      if (ratios.length > 0) keep(reached, measured_ms / (high_ms * factor()), LAST_REACHED);
      keep(ratios, measured_ms / predicted_ms, LAST);
    },
    factor,
    reach: () => (reached.length < LEAST_REACHED ? 1 : percentile(reached, REACHED_BY)),
    runs: () => ratios.length,
  };
}
