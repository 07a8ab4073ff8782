import type { Sample, StageName } from './schema.ts';

/** The times of a plain run that statistics are made of. Apart from schema.ts, since the report's page reads it too. */
export const TIMES = [
  'T_data_processing',
  'T_vision_encoder',
  'T_projector',
  'T_vision_total',
  'T_LLM_prefill',
  'T_LLM_decode',
  'T_decode_per_token',
  'T_first_token',
  'T_total',
  'T_system_total',
  'T_gaps',
] as const satisfies readonly (keyof Sample)[];
export type TimeName = (typeof TIMES)[number];

export const STAGE_TIME = {
  vision_encoder: 'T_vision_encoder',
  projector: 'T_projector',
  prefill: 'T_LLM_prefill',
  decode: 'T_LLM_decode',
} as const satisfies Record<StageName, TimeName>;
