import type { Claim } from './claim.ts';
import { DEPTH_CLAIMS } from './depth.ts';
import { ESTIMATOR_CLAIMS } from './estimators.ts';
import { EXPERT_CLAIMS } from './experts.ts';
import { GROWTH_CLAIMS } from './growth.ts';
import { KNOB_CLAIMS } from './knobs.ts';
import { METHOD_CLAIMS } from './method.ts';
import { STAGE_CLAIMS } from './stages.ts';

/** Every claim, by what it is about. */
export const CLAIMS: Readonly<Record<string, readonly Claim[]>> = {
  'which stage takes the time': STAGE_CLAIMS,
  'how time grows': GROWTH_CLAIMS,
  'what blocks cost': DEPTH_CLAIMS,
  experts: EXPERT_CLAIMS,
  'knobs and workloads': KNOB_CLAIMS,
  prediction: ESTIMATOR_CLAIMS,
  'spread, method and machine': METHOD_CLAIMS,
};
