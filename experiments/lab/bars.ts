import type { z } from 'zod';
import { compact } from './captions.ts';
import type { Bar, Look } from './charts.ts';
import {
  basis_statistics,
  type part_row_schema,
  type scaled_statistics_schema,
  type statistics_schema,
} from './derive.ts';
import { PARTS, type StageName } from './schema.ts';
import { STAGE_TIME, type TimeName } from './times.ts';
import { interval_of } from './words.ts';

/** Bars that latency experiments share. */

const NAMES: Readonly<Partial<Record<TimeName, string>>> = {
  T_vision_encoder: 'vision encoder',
  T_projector: 'projector',
  T_vision_total: 'vision encoder and projector',
  T_LLM_prefill: 'prefill',
  T_LLM_decode: 'decode',
  T_decode_per_token: 'decode step',
  T_total: 'whole request',
};

const LOOKS: Readonly<Partial<Record<TimeName, Look>>> = {
  ...(Object.fromEntries(Object.entries(STAGE_TIME).map(([stage, time]) => [time, stage])) as Record<TimeName, Look>),
  T_vision_total: 'vision_encoder',
  T_decode_per_token: 'decode',
};

/** How a time is called and drawn. */
export const name_of = (time: TimeName): string => NAMES[time] ?? time;
export const look_of = (time: TimeName): Look => LOOKS[time] ?? 'rest';

/** Medians of times that follow each other, stacked; an error bar only where it is one time alone. null: none of them ran. */
export function median_bar(
  label: readonly string[],
  row: {
    readonly statistics: z.infer<typeof statistics_schema>;
    readonly scaled: z.infer<typeof scaled_statistics_schema>;
  },
  times: readonly TimeName[],
): Bar | null {
  const statistics = basis_statistics(row);
  const segments = times.flatMap((time) => {
    const summary = statistics[time];
    return summary ? [{ look: look_of(time), name: name_of(time), value: summary.median }] : [];
  });
  if (segments.length === 0) return null;
  const value = segments.reduce((sum, segment) => sum + segment.value, 0);
  const alone = times.length === 1 ? statistics[times[0] as TimeName] : null;
  const [low, high] = (alone && interval_of(alone)) ?? [];
  return { label, segments, total: { value, low, high, label: compact(value) } };
}

/** Parts of a stage's GPU time, in the order of the style table. null: the stage was not stamped. */
export function share_bar(
  label: readonly string[],
  parts: readonly z.infer<typeof part_row_schema>[],
  stage: StageName,
): Bar | null {
  const rows = PARTS.flatMap((part) => parts.filter((row) => row.stage === stage && row.part === part));
  if (rows.length === 0) return null;
  const segments = rows.map((row) => ({
    look: row.part,
    name: row.part,
    value: row.share_of_stage,
    note: `${(100 * row.share_of_stage).toFixed(0)}`,
  }));
  return { label, segments };
}
