import { z } from 'zod';
import { type Configuration, count, finite, plain, type StageName } from '../lab/schema.ts';
import { percentile } from '../lab/stats.ts';
import { scaled_of } from '../lab/typical.ts';

/** What every entry of the motivation files holds, under the study's names: a request, its tokens, its times, its work. */

const TIME_NAMES = [
  'T_data_processing',
  'T_vision_encoder',
  'T_vision_total',
  'T_projector',
  'T_LLM_prefill',
  'T_LLM_decode',
  'T_total',
  'T_system_total',
] as const;
type EntryTime = (typeof TIME_NAMES)[number];

/** The study's word of each stage, in keys such as flops_llm_prefill. */
const STAGE_WORDS = {
  vision_encoder: 'vision',
  projector: 'projector',
  prefill: 'llm_prefill',
  decode: 'llm_decode',
} as const satisfies Record<StageName, string>;
type Word = (typeof STAGE_WORDS)[StageName] | 'total';
type WorkKey = `flops_${Word}` | `exact_flops_${Word}`;

const WORDS = [...Object.values(STAGE_WORDS), 'total'] as const;
const keyed = <K extends string, T extends z.ZodType>(keys: readonly K[], type: T) =>
  Object.fromEntries(keys.map((key) => [key, type])) as { [P in K]: T };

/** Median over the runs; null where the stage did not run. FLOPs: flops_ by the study's formula S1, exact_flops_ counted. */
const numbers_shape = {
  ...keyed<EntryTime | 'T_vision', z.ZodNullable<z.ZodNumber>>([...TIME_NAMES, 'T_vision'], finite.nullable()),
  ...keyed<WorkKey, z.ZodNumber>(
    WORDS.flatMap((word): WorkKey[] => [`flops_${word}`, `exact_flops_${word}`]),
    finite,
  ),
};
export type EntryNumbers = z.infer<z.ZodObject<typeof numbers_shape>>;

export const entry_shape = {
  /** Views of the encoder, the overview included. */
  num_crops: count,
  /** Inserted into the prompt; all other positions of it; both. */
  num_vision_tokens: count,
  num_language_tokens: count,
  num_total_tokens: count,
  ...numbers_shape,
  /** Of a data set's sample; null where the picture is built in. */
  image_id: plain,
  example_id: plain,
  answers: z.array(z.string()).nullable(),
  /** Width and height. */
  image_size: z.tuple([count, count]).nullable(),
  /** Runs behind each time. */
  num_runs: count,
  /** What the times and the work mean for the whole model, where a slice of it ran. */
  scaled: z
    .strictObject({ model: z.string(), method: z.string(), ...numbers_shape })
    .nullable()
    .default(null),
};
export const entry_schema = z.strictObject(entry_shape);
export type Entry = z.infer<typeof entry_schema>;

export function entry_of(one: Configuration): Entry {
  const { inserted_vision_tokens, prompt_length, num_crops, image_size } = one.tokens;
  const scaled = scaled_of(one);
  return {
    num_crops,
    num_vision_tokens: inserted_vision_tokens,
    num_language_tokens: prompt_length - inserted_vision_tokens,
    num_total_tokens: prompt_length,
    ...numbers_of(one.clean.samples, one.flops),
    image_id: one.sample?.metadata.image_id ?? null,
    example_id: one.sample?.metadata.example_id ?? null,
    answers: one.sample?.answers ?? null,
    image_size: image_size === null ? null : (image_size.split('x').map(Number) as [number, number]),
    num_runs: one.clean.samples.length,
    scaled: scaled && {
      model: scaled.model,
      method: scaled.method,
      ...numbers_of(scaled.samples, scaled.flops),
    },
  };
}

function numbers_of(
  samples: Configuration['clean']['samples'],
  { exact, legacy }: Configuration['flops'],
): EntryNumbers {
  const time = (name: EntryTime): number | null => {
    const values = samples.flatMap((sample) => sample[name] ?? []);
    return values.length > 0 ? percentile(values, 50) : null;
  };
  const times = Object.fromEntries(TIME_NAMES.map((name) => [name, time(name)])) as Record<EntryTime, number | null>;
  const work = (prefix: string, by_stage: Partial<Record<StageName, number>>) => {
    const rows = Object.entries(STAGE_WORDS).map(([stage, word]) => [word, by_stage[stage as StageName] ?? 0] as const);
    const total = rows.reduce((sum, [, flops]) => sum + flops, 0);
    return Object.fromEntries([...rows, ['total', total] as const].map(([word, flops]) => [`${prefix}${word}`, flops]));
  };
  return {
    ...times,
    T_vision: times.T_vision_total,
    ...(work('flops_', legacy.S1) as Record<`flops_${Word}`, number>),
    ...(work('exact_flops_', exact) as Record<`exact_flops_${Word}`, number>),
  };
}

/** The numbers that figures, fits and findings rest on. */
export const basis_of_entry = (entry: Entry): EntryNumbers => entry.scaled ?? entry;
