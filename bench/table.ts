import type { AdapterCeilings } from '../engine/meter/ceilings.ts';

export function ceilings_line(ceilings: AdapterCeilings): string {
  const giga = (x: number) => (x / 1e9).toFixed(1);
  return `ceilings: ${giga(ceilings.fma_f32_flops)} GFLOP/s f32 multiply-adds, reads ${giga(ceilings.stream_read_bytes)} GB/s (${giga(ceilings.cache_read_bytes)} of ${ceilings.cache_bytes / 2 ** 20} MiB in a cache), ${(1000 * ceilings.dispatch_ms).toFixed(1)} us a launch`;
}

/** Which form of each probe they are of. */
export const forms_line = ({ forms }: AdapterCeilings): string =>
  `by: ${Object.entries(forms ?? {})
    .map(([probe, won]) => `${probe} ${won?.form ?? 'none'}`)
    .join('; ')}`;

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
