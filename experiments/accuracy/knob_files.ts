import { z } from 'zod';
import type { Saved, Shape } from '../lab/define.ts';
import { type Configuration, type Finding, finding_schema } from '../lab/schema.ts';
import { scored_sample_schema } from '../lab/schema_answers.ts';
import { type Entered, type Entrant, FRONT_RULES, type Front, front_of, front_shape } from './knob_fronts.ts';
import {
  cell_config_of,
  cell_config_shape,
  type GridOptions,
  type GridRow,
  grid_config_of,
  grid_config_shape,
  grid_row_shape,
} from './knob_grid.ts';
import { full_of } from './quality.ts';
import { brief_sample_schema, brief_samples, cell_body, note_of } from './sweep.ts';

/** Published files of grids over the three knobs. */

/** Of all cells; `more` is what a row says besides. */
export const grid_file_shape = <M extends Shape>(more: M) => ({
  summary: z.array(z.strictObject({ ...grid_row_shape, ...more })),
  all_samples: z.array(brief_sample_schema),
  config: z.strictObject(grid_config_shape),
  note: z.string(),
  findings: z.array(finding_schema),
});

export const grid_body = <R extends GridRow>(
  saved: Saved,
  options: GridOptions,
  { summary, findings }: { readonly summary: R[]; readonly findings: readonly Finding[] },
) => ({
  summary,
  all_samples: brief_samples(saved.configurations),
  config: grid_config_of(saved, options),
  note: note_of(saved, summary),
  findings: [...findings],
});

/** Of one cell, with its answers. */
export const cell_file_shape = {
  summary: z.array(z.strictObject(grid_row_shape)),
  all_samples: z.array(scored_sample_schema),
  config: z.strictObject(cell_config_shape),
};

export const cell_file_body = (one: Configuration, saved: Saved, row: GridRow) => ({
  ...cell_body(one, saved, row),
  config: cell_config_of(one, saved),
});

/** Cells with what a request costs; those whose cost is not known stay out. */
export function entered<R extends GridRow>(
  { configurations }: Pick<Saved, 'configurations'>,
  rows: readonly R[],
  cost_of: (row: R) => number | null,
): Entered {
  const entrants = configurations.flatMap((one, i): Entrant[] => {
    const row = rows[i] as R;
    const cost = cost_of(row);
    return cost === null ? [] : [{ one, row, cost }];
  });
  const full = full_of(configurations);
  return { entrants, full: entrants.find(({ one }) => one === full) };
}

export const COSTS = ['flops', 'latency'] as const;
export type Cost = (typeof COSTS)[number];

export const front_file_schema = z.strictObject({
  rule: z.string(),
  cost: z.enum(COSTS),
  settings: front_shape,
});

export const front_body = (cost: Cost, entrants: readonly Entrant[]) => ({
  rule: FRONT_RULES.strict,
  cost,
  settings: front_of(entrants),
});

export const keys_of = (front: Pick<{ settings: Front }, 'settings'>): string[] => front.settings.map(({ key }) => key);
