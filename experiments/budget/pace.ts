import { percentile } from '../lab/stats.ts';

/** How much longer than predicted requests took lately: the machine is another one at another hour. */
export interface Pace {
  readonly note: (predicted_ms: number, measured_ms: number) => void;
  /** Median ratio of the last runs; 1 where there is none. */
  readonly factor: () => number;
  /** Runs that it rests on. */
  readonly runs: () => number;
}

/** Enough for a median that one disturbed run does not move, few enough to follow the machine. */
const LAST = 20;

export function make_pace(): Pace {
  const ratios: number[] = [];
  return {
    note: (predicted_ms, measured_ms) => {
      ratios.push(measured_ms / predicted_ms);
      if (ratios.length > LAST) ratios.shift();
    },
    factor: () => (ratios.length === 0 ? 1 : percentile(ratios, 50)),
    runs: () => ratios.length,
  };
}
