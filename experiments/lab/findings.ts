import type { Configuration, Finding, FitRecord, PartName, StageName } from './schema.ts';
import { linear_fit, percentile, spearman } from './stats.ts';
import { short_ms } from './tables.ts';
import type { TimeName } from './times.ts';
import { largest_stage, parts_of, scaled_of, shares_of, stage_ms, stages_that_ran, sum, times_of } from './typical.ts';

/** Expectations held against measured cells. One whose premise no cell meets is not tested: that is no verdict either way. */

/** R squared of all points together below which FLOPs are said to predict latency weakly. */
const WEAK = 0.5;
/** Fewer points say nothing of a correlation. */
const LEAST_POINTS = 8;
/** Positions from which a prompt is called long. */
export const LONG_PROMPT = 1000;

/** More points than this are not all told. */
const MOST_SHOWN = 8;

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

export const not_tested = (expectation: string, because: string): Finding => ({
  expectation,
  outcome: 'not tested',
  because,
});

const outcome = (holds: boolean): Finding['outcome'] => (holds ? 'confirmed' : 'refuted');

/** A stage is the largest of its request in all of these cells. `what` says which cells they are. */
export function stage_dominates(
  expectation: string,
  stage: StageName,
  some: readonly Configuration[],
  what: string,
): Finding {
  if (some.length === 0) return not_tested(expectation, `no configuration has ${what}`);
  const won = some.filter((one) => largest_stage(one) === stage).length;
  const range = (of: StageName) => {
    const shares = some.map((one) => shares_of(one)[of] ?? 0);
    const [least, most] = [percent(Math.min(...shares)), percent(Math.max(...shares))];
    return least === most ? least : `${least} to ${most}`;
  };
  const rivals = [...new Set(some.map(largest_stage))].filter((name) => name !== stage);
  const against = rivals.map((name) => `${name} ${range(name)}`).join(', ');
  return {
    expectation,
    outcome: outcome(won === some.length),
    because: `with ${what}, ${stage} is the largest stage in ${won} of ${some.length} configurations: ${range(stage)} of the time${against === '' ? '' : `; ${against}`}`,
  };
}

/** A group of parts is the largest of a stage's GPU time in all of these cells; numbers are of the longest one. */
export function parts_dominate(
  expectation: string,
  stage: 'prefill' | 'decode',
  named: { readonly parts: readonly PartName[]; readonly as: string },
  some: readonly Configuration[],
  premise: string,
): Finding {
  const timed = some.filter((one) => parts_of(one, stage).length > 0);
  if (timed.length === 0) return not_tested(expectation, `no configuration has ${premise} and an instrumented run`);
  const wins = timed.filter((one) => {
    const parts = parts_of(one, stage);
    const of_group = sum(parts.map(([part, ms]) => (named.parts.includes(part) ? ms : 0)));
    return parts.every(([part, ms]) => named.parts.includes(part) || ms < of_group);
  });
  const size = ({ tokens }: Configuration) => (stage === 'prefill' ? tokens.prompt_length : tokens.decode_steps);
  const longest = timed.reduce((a, b) => (size(b) > size(a) ? b : a));
  const parts = parts_of(longest, stage);
  const all = sum(parts.map(([, ms]) => ms));
  const takes = parts.slice(0, 3).map(([part, ms]) => `${part} takes ${percent(ms / all)}`);
  return {
    expectation,
    outcome: outcome(wins.length === timed.length),
    because: `${named.as} the largest part of ${stage} in ${wins.length} of ${timed.length} configurations; over ${size(longest)} ${stage === 'prefill' ? 'positions' : 'steps'} ${takes.join(', ')}`,
  };
}

