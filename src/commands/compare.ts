import { UsageError } from '../../engine/errors.ts';
import { visible } from '../../engine/weights/text.ts';
import { type ComparedAnswers, compare_answers } from '../../experiments/accuracy/compare_answers.ts';
import {
  type Comparison,
  compare_results,
  fewest_runs,
  LEAST_RUNS,
  RULE,
  type StageRatio,
} from '../../experiments/lab/compare.ts';
import { some_of } from '../../experiments/lab/fingerprint.ts';
import { read_results } from '../../experiments/lab/read.ts';
import type { Provenance } from '../../experiments/lab/schema.ts';
import { interval_name } from '../../experiments/lab/words.ts';
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

/** 1 where, with --fail-above, a significant ratio lies above it or B lacks something that A has. */
export async function compare(a: string, b: string, flags: CompareFlags): Promise<number> {
  const { failAbove } = flags;
  const { comparison, slowdowns, answers } = await compare_paths(a, b, failAbove);
  const { warnings, missing } = comparison;
  if (flags.json) {
    const head = { schema: 'molmoe.compare/1', version, a, b, rule: RULE, fail_above: failAbove ?? null };
    out(`${JSON.stringify({ ...head, ...comparison, slowdowns, answers })}\n`);
  } else {
    for (const line of warnings) warn(visible(line));
    out(`${comparison_lines(comparison, { a, b }, answers).join('\n')}\n`);
    for (const { key, stage, ratio } of slowdowns) {
      note(`slower: ${key}, ${stage}: ${ratio.toFixed(3)} times A, above ${failAbove}`);
    }
    if (failAbove !== undefined && missing.length > 0) {
      note(`missing in B: ${some_of(missing.map(({ key, stage }) => (stage === null ? key : `${key} ${stage}`)))}`);
    }
  }
  return slowdowns.length > 0 || (failAbove !== undefined && missing.length > 0) ? 1 : 0;
}

export async function compare_paths(
  a: string,
  b: string,
  fail_above: number | undefined,
): Promise<{ comparison: Comparison; slowdowns: Slowdown[]; answers: ComparedAnswers[] }> {
  if (fail_above !== undefined && !(fail_above > 0)) {
    throw new UsageError(`--fail-above ${fail_above}: expected a ratio above 0, such as 1.10`);
  }
  const [in_a, in_b] = [await read_results(a), await read_results(b)];
  const comparison = compare_results(in_a, in_b);
  const answers = compare_answers(in_a, in_b);
  if (fail_above === undefined) return { comparison, slowdowns: [], answers };
  const few = fewest_runs(comparison.configurations);
  if (few !== undefined) {
    throw new UsageError(
      `--fail-above ${fail_above}: expected at least ${LEAST_RUNS} runs a side, found ${few.runs} of ${few.key} in ${few.side}: fewer cannot show a significant difference; measure with --runs ${LEAST_RUNS} or more`,
    );
  }
  const slowdowns = comparison.configurations.flatMap(({ key, stages }) =>
    stages
      .filter(({ significant, ratio }) => significant && ratio > fail_above)
      .map(({ stage, ratio }) => ({ key, stage, ratio })),
  );
  return { comparison, slowdowns, answers };
}

/** The table, and what A and B are. */
export function comparison_lines(
  { provenance, configurations, only_a, only_b }: Comparison,
  paths: { readonly a: string; readonly b: string },
  answers: readonly ComparedAnswers[] = [],
): string[] {
  const rows = configurations.flatMap(({ key, stages }) =>
    stages.map((stage, i) => [i === 0 ? key : '', ...row(stage)]),
  );
  const few = configurations.some(({ runs }) => interval_name(Math.min(...runs)) === 'range');
  const interval = few
    ? 'interval of their ratio by resampling, rough with under 6 runs a side'
    : '95 % interval of their ratio';
  return [
    origin('A', paths.a, provenance.a),
    origin('B', paths.b, provenance.b),
    '',
    ...(rows.length === 0 && answers.length > 0
      ? []
      : [
          table([['configuration', 'stage', 'A ms', 'B ms', 'B/A', 'from', 'to', 'B is'], ...rows]),
          '',
          `Medians; from and to: ${interval}. ${RULE}.`,
        ]),
    ...answers_lines(answers),
    ...only('A', only_a),
    ...only('B', only_b),
  ];
}

/** Accuracies side by side, and what the paired comparison says in words. */
function answers_lines(answers: readonly ComparedAnswers[]): string[] {
  if (answers.length === 0) return [];
  const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
  const rows = answers.map(({ key, samples, mean_a, mean_b }) => [
    key,
    String(samples),
    percent(mean_a),
    percent(mean_b),
  ]);
  return [table([['configuration', 'samples', 'A', 'B'], ...rows]), '', ...answers.map(({ text }) => `${text}.`)];
}

function origin(side: string, path: string, provenance: Provenance | null): string {
  if (provenance === null) return `${side}  ${visible(path)}: version, commit, model and adapter not known`;
  const { package_version, commit, dirty, model, adapter, backend } = provenance;
  const tree = `${commit.slice(0, 12)}${dirty ? ' and changes' : ''}`;
  return visible(
    `${side}  ${path}: molmoe ${package_version} (${tree}); ${model.name} (${model.weights}) stored as ${model.dtype}; ${adapter.description || adapter.device} (${backend})`,
  );
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
