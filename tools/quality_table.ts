import { InputError } from '../engine/errors.ts';
import { read_table_file } from '../experiments/budget/quality_table.ts';

/** A folder of exp5's results as a table that ships with the program: node dist/quality_table.js results/accuracy/exp5 */
try {
  const { file } = await read_table_file(process.argv[2] ?? '');
  const { summary, provenance, ...head } = file;
  const lab = { ...provenance, host: { ...provenance.host, name: 'lab' } };
  const rows = summary.map((row) => JSON.stringify(row)).join(',\n');
  const fields = JSON.stringify({ ...head, provenance: lab }).slice(0, -1);
  process.stdout.write(`${fields},\n"summary":[\n${rows}\n]}\n`);
} catch (error) {
  if (!(error instanceof InputError)) throw error;
  process.stderr.write(`error: ${error.message}\n`);
  process.exitCode = 1;
}
