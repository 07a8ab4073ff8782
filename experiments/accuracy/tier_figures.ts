import type { Figure } from '../lab/charts.ts';
import { not_tested } from '../lab/findings.ts';
import { pareto_front } from '../lab/pareto.ts';
import type { Configuration, Finding } from '../lab/schema.ts';
import type { Table } from '../lab/tables.ts';
import { FLOPS_AXIS, figure_of, in_gflop, knob_pareto } from './knob_figures.ts';
import type { Cost } from './knob_files.ts';
import type { Entrant } from './knob_fronts.ts';
import { in_short, told_apart } from './sweep.ts';
import type { TierRow } from './tier_files.ts';
import { TIER_NAMES } from './tiers.ts';

/** Tiers of crops as pictures, tables and findings. */

interface Drawn {
  readonly summary: readonly TierRow[];
  readonly front: { readonly cost: Cost; readonly keys: readonly string[] };
  readonly note: string;
}

const total_ms = ({ latency }: TierRow): number | null => latency?.T_total.mean ?? null;

/** By latency where all were timed, else by what they compute. */
export function tier_entrants(
  configurations: readonly Configuration[],
  rows: readonly TierRow[],
): { readonly cost: Cost; readonly entrants: Entrant[] } {
  const cost: Cost = rows.every((row) => total_ms(row) !== null) ? 'latency' : 'flops';
  const entrants = configurations.map((one, i): Entrant => {
    const row = rows[i] as TierRow;
    return { one, row, cost: cost === 'latency' ? (total_ms(row) as number) : row.flops };
  });
  return { cost, entrants };
}

export const tier_front = (entrants: readonly Entrant[]): string[] =>
  pareto_front(entrants.map(({ cost: x, row: { accuracy: y } }) => ({ x, y }))).map(
    (i) => (entrants[i] as Entrant).one.key,
  );

/** The lowest tier against the highest, with the model's own experts and all blocks. */
export function tier_losses(expectation: string, rows: readonly TierRow[], full: Configuration | undefined): Finding {
  const own = rows.find(({ key }) => key === full?.key);
  const low = rows.find(
    (row) => row.top_k === own?.top_k && row.num_active_blocks === own.num_active_blocks && row.tier !== own.tier,
  );
  if (!low?.against_full) {
    return not_tested(expectation, "no two tiers have the model's own experts and all blocks");
  }
  const { against_full: found, tier, mean_num_crops } = low;
  return {
    expectation,
    outcome: told_apart(found) && found.difference < 0 ? 'confirmed' : 'refuted',
    because: `tier ${tier} (${mean_num_crops.toFixed(1)} views a picture on average): ${found.text}`,
  };
}

export function tier_figures({ summary, front, note }: Drawn): Figure[] {
  const timed = front.cost === 'latency';
  const look = {
    name_of: ({ top_k, num_active_blocks }: TierRow) => `${top_k}/${num_active_blocks}`,
    group_of: ({ tier }: TierRow) => `tier ${tier}`,
  };
  const rows = TIER_NAMES.flatMap((tier) => summary.filter((row) => row.tier === tier));
  const panel = timed
    ? knob_pareto(rows, total_ms, front.keys, { ...look, label: 'Total latency (ms)' })
    : knob_pareto(rows, in_gflop, front.keys, { ...look, label: FLOPS_AXIS });
  const { num_samples = 0, runs = 0 } = summary[0]?.latency ?? {};
  const clock = `latency: mean over ${num_samples} samples, each alone, by the median of ${runs} runs; host wall time`;
  const notes = [note, ...(timed ? [clock] : []), 'labels, where there is room: experts a token / blocks'];
  return figure_of(
    'acc_lat_profiling_pareto',
    'Answers against cost by tiers of crops',
    notes,
    [panel],
    timed ? undefined : true,
  );
}

export const tier_table = ({ summary, front }: Drawn): Table => ({
  title: 'tiers of crops',
  columns: [
    { name: 'tier', unit: 'text' },
    ...['experts', 'blocks', 'samples'].map((name) => ({ name, unit: 'count' as const })),
    { name: 'crops', unit: 'number' },
    ...['accuracy', 'from', 'to'].map((name) => ({ name, unit: 'share' as const })),
    { name: 'FLOPs', unit: 'flop' },
    ...['total', 'prefill', 'decode'].map((name) => ({ name, unit: 'ms' as const })),
    { name: 'front', unit: 'text' },
    { name: 'against the fullest', unit: 'text' },
  ],
  rows: summary.map((row) => [
    ...[row.tier, row.top_k, row.num_active_blocks, row.num_samples, row.selected_crops_mean],
    ...[row.accuracy, row.accuracy_ci95?.[0] ?? null, row.accuracy_ci95?.[1] ?? null, row.flops],
    ...[total_ms(row), row.latency?.T_LLM_prefill?.mean ?? null, row.latency?.T_LLM_decode?.mean ?? null],
    front.keys.includes(row.key) ? 'yes' : null,
    row.against_full === null ? null : in_short(row.against_full),
  ]),
  note: "From, to: 95 % interval, bootstrap over pictures. Times: means. The fullest: the highest tier with the model's own experts and all blocks.",
});
