import { z } from 'zod';
import { UsageError } from '../../engine/errors.ts';
import type { Bar, Figure, Stack } from '../lab/charts.ts';
import type { Files, Saved } from '../lab/define.ts';
import { not_tested } from '../lab/findings.ts';
import { random_numbers, shuffled } from '../lab/random.ts';
import { type Configuration, count, type Finding, finding_schema, finite } from '../lab/schema.ts';
import type { Alone } from '../lab/schema_answers.ts';
import { percentile } from '../lab/stats.ts';
import type { Table } from '../lab/tables.ts';
import { mean } from '../lab/typical.ts';
import { LEAST_FOR_INTERVAL } from '../lab/words.ts';
import { cell_without, type Importance, known_importance, layers_of, left_out_prefix, pruned } from './importance.ts';
import { bootstrap } from './metrics/bootstrap.ts';
import { against, config_of, config_shape, quality_of, quality_shape, samples_of } from './quality.ts';
import { in_short, note_of, told_apart } from './sweep.ts';

/** Ways to choose which blocks run, at the same number of them. */

export const POLICIES = ['prefix', 'importance', 'random'] as const;
type Policy = (typeof POLICIES)[number];

export interface Mask {
  readonly policy: Policy;
  readonly removed: readonly number[];
}

/** Numbers of blocks that run, fewer than all. */
export function counts_of(layers: number, asked: readonly number[] | undefined): number[] {
  const wanted = asked ?? [Math.ceil((3 * layers) / 4), Math.ceil(layers / 2)];
  const counts = [...new Set(wanted)].filter((one) => one < layers).sort((a, b) => b - a);
  if (counts.length > 0) return counts;
  throw new UsageError(`numActiveBlocks: expected fewer than all ${layers} blocks, found ${wanted.join(', ')}`);
}

/** The sets of one number; by importance only where it is known. */
export function masks_of(
  count: number,
  layers: number,
  importance: readonly Pick<Importance, 'block' | 'score'>[],
  random_sets: number,
  seed: number,
): Mask[] {
  const gone = layers - count;
  const blocks = Array.from({ length: layers }, (_, i) => i);
  const random = random_numbers(seed + count);
  const drawn = Array.from({ length: random_sets }, () => shuffled(blocks, random).slice(0, gone));
  return [
    { policy: 'prefix', removed: left_out_prefix(gone, layers) },
    ...(importance.length === 0
      ? []
      : [{ policy: 'importance' as const, removed: ascending(pruned(importance, layers, gone)) }]),
    ...drawn.map((removed) => ({ policy: 'random' as const, removed: ascending(removed) })),
  ];
}

const ascending = (blocks: readonly number[]): number[] => blocks.toSorted((a, b) => a - b);

const contrast_schema = z.strictObject({ value: finite, ci95: z.tuple([finite, finite]).nullable() });

const row = z.strictObject({
  policy: z.enum(POLICIES),
  num_active_blocks: count,
  removed_block_indices: z.array(count),
  ...quality_shape,
  /** Time of the same samples, over that with the first blocks: the mean of their ratios. */
  time_ratio: contrast_schema.nullable(),
});
type M5Row = z.infer<typeof row>;

export const m5_files = {
  m5_mask_strategy_comparison: {
    full: z.strictObject(quality_shape).nullable(),
    rows: z.array(row),
    config: z.strictObject({ ...config_shape, seed: count, random_sets: count }),
    note: z.string(),
    findings: z.array(finding_schema),
  },
};
type M5Files = Files<typeof m5_files>;

interface Asked {
  readonly numActiveBlocks?: readonly number[] | undefined;
  readonly randomSets: number;
  readonly seed: number;
}

