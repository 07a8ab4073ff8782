import type { z } from 'zod';
import {
  basis_statistics,
  type correlation_schema,
  type rates_schema,
  type scaled_statistics_schema,
  type statistics_schema,
  type WorkPoint,
} from './derive.ts';
import {
  type FitRecord,
  type KernelRow,
  type MemoryRecord,
  type MethodSample,
  type PartName,
  type Sample,
  STAGES,
  type StageName,
  type TokenCountsRecord,
} from './schema.ts';
import { percentile } from './stats.ts';
import { short_ms, short_number, type Table } from './tables.ts';
import { STAGE_TIME } from './times.ts';
import { sum } from './typical.ts';
import { interval_name, interval_of } from './words.ts';

/** Tables that latency experiments share, from the rows of their published files. */
export interface StageRow extends TokenCountsRecord {
  readonly key: string;
  readonly statistics: z.infer<typeof statistics_schema>;
  readonly scaled: z.infer<typeof scaled_statistics_schema>;
  readonly shares: Readonly<Partial<Record<StageName, number>>>;
  readonly largest_stage: StageName;
  readonly samples: readonly Sample[];
  readonly methods: readonly MethodSample[];
  readonly rates: z.infer<typeof rates_schema>;
  readonly peak_memory: MemoryRecord | null;
}

export interface PartsRow {
  readonly key: string;
  readonly kernels: readonly KernelRow[];
  readonly largest_part: Readonly<Partial<Record<StageName, PartName>>>;
}

const text = (name: string) => ({ name, unit: 'text' as const });
const in_ms = (name: string) => ({ name, unit: 'ms' as const });
const share = (name: string) => ({ name, unit: 'share' as const });
const counted = (name: string) => ({ name, unit: 'count' as const });
const number = (name: string) => ({ name, unit: 'number' as const });

/** A line a cell. */
export function overview_table(rows: readonly StageRow[]): Table {
  return {
    title: 'cells',
    columns: [
      text('configuration'),
      counted('prompt'),
      counted('new'),
      in_ms('T_total'),
      in_ms('first token'),
      share('vision'),
      share('projector'),
      share('prefill'),
      share('decode'),
      text('largest'),
    ],
    rows: rows.map((row) => [
      row.key,
      row.prompt_length,
      row.num_output_tokens,
      basis_statistics(row).T_total?.median ?? null,
      basis_statistics(row).T_first_token?.median ?? null,
      ...STAGES.map((stage) => row.shares[stage] ?? null),
      row.largest_stage,
    ]),
    note: 'Medians; shares of the sum of the stages.',
  };
}

/** A line a stage: plain times beside exact counts; efficiency is floor over GPU time of the instrumented run. */
export function stage_table(row: StageRow, points: readonly WorkPoint[], timed: PartsRow | undefined): Table {
  const statistics = basis_statistics(row);
  const n = row.samples.length;
  const body = STAGES.flatMap((stage) => {
    const point = points.find((one) => one.key === row.key && one.stage === stage);
    const times = statistics[STAGE_TIME[stage]];
    if (point === undefined || !times) return [];
    const kernels = timed?.kernels.filter((kernel) => kernel.stage === stage) ?? [];
    const range = interval_of(times);
    return [
      [
        stage,
        times.median,
        range && range.map(short_ms).join(' to '),
        row.shares[stage] ?? null,
        point.flops,
        point.bytes,
        point.dispatches,
        efficiency(kernels),
        timed?.largest_part[stage] ?? null,
      ],
    ];
  });
  const { image_size, tiling, prompt_length, text_tokens, num_output_tokens } = row;
  const image = image_size === null ? 'no image' : `${image_size} as ${tiling?.join('x')} crops and overview`;
  const total = statistics.T_total;
  const part = timed?.largest_part[row.largest_stage];
  return {
    title: `${row.key}: ${image}, ${prompt_length} prompt positions (${text_tokens} of text), ${num_output_tokens} new tokens, n = ${n}`,
    columns: [
      text('stage'),
      in_ms('median wall'),
      text(interval_name(n)),
      share('share'),
      { name: 'FLOPs', unit: 'flop' },
      { name: 'bytes', unit: 'bytes' },
      counted('launches'),
      share('efficiency'),
      text('largest part'),
    ],
    rows: body,
    note: `T_total ${short_ms(total?.median ?? 0)} (median of ${n}); largest stage: ${row.largest_stage}${part ? `, in it ${part}` : ''}${first_token(row)}`,
  };
}

