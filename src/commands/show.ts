import type { Finding } from '../../experiments/lab/schema.ts';
import { type Table, written } from '../../experiments/lab/tables.ts';
import { bold, table } from '../print.ts';

const MARK = { confirmed: 'confirmed ', refuted: 'refuted   ', 'not tested': 'not tested' } as const;

/** A table of an experiment, for a terminal. */
export function table_text({ title, columns, rows, note }: Table): string {
  const cells = rows.map((row) => columns.map((column, i) => written(row[i] ?? null, column)));
  const body = table([columns.map(({ name }) => name), ...cells]);
  return `${bold(title)}\n${body}${note === undefined ? '' : `\n${note}`}`;
}

export const findings_text = (findings: readonly Finding[], about: string): string =>
  `${bold(`findings about ${about}`)}\n${findings.map(({ expectation, outcome, because }) => `${MARK[outcome]}  ${expectation}: ${because}`).join('\n')}`;
