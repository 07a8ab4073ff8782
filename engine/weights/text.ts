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
  const line = text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => `\\u{${(c.codePointAt(0) ?? 0).toString(16)}}`);
  return line.length > longest_shown ? `${line.slice(0, longest_shown)}...` : line;
}

/** `3 missing: a, b, c` with the first few items only, or '' for none. */
export function counted(items: readonly string[], what: string): string {
  if (items.length === 0) return '';
  const more = items.length > 5 ? ', ...' : '';
  return `${items.length} ${what}: ${items.slice(0, 5).join(', ')}${more}`;
}
