import { checked, schema_of } from './checked.ts';
import { type Bundle, bundle_schema, type Configuration, type Run } from './schema.ts';

export type { Bundle } from './schema.ts';

import { upgraded } from './upgrade.ts';

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
