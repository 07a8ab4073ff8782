import { resolve } from 'node:path';
import { InputError } from '../../engine/errors.ts';
import { type Published, publish_e1 } from '../../experiments/core/e1_publish.ts';
import { type Results, reopen_results } from '../../experiments/lab/record.ts';
import { bold, note, out, warn } from '../print.ts';
import { e1_summary } from './e1_summary.ts';

/** Draws and reports again what a folder holds; nothing is measured. */
export async function report(folder: string): Promise<undefined> {
  const results = await reopen_results(folder);
  try {
    if (results.run.experiment !== 'e1') {
      throw new InputError(`${folder}: expected results of e1, found ${results.run.experiment}; name another folder`);
    }
    if (results.finished().size === 0) {
      throw new InputError(`${folder}: expected results, found no finished configuration; run the experiment first`);
    }
    tell(results, await publish_e1(results));
  } finally {
    await results.close();
  }
}

export function tell(results: Results, { stages, flops, parts, figures, report: page }: Published): void {
  out(`${e1_summary(stages, flops, parts, results.run.fingerprint.protocol)}\n`);
  for (const { key, warnings } of results.finished().values()) for (const text of warnings) warn(`${key}: ${text}`);
  note(`\n${bold('results')}  ${resolve(results.folder)}`);
  note(`figures  ${figures.join(', ')}`);
  note(`${bold('report')}   ${resolve(page)}`);
}
