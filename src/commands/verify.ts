import { existsSync, readdirSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InputError, UsageError } from '../../engine/errors.ts';
import type { Feature } from '../../engine/gpu/device.ts';
import { file_error, node_folder } from '../../engine/node/files.ts';
import { open_executor } from '../../engine/node/load.ts';
import type { Check } from '../../engine/verify/check.ts';
import type { GoldenFiles } from '../../engine/verify/golden.ts';
import { type CaseReport, verify_set } from '../../engine/verify/verify_set.ts';
import { open_checkpoint } from '../../engine/weights/checkpoint.ts';
import { commit, dirty, version } from '../build.ts';
import { note, out, seconds, table } from '../print.ts';
import { type AdapterFlags, device_choice } from './flags.ts';

export interface VerifyFlags extends AdapterFlags {
  readonly set?: readonly string[];
  readonly case?: readonly string[];
  readonly checkpoint?: boolean;
  readonly limits: 'adapter' | 'default';
  readonly without?: readonly string[];
  readonly json?: boolean;
}

/** The small goldens that ship with the package. */
const SHIPPED = join(dirname(fileURLToPath(import.meta.url)), '../test/fixtures/golden/model');
const FEATURES = ['subgroups', 'shader-f16', 'timestamp-query', 'immediates'];

export async function verify(folder: string | undefined, flags: VerifyFlags, debug: boolean): Promise<number> {
  const { root, sets } = find_sets(resolve(folder ?? SHIPPED), flags.set);
  const unknown = flags.without?.find((feature) => !FEATURES.includes(feature));
  if (unknown !== undefined) throw new UsageError(`--without ${unknown}: expected some of ${FEATURES.join(', ')}`);
  const without = flags.without as Feature[] | undefined;
  const { executor } = await open_executor({ ...device_choice(flags, debug), limits: flags.limits, without });
  const { facts } = executor.device;
  const reports: CaseReport[] = [];
  const refused: { readonly set: string; readonly reason: string }[] = [];
  try {
    if (!flags.json) note(`adapter ${facts.description || facts.device} (${facts.type}), kernels ${executor.variant}`);
    for (const set of sets) {
      const on_case = (report: CaseReport) => {
        reports.push(report);
        if (!flags.json) show(report);
      };
      try {
        await verify_set(executor, golden_files(root), set, {
          checkpoint: flags.checkpoint,
          cases: flags.case,
          on_case,
        });
      } catch (error) {
        if (!(error instanceof InputError) || sets.length === 1) throw error;
        refused.push({ set, reason: error.message });
        note(`REFUSED  ${set}: ${error.message}`);
      }
    }
  } finally {
    executor.destroy();
  }
  const absent = flags.case?.find((name) => !reports.some((report) => report.case === name));
  if (absent !== undefined && refused.length === 0)
    throw new UsageError(`--case ${absent}: no set in ${root} has such a case`);
  if (reports.length === 0 && refused.length === 0)
    throw new InputError(`${root}: expected golden sets with cases, found no case`);
  const passed = reports.filter((report) => report.passed).length;
  const closing = {
    schema: 'molmoe.verify/1',
    version,
    commit,
    dirty,
    adapter: facts.description || facts.device,
    variant: executor.variant,
    cases: reports.length,
    passed,
    failed: reports.length - passed,
    refused,
    worst: worst_of(reports),
  };
  out(`${JSON.stringify(closing)}\n`);
  return closing.failed > 0 || refused.length > 0 ? 1 : 0;
}

/** A folder of sets, or one set itself. */
function find_sets(folder: string, wanted: readonly string[] | undefined): { root: string; sets: string[] } {
  if (existsSync(join(folder, 'index.json'))) return { root: dirname(folder), sets: [basename(folder)] };
  if (!existsSync(folder)) throw new UsageError(`${folder}: expected a golden folder, found nothing there`);
  if (!statSync(folder).isDirectory()) throw new InputError(`${folder}: expected a golden folder, found a file`);
  const sets = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'index.json')));
  if (sets.length === 0)
    throw new InputError(`${folder}: expected a golden set (a folder with index.json), found none`);
  const missing = wanted?.find((name) => !sets.includes(name));
  if (missing !== undefined) throw new UsageError(`--set ${missing}: expected one of ${sets.join(', ')}`);
  return { root: folder, sets: wanted === undefined ? sets : [...wanted] };
}

export function golden_files(root: string): GoldenFiles {
  return {
    label: root,
    bytes: async (path) => {
      try {
        return await readFile(join(root, path));
      } catch (error) {
        throw file_error(error, join(root, path), 'a file of the golden set');
      }
    },
    checkpoint: (set, specs) => {
      const sharded = join(root, set, 'sharded-bf16');
      const plain = existsSync(join(root, set, 'model.safetensors'));
      return open_checkpoint(node_folder(plain ? join(root, set) : sharded), specs);
    },
  };
}

function show(report: CaseReport): void {
  const worst = worst_of([report]);
  const verdict = report.passed ? 'pass' : 'FAIL';
  const nearest =
    worst === null ? '' : `largest difference ${worst.found.toExponential(1)} of ${worst.limit} in ${worst.what}`;
  note(
    `${verdict}  ${report.set}/${report.case}  ${report.checks.length} checks, ${nearest}  (${seconds(report.wall_ms)})`,
  );
  const rows = report.checks.filter((c) => !c.ok).map((c) => ['', c.what, c.kind, describe(c), c.detail ?? '']);
  if (rows.length > 0) note(table(rows));
}

const describe = ({ kind, found, limit }: Check): string =>
  kind === 'difference' ? `${found.toExponential(2)} > ${limit}` : `${found} differ`;

/** The difference closest to, or furthest beyond, its limit. */
function worst_of(reports: readonly CaseReport[]): (Check & { set: string; case: string }) | null {
  const all = reports.flatMap((r) => r.checks.map((c) => ({ ...c, set: r.set, case: r.case })));
  const by_share = (c: Check) => (c.kind === 'difference' ? c.found / c.limit : c.ok ? 0 : Number.POSITIVE_INFINITY);
  return all.reduce<(typeof all)[number] | null>((w, f) => (w === null || by_share(f) > by_share(w) ? f : w), null);
}
