import { z } from 'zod';
import { repository_parameters } from '../../engine/meter/legacy.ts';
import { preset_config } from '../../engine/model/presets.ts';
import type { Files, Saved } from '../lab/define.ts';
import { part_row_schema, parts_by_stage } from '../lab/derive.ts';
import { count, finding_schema, finite } from '../lab/schema.ts';
import { mean, scaled_of } from '../lab/typical.ts';
import { sample_entry, sample_entry_schema, set_of, set_shape } from './on_samples.ts';
import { dominance_findings } from './sample_findings.ts';

const averages = z.record(z.string(), finite);
const parameters = z.record(z.string(), count);

export const component_shape = {
  ...set_shape,
  results: z.array(sample_entry_schema),
  /** Means over the samples; and, where a slice of a model ran, of the whole. */
  average_latencies: averages,
  scaled_average_latencies: averages.nullable(),
  /** params_projector: pooling, MLP and padding embeddings; params_image_projector: the MLP alone. params_llm has no output head. */
  parameters,
  whole_parameters: parameters.nullable(),
  /** GPU time inside the stages, of the first stamped sample of each number of crops. */
  parts: z.array(z.strictObject({ num_crops: count, clock: z.string(), parts: z.array(part_row_schema) })),
  findings: z.array(finding_schema),
};
export type Components = Files<{ file: typeof component_shape }>['file'];

export function component_body(saved: Saved) {
  const results = saved.configurations.map(sample_entry);
  const scaled = results.flatMap((entry) => entry.scaled ?? []);
  const whole = saved.configurations.map(scaled_of).find((one) => one !== null)?.model;
  const known = Object.entries(saved.run.fingerprint.provenance.model.parameters);
  const of_model = Object.fromEntries(known.filter(([name]) => /^(params|moe|true)_/.test(name)));
  const of_whole = whole === undefined ? null : repository_parameters(preset_config(whole));
  return {
    ...set_of(saved),
    results,
    average_latencies: averages_of(results),
    scaled_average_latencies: scaled.length > 0 ? averages_of(scaled) : null,
    parameters: of_model,
    whole_parameters: of_whole,
    parts: parts_by_crops(saved),
    findings: dominance_findings(results, of_whole ?? of_model),
  };
}

/** Of every number that the rows have; an id is none. */
function averages_of(rows: readonly object[]): Record<string, number> {
  const names = [...new Set(rows.flatMap(Object.keys))].filter((name) => !name.endsWith('_id'));
  return Object.fromEntries(
    names.flatMap((name) => {
      const values = rows.map((row) => (row as Record<string, unknown>)[name]).filter((x) => typeof x === 'number');
      return values.length > 0 ? [[name, mean(values)]] : [];
    }),
  );
}

function parts_by_crops({ configurations }: Saved): Components['parts'] {
  const first = new Map<number, Components['parts'][number]>();
  for (const one of configurations) {
    const { num_crops } = one.tokens;
    if (one.instrumented === null || first.has(num_crops)) continue;
    first.set(num_crops, { num_crops, clock: one.instrumented.clock, parts: parts_by_stage(one).parts });
  }
  return [...first.values()].sort((a, b) => a.num_crops - b.num_crops);
}
