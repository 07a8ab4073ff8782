import type { TallySummary } from '../../../experiments/analysis/tally.ts';
import type { Table } from '../../../experiments/lab/tables.ts';

/** What is known of whole numbers that were counted. */
export function summary_table(title: string, what: string, summary: TallySummary): Table {
  const { n, min, max, mean, median, std, percentiles, resting_on_few } = summary;
  const facts = { [what]: n, min, max, mean, median, std, ...percentiles };
  const few =
    resting_on_few.length === 0
      ? undefined
      : `Fewer than one of ${n} lies beyond ${resting_on_few.join(', ')}: they say little.`;
  return {
    title,
    columns: [
      { name: 'what', unit: 'text' },
      { name: 'value', unit: 'number' },
    ],
    rows: Object.entries(facts),
    ...(few === undefined ? {} : { note: few }),
  };
}
