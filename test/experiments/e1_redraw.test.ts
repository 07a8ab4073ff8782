import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { e1 } from '../../experiments/core/e1.ts';
import { saved_of } from '../../experiments/lab/publish.ts';
import { reopen_results } from '../../experiments/lab/record.ts';
import { repo_root } from '../support/golden.ts';

/** Measured by the version before experiments were values, when cells were `molmoe.configuration/1`. */
const FIXTURE = join(repo_root, 'test/fixtures/results/e1');
const folder = mkdtempSync(join(tmpdir(), 'molmoe-redraw-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What is meant to differ, and how each is brought back to what it was. All else is equal byte for byte. */
const MENDED: Readonly<Record<string, (now: never, before: never) => void>> = {
  'the number of the schema': (now: Json, before: Json) => {
    now.schema = before.schema;
  },
  'new fields: scaled times, rates, memory': (now: Json) => {
    for (const row of now.configurations ?? []) {
      for (const added of ['scaled', 'rates', 'peak_memory']) delete row[added];
    }
  },
  'the time to the first token': (now: Json) => {
    for (const { statistics, samples } of now.configurations ?? []) {
      if (statistics) delete statistics.T_first_token;
      for (const sample of samples ?? []) delete sample.T_first_token;
    }
  },
  'a finding about long sequences from 709 positions is not tested': (now: Json, before: Json) => {
    if (now.findings === undefined) return;
    expect(now.findings[2].outcome).toBe('not tested');
    expect(before.findings[2].outcome).toBe('confirmed');
    now.findings[2] = before.findings[2];
  },
  'a finding says which configurations it holds in': (now: Json, before: Json) => {
    if (now.findings === undefined) return;
    expect(now.findings[3].outcome).toBe(before.findings[3].outcome);
    now.findings[3] = before.findings[3];
    expect(now.findings[0].outcome).toBe(before.findings[0].outcome);
    now.findings[0] = before.findings[0];
  },
};

// biome-ignore lint/suspicious/noExplicitAny: whatever a published file holds
type Json = any;

it('a folder measured before is redrawn to the same bytes, but for what was mended', async () => {
  cpSync(FIXTURE, folder, { recursive: true });
  const results = await reopen_results(folder);
  const { files } = e1.derive(saved_of(e1, results));
  await results.close();
  for (const [name, schema] of Object.entries(e1.schemas)) {
    const before = readFileSync(join(FIXTURE, `${name}.json`), 'utf8');
    const now = structuredClone(schema.parse(files[name])) as Json;
    for (const mend of Object.values(MENDED)) mend(now as never, JSON.parse(before) as never);
    expect(`${JSON.stringify(now, null, 2)}\n`).toBe(before);
  }
});
