import { z } from 'zod';
import { by_stage, type Ceilings, type StageName } from '../lab/schema.ts';

/**
 * What a request asks of an adapter, as the terms that its time is a sum of. The counts are those of the ledger, so they say
 * what is really launched; the ceilings of an adapter make milliseconds of them.
 */
export const FAMILIES = [
  'matmul',
  'attention',
  'experts',
  /** A tile of each expert that is met is computed whole, however few its tokens. Its work: the weights of those experts. */
  'experts_met',
  'matvec',
  'expert_matvec',
  'attention_decode',
  /** All that goes through rows once: norms, rotations, gates, sums. */
  'rows',
] as const;
export type Family = (typeof FAMILIES)[number];

const FAMILY_OF: Readonly<Record<string, Family>> = {
  matmul: 'matmul',
  attention: 'attention',
  pool_attention: 'attention',
  expert_matmul: 'experts',
  matvec: 'matvec',
  norm_matvec: 'matvec',
  moe_router: 'matvec',
  expert_gate_up: 'expert_matvec',
  expert_down: 'expert_matvec',
  attention_decode: 'attention_decode',
};

const amount = z.number().nonnegative().max(1e24);

/** FLOPs as computed, bytes, launches: of a family of kernels in a stage. */
export const work_schema = by_stage(z.partialRecord(z.enum(FAMILIES), z.tuple([amount, amount, amount])));
export type Work = z.infer<typeof work_schema>;
export type StageWork = NonNullable<Work[StageName]>;

/** A row of a ledger, or a stamped kernel. */
interface Counted {
  readonly stage: string;
  readonly kernel: string;
  readonly dispatches: number;
  readonly executed_flops: number;
  readonly weight_bytes: number;
  readonly read_bytes: number;
  readonly written_bytes: number;
  readonly kv_bytes: number;
}

export function work_of(rows: readonly Counted[]): Work {
  const work: Partial<Record<string, Partial<Record<Family, [number, number, number]>>>> = {};
  const add = (stage: string, family: Family, flops: number, bytes: number, launches: number) => {
    const of_stage = work[stage] ?? {};
    const [f, b, n] = of_stage[family] ?? [0, 0, 0];
    of_stage[family] = [f + flops, b + bytes, n + launches];
    work[stage] = of_stage;
  };
  for (const row of rows) {
    const family = FAMILY_OF[row.kernel] ?? 'rows';
    const bytes = row.weight_bytes + row.read_bytes + row.written_bytes + row.kv_bytes;
    add(row.stage, family, row.executed_flops, bytes, row.dispatches);
    if (family === 'experts') add(row.stage, 'experts_met', 0, row.weight_bytes, 0);
  }
  return work as Work;
}

/** A term is a family's work, launches, or what each pass costs besides: waiting for it and reading its result. */
type Term = Family | 'launches' | 'passes';
export const TERMS: readonly Term[] = [...FAMILIES, 'launches', 'passes'];

/** What of an adapter the terms are made with. */
export type Roof = Pick<Ceilings, 'fma_f32_flops' | 'stream_read_bytes' | 'dispatch_ms' | 'readback_ms'>;

/** A probe that found nothing leaves a term of some size, for its coefficient to scale. */
const LEAST_MS = 1e-4;

/** Milliseconds of each term were everything as fast as the ceilings; 0 where a stage has none of it. */
export function terms_of(work: StageWork, passes: number, roof: Roof): number[] {
  const { fma_f32_flops, stream_read_bytes, dispatch_ms, readback_ms } = roof;
  return TERMS.map((term) => {
    if (term === 'passes') return passes * Math.max(LEAST_MS, readback_ms);
    if (term === 'launches') {
      const launches = Object.values(work).reduce((sum, [, , count]) => sum + count, 0);
      return launches * Math.max(LEAST_MS, dispatch_ms);
    }
    const [flops, bytes] = work[term] ?? [0, 0];
    return 1000 * Math.max(flops / fma_f32_flops, bytes / stream_read_bytes);
  });
}

/** How many times longer than the ceilings allow: what is assumed of a term before anything was measured (docs/speed.md). */
export const ASSUMED: readonly number[] = TERMS.map((term) => (term === 'launches' || term === 'passes' ? 1 : 3));
