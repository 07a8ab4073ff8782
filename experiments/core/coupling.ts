import { z } from 'zod';
import { type Contrast, contrast, contrast_schema, type Drawn, drawn_of, leaves_out } from '../lab/contrast.ts';
import { not_tested } from '../lab/findings.ts';
import { count, type Finding, finite } from '../lab/schema.ts';
import { short_ms } from '../lab/tables.ts';
import type { TimeName } from '../lab/times.ts';
import { mean } from '../lab/typical.ts';

/** How the effects of knobs on latency depend on each other. */

export const KNOBS = ['crops', 'top_k', 'num_active_blocks'] as const;
export type Knob = (typeof KNOBS)[number];
const knob_schema = z.enum(KNOBS);

/** Times that are looked at. */
export const COUPLED_TIMES = [
  'T_total',
  'T_vision_total',
  'T_LLM_prefill',
  'T_decode_per_token',
] as const satisfies readonly TimeName[];
export type CoupledTime = (typeof COUPLED_TIMES)[number];
const time_schema = z.enum(COUPLED_TIMES);

/** A cell: where its knobs stand, and the runs of each time. */
export interface KnobCell extends Readonly<Record<Knob, number>> {
  readonly times: Readonly<Record<CoupledTime, readonly number[]>>;
}

export const coupling_shape = {
  /** One knob fixed at each of its values, the third at its highest: what turning another one up from its lowest adds. */
  curves: z.array(
    z.strictObject({
      time: time_schema,
      knob: knob_schema,
      fixed: knob_schema,
      at: count,
      points: z.array(
        z.strictObject({
          value: count,
          ms: finite,
          /** More than at the lowest value, and how many times as long. */
          added_ms: contrast_schema,
          ratio: contrast_schema,
        }),
      ),
    }),
  ),
  /** Two knobs from lowest to highest, the third at its highest: what both together do beyond each alone. */
  interactions: z.array(
    z.strictObject({
      time: time_schema,
      knobs: z.tuple([knob_schema, knob_schema]),
      /** Both up - first up - second up + both down. 0: their effects add up. */
      ms: contrast_schema,
      /** Of the time with both up. */
      share: finite,
      /** Ratio of the first with the second up, over that with the second down. 1: their effects multiply. */
      ratio: contrast_schema,
    }),
  ),
  /** A number for each value of each knob, fitted to all cells: their sum, or their product. */
  models: z.array(
    z.strictObject({
      time: time_schema,
      model: z.enum(['additive', 'multiplicative']),
      cells: count,
      parameters: count,
      /** Of the time itself, also where logarithms were fitted; null where the fit has as many parameters as cells. */
      r_squared: finite.nullable(),
      /** Largest |fitted / measured - 1|. */
      worst_off: finite.nullable(),
    }),
  ),
};
export type Coupling = z.infer<z.ZodObject<typeof coupling_shape>>;

type Placed = Readonly<Record<Knob, number>>;
const levels = (cells: readonly Placed[], knob: Knob): number[] =>
  [...new Set(cells.map((one) => one[knob]))].sort((a, b) => a - b);
const third = (a: Knob, b: Knob): Knob => KNOBS.find((knob) => knob !== a && knob !== b) as Knob;
const at = (cells: readonly DrawnCell[], where: Partial<Record<Knob, number>>): DrawnCell[] =>
  cells.filter((one) => KNOBS.every((knob) => where[knob] === undefined || one[knob] === where[knob]));

export function coupling_of(cells: readonly KnobCell[]): Coupling {
  const took = (runs: readonly number[]) => runs.length > 0 && runs.every((ms) => ms > 0);
  const times = COUPLED_TIMES.filter((time) => cells.length > 0 && cells.every((one) => took(one.times[time])));
  const by_time = times.map((time) => [time, cells.map((one, i) => with_runs(one, time, i + 1))] as const);
  return {
    curves: by_time.flatMap(([time, drawn]) => curves(drawn, time)),
    interactions: by_time.flatMap(([time, drawn]) => interactions(drawn, time)),
    models: by_time.flatMap(([time, drawn]) => models(drawn, time)),
  };
}

