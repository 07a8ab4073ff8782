/** Columns in line: the first ones to the left, numbers of the rest to the right. A short row ends in free text. */
export function aligned(rows: readonly (readonly string[])[], least: readonly number[] = []): string[] {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, i) =>
    Math.max(least[i] ?? 0, ...rows.filter((row) => row.length === columns).map((row) => (row[i] ?? '').length)),
  );
  const is_number = (text: string) => /^(-|[\d.,]+)$/.test(text);
  return rows.map((row) =>
    row
      .map((text, i) =>
        (i > 0 && is_number(text) && row.length === columns ? text.padStart : text.padEnd).call(
          text,
          widths[i] as number,
        ),
      )
      .join('  ')
      .trimEnd(),
  );
}
