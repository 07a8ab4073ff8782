import { visible } from '../../../engine/weights/text.ts';
import type { Table } from '../tables.ts';
import { printed_columns } from './columns.ts';
import { type Origin, origin_line } from './origin.ts';

const COMMANDS: Readonly<Record<string, string>> = {
  '\\': '\\textbackslash{}',
  '{': '\\{',
  '}': '\\}',
  $: '\\$',
  '&': '\\&',
  '#': '\\#',
  '%': '\\%',
  _: '\\_',
  '^': '\\textasciicircum{}',
  '~': '\\textasciitilde{}',
  '<': '\\textless{}',
  '>': '\\textgreater{}',
  '|': '\\textbar{}',
  '"': '\\textquotedbl{}',
  '`': '\\textasciigrave{}',
  '[': '{[}', // behind \\ it would begin an option
  ']': '{]}',
  '*': '{*}',
  '−': '$-$',
  '×': '$\\times$',
  '±': '$\\pm$',
  '≥': '$\\geq$',
  '≤': '$\\leq$',
  '²': '$^2$',
  µ: '$\\mu$',
  '’': "'",
  '\u00a0': '~',
};

/** Text of others as LaTeX sets it; letters of other alphabets stay, for an engine that has them. */
export const latex_text = (text: string): string =>
  visible(text.replace(/[\t\n\r ]+/g, ' ').replaceAll('\u00a0', ' ')).replace(
    /[\\{}$&#%_^~<>|"`[\]*−×±≥≤²µ’]/g,
    (char) => COMMANDS[char] as string,
  );

/** -1.234e+5 -> $-1.234 \times 10^{5}$; a plain negative number with a true minus. */
function latex_number(text: string): string {
  const [, digits, power] = /^(-?[\d.]+)e([+-]\d+)$/.exec(text) ?? [];
  if (digits !== undefined) return `$${digits} \\times 10^{${Number(power)}}$`;
  return text.startsWith('-') ? `$${text}$` : text;
}

/** One table to be \input; needs the package booktabs. */
export function latex_of(table: Table, origin: Origin, label: string): string {
  const columns = printed_columns(table);
  const cell = (text: string, right: boolean) =>
    right && /^-?[\d.]+(e[+-]\d+)?$/.test(text) ? latex_number(text) : latex_text(text);
  const rows = table.rows.map((_, i) => columns.map(({ cells, right }) => cell(cells[i] as string, right)));
  const line = (cells: readonly string[]) => `    ${cells.join(' & ')} \\\\`;
  const caption = [table.title, table.note, origin_line(origin)].filter((part) => part !== undefined);
  return `${[
    `% ${visible(origin.experiment)}: ${visible(origin.title)}`,
    ...Object.entries(origin.facts).map(([name, value]) => `% ${name}: ${visible(value)}`),
    '% \\usepackage{booktabs}',
    '\\begin{table}[htbp]',
    '  \\centering',
    `  \\caption{${caption.map((part) => latex_text(part.replace(/\.$/, ''))).join('. ')}.}`,
    `  \\label{tab:${label}}`,
    `  \\begin{tabular}{${columns.map(({ right }) => (right ? 'r' : 'l')).join('')}}`,
    '    \\toprule',
    line(columns.map(({ head }) => latex_text(head))),
    '    \\midrule',
    ...rows.map(line),
    '    \\bottomrule',
    '  \\end{tabular}',
    '\\end{table}',
  ].join('\n')}\n`;
}
