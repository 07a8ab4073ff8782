import { InputError, UsageError } from '../engine/errors.ts';
import { in_flags } from './commands/flags.ts';
import { interrupted_code, one_line } from './options.ts';
import { complain } from './print.ts';

/** Every failure is one line and an exit code: 2 for wrong usage, 1 for a fault, 130 or 143 when interrupted. */
export async function run_command(action: () => Promise<number | undefined>, debug: boolean): Promise<void> {
  try {
    process.exitCode = (await action()) ?? 0;
  } catch (error) {
    const { name, message, stack } = error as Error;
    const known = error instanceof InputError || error instanceof UsageError;
    const line = one_line(known ? in_flags(message, error instanceof UsageError) : message);
    const failure = known ? `error: ${line}` : `internal error: ${line} (--debug shows more)`;
    const said = name === 'AbortError' ? 'interrupted' : failure;
    complain(debug ? (stack ?? message) : said);
    // To the runner that started this, if one did: its summary says why.
    process.send?.({ error: said });
    process.exitCode = name === 'AbortError' ? interrupted_code() : error instanceof UsageError ? 2 : 1;
  }
}
