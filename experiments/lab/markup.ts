import { visible } from '../../engine/weights/text.ts';

/** Text of others (names of folders, drivers, pictures, what a user typed) inside Markdown, a shell's line, LaTeX or CSV: as text. */

/** In a line or a cell of a Markdown table. */
export const markdown_text = (text: string): string =>
  visible(text.replace(/\s+/g, ' '))
    .replace(/[\\`*[\]|$]|~(?=~)|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])/g, '\\$&')
    .replace(/[&<>]/g, (char) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;' })[char] as string);

/** A word of a shell's command line, in quotes where it needs them. */
export function shell_word(text: string): string {
  if (/^[\w%+,./:=@-]+$/.test(text)) return text;
  if (/[\p{C}\p{Zl}\p{Zp}]/u.test(text)) {
    const escaped = text
      .replace(/[\\']/g, '\\$&')
      .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (char) =>
        [...Buffer.from(char)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join(''),
      );
    return `$'${escaped}'`;
  }
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A fenced block that no line of it ends. */
export function fenced(language: string, text: string): string {
  const ticks = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length)) + 1;
  const fence = '`'.repeat(ticks);
  return `${fence}${language}\n${text}\n${fence}`;
}

export const markdown_table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