/** A cell with the runs of one time, drawn once for all that it is held against. */
interface DrawnCell extends Readonly<Record<Knob, number>> {
  readonly runs: Drawn;
}

const with_runs = (cell: KnobCell, time: CoupledTime, seed: number): DrawnCell => ({
  crops: cell.crops,
  top_k: cell.top_k,
  num_active_blocks: cell.num_active_blocks,
  runs: drawn_of(cell.times[time], seed),
});

function curves(cells: readonly DrawnCell[], time: CoupledTime): Coupling['curves'] {
  return KNOBS.flatMap((knob) =>
    KNOBS.filter((fixed) => fixed !== knob).flatMap((fixed) => {
      const rest = third(knob, fixed);
      const slice = at(cells, { [rest]: levels(cells, rest).at(-1) });
      return levels(slice, fixed).flatMap((value) => {
        const line = at(slice, { [fixed]: value }).sort((a, b) => a[knob] - b[knob]);
        const [lowest] = line;
        if (lowest === undefined || line.length < 2) return [];
        const points = line.map((one) => {
          const runs = [one.runs, lowest.runs];
          const same = one === lowest;
          return {
            value: one[knob],
            ms: one.runs.median,
            added_ms: same ? { value: 0, ci95: null } : contrast(runs, (up = 0, down = 0) => up - down),
            ratio: same ? { value: 1, ci95: null } : contrast(runs, (up = 0, down = 1) => up / down),
          };
        });
        return [{ time, knob, fixed, at: value, points }];
      });
    }),
  );
}

const PAIRS = [
  ['crops', 'top_k'],
  ['crops', 'num_active_blocks'],
  ['top_k', 'num_active_blocks'],
] as const;

function interactions(cells: readonly DrawnCell[], time: CoupledTime): Coupling['interactions'] {
  return PAIRS.flatMap(([a, b]) => {
    const rest = third(a, b);
    const slice = at(cells, { [rest]: levels(cells, rest).at(-1) });
    const ends = (knob: Knob) => [levels(slice, knob).at(-1), levels(slice, knob)[0]];
    const corners = ends(a).flatMap((of_a) =>
      ends(b).flatMap((of_b) => at(slice, { [a]: of_a, [b]: of_b }).slice(0, 1)),
    );
    if (new Set(corners).size < 4) return [];
    const runs = corners.map((one) => one.runs);
    const ms = contrast(runs, (both = 0, first = 0, second = 0, none = 0) => both - first - second + none);
    const both_up = runs[0]?.median ?? 0;
    return [
      {
        time,
        knobs: [a, b] as [Knob, Knob],
        ms,
        share: both_up > 0 ? ms.value / both_up : 0,
        ratio: contrast(runs, (both = 0, first = 0, second = 0, none = 0) => (both * none) / (first * second)),
      },
    ];
  });
}

/** More rounds than any grid needs, and the change below which effects stand still. */
const MOST_ROUNDS = 1000;
const STILL = 1e-12;

/** Least squares of one number a level of each knob: each in turn takes the mean of what the others leave. */
export function main_effects(cells: readonly Placed[], values: readonly number[]): number[] {
  const middle = mean(values);
  const effects = KNOBS.map(() => new Map<number, number>());
  const fitted = (one: Placed, but = -1): number =>
    KNOBS.reduce((sum, knob, i) => sum + (i === but ? 0 : (effects[i]?.get(one[knob]) ?? 0)), middle);
  const scale = Math.max(...values.map(Math.abs));
  let changed = Number.POSITIVE_INFINITY;
  for (let round = 0; round < MOST_ROUNDS && changed > STILL * scale; round++) {
    changed = 0;
    for (const [i, knob] of KNOBS.entries()) {
      for (const level of levels(cells, knob)) {
        const left = cells.flatMap((one, c) => (one[knob] === level ? [(values[c] as number) - fitted(one, i)] : []));
        const effect = mean(left);
        changed = Math.max(changed, Math.abs(effect - (effects[i]?.get(level) ?? 0)));
        effects[i]?.set(level, effect);
      }
    }
  }
  return cells.map((one) => fitted(one));
}

