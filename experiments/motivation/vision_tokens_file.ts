import { z } from 'zod';
import { basis_statistics, scaled_statistics_of, statistics_of, statistics_schema } from '../lab/derive.ts';
import {
  type Configuration,
  count,
  type FitRecord,
  finding_schema,
  fit_schema,
  method_sample_schema,
} from '../lab/schema.ts';
import { linear_fit, percentile } from '../lab/stats.ts';
import type { TimeName } from '../lab/times.ts';
import { basis_of_entry, entry_of, entry_schema } from './entries.ts';

/** A prompt as a whole and its components, under the study's names. */
export const PARTS_OF_PROMPT = ['total', 'vision_encoder', 'projector', 'llm_prefill'] as const;
export type PartOfPrompt = (typeof PARTS_OF_PROMPT)[number];
export const TIME_OF = {
  total: 'T_total',
  vision_encoder: 'T_vision_encoder',
  projector: 'T_projector',
  llm_prefill: 'T_LLM_prefill',
} as const satisfies Record<PartOfPrompt, TimeName>;

/** How wide the picture for k tiles is: as k tiles really are, or as the study's other rule has it. */
export const WIDTHS = ['tiles', 'study'] as const;
export type Widths = (typeof WIDTHS)[number];

const row_schema = entry_schema.extend({
  /** Tiles asked for, and the rule that sized the picture. */
  k: count,
  widths: z.enum(WIDTHS),
  /** Width and height; rows and columns of crops that came of it, as "1×3" and as numbers. */
  resolution: z.string(),
  grid: z.string(),
  tiling: z.tuple([count, count]),
  /** Exact: what the encoder computed, what came of it, and what frames the picture in the prompt. */
  vit_patches: count,
  pooled_vision_tokens: count,
  special_image_tokens: count,
  /** Of the times that figures and slopes rest on: those of the whole model where a slice of it ran. */
  statistics: statistics_schema,
  /** Medians by --method, signed, beside the direct ones. */
  by_method: method_sample_schema.nullable(),
});
export type VisionTokensRow = z.infer<typeof row_schema>;

export const vision_tokens_shape = {
  results: z.array(row_schema),
  /** ms over inserted vision tokens, of the whole prompt and of each component. */
  cost_per_vision_token: z.record(z.enum(PARTS_OF_PROMPT), fit_schema.nullable()),
  /** ms over crops. */
  vision_encoder_per_crop: fit_schema.nullable(),
  findings: z.array(finding_schema),
};
export type VisionTokensFile = z.infer<z.ZodObject<typeof vision_tokens_shape>>;

export function vision_tokens_row(one: Configuration): VisionTokensRow {
  const { image_size, tiling, vit_patches, pooled_vision_tokens, special_image_tokens } = one.tokens;
  return {
    ...entry_of(one),
    k: Number(one.settings.k),
    widths: one.settings.widths === 'study' ? 'study' : 'tiles',
    resolution: image_size ?? '',
    grid: (tiling ?? []).join('×'),
    tiling: tiling ?? [0, 0],
    ...{ vit_patches, pooled_vision_tokens, special_image_tokens },
    statistics: basis_statistics({ statistics: statistics_of(one), scaled: scaled_statistics_of(one) }),
    by_method: medians_by_method(one.methods),
  };
}

function medians_by_method(samples: Configuration['methods']): VisionTokensRow['by_method'] {
  const [first] = samples;
  if (first === undefined) return null;
  const { method, ...times } = first;
  const median = (name: keyof typeof times) => {
    const values = samples.flatMap((sample) => sample[name] ?? []);
    return values.length > 0 ? percentile(values, 50) : null;
  };
  const medians = (Object.keys(times) as (keyof typeof times)[]).map((name) => [name, median(name)]);
  return { method, ...Object.fromEntries(medians) } as VisionTokensRow['by_method'];
}

/** What one more inserted token costs, by component; null where fewer than two numbers of tokens ran. */
export function slopes_of(rows: readonly VisionTokensRow[]): Record<PartOfPrompt, FitRecord | null> {
  const line = (part: PartOfPrompt): FitRecord | null => {
    const points = rows.flatMap((row): [number, number][] => {
      const ms = basis_of_entry(row)[TIME_OF[part]];
      return ms === null ? [] : [[row.num_vision_tokens, ms]];
    });
    const x = points.map(([tokens]) => tokens);
    return new Set(x).size < 2
      ? null
      : linear_fit(
          x,
          points.map(([, ms]) => ms),
        );
  };
  return Object.fromEntries(PARTS_OF_PROMPT.map((part) => [part, line(part)])) as Record<
    PartOfPrompt,
    FitRecord | null
  >;
}
