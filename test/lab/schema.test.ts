import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { answers_run_schema, answers_summary_schema, head_schema } from '../../experiments/accuracy/log/schema.ts';
import * as experiments from '../../experiments/index.ts';
import { configuration_schema, run_schema, SCHEMAS } from '../../experiments/lab/schema.ts';
import { repo_root } from '../support/golden.ts';
import { FAKE_RUN, fake_configuration, fake_configurations } from '../support/records.ts';

const folder = join(repo_root, 'results/schema');

/** What all experiments write, and what each publishes. */
const ALL: Readonly<Record<string, z.ZodType>> = Object.assign(
  {},
  SCHEMAS,
  ...Object.values(experiments).map(({ schemas, schema_names, each }) => ({
    ...Object.fromEntries(Object.entries(schemas).map(([file, schema]) => [schema_names[file] as string, schema])),
    ...(each && { [each.name]: each.schema }),
  })),
  // run.json and summary.json of answers, and the first line of a worker's.
  { answers_run: answers_run_schema, answers_summary: answers_summary_schema, answers: head_schema },
);

/** As the results say it themselves in `schema`. */
function json_schema(name: string): string {
  const schema = ALL[name] as z.ZodObject<{ schema: z.ZodLiteral<string> }>;
  const $id = schema.shape.schema.value;
  const { $schema, ...body } = z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'input' });
  return `${JSON.stringify({ $schema, $id, title: `MolmoE Lab: ${name}`, ...body }, null, 2)}\n`;
}

describe('results/schema', () => {
  const names = Object.keys(ALL);

  it.each(names)('%s.json is what the code says', async (name) => {
    const remedy = 'to write it anew: npx vitest run test/lab/schema.test.ts --update';
    await expect(json_schema(name), remedy).toMatchFileSnapshot(join(folder, `${name}.json`));
  });

  it('holds nothing else', () => {
    expect(readdirSync(folder).sort()).toEqual(names.map((name) => `${name}.json`).sort());
  });
});

describe('the schemas', () => {
  it('take what an experiment writes', () => {
    for (const one of fake_configurations()) expect(configuration_schema.parse(one)).toEqual(one);
    expect(run_schema.parse(FAKE_RUN)).toEqual(FAKE_RUN);
  });

  const broken: [where: string, change: (record: never) => void][] = [
    ['schema', (c: { schema: string }) => Object.assign(c, { schema: 'molmoe.configuration/3' })],
    ['extra', (c: object) => Object.assign(c, { extra: 1 })],
    ['key', (c: { key?: string }) => delete c.key],
    ['started', (c: { started: string }) => Object.assign(c, { started: 'yesterday' })],
    ['tokens.num_crops', (c: { tokens: object }) => Object.assign(c.tokens, { num_crops: 2.5 })],
    ['tokens.prompt_length', (c: { tokens: object }) => Object.assign(c.tokens, { prompt_length: -1 })],
    ['clean.samples.3.T_total', (c: Samples) => Object.assign(c.clean.samples[3] ?? {}, { T_total: Number.NaN })],
    [
      'clean.samples.0.T_LLM_prefill',
      (c: Samples) => Object.assign(c.clean.samples[0] ?? {}, { T_LLM_prefill: 'slow' }),
    ],
    [
      'clean.samples.1.T_decode_per_step.2',
      (c: Samples) => c.clean.samples[1]?.T_decode_per_step.splice(2, 1, Infinity),
    ],
    ['counters.cooking', (c: { counters: object }) => Object.assign(c.counters, { cooking: {} })],
    ['settings.regime', (c: { settings: object }) => Object.assign(c.settings, { regime: ['high'] })],
  ].map(([where, change]) => [where as string, change as (record: never) => void]);

  it.each(broken)('name the place where a record is broken: %s', (where, change) => {
    const record = structuredClone(fake_configuration('low', 'short', 'short'));
    change(record as never);
    const issues = configuration_schema.safeParse(record).error?.issues ?? [];
    expect(issues).toHaveLength(1);
    const [issue] = issues as [z.core.$ZodIssue];
    const keys = issue.code === 'unrecognized_keys' ? issue.keys : [];
    expect([...issue.path, ...keys].join('.')).toBe(where);
  });
});

interface Samples {
  clean: { samples: { T_decode_per_step: number[] }[] };
}
