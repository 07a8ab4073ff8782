import { z } from 'zod';
import type { Files } from '../lab/define.ts';
import { statistics_of, statistics_schema } from '../lab/derive.ts';
import { not_tested } from '../lab/findings.ts';
import {
  type Configuration,
  count,
  type Finding,
  finding_schema,
  finite,
  strings,
  token_counts_schema,
} from '../lab/schema.ts';
import { student_t_quantile } from '../lab/significance.ts';
import { drift, outliers } from '../lab/stats.ts';
import { TIMES } from '../lab/times.ts';
import { mean } from '../lab/typical.ts';

/** Half the width of the interval of a mean, as a share of it, that a reader may ask for. */
export const WITHIN = [0.01, 0.02, 0.05] as const;

const row_schema = z.strictObject({
  key: z.string(),
  configuration: z.string(),
  top_k: count,
  num_active_blocks: count,
  ...token_counts_schema.shape,
  warmup: count,
  runs: count,
  /** Total latencies in the order in which they were measured. */
  T_total: z.array(finite),
  statistics: statistics_schema,
  /** Standard deviation over mean, of every time that ran. */
  CoV: z.record(z.enum(TIMES), finite.nullable()),
  /** Far-out runs by Tukey's fences; a trend over the runs as a share, by Mann-Kendall. */
  outliers: count,
  drift: finite.nullable(),
  /** Of the mean of the first n runs: half the width of its 95 % interval (Student's t) over that mean. */
  precision: z.array(z.strictObject({ n: count, half_width: finite })),
  /** Runs after which that stays within a share: as it went here (null: it never did), and by the CoV of all runs alone. */
  needed: z.array(z.strictObject({ within: finite, observed: count.nullable(), by_cov: count.nullable() })),
  warnings: strings,
});
export type RepeatRow = z.infer<typeof row_schema>;

export const m2_shapes = {
  m2_repeatability_results: { configurations: z.array(row_schema), findings: z.array(finding_schema) },
};
export type M2File = Files<typeof m2_shapes>['m2_repeatability_results'];

export function repeat_row(one: Configuration, warmup: number): RepeatRow {
  const totals = one.clean.samples.map((run) => run.T_total);
  const statistics = statistics_of(one);
  const precision = precision_of(totals);
  const { configuration, top_k, num_active_blocks } = one.settings;
  return {
    key: one.key,
    configuration: String(configuration),
    top_k: Number(top_k),
    num_active_blocks: Number(num_active_blocks),
    ...one.tokens,
    warmup,
    runs: totals.length,
    T_total: totals,
    statistics,
    CoV: Object.fromEntries(TIMES.map((time) => [time, statistics[time]?.CoV ?? null])) as RepeatRow['CoV'],
    outliers: outliers(totals).length,
    drift: drift(totals)?.change ?? null,
    precision,
    needed: WITHIN.map((within) => ({
      within,
      observed: observed_runs(precision, within),
      by_cov: runs_by_cov(totals, within),
    })),
    warnings: one.warnings,
  };
}

const half_width = (deviation: number, n: number): number =>
  (student_t_quantile(0.95, n - 1) * deviation) / Math.sqrt(n);

/** Sample deviation: what the interval of a mean rests on. */
function deviation_of(values: readonly number[]): number {
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, x) => sum + (x - middle) ** 2, 0) / (values.length - 1));
}

export function precision_of(values: readonly number[]): RepeatRow['precision'] {
  return values.slice(1).flatMap((_, i) => {
    const first = values.slice(0, i + 2);
    const middle = mean(first);
    return middle > 0 ? [{ n: first.length, half_width: half_width(deviation_of(first), first.length) / middle }] : [];
  });
}

function observed_runs(precision: RepeatRow['precision'], within: number): number | null {
  const last_wide = precision.findLastIndex((one) => one.half_width > within);
  return precision[last_wide + 1]?.n ?? null;
}

/** More runs than this nobody makes. */
const MOST_RUNS = 10_000;

function runs_by_cov(values: readonly number[], within: number): number | null {
  if (values.length < 2 || mean(values) <= 0) return null;
  const cov = deviation_of(values) / mean(values);
  let [too_few, enough] = [1, 2];
  while (half_width(cov, enough) > within) {
    if (enough > MOST_RUNS) return null;
    [too_few, enough] = [enough, 2 * enough];
  }
  while (enough - too_few > 1) {
    const middle = (too_few + enough) >> 1;
    if (half_width(cov, middle) > within) too_few = middle;
    else enough = middle;
  }
  return enough;
}

const STEADY = 0.1;
const FEW_RUNS = 20;
const GOOD = 0.05;
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** What the study expects of repeated runs. */
export function repeat_findings(rows: readonly RepeatRow[]): Finding[] {
  const steady = 'Runs of one configuration vary by less than 10 %';
  const enough = '10 to 20 runs are enough';
  const after_few = (row: RepeatRow) => row.precision.find(({ n }) => n === FEW_RUNS)?.half_width;
  const varied = rows.flatMap((row) => {
    const [cov, width] = [row.CoV.T_total, after_few(row)];
    return cov == null || width === undefined ? [] : [{ row, cov, width }];
  });
  if (varied.length === 0) {
    const why = `it needs ${FEW_RUNS} runs of a configuration`;
    return [not_tested(steady, why), not_tested(enough, why)];
  }
  const said = (of: 'cov' | 'width') => varied.map((one) => `${one.row.configuration} ${percent(one[of])}`).join(', ');
  const by = varied.map(({ row: { configuration, needed } }) => {
    const found = needed.find(({ within }) => within === GOOD)?.observed;
    return `${configuration} after ${found ?? 'more runs than these'}`;
  });
  return [
    {
      expectation: steady,
      outcome: varied.every(({ cov }) => cov < STEADY) ? 'confirmed' : 'refuted',
      because: `CoV of total latency: ${said('cov')} (n = ${varied.map(({ row }) => row.runs).join(', ')})`,
    },
    {
      expectation: enough,
      outcome: varied.every(({ width }) => width <= GOOD) ? 'confirmed' : 'refuted',
      because: `the mean of the first ${FEW_RUNS} runs is known to within ${said('width')}; to within ${percent(GOOD)}: ${by.join(', ')} (enough: within ${percent(GOOD)})`,
    },
  ];
}