/** Over all stages of all cells FLOPs predict latency weakly. */
export function flops_predict_weakly(expectation: string, configurations: readonly Configuration[]): Finding {
  const points = configurations.flatMap((one) =>
    stages_that_ran(one).map((stage) => ({
      stage,
      gflop: ((scaled_of(one) ?? one).flops.exact[stage] ?? 0) / 1e9,
      ms: stage_ms(one, stage) as number,
    })),
  );
  if (points.length < LEAST_POINTS) {
    return not_tested(expectation, `a correlation needs ${LEAST_POINTS} points, here are ${points.length}`);
  }
  const x = points.map((point) => point.gflop);
  const y = points.map((point) => point.ms);
  const r_squared = linear_fit(x, y).r_squared ?? 0;
  const rates = [...new Set(points.map((point) => point.stage))].map((stage) => {
    const some = points.filter((point) => point.stage === stage);
    return [stage, sum(some.map(({ ms }) => ms)) / sum(some.map(({ gflop }) => gflop))] as const;
  });
  const by_rate = rates.toSorted((a, b) => b[1] - a[1]);
  const [slowest, fastest] = [by_rate[0], by_rate.at(-1)] as [[StageName, number], [StageName, number]];
  return {
    expectation,
    outcome: outcome(r_squared < WEAK),
    because: `over all stages R squared is ${r_squared.toFixed(2)} and the rank correlation ${(spearman(x, y) ?? 0).toFixed(2)} (weak: R squared under ${WEAK}); a GFLOP costs ${slowest[1].toPrecision(3)} ms in ${slowest[0]} and ${fastest[1].toPrecision(3)} ms in ${fastest[0]}, ${(slowest[1] / fastest[1]).toFixed(1)} times as much`,
  };
}

interface Turned {
  /** What was turned: experts a token, tokens ... */
  readonly x: number;
  readonly one: Configuration;
}

/** Medians along what was turned; cells without the time are left out. */
const medians = (time: TimeName, steps: readonly Turned[]): [number, number][] =>
  steps.flatMap(({ x, one }): [number, number][] => {
    const values = times_of(one, time);
    return values.length > 0 ? [[x, percentile(values, 50)]] : [];
  });

/** All of a few points, of many the first and the last. */
function shown(points: readonly (readonly [number, number])[]): string {
  const texts = points.map(([x, ms]) => `${short_ms(ms)} at ${x}`);
  return (texts.length <= MOST_SHOWN ? texts : [...texts.slice(0, 2), '...', ...texts.slice(-2)]).join(', ');
}

/** A time rises with every step of what was turned. */
export function grows(expectation: string, time: TimeName, steps: readonly Turned[], of: string): Finding {
  const points = medians(time, steps);
  if (points.length < 2) return not_tested(expectation, `fewer than two values of ${of} ran`);
  const rising = points.slice(1).filter(([, ms], i) => ms > (points[i] as [number, number])[1]).length;
  return {
    expectation,
    outcome: outcome(rising === points.length - 1),
    because: `${rising} of ${points.length - 1} steps up in ${of} take longer: ${shown(points)} (medians of ${time})`,
  };
}

/** From the least to the most of what was turned, the time grows by less than `share` of what was turned grows by. */
export function not_faster_than(expectation: string, time: TimeName, steps: readonly Turned[], share: number): Finding {
  const points = medians(time, steps);
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last || last[0] < 2 * first[0]) return not_tested(expectation, 'the values are less than twice apart');
  const [turned, taken] = [last[0] / first[0], last[1] / first[1]];
  return {
    expectation,
    outcome: outcome(taken < share * turned),
    because: `from ${first[0]} to ${last[0]}, ${turned.toFixed(1)} times as many, the median of ${time} is ${taken.toFixed(2)} times as long (${share === 1 ? 'more slowly: fewer' : `far slower: under ${share} of that`})`,
  };
}

/** R squared from which a line is said to fit. */
const LINEAR = 0.99;

/** A fit that at least three values rest on is a line, by its R squared. */
export function grows_linearly(expectation: string, fit: FitRecord | null, of: string, values = 'lengths'): Finding {
  if (fit === null || fit.n < 3) return not_tested(expectation, `fewer than three ${values} ran`);
  const r_squared = fit.r_squared ?? 0;
  return {
    expectation,
    outcome: outcome(r_squared >= LINEAR),
    because: `over ${fit.n} ${values} ${short_ms(fit.slope)} a ${of}, R squared ${r_squared.toFixed(4)} (a line: ${LINEAR} or more)`,
  };
}
