import { UsageError } from '../../engine/errors.ts';
import { type Comparison, compare_results, RULE, type StageRatio } from '../../experiments/lab/compare.ts';
import { read_results } from '../../experiments/lab/read.ts';
import { version } from '../build.ts';
import { note, out, table, warn } from '../print.ts';

export interface CompareFlags {
  /** Ratio above which a significant slowdown fails. */
  readonly failAbove?: number;
  readonly json?: boolean;
}

export interface Slowdown {
  readonly key: string;
  readonly stage: StageRatio['stage'];
  readonly ratio: number;
}

/** 1 where a significant ratio lies above --fail-above. */
export async function compare(a: string, b: string, flags: CompareFlags): Promise<number> {
  const { comparison, slowdowns } = await compare_paths(a, b, flags.failAbove);
  if (flags.json) {
    const head = { schema: 'molmoe.compare/1', version, a, b, rule: RULE, fail_above: flags.failAbove ?? null };
    out(`${JSON.stringify({ ...head, ...comparison, slowdowns })}\n`);
  } else {
    for (const line of comparison.warnings) warn(line);
    out(`${comparison_lines(comparison).join('\n')}\n`);
    for (const { key, stage, ratio } of slowdowns) {
      note(`slower: ${key}, ${stage}: ${ratio.toFixed(3)} times A, above ${flags.failAbove}`);
    }
  }
  return slowdowns.length > 0 ? 1 : 0;
}

export async function compare_paths(
  a: string,
  b: string,
  fail_above: number | undefined,
): Promise<{ comparison: Comparison; slowdowns: Slowdown[] }> {
  if (fail_above !== undefined && !(fail_above > 0)) {
    throw new UsageError(`--fail-above ${fail_above}: expected a ratio above 0, such as 1.10`);
  }
  const comparison = compare_results(await read_results(a), await read_results(b));
  const slowdowns = comparison.configurations.flatMap(({ key, stages }) =>
    stages
      .filter(({ significant, ratio }) => fail_above !== undefined && significant && ratio > fail_above)
      .map(({ stage, ratio }) => ({ key, stage, ratio })),
  );
  return { comparison, slowdowns };
}

export function comparison_lines({ configurations, only_a, only_b }: Comparison): string[] {
  const rows = configurations.flatMap(({ key, stages }) =>
    stages.map((stage, i) => [i === 0 ? key : '', ...row(stage)]),
  );
  return [
    table([['configuration', 'stage', 'A ms', 'B ms', 'B/A', 'from', 'to', 'B is'], ...rows]),
    '',
    `Medians; from and to: 95 % interval of their ratio. ${RULE}.`,
    ...only('A', only_a),
    ...only('B', only_b),
  ];
}

function row({ stage, a_ms, b_ms, ratio, ratio_ci95, significant }: StageRatio): string[] {
  const [from, to] = ratio_ci95 ?? [undefined, undefined];
  const verdict = significant ? (ratio > 1 ? 'slower' : 'faster') : '';
  return [stage, a_ms, b_ms, ratio, from, to].map(shown).concat(verdict);
}

const shown = (cell: string | number | undefined, i: number): string => {
  if (typeof cell !== 'number') return cell ?? '';
  return cell.toFixed(i < 3 ? 2 : 3);
};

const only = (side: string, keys: readonly string[]): string[] =>
  keys.length > 0 ? [`Only in ${side}: ${keys.join(', ')}`] : [];
