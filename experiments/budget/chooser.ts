import type { DryMachine } from '../../engine/dry_run.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import type { WeightFormat } from '../../kernels/spec.ts';
import { type Estimator, predict } from '../estimator/estimator.ts';
import { ANOTHER_HOUR } from '../estimator/forecast.ts';
import { interval_for, LEVEL } from '../estimator/interval.ts';
import { type Counted, type Sizes, sizes_of } from '../estimator/request_work.ts';
import { expected_answer } from './answer_length.ts';
import { best_within, fastest, type Priced, type Wanted } from './choose.ts';
import { make_counter } from './counts.ts';
import type { Pace } from './pace.ts';
import type { Candidate, QualityTable } from './quality_table.ts';

/** Of a hundred requests like the samples so many lie in the interval whose upper end a budget must hold. */
export const HELD_LEVEL = 0.98;

/** A request before its knobs are known. */
export interface Ask {
  readonly picture: Sizes['picture'];
  readonly text_tokens: number;
  /** How it is asked tells how long the answer will be. */
  readonly prompt?: string;
  /** Tokens of the answer, where that is known. */
  readonly new_tokens?: number;
}

/** A setting for one request: what it is predicted to take, between which ends, and the most that is reckoned with. */
export interface Option extends Priced {
  readonly candidate: Candidate;
  readonly new_tokens: number;
  readonly ms: number;
  readonly low_ms: number;
  readonly high_ms: number;
}

export interface Choice {
  readonly option: Option;
  /** Else nothing keeps to the budget, and this is the fastest there is. */
  readonly fits: boolean;
}

export interface Chooser {
  readonly table: QualityTable;
  /** Where nothing is turned, whether the table has it or not. */
  readonly full: (ask: Ask, pace?: Pace) => Promise<Option>;
  readonly price: (candidate: Candidate, ask: Ask, pace?: Pace) => Promise<Option>;
  /** Every setting that `among` lets through. */
  readonly options: (ask: Ask, pace?: Pace, among?: Among) => Promise<Option[]>;
  /** Looks at as few as it must: from the best answers down to the first that keeps to the budget. */
  readonly choose: (ask: Ask, wanted: Wanted, pace?: Pace, among?: Among) => Promise<Choice | undefined>;
}
type Among = (candidate: Candidate) => boolean;

export interface ChooserParts {
  readonly config: ModelConfig;
  readonly dtype: WeightFormat;
  readonly machine: DryMachine;
  readonly estimator: Estimator;
  readonly table: QualityTable;
}

/** What ran in this hour says more of it than a margin for any other. */
function paced({ ms, low, high }: { readonly ms: number; readonly low: number; readonly high: number }, pace?: Pace) {
  if (!pace?.runs()) return { ms, low_ms: low / ANOTHER_HOUR, high_ms: high * ANOTHER_HOUR };
  const factor = pace.factor();
  return { ms: ms * factor, low_ms: low * factor, high_ms: factor * Math.max(ms, high * pace.reach()) };
}

/** As sure as so many samples allow: of n left-out ones no more than n of n + 1 can be promised. */
export const level_of = ({ left_out }: Pick<Estimator, 'left_out'>): number =>
  Math.max(LEVEL, Math.min(HELD_LEVEL, left_out.length / (left_out.length + 1)));

export async function make_chooser({ config, dtype, machine, estimator, table }: ChooserParts): Promise<Chooser> {
  const count = await make_counter(config, dtype, machine);
  const level = level_of(estimator);
  const predicted = new Map<string, { ms: number; low: number; high: number }>();
  const by_quality = table.candidates.toSorted((a, b) => b.quality - a.quality);
  const everything: Candidate = table.candidates.find(({ turned }) => turned.length === 0) ?? {
    ...{ knobs: {}, turned: [], quality: 1, quality_ci95: null },
    answer_tokens: by_quality[0]?.answer_tokens ?? {},
  };

  const times_of = (counted: Counted) => {
    const ms = predict(estimator.full, estimator.roof, counted).total;
    // Fewer than nine samples make no interval: then nothing can be promised.
    const [low, high] = interval_for(estimator, counted, 'total', level) ?? [0, Number.POSITIVE_INFINITY];
    return { ms, low: Math.min(low, ms), high: Math.max(high, ms) };
  };

  const price: Chooser['price'] = async (candidate, ask, pace) => {
    const new_tokens = ask.new_tokens ?? expected_answer(candidate.answer_tokens, ask.prompt).new_tokens;
    const sizes: Sizes = { picture: ask.picture, text_tokens: ask.text_tokens, new_tokens, knobs: candidate.knobs };
    const { quantities } = sizes_of(config, sizes);
    const key = JSON.stringify([quantities, candidate.knobs]);
    const known = predicted.get(key) ?? times_of(await count(sizes));
    predicted.set(key, known);
    const times = paced(known, pace);
    return { candidate, quality: candidate.quality, new_tokens, ...times, limit_ms: times.high_ms };
  };

  const options: Chooser['options'] = async (ask, pace, among = () => true) => {
    const found: Option[] = [];
    for (const candidate of by_quality.filter(among)) found.push(await price(candidate, ask, pace));
    return found;
  };

  return {
    table,
    price,
    options,
    full: (ask, pace) => price(everything, ask, pace),
    choose: async (ask, wanted, pace, among = () => true) => {
      const seen: Option[] = [];
      for (const candidate of by_quality.filter(among)) {
        const best = best_within(seen, wanted);
        if (best !== undefined && candidate.quality < best.quality) return { option: best, fits: true };
        seen.push(await price(candidate, ask, pace));
      }
      const best = best_within(seen, wanted);
      const option = best ?? fastest(seen, wanted.quality_at_least) ?? fastest(seen);
      return option && { option, fits: best !== undefined };
    },
  };
}