export function m5_body(saved: Saved, { numActiveBlocks, randomSets, seed }: Asked) {
  const layers = layers_of(saved);
  const full = cell_without(saved, []);
  const importance = known_importance(saved, seed, undefined);
  const rows = counts_of(layers, numActiveBlocks).flatMap((blocks) => {
    const masks = masks_of(blocks, layers, importance, randomSets, seed);
    const prefix = cell_without(saved, left_out_prefix(layers - blocks, layers));
    return masks.flatMap(({ policy, removed }): M5Row[] => {
      const one = cell_without(saved, removed);
      if (one === undefined) return [];
      const time_ratio = prefix === undefined || one === prefix ? null : times_against(one, prefix, seed);
      return [
        {
          ...{ policy, num_active_blocks: blocks, removed_block_indices: [...removed] },
          ...quality_of(one, full),
          time_ratio,
        },
      ];
    });
  });
  const whole = full && quality_of(full, full);
  return {
    m5_mask_strategy_comparison: {
      full: whole ?? null,
      rows,
      config: { ...config_of(saved, saved.configurations), seed, random_sets: randomSets },
      note: note_of(saved, whole ? [whole] : []),
      findings: [same_time(rows), ...better(saved, rows)],
    },
  };
}

const median_of = (runs: readonly Alone[]): number =>
  percentile(
    runs.map(({ T_total }) => T_total),
    50,
  );

/** Of samples that answered in as many tokens both times: an answer that is longer takes longer whatever the blocks. */
function times_against(one: Configuration, other: Configuration, seed: number): M5Row['time_ratio'] {
  const before = new Map(samples_of(other).map((sample) => [sample.sample_id, sample.latency]));
  const ratios = samples_of(one).flatMap(({ sample_id, latency }) => {
    const others = before.get(sample_id);
    if (!latency || !others || latency[0]?.num_output_tokens !== others[0]?.num_output_tokens) return [];
    return [median_of(latency) / median_of(others)];
  });
  if (ratios.length === 0) return null;
  const { value, ci95 } = bootstrap(ratios, mean, { seed });
  if (ratios.length < LEAST_FOR_INTERVAL) return { value, ci95: null };
  return { value, ci95: ci95 && [...ci95] };
}

/** So far apart times may be and still count as alike. */
const ALIKE = 0.1;

function same_time(rows: readonly M5Row[]): Finding {
  const expectation = 'As many blocks take as long, whichever they are';
  const ratios = rows.flatMap(({ time_ratio, policy, num_active_blocks }) =>
    time_ratio === null || time_ratio.ci95 === null
      ? []
      : [{ ...time_ratio, ci95: time_ratio.ci95, policy, num_active_blocks }],
  );
  if (ratios.length === 0)
    return not_tested(expectation, `fewer than ${LEAST_FOR_INTERVAL} samples were timed alone in two ways of choosing`);
  const within = ratios.filter(({ ci95: [low, high] }) => low > 1 - ALIKE && high < 1 + ALIKE);
  const apart = ratios.filter(({ ci95: [low, high] }) => low > 1 + ALIKE || high < 1 - ALIKE);
  const said = ratios
    .map(
      ({ policy, num_active_blocks, value, ci95: [low, high] }) =>
        `${policy}, ${num_active_blocks} blocks: ${value.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`,
    )
    .join('; ');
  const because = `time over that of the first blocks, same samples: ${said}; alike: the interval lies within ${ALIKE} of 1`;
  if (within.length === ratios.length) return { expectation, outcome: 'confirmed', because };
  return apart.length > 0 ? { expectation, outcome: 'refuted', because } : not_tested(expectation, because);
}

function better(saved: Saved, rows: readonly M5Row[]): Finding[] {
  return (['prefix', 'random'] as const).map((rival) => {
    const expectation = `The most important blocks answer better than ${rival === 'prefix' ? 'the first ones' : 'any'}`;
    const found = rows
      .filter(({ policy }) => policy === 'importance')
      .flatMap((one) =>
        rows
          .filter(({ policy, num_active_blocks }) => policy === rival && num_active_blocks === one.num_active_blocks)
          .flatMap((other) => {
            const [a, b] = [one, other].map(({ removed_block_indices }) => cell_without(saved, removed_block_indices));
            return a === undefined || b === undefined || a === b ? [] : [{ one, compared: against(a, b) }];
          }),
      );
    if (found.length === 0) return not_tested(expectation, 'both chose the same blocks');
    const wins = found.filter(({ compared }) => told_apart(compared) && compared.difference > 0).length;
    const losses = found.filter(({ compared }) => told_apart(compared) && compared.difference < 0).length;
    const said = found
      .map(
        ({ one, compared }) =>
          `${one.num_active_blocks} blocks: ${(100 * compared.difference).toFixed(1)} points (p ${compared.p.toFixed(3)})`,
      )
      .join('; ');
    return {
      expectation,
      outcome: wins > 0 && losses === 0 ? 'confirmed' : 'refuted',
      because: `told apart and better in ${wins} of ${found.length}, worse in ${losses}: ${said}`,
    };
  });
}

