import { not_tested } from '../lab/findings.ts';
import type { Finding, FitRecord, Summary } from '../lab/schema.ts';
import { rests_on_enough } from '../lab/stats.ts';
import { short_ms, short_number } from '../lab/tables.ts';
import { sum } from '../lab/typical.ts';
import { basis_of_entry, type Entry } from './entries.ts';

/** What the study expected of the experiments on samples, held against the samples. */

/** From which ratio to the median P99 is much larger; from which CoV latencies vary widely; from which R squared size says it. */
const MUCH = 2;
const WIDELY = 0.2;
const MOSTLY = 0.9;
/** Fewer samples say nothing of a spread. */
const LEAST_SAMPLES = 20;

const outcome = (holds: boolean): Finding['outcome'] => (holds ? 'confirmed' : 'refuted');

export function spread_findings(summary: Summary | null, size_fit: FitRecord | null): Finding[] {
  return [tail(summary), spread(summary), by_size(size_fit)];
}

function tail(summary: Summary | null): Finding {
  const expectation = 'P99 of prompt latency is much larger than P50';
  const n = summary?.n ?? 0;
  if (summary === null || !rests_on_enough(99, n)) {
    return not_tested(expectation, `P99 of ${n} samples is no tail: at least 100 are needed`);
  }
  const ratio = summary.P99 / summary.P50;
  return {
    expectation,
    outcome: outcome(ratio >= MUCH),
    because: `P99 of ${n} samples is ${short_ms(summary.P99)}, ${ratio.toFixed(2)} times the median of ${short_ms(summary.P50)} (much larger: ${MUCH} times or more)`,
  };
}

function spread(summary: Summary | null): Finding {
  const expectation = 'Prompt latency varies widely from picture to picture';
  const n = summary?.n ?? 0;
  if (summary === null || summary.CoV === null || n < LEAST_SAMPLES) {
    return not_tested(expectation, `a spread needs ${LEAST_SAMPLES} samples, here are ${n}`);
  }
  const { CoV, min, max } = summary;
  return {
    expectation,
    outcome: outcome(CoV >= WIDELY),
    because: `over ${n} samples the standard deviation is ${(100 * CoV).toFixed(0)} % of the mean, from ${short_ms(min)} to ${short_ms(max)} (widely: ${100 * WIDELY} % or more)`,
  };
}

function by_size(fit: FitRecord | null): Finding {
  const expectation = 'Most of the spread is the size of the picture, not chance';
  const n = fit?.n ?? 0;
  if (fit === null || n < LEAST_SAMPLES) {
    return not_tested(expectation, `a line needs ${LEAST_SAMPLES} samples of different size, here are ${n}`);
  }
  const r_squared = fit.r_squared ?? 0;
  return {
    expectation,
    outcome: outcome(r_squared >= MOSTLY),
    because: `the positions of the prompt explain ${(100 * r_squared).toFixed(0)} % of the variance of ${n} samples, ${short_ms(fit.slope)} a position (most: ${100 * MOSTLY} % or more)`,
  };
}

/** From which share a component dominates. */
const DOMINANT = 0.5;

export function dominance_findings(results: readonly Entry[], parameters: Readonly<Record<string, number>>): Finding[] {
  const of = (key: string) => parameters[key] ?? 0;
  const share = of('params_llm') / (of('params_total') || 1);
  const in_parameters: Finding = {
    expectation: 'The language model holds most of the parameters',
    outcome: outcome(share > DOMINANT),
    because: `${short_number(of('params_llm'))} of ${short_number(of('params_total'))}, ${percent(share)}, by the study's count, which leaves the output head out; a token goes through ${short_number(of('params_llm_active'))} of them`,
  };
  return [in_parameters, dominates_latency(results)];
}

function dominates_latency(results: readonly Entry[]): Finding {
  const expectation = 'The language model takes most of the prompt latency';
  const times = results
    .map(basis_of_entry)
    .flatMap(({ T_LLM_prefill, T_vision_total }) =>
      T_LLM_prefill === null ? [] : [{ language: T_LLM_prefill, vision: T_vision_total ?? 0 }],
    );
  if (times.length === 0) return not_tested(expectation, 'no sample was measured');
  const shares = times.map(({ language, vision }) => language / (language + vision));
  const [language, vision] = [sum(times.map((one) => one.language)), sum(times.map((one) => one.vision))];
  const of_all = language / (language + vision);
  const won = shares.filter((one) => one > DOMINANT).length;
  return {
    expectation,
    outcome: outcome(of_all > DOMINANT),
    because: `prefill takes ${percent(of_all)} of the time of encoder, projector and prefill over ${times.length} samples, from ${percent(Math.min(...shares))} to ${percent(Math.max(...shares))} of each, and more than half of ${won}`,
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
