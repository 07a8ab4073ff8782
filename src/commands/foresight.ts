import type { GenerateResult } from '../../engine/molmoe.ts';
import type { OpenModel } from '../../engine/node/load.ts';
import {
  basis_of_choice,
  choose_estimator,
  is_own,
  known_models,
  this_site,
} from '../../experiments/estimator/choose.ts';
import { type Asked, type Prediction, predict } from '../../experiments/estimator/estimator.ts';
import { type Interval, interval_for } from '../../experiments/estimator/interval.ts';
import { work_of } from '../../experiments/estimator/work.ts';
import type { Foresight } from '../../experiments/lab/dry.ts';
import type { StageName } from '../../experiments/lab/schema.ts';
import { warn } from '../print.ts';

/** An estimator of the open adapter and model, where one is known. */
export interface KnownTimes {
  /** "60 configurations of molmoe-slice f16, 2026-11-27". */
  readonly basis: string;
  readonly total: Foresight;
  readonly stages: (counted: GenerateResult) => {
    readonly times: Prediction;
    readonly interval: (phase: StageName | 'total') => Interval | null;
  };
}

export async function known_times(model: OpenModel): Promise<KnownTimes | undefined> {
  const { facts, executor, adapter } = model;
  const here = this_site(executor.device.facts, adapter.backend);
  const choice = choose_estimator(await known_models(warn), here, facts.config, facts.dtype);
  if (choice === undefined || !is_own(choice)) return undefined;
  const { estimator } = choice;
  const stages: KnownTimes['stages'] = (counted) => {
    const asked: Asked = { work: work_of(counted.ledger.rows()), steps: counted.decode_step_ms.length };
    return {
      times: predict(estimator.full, estimator.roof, asked),
      interval: (phase) => interval_for(estimator, asked, phase),
    };
  };
  return {
    basis: basis_of_choice(choice),
    stages,
    total: (counted) => {
      const { times, interval } = stages(counted);
      const [low_ms, high_ms] = interval('total') ?? [null, null];
      return { ms: times.total, low_ms, high_ms };
    },
  };
}
