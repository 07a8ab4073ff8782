import { z } from 'zod';
import { checked, schema_of } from './checked.ts';
import { type Configuration, configuration_schema, plan_schema, type Run, run_schema } from './schema.ts';
import { upgraded } from './upgrade.ts';

/** The results of one run as one file: what a page can save, send and open again. */
export const bundle_schema = z.strictObject({
  schema: z.literal('molmoe.results/1'),
  run: run_schema,
  plan: plan_schema,
  configurations: z.array(configuration_schema).min(1),
});
export type Bundle = z.infer<typeof bundle_schema>;

export const BUNDLE_NAME = bundle_schema.shape.schema.value;

export const is_bundle = (value: unknown): boolean => String(schema_of(value)).startsWith('molmoe.results/');

/** Its parts belong to each other, too. */
export function checked_bundle(value: unknown, path: string): Bundle {
  const parts = value as { readonly configurations?: unknown };
  const known = Array.isArray(parts.configurations)
    ? { ...parts, configurations: parts.configurations.map(upgraded) }
    : value;
  const schema = bundle_schema
    .refine(({ run, plan }) => plan.experiment === run.experiment, 'expected plan and run of one experiment')
    .refine(
      ({ run, configurations }) => configurations.every((one) => belongs(one, run)),
      'expected configurations of this run',
    );
  return checked(schema, known, path, BUNDLE_NAME, 'choose another');
}

const belongs = (one: Configuration, { run, experiment }: Run): boolean =>
  one.run === run && one.experiment === experiment;
