import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { BenchedKernel } from '../../bench/costs.ts';
import type { HistoryRecord } from '../../bench/history.ts';
import type { AdapterCeilings } from '../../engine/meter/ceilings.ts';
import { repo_root } from '../support/golden.ts';

/** A kernel above its ceiling shows that the ceiling is none; so much is noise between a probe's moment and a kernel's. */
const MOST = 1.05;
const ADAPTERS = [/llvmpipe.*Mesa 25/i, /llvmpipe.*Mesa 26/i, /SwiftShader/i];

interface Benched {
  readonly rows: readonly BenchedKernel[];
  readonly ceilings: AdapterCeilings;
}
const folder = join(repo_root, 'bench/history');
const records = readdirSync(folder)
  .flatMap((name) => readFileSync(join(folder, name), 'utf8').trim().split('\n'))
  .map((line) => JSON.parse(line) as HistoryRecord);
/** What was recorded since probes have several forms. */
const benched = records
  .map(({ adapter, date, results }) => ({ adapter, date, kernels: results.kernels as Benched | undefined }))
  .filter((record) => record.kernels?.ceilings.forms !== undefined);
const rows_of = (some: typeof benched) =>
  some
    .flatMap(({ adapter, date, kernels }) => (kernels as Benched).rows.map((row) => ({ ...row, adapter, date })))
    .filter((row) => row.ms !== undefined);

it.each(ADAPTERS)('the bench recorded most kernels on %s', (adapter) => {
  const rows = rows_of(benched.filter((record) => adapter.test(record.adapter)));
  expect(new Set(rows.map(({ kernel }) => kernel)).size).toBeGreaterThanOrEqual(15);
});

describe.each([...new Set(benched.map(({ adapter }) => adapter))])('what the bench recorded on %s', (name) => {
  it('lies below the ceilings of the same process', () => {
    const rows = rows_of(benched.filter(({ adapter }) => adapter === name));
    const above = rows.filter(({ of_fma = 0, of_floor = 0 }) => Math.max(of_fma, of_floor) > MOST);
    const told = above.map(({ kernel, variant, shape, date, of_fma, of_floor }) => {
      return `${kernel} ${variant} ${shape} (${date}): ${of_fma} of multiply-adds, floor over time ${of_floor}`;
    });
    expect(told).toEqual([]);
  });
});
