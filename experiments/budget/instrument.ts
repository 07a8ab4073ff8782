import type { DryMachine } from '../../engine/dry_run.ts';
import { InputError } from '../../engine/errors.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import type { WeightFormat } from '../../kernels/spec.ts';
import {
  basis_of_choice,
  type Choice,
  choose_estimator,
  known_models,
  type Site,
  site_of,
  under,
} from '../estimator/choose.ts';
import type { Known } from '../estimator/model_file.ts';
import { kept_ceilings } from '../lab/ceilings_cache.ts';
import { type NamedRequest, opened } from '../lab/inputs.ts';
import { type Instrument, of_requests, record_of } from '../lab/instruments.ts';
import { peak_memory, type Runner } from '../lab/measure.ts';
import type { Ceilings, Provenance } from '../lab/schema.ts';
import { type Chooser, make_chooser } from './chooser.ts';
import { find_table, type QualityTable } from './quality_table.ts';
import { new_session, type Session, type Trials, try_request } from './trial.ts';

export interface Place {
  readonly config: ModelConfig;
  readonly dtype: WeightFormat;
  readonly machine: DryMachine;
  readonly site: Site;
  readonly ceilings: Ceilings | undefined;
}

/** Of fewer left-out samples an interval says nothing. */
const LEAST_SAMPLES = 9;

/**
 * What chooses here; refuses where no times of this driver and model are known: nothing could be promised. Those of another
 * host are a guess, under this one's ceilings where they are known, that a session's own runs put right.
 */
export async function chooser_at(
  { config, dtype, machine, site, ceilings }: Place,
  known: readonly Known[],
  table: QualityTable,
): Promise<{ readonly chooser: Chooser; readonly choice: Choice }> {
  const choice = choose_estimator(known, site, config, dtype);
  if (choice === undefined || choice.nearness === 'other' || !choice.same_dtype) {
    throw new InputError(
      `budget: expected times of this model that were learnt on ${site.adapter}, found none; run \`molmoe e3 --model ${table.model}\` here first`,
    );
  }
  if (choice.estimator.left_out.length < LEAST_SAMPLES) {
    throw new InputError(
      `budget: expected times of ${LEAST_SAMPLES} configurations or more, which an interval needs, found ${choice.estimator.left_out.length} in ${choice.known.source}; run \`molmoe e3 --model ${table.model}\` here to its end`,
    );
  }
  return { chooser: await make_chooser({ config, dtype, machine, estimator: under(choice, ceilings), table }), choice };
}

const sessions = new WeakMap<object, Promise<Session>>();

/** One a model: what it learns of the machine's pace goes from request to request. */
function session_of(model: Runner, provenance: Provenance): Promise<Session> {
  const made = sessions.get(model);
  if (made !== undefined) return made;
  const session = make_session(model, site_of(provenance));
  sessions.set(model, session);
  return session;
}

export async function make_session(model: Runner, site: Site): Promise<Session> {
  const { config, dtype } = model.facts;
  const { device, variant, tuning } = model.executor;
  const table = await find_table(config, undefined);
  const known = await known_models(() => undefined);
  const ceilings = await kept_ceilings(model.executor, site.backend);
  const place = { config, dtype, machine: { device, variant, tuning }, site, ceilings };
  const { chooser, choice } = await chooser_at(place, known, table);
  const host = choice.other_host ? ' of another host' : '';
  return new_session(model, chooser, `${basis_of_choice(choice)}${host}`);
}

/** A request with everything on, then what is tried with it; each run alone. `tries`: about how many runs that is. */
export function budget_instrument(make_trials: (config: ModelConfig) => Trials, tries: number): Instrument {
  const trials = new WeakMap<object, Trials>();
  return {
    name: 'budget',
    runs: true,
    runs_of: ({ runs }) => runs + tries,
    observe: async (model, requests, { runs }, { on_run, provenance }) => {
      const one = requests[0] as NamedRequest;
      const { request } = await opened(one);
      const session = await session_of(model, provenance as Provenance);
      const own = trials.get(model) ?? make_trials(model.facts.config);
      trials.set(model, own);
      const { record, full } = await try_request(session, request, one.sample, runs, own);
      const { result } = full.at(-1) as (typeof full)[number];
      on_run(runs + tries);
      return {
        ...of_requests([record_of(model, one, request, result)]),
        memory: peak_memory(result),
        clean: { clock: 'host wall time between fences', samples: full.map(({ sample }) => sample) },
        methods: [],
        instrumented: null,
        warnings: [...result.warnings],
        budget: record,
      };
    },
  };
}
