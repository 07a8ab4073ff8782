import { z } from 'zod';
import { count, ms, rate } from './schema_values.ts';

/** What an adapter can do at most, as it was measured. */

const winning_form_schema = z.strictObject({ form: z.string(), of: count });

export const ceilings_schema = z.strictObject({
  schema: z.literal('molmoe.ceilings/1'),
  adapter: z.string(),
  date: z.string(),
  build: z.string(),
  /** Fused multiply-adds in registers, FLOP/s at 2 each; f16 and matrix null where the adapter lacks them. */
  fma_f32_flops: rate,
  fma_f16_flops: rate.nullable(),
  matrix_f16_flops: rate.nullable(),
  /** Reads and writes of buffers much larger than caches, bytes/s. */
  stream_read_bytes: rate,
  stream_write_bytes: rate,
  /** Reads of the same bytes again, bytes/s, where a cache holds them; and how many it holds. */
  cache_read_bytes: rate,
  cache_bytes: count,
  /** Of an empty dispatch among many in one pass; of a submit and a four-byte readback. */
  dispatch_ms: ms,
  readback_ms: ms,
  /** Version of the probes; only what the same version measured is comparable. Older results lack it: 1. */
  probes: count.optional(),
  /** The form of each probe that was fastest, of so many; not there in results of probes with one form each. */
  forms: z
    .strictObject({
      fma_f32: winning_form_schema,
      fma_f16: winning_form_schema.nullable(),
      stream_read: winning_form_schema,
      stream_write: winning_form_schema,
      cache_read: winning_form_schema,
    })
    .optional(),
});
export type Ceilings = z.infer<typeof ceilings_schema>;
