import type { Knobs } from '../../engine/model/knobs.ts';
import { dataset_info } from '../datasets/catalogue.ts';
import type { Subject } from '../lab/inputs.ts';
import { type Cell, cell_of_sample } from '../lab/plan.ts';
import type { Settings, Skipped } from '../lab/schema.ts';

/** As asked, else the room that answers of this set need. */
export const new_tokens_of = ({ asked, samples }: Pick<Subject, 'asked' | 'samples'>): number =>
  asked.new_tokens ?? dataset_info(samples?.record.name ?? 'shapes').new_tokens;

/** All samples under these knobs; the first stands for them in the plan. */
export const answers_cell = (on: Subject, settings: Settings, knobs: Knobs): Cell | Skipped =>
  cell_of_sample(on, settings, 0, { knobs, new_tokens: new_tokens_of(on), ends_at_eos: true });
