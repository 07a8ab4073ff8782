import { z } from 'zod';
import type { Figure, Lines, Series, Stack } from '../lab/charts.ts';
import type { Each, Files, Saved } from '../lab/define.ts';
import { not_tested } from '../lab/findings.ts';
import { type Configuration, count, type Finding, finding_schema, finite } from '../lab/schema.ts';
import { scored_sample_schema } from '../lab/schema_answers.ts';
import type { Table } from '../lab/tables.ts';
import {
  beam_of,
  cell_without,
  halves_agree,
  type Importance,
  importance_of,
  known_importance,
  layers_of,
  left_out_prefix,
  pruned,
  removed_of,
} from './importance.ts';
import { against, config_of, config_shape, quality_of, quality_shape, samples_of } from './quality.ts';
import { brief_samples, in_short, note_of, told_apart } from './sweep.ts';

const row = z.strictObject({
  /** How this set was chosen: nothing gone, alone, by importance, by the search, the first blocks. */
  policy: z.enum(['full', 'ablation', 'importance', 'beam', 'prefix']),
  num_active_blocks: count,
  num_total_blocks: count,
  active_block_indices: z.array(count),
  removed_block_indices: z.array(count),
  ...quality_shape,
});
export type SensitivityRow = z.infer<typeof row>;

const config = z.strictObject({ ...config_shape, seed: count, beam_width: count, max_blocks_to_remove: count });

const body = { summary: z.array(row), config, note: z.string() };
export const sensitivity_files = {
  layer_importance_scores: {
    /** Accuracy of the whole model less that without the block. */
    scores: z.record(z.string(), finite),
    intervals: z.record(z.string(), z.tuple([finite, finite]).nullable()),
    /** Spearman's correlation between the scores on one half of the samples and on the other. */
    halves_agree: finite.nullable(),
  },
  exp3_accuracy_sensitivity_results: {
    ...body,
    importance_scores: z.record(z.string(), finite),
    all_samples: z.array(z.strictObject({ cell: z.string(), sample_id: z.string(), accuracy: finite })),
    findings: z.array(finding_schema),
  },
  exp3_accuracy_sensitivity_v2_results: {
    ...body,
    importance_scores: z.record(z.string(), finite),
    baseline_accuracy: finite.nullable(),
  },
};
export type SensitivityFiles = Files<typeof sensitivity_files>;

/** The study's names: a block alone, and what the search took out at which step. */
function cell_file(one: Configuration, saved: Saved) {
  const gone = removed_of(one);
  const blocks = layers_of(saved) - gone.length;
  const [block] = gone;
  const name =
    block === undefined
      ? 'sensitivity_baseline'
      : gone.length === 1
        ? `sensitivity_block_${block}`
        : `beam_search_step${gone.length - 1}_blocks${blocks}_removed${gone.join('-')}`;
  const rows = [row_of(one, saved, policy_of(gone, saved))];
  return {
    name: name.slice(0, 180),
    body: { summary: rows, all_samples: samples_of(one), config: config_of(saved, [one]) },
  };
}

export const sensitivity_each: Each = {
  name: 'exp3_accuracy_sensitivity_blocks',
  shape: { summary: z.array(row), all_samples: z.array(scored_sample_schema), config: z.strictObject(config_shape) },
  of: cell_file,
};

type Policy = SensitivityRow['policy'];

const policy_of = (gone: readonly number[], saved: Saved): Policy =>
  gone.length === 0 ? 'full' : gone.length === 1 ? 'ablation' : is_prefix(gone, saved) ? 'prefix' : 'beam';

const is_prefix = (gone: readonly number[], saved: Saved): boolean =>
  gone.join() === left_out_prefix(gone.length, layers_of(saved)).join();

function row_of(one: Configuration, saved: Saved, policy: Policy): SensitivityRow {
  const layers = layers_of(saved);
  const removed = removed_of(one);
  return {
    policy,
    num_active_blocks: layers - removed.length,
    num_total_blocks: layers,
    active_block_indices: Array.from({ length: layers }, (_, i) => i).filter((block) => !removed.includes(block)),
    removed_block_indices: removed,
    ...quality_of(one, cell_without(saved, [])),
  };
}

interface Asked {
  readonly beamWidth: number;
  readonly maxBlocksToRemove: number;
  readonly seed: number;
}