function models(cells: readonly DrawnCell[], time: CoupledTime): Coupling['models'] {
  const measured = cells.map(({ runs }) => runs.median);
  const parameters = 1 + KNOBS.reduce((sum, knob) => sum + levels(cells, knob).length - 1, 0);
  const middle = mean(measured);
  const all = measured.reduce((sum, ms) => sum + (ms - middle) ** 2, 0);
  return (['additive', 'multiplicative'] as const).map((model) => {
    const about = { time, model, cells: cells.length, parameters };
    if (parameters >= cells.length || all === 0) return { ...about, r_squared: null, worst_off: null };
    const fitted =
      model === 'additive' ? main_effects(cells, measured) : main_effects(cells, measured.map(Math.log)).map(Math.exp);
    const left = measured.reduce((sum, ms, i) => sum + (ms - (fitted[i] as number)) ** 2, 0);
    const worst_off = Math.max(...measured.map((ms, i) => Math.abs((fitted[i] as number) / ms - 1)));
    return { ...about, r_squared: 1 - left / all, worst_off };
  });
}

/** An interaction below this share of the latency is of no use to anybody. */
const WORTH = 0.05;
/** A model that is nowhere further off than this predicts. */
const NEAR = 0.05;

const named = (knob: Knob): string => ({ crops: 'crops', top_k: 'top-k', num_active_blocks: 'blocks' })[knob];
const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const interval = ({ ci95 }: Contrast): string =>
  ci95 === null ? 'too few runs for an interval' : `95 % interval ${ci95.map(short_ms).join(' to ')}`;

export function coupling_findings({ interactions, models }: Coupling): Finding[] {
  return [coupled(interactions), predicts(models)];
}

function coupled(all: Coupling['interactions']): Finding {
  const expectation = 'Knobs are coupled: what one costs depends on where the others stand';
  const pairs = all.filter(({ time }) => time === 'T_total');
  const known = pairs.filter(({ ms }) => ms.ci95 !== null);
  if (pairs.length === 0) return not_tested(expectation, 'no two knobs were both turned with the third held');
  if (known.length === 0) return not_tested(expectation, 'an interval needs 6 runs a cell');
  const said = known.map(
    ({ knobs, ms, share }) =>
      `${knobs.map(named).join(' and ')} ${short_ms(ms.value)} (${interval(ms)}), ${percent(share)} of the whole`,
  );
  const holds = known.some(({ ms, share }) => leaves_out(ms, 0) && Math.abs(share) >= WORTH);
  return {
    expectation,
    outcome: holds ? 'confirmed' : 'refuted',
    because: `turned from lowest to highest together, beyond what each adds alone: ${said.join('; ')} (coupled: one of ${percent(WORTH)} or more whose interval leaves out 0)`,
  };
}

function predicts(all: Coupling['models']): Finding {
  const expectation = 'A number a knob is enough: their sum predicts latency';
  const additive = all.find(({ time, model }) => time === 'T_total' && model === 'additive');
  const product = all.find(({ time, model }) => time === 'T_total' && model === 'multiplicative');
  if (!additive || additive.worst_off === null || !product || product.worst_off === null) {
    return not_tested(expectation, 'it needs more cells than values of knobs');
  }
  const said = ({ r_squared, worst_off }: Coupling['models'][number]) =>
    `R squared ${(r_squared ?? 0).toFixed(3)}, at worst ${percent(worst_off ?? 0)} off`;
  return {
    expectation,
    outcome: additive.worst_off <= NEAR ? 'confirmed' : 'refuted',
    because: `over ${additive.cells} cells a sum of effects has ${said(additive)}; a product ${said(product)} (enough: nowhere more than ${percent(NEAR)} off)`,
  };
}
