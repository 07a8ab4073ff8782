import { markdown_text } from '../markup.ts';
import type { Table } from '../tables.ts';
import { printed_columns } from './columns.ts';
import { type Origin, origin_line } from './origin.ts';

export function markdown_of(table: Table, origin: Origin): string {
  const columns = printed_columns(table);
  const row = (cells: readonly string[]) => `| ${cells.map(markdown_text).join(' | ')} |`;
  return `${[
    `**${markdown_text(table.title)}**`,
    '',
    row(columns.map(({ head }) => head)),
    `| ${columns.map(({ right }) => (right ? '---:' : '---')).join(' | ')} |`,
    ...table.rows.map((_, i) => row(columns.map(({ cells }) => cells[i] as string))),
    '',
    ...(table.note === undefined ? [] : [markdown_text(table.note), '']),
    `${markdown_text(origin.experiment)}: ${markdown_text(origin_line(origin))}, begun ${origin.facts.begun}.`,
  ].join('\n')}\n`;
}
