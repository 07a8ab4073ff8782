const longest_shown = 120;

/** A value from a file as one short line: quoted, with control characters escaped, and cut. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value instanceof Map) return 'an object';
  let text: string;
  try {
    text = JSON.stringify(value) ?? typeof value;
  } catch {
    text = `a ${typeof value} that cannot be shown`;
  }
  const line = visible(text);
  return line.length > longest_shown ? `${line.slice(0, longest_shown)}...` : line;
}

/** Another's text as one line: what would move or colour a terminal, or break a file of text, is written out (`\x1b`). */
export const visible = (text: string): string =>
  text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => {
    const code = c.codePointAt(0) ?? 0;
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
  });

/** `3 missing: a, b, c` with the first few items only, or '' for none. */
export function counted(items: readonly string[], what: string): string {
  if (items.length === 0) return '';
  const more = items.length > 5 ? ', ...' : '';
  return `${items.length} ${what}: ${items.slice(0, 5).join(', ')}${more}`;
}