export function sensitivity_body(
  saved: Saved,
  { beamWidth, maxBlocksToRemove, seed }: Asked,
  file: string | undefined,
) {
  const layers = layers_of(saved);
  const measured = importance_of(saved, seed);
  const given = known_importance(saved, seed, file);
  const rows = (policy: Policy, sets: readonly (readonly number[])[]) =>
    sets.flatMap((gone) => {
      const one = cell_without(saved, gone);
      return one === undefined ? [] : [row_of(one, saved, policy)];
    });
  const sizes = Array.from({ length: Math.max(0, layers - 1) }, (_, i) => i + 1);
  const full = rows('full', [[]]);
  const ablated = rows('ablation', sizes.map((size) => [size - 1]).concat([[layers - 1]]));
  const importance = rows(
    'importance',
    sizes.map((gone) => pruned(given, layers, gone)),
  );
  const prefix = rows(
    'prefix',
    sizes.map((gone) => left_out_prefix(gone, layers)),
  );
  const beam = rows(
    'beam',
    sizes.filter((size) => size <= maxBlocksToRemove).flatMap((size) => beam_of(saved, size, 1)),
  );
  const scores = Object.fromEntries(given.map(({ block, score }) => [block, score]));
  const shared = {
    config: {
      ...config_of(saved, saved.configurations),
      seed,
      beam_width: beamWidth,
      max_blocks_to_remove: maxBlocksToRemove,
    },
    note: note_of(saved, full),
  };
  return {
    layer_importance_scores: {
      scores: Object.fromEntries(measured.map(({ block, score }) => [block, score])),
      intervals: Object.fromEntries(
        measured.map(({ block, ci95 }) => [block, ci95 && ([...ci95] as [number, number])]),
      ),
      halves_agree: halves_agree(saved),
    },
    exp3_accuracy_sensitivity_results: {
      summary: [...full, ...ablated, ...importance, ...prefix],
      ...shared,
      importance_scores: scores,
      all_samples: brief_samples(saved.configurations),
      findings: findings_of(saved, measured, beam, importance),
    },
    exp3_accuracy_sensitivity_v2_results: {
      summary: [...full, ...beam],
      ...shared,
      importance_scores: scores,
      baseline_accuracy: full[0]?.accuracy ?? null,
    },
  };
}

/** Rank correlation from which a ranking is called consistent, as the study has it. */
const CONSISTENT = 0.9;

function findings_of(
  saved: Saved,
  importance: readonly Importance[],
  beam: readonly SensitivityRow[],
  prunings: readonly SensitivityRow[],
): Finding[] {
  return [ends_matter(importance), search_wins(saved, beam, prunings), is_stable(saved)];
}

function ends_matter(importance: readonly Importance[]): Finding {
  const expectation = 'The first and the last block matter most';
  if (importance.length < 3) return not_tested(expectation, 'fewer than three blocks were taken out alone');
  const by_score = importance.toSorted((a, b) => b.score - a.score);
  const ends = [0, Math.max(...importance.map(({ block }) => block))];
  const top = by_score.slice(0, 2).map(({ block }) => block);
  const said = by_score.map(({ block, score }) => `${block}: ${(100 * score).toFixed(1)}`).join(', ');
  return {
    expectation,
    outcome: top.every((block) => ends.includes(block)) ? 'confirmed' : 'refuted',
    because: `points of accuracy lost without each block, most first: ${said}`,
  };
}

function search_wins(saved: Saved, beam: readonly SensitivityRow[], prunings: readonly SensitivityRow[]): Finding {
  const expectation = 'The search finds a better set than pruning by importance';
  const pairs = beam.flatMap((found) => {
    const other = prunings.find(({ num_active_blocks }) => num_active_blocks === found.num_active_blocks);
    const [a, b] = [found, other].map((one) => one && cell_without(saved, one.removed_block_indices));
    return a === undefined || b === undefined || a === b ? [] : [{ found, compared: against(a, b) }];
  });
  if (pairs.length === 0) return not_tested(expectation, 'the search and pruning took out the same blocks');
  const better = pairs.filter(({ compared }) => told_apart(compared) && compared.difference > 0);
  const said = pairs.map(
    ({ found, compared }) =>
      `without ${found.removed_block_indices.join(', ')}: ${(100 * compared.difference).toFixed(1)} points above (p ${compared.p.toFixed(3)})`,
  );
  return {
    expectation,
    outcome: better.length > 0 ? 'confirmed' : 'refuted',
    because: `${better.length} of ${pairs.length} sizes are told apart, on the samples that the sets were chosen by; ${said.join('; ')}`,
  };
}

