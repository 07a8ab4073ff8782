import { InputError } from '../../engine/errors.ts';
import type { Check } from '../../engine/verify/check.ts';
import type { GoldenFiles } from '../../engine/verify/golden.ts';
import { type CaseReport, verify_set } from '../../engine/verify/verify_set.ts';
import { open_checkpoint } from '../../engine/weights/checkpoint.ts';
import type { VerifyView } from '../protocol.ts';
import type { Session, Tell } from './session.ts';

/** Sets by the folder they lie in: cases of the reference implementation, and what PyTorch computes from nano's weights. */
const SETS = [
  { root: 'golden/', set: 'tiny' },
  { root: 'golden/', set: 'odd' },
  { root: '', set: 'nano' },
] as const;

/** Runs the shipped cases on this device and compares every recorded point. */
export async function verify(session: Session, tell: Tell, signal: AbortSignal): Promise<VerifyView> {
  const reports: CaseReport[] = [];
  for (const { root, set } of SETS) {
    const files: GoldenFiles = {
      label: `${root}${set}`,
      bytes: async (path) => {
        signal.throwIfAborted();
        const response = await fetch(session.url(root + path), { signal });
        if (!response.ok) throw new InputError(`${path}: expected a reference case, found HTTP ${response.status}`);
        return new Uint8Array(await response.arrayBuffer());
      },
      checkpoint: async (name, specs) => open_checkpoint(await session.folder(root + name), specs),
    };
    const on_case = (report: CaseReport) => {
      reports.push(report);
      tell({ kind: 'progress', what: `${set}: ${report.case}`, done: reports.length, total: 0 });
    };
    await verify_set(session.device.executor, files, set, { on_case });
  }
  return { cases: reports.length, passed: reports.filter(({ passed }) => passed).length, worst: worst_of(reports) };
}

function worst_of(reports: readonly CaseReport[]): string {
  const share = ({ kind, found, limit, ok }: Check) =>
    kind === 'difference' ? found / limit : ok ? 0 : Number.POSITIVE_INFINITY;
  const all = reports.flatMap(({ set, case: name, checks }) => checks.map((check) => ({ set, name, check })));
  const worst = all.reduce((most, one) => (share(one.check) > share(most.check) ? one : most));
  const { set, name, check } = worst;
  const found = check.kind === 'difference' ? check.found.toExponential(1) : `${check.found} differ`;
  return `${found} of ${check.limit} allowed, in ${check.what} of ${set}/${name}`;
}
