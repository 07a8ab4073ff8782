/** Reads vitest's JSON report; names what failed and why, and ends with one line `N passed, N failed[, N skipped]`. */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';

let report = { testResults: [] };
try {
  report = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
} catch {
  process.stdout.write('no test report: vitest did not get to its end\n');
}
const tests = report.testResults.flatMap((file) => file.assertionResults);
const count = (...states) => tests.filter((test) => states.includes(test.status)).length;
const tell = (file, name, message = '') =>
  process.stdout.write(
    `failed: ${relative('.', file.name ?? '')} > ${name}\n${message.split('\n').slice(0, 12).join('\n')}\n`,
  );
// A file that cannot be loaded, or a hook that throws, fails without a failed test of its own.
let broken = 0;
for (const file of report.testResults) {
  const failures = file.assertionResults.filter((test) => test.status === 'failed');
  for (const { fullName, failureMessages = [] } of failures) tell(file, fullName, failureMessages[0]);
  if (file.status !== 'failed' || failures.length > 0) continue;
  broken += 1;
  tell(file, 'the file itself', file.message);
}
const passed = count('passed');
const failed = count('failed') + broken + (report.testResults.length === 0 ? 1 : 0);
const skipped = count('pending', 'skipped', 'todo');
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
