/** Reads vitest's JSON report and prints the one line `N passed, N failed[, N skipped]`. */
import { readFileSync } from 'node:fs';

let report = { testResults: [] };
try {
  report = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
} catch {
  process.stdout.write('no test report: vitest did not get to its end\n');
}
const tests = report.testResults.flatMap((file) => file.assertionResults);
const count = (...states) => tests.filter((test) => states.includes(test.status)).length;
// A file that cannot be loaded, or a hook that throws, fails without a failed test of its own.
const broken = report.testResults.filter(
  (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
).length;
const passed = count('passed');
const failed = count('failed') + broken + (report.testResults.length === 0 ? 1 : 0);
const skipped = count('pending', 'skipped', 'todo');
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