function first_token(row: StageRow): string {
  const first = basis_statistics(row).T_first_token;
  const { prefill_tokens_per_s: prefill, decode_tokens_per_s: decode } = row.rates ?? {};
  const facts = [
    ...(first ? [`first token after ${short_ms(first.median)}`] : []),
    ...(prefill ? [`prefill ${short_number(prefill)} tokens/s`] : []),
    ...(decode ? [`decode ${short_number(decode)} tokens/s`] : []),
    ...(row.peak_memory ? [`${short_number(row.peak_memory.total)}B of GPU memory at most`] : []),
  ];
  return facts.map((fact) => `; ${fact}`).join('');
}

/** How near the kernels come to the least time this adapter allows; null without ceilings or instrumented runs. */
function efficiency(kernels: readonly KernelRow[]): number | null {
  if (kernels.length === 0 || kernels.some((row) => row.floor_ms === null)) return null;
  const gpu_ms = sum(kernels.map((row) => row.gpu_ms));
  return gpu_ms > 0 ? sum(kernels.map((row) => row.floor_ms as number)) / gpu_ms : null;
}

/** A line a fit: what one more of something costs. */
export function fits_table(title: string, fits: readonly (readonly [string, string, FitRecord | null])[]): Table {
  return {
    title,
    columns: [
      text('of'),
      text('over'),
      in_ms('ms each'),
      text('95 % interval'),
      in_ms('ms at none'),
      number('R squared'),
      counted('points'),
    ],
    rows: fits.map(([of, over, fit]) =>
      fit === null
        ? [of, over, null, 'one length only: no fit', null, null, null]
        : [
            of,
            over,
            fit.slope,
            fit.slope_ci95?.map(short_ms).join(' to ') ?? null,
            fit.intercept,
            fit.n < 3 ? null : fit.r_squared,
            fit.n,
          ],
    ),
  };
}

/** FLOPs as counted over each stage, and all three ways of counting over all of them. */
export function correlation_table(correlation: readonly z.infer<typeof correlation_schema>[]): Table {
  return {
    title: 'FLOPs against latency',
    columns: [
      text('over'),
      text('FLOPs'),
      counted('n'),
      number('rank correlation'),
      number('R squared'),
      text('ms a GFLOP'),
    ],
    rows: correlation
      .filter((row) => row.over === 'pooled' || row.flops === 'exact')
      .map((row) => [
        row.over,
        row.flops,
        row.n,
        row.n < 3 ? null : row.spearman,
        row.n < 3 ? null : row.r_squared,
        row.ms_per_gflop?.map((x) => Number(x.toPrecision(2))).join(' to ') ?? null,
      ]),
    note: 'exact: as dispatched. S1 and S4: two published formulas, of the motivation study and of the document of E1; docs/03-flops-are-not-latency.md says what they leave out.',
  };
}

/** Older methods beside the direct measurement of the same session: signed, in percent of the direct median. */
export function method_table(rows: readonly StageRow[], method: string): Table {
  return {
    title: `method ${method} against direct`,
    columns: [
      text('configuration'),
      text('stage'),
      in_ms('direct'),
      in_ms(method),
      in_ms('error'),
      share('of direct'),
      counted('negative runs'),
    ],
    rows: rows.flatMap((row) =>
      STAGES.flatMap((stage) => {
        const direct = row.statistics[STAGE_TIME[stage]]?.median;
        const values = row.methods.flatMap((one) => one[STAGE_TIME[stage]] ?? []);
        if (direct === undefined || values.length === 0) return [];
        const middle = percentile(values, 50);
        const error = middle - direct;
        return [
          [
            row.key,
            stage,
            direct,
            middle,
            error,
            direct > 0 ? error / direct : null,
            values.filter((x) => x < 0).length,
          ],
        ];
      }),
    ),
  };
}
