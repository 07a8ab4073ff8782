import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Executor } from '../../engine/gpu/executor.ts';
import { type CaseReport, type VerifyOptions, verify_set } from '../../engine/verify/verify_set.ts';
import { golden_files } from '../../src/commands/verify.ts';
import { golden_dir } from './golden.ts';

const root = join(golden_dir, 'model');

/** The sets of the golden folder, whatever they are called, and their cases. */
export const golden_sets: readonly {
  readonly set: string;
  readonly cases: readonly string[];
  readonly d_model: number;
}[] = readdirSync(root)
  .filter((set) => existsSync(join(root, set, 'index.json')))
  .map((set) => {
    const index = JSON.parse(readFileSync(join(root, set, 'index.json'), 'utf8')) as { cases: { case: string }[] };
    const config = JSON.parse(readFileSync(join(root, set, 'config.json'), 'utf8')) as { d_model: number };
    return { set, cases: index.cases.map((c) => c.case), d_model: config.d_model };
  });

/** A test a case: every recorded point within its limit, experts, tokens and FLOP counts equal. */
export function golden_tests(
  title: string,
  set: string,
  cases: readonly string[],
  open: () => Promise<Executor>,
  options: VerifyOptions = {},
  folder = root,
): void {
  describe(`${title}: ${set}`, () => {
    const reports = new Map<string, CaseReport>();
    beforeAll(async () => {
      const executor = await open();
      const on_case = (report: CaseReport) => void reports.set(report.case, report);
      await verify_set(executor, golden_files(folder), set, { ...options, cases, on_case });
    }, 600_000);
    for (const name of cases) {
      it(name, () => {
        const report = reports.get(name);
        expect(report?.checks.filter((check) => !check.ok)).toEqual([]);
        expect(report?.checks.length).toBeGreaterThan(10);
      });
    }
  });
}