function is_stable(saved: Saved): Finding {
  const expectation = 'Half of the samples ranks the blocks as the other half does';
  const rho = halves_agree(saved);
  if (rho === null) return not_tested(expectation, 'there are no ablations to rank');
  return {
    expectation,
    outcome: rho >= CONSISTENT ? 'confirmed' : 'refuted',
    because: `Spearman's rank correlation is ${rho.toFixed(2)} (consistent: ${CONSISTENT} or more)`,
  };
}

export function sensitivity_figures({
  layer_importance_scores: { scores, intervals },
  exp3_accuracy_sensitivity_results: { summary, note },
  exp3_accuracy_sensitivity_v2_results: { summary: searched },
}: SensitivityFiles): Figure[] {
  const blocks = Object.keys(scores);
  if (blocks.length === 0) return [];
  const bars: Stack = {
    ...{ kind: 'stack', categories: 'Block', value: { label: 'Accuracy lost without it (points)' } },
    bars: blocks.map((block) => {
      // A bar cannot go below nothing: what answers gain without a block is written.
      const points = 100 * (scores[block] as number);
      const ci95 = intervals[block];
      return {
        label: [block],
        segments: [{ look: 0, name: 'lost', value: Math.max(0, points) }],
        total: {
          value: Math.max(0, points),
          ...(ci95 && { low: Math.max(0, 100 * ci95[0]), high: Math.max(0, 100 * ci95[1]) }),
          label: points.toFixed(1),
        },
      };
    }),
  };
  const line = (name: string, look: number, rows: readonly SensitivityRow[]): Series => ({
    ...{ name, look },
    points: rows
      .map((one) => ({
        x: one.num_active_blocks,
        y: 100 * one.accuracy,
        n: one.num_samples,
        ...(one.accuracy_ci95 && { low: 100 * one.accuracy_ci95[0], high: 100 * one.accuracy_ci95[1] }),
      }))
      .sort((a, b) => a.x - b.x),
  });
  const of = (policy: Policy) => summary.filter((one) => one.policy === policy || one.policy === 'full');
  const lines = (series: Series[]): Lines => ({
    ...{ kind: 'lines', x: { label: 'Blocks that run', from_zero: false }, y: { label: 'Accuracy (%)' }, series },
  });
  const importance = line('least important go', 0, of('importance'));
  const notes = [note];
  return [
    {
      name: 'exp3_sensitivity_layer_importance',
      title: 'What answers lose without each block',
      notes,
      panels: [bars],
      untimed: true,
    },
    {
      name: 'exp3_sensitivity_pruning_accuracy',
      ...{ title: 'Pruning by importance', notes, panels: [lines([importance])], untimed: true, files_only: true },
    },
    {
      name: 'exp3_comparison_sequential_vs_importance',
      title: 'Blocks gone by importance, by search, and from the end',
      notes,
      panels: [
        lines([
          importance,
          line('best set that the search found', 1, searched),
          line('last blocks go', 2, of('prefix')),
        ]),
      ],
      untimed: true,
    },
  ];
}

export function sensitivity_tables({
  exp3_accuracy_sensitivity_results: { summary },
  exp3_accuracy_sensitivity_v2_results: { summary: searched },
}: SensitivityFiles): Table[] {
  const rows = [...summary, ...searched.filter(({ policy }) => policy === 'beam')];
  return [
    {
      title: 'accuracy without blocks',
      columns: [
        { name: 'chosen by', unit: 'text' },
        { name: 'without', unit: 'text' },
        { name: 'blocks', unit: 'count' },
        { name: 'accuracy', unit: 'share' },
        { name: '% of full', unit: 'number' },
        { name: 'FLOPs', unit: 'flop' },
        { name: 'against the full model', unit: 'text' },
      ],
      rows: rows.map((one) => [
        one.policy,
        one.removed_block_indices.join(', '),
        one.num_active_blocks,
        one.accuracy,
        one.percent_of_full,
        one.flops,
        one.against_full === null ? null : in_short(one.against_full),
      ]),
    },
  ];
}