/** A bar a set: sets of one number stand side by side. */
export function m5_figures({ m5_mask_strategy_comparison: { rows, full, note } }: M5Files): Figure[] {
  if (rows.length === 0) return [];
  const chart = (label: string, some: readonly M5Row[], of: (one: M5Row) => NonNullable<Bar['total']>): Stack => ({
    ...{ kind: 'stack', categories: 'Blocks', value: { label }, lying: true },
    bars: some.map((one) => ({
      label: [`${one.num_active_blocks}`, NAMES[one.policy]],
      segments: [{ look: POLICIES.indexOf(one.policy), name: NAMES[one.policy], value: of(one).value }],
      total: of(one),
    })),
  });
  const ends = (ci95: readonly [number, number] | null | undefined, scale = 1) =>
    ci95 ? { low: scale * ci95[0], high: scale * ci95[1] } : {};
  const accuracy = chart('Accuracy (%)', rows, ({ accuracy: share, accuracy_ci95 }) => ({
    ...{ value: 100 * share, label: (100 * share).toFixed(1) },
    ...ends(accuracy_ci95, 100),
  }));
  const timed = rows.filter(({ latency }) => latency !== null);
  const latency = chart('Latency (ms)', timed, ({ latency: times }) => {
    const { median = 0, median_ci95 } = times?.T_total ?? {};
    return { value: median, label: median.toFixed(1), ...ends(median_ci95) };
  });
  const { num_samples, runs } = timed[0]?.latency ?? {};
  const whole = full === null ? [] : [`all blocks: ${(100 * full.accuracy).toFixed(1)} %`];
  const figures: Figure[] = [
    {
      name: 'm5_accuracy_by_policy',
      title: 'The same number of blocks, chosen in three ways',
      notes: [note, ...whole],
      panels: [accuracy],
      untimed: true,
    },
    {
      name: 'm5_latency_by_policy',
      title: 'Time at the same number of blocks',
      notes: [
        `${num_samples} samples, each alone, median of ${runs} runs; error bars: 95 % interval of the median over samples; host wall time between fences`,
      ],
      panels: [latency],
    },
  ];
  return timed.length > 0 ? figures : figures.slice(0, 1);
}

const NAMES: Readonly<Record<Policy, string>> = {
  prefix: 'the first',
  importance: 'the most important',
  random: 'drawn',
};

export const m5_tables = ({ m5_mask_strategy_comparison: { rows } }: M5Files): Table[] => [
  {
    title: 'ways to choose the blocks that run',
    columns: [
      { name: 'blocks', unit: 'count' },
      { name: 'chosen', unit: 'text' },
      { name: 'without', unit: 'text' },
      { name: 'accuracy', unit: 'share' },
      { name: 'against all blocks', unit: 'text' },
      { name: 'time alone', unit: 'ms' },
      { name: 'over the first', unit: 'text' },
    ],
    rows: rows.map((one) => [
      one.num_active_blocks,
      NAMES[one.policy],
      one.removed_block_indices.join(', '),
      one.accuracy,
      one.against_full === null ? null : in_short(one.against_full),
      one.latency?.T_total.median ?? null,
      one.time_ratio === null ? null : one.time_ratio.value.toFixed(3),
    ]),
    note: 'Time alone: median over the timed samples; over the first: mean ratio on the same samples.',
  },
];
