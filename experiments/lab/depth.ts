import { z } from 'zod';
import { at_depth } from './scale.ts';
import { type Configuration, count, type FitRecord, finite, STAGES } from './schema.ts';
import { linear_fit, percentile } from './stats.ts';
import { scaled_of, times_of } from './typical.ts';

/**
 * The language model over the blocks that run, from cells that differ in which of them are masked. Blocks are alike and a
 * masked one runs nothing, so a slice with two of its blocks does what the whole does with two of its own.
 */

/** What a stage takes without any block, and what each block adds. */
const line_schema = z.strictObject({ once_ms: finite, block_ms: finite });
type DepthLine = z.infer<typeof line_schema>;

export const depth_schema = z.strictObject({
  /** The model that ran, or the whole that it is a slice of. */
  model: z.string(),
  num_total_blocks: count,
  /** Key of the deepest cell: the lines are its plain times, shared out between blocks and the rest as its GPU stamps say. */
  from: z.string(),
  from_blocks: count,
  prefill: line_schema.nullable(),
  decode_step: line_schema.nullable(),
  /** T_vision_total, which no mask changes. */
  vision_ms: finite.nullable(),
  rows: z.array(
    z.strictObject({
      num_active_blocks: count,
      /** On the lines, not measured. */
      prefill_ms: finite.nullable(),
      decode_step_ms: finite.nullable(),
      /** Medians over all runs with so many blocks; null where none ran. */
      measured: z
        .strictObject({ prefill_ms: finite.nullable(), decode_step_ms: finite.nullable(), n: count })
        .nullable(),
      /** Exact. A decode step is the mean of the cell's. null: one depth alone does not tell the rest from the blocks. */
      prefill_flops: finite.nullable(),
      decode_step_flops: finite.nullable(),
    }),
  ),
});
export type Depth = z.infer<typeof depth_schema>;
export type DepthRow = Depth['rows'][number];

type Time = 'prefill' | 'decode_step';
const TIME = { prefill: 'T_LLM_prefill', decode_step: 'T_decode_per_token' } as const;
const STAGE = { prefill: 'prefill', decode_step: 'decode' } as const;

export const blocks_of = ({ knobs }: Configuration): readonly number[] => knobs.blocks as number[];

/** Blocks of the language model in which a kernel was stamped; null without an instrumented run. */
export function stamped_blocks({ instrumented }: Configuration): number[] | null {
  if (instrumented === null) return null;
  const language = ['prefill', 'decode'].map((stage) => STAGES.indexOf(stage as (typeof STAGES)[number]));
  const layers = instrumented.strip.rows.flatMap(([stage, layer]) =>
    language.includes(stage) && layer >= 0 ? [layer] : [],
  );
  return [...new Set(layers)].sort((a, b) => a - b);
}

/** The time at a depth: measured, or where so many blocks did not run on the line. */
export function depth_ms(row: DepthRow | undefined, time: 'prefill_ms' | 'decode_step_ms'): number | null {
  return row?.measured?.[time] ?? row?.[time] ?? null;
}

/** Over cells as they were measured; null where the depth never varies. */
export function line_over_blocks(some: readonly Configuration[], time: Time): FitRecord | null {
  const points = some.flatMap((one): [number, number][] => {
    const values = raw_ms([one], time);
    return values.length === 0 ? [] : [[blocks_of(one).length, percentile(values, 50)]];
  });
  const x = points.map(([blocks]) => blocks);
  return new Set(x).size < 2
    ? null
    : linear_fit(
        x,
        points.map(([, ms]) => ms),
      );
}

const median_or_null = (values: readonly number[]): number | null =>
  values.length > 0 ? percentile(values, 50) : null;

/** As measured, never scaled. */
const raw_ms = (some: readonly Configuration[], time: Time): number[] =>
  some.flatMap(({ clean }) => clean.samples.flatMap((sample) => sample[TIME[time]] ?? []));

function line_of(one: Configuration, time: Time): DepthLine | null {
  const active = blocks_of(one).length;
  const ms = median_or_null(raw_ms([one], time));
  if (one.instrumented === null || active === 0 || ms === null) return null;
  const none = { language: 0, vision: 1 };
  const share = at_depth(one.instrumented, { ...none, language: active }, none).stages[STAGE[time]]?.factor;
  return share === undefined ? null : { once_ms: ms * share, block_ms: (ms * (1 - share)) / active };
}

/** Exact FLOPs at any depth, from two that were counted; null where all are of one depth. */
function flops_line(some: readonly Configuration[], total: number, time: Time): ((blocks: number) => number) | null {
  const stage = STAGE[time];
  const counted = some.flatMap((one) => {
    const steps = time === 'prefill' ? 1 : one.tokens.decode_steps;
    const pair = (blocks: number, flops: number | undefined): [number, number][] =>
      flops === undefined ? [] : [[blocks, flops / steps]];
    const whole = scaled_of(one)?.counters[stage]?.flops;
    return [...pair(blocks_of(one).length, one.counters[stage]?.flops), ...pair(total, whole)];
  });
  const by_depth = counted.sort((a, b) => a[0] - b[0]);
  const [shallow, deep] = [by_depth[0], by_depth.at(-1)];
  if (shallow === undefined || deep === undefined || shallow[0] === deep[0]) return null;
  const of_block = (deep[1] - shallow[1]) / (deep[0] - shallow[0]);
  return (blocks) => shallow[1] + of_block * (blocks - shallow[0]);
}

/** Each cell has its blocks in its knobs; all of them ask the same otherwise. */
export function depth_of_cells(some: readonly Configuration[], own: { name: string; layers: number }): Depth | null {
  const deepest = some.reduce<Configuration | undefined>(
    (most, one) => (most === undefined || blocks_of(one).length > blocks_of(most).length ? one : most),
    undefined,
  );
  if (deepest === undefined) return null;
  const whole = scaled_of(deepest);
  const total = whole?.blocks.language[1] ?? own.layers;
  const lines = { prefill: line_of(deepest, 'prefill'), decode_step: line_of(deepest, 'decode_step') };
  const flops = {
    prefill: flops_line(some, total, 'prefill'),
    decode_step: flops_line(some, total, 'decode_step'),
  };
  const at = (time: Time, blocks: number) => {
    const line = lines[time];
    return line && line.once_ms + line.block_ms * blocks;
  };
  const measured = (blocks: number): DepthRow['measured'] => {
    const here = some.filter((one) => blocks_of(one).length === blocks);
    const [prefill, steps] = [raw_ms(here, 'prefill'), raw_ms(here, 'decode_step')];
    if (prefill.length === 0) return null;
    return { prefill_ms: median_or_null(prefill), decode_step_ms: median_or_null(steps), n: prefill.length };
  };
  return {
    ...{ model: whole?.model ?? own.name, num_total_blocks: total },
    ...{ from: deepest.key, from_blocks: blocks_of(deepest).length },
    ...lines,
    vision_ms: median_or_null(times_of(deepest, 'T_vision_total')),
    rows: Array.from({ length: total }, (_, i) => ({
      num_active_blocks: i + 1,
      prefill_ms: at('prefill', i + 1),
      decode_step_ms: at('decode_step', i + 1),
      measured: measured(i + 1),
      prefill_flops: flops.prefill?.(i + 1) ?? null,
      decode_step_flops: flops.decode_step?.(i + 1) ?? null,
    })),
  };
}
