import { InputError, UsageError } from '../engine/errors.ts';
import { in_flags } from './commands/flags.ts';
import { interrupted_code, one_line } from './options.ts';
import { note } from './print.ts';

/** Every failure is one line and an exit code: 2 for wrong usage, 1 for a fault, 130 or 143 when interrupted. */
export async function run_command(action: () => Promise<number | undefined>, debug: boolean): Promise<void> {
  try {
    process.exitCode = (await action()) ?? 0;
  } catch (error) {
    const { name, message, stack } = error as Error;
    const known = error instanceof InputError || error instanceof UsageError;
    const line = one_line(known ? in_flags(message, error instanceof UsageError) : message);
    if (debug) note(stack ?? message);
    else if (name === 'AbortError') note('interrupted');
    else note(known ? `error: ${line}` : `internal error: ${line} (--debug shows more)`);
    process.exitCode = name === 'AbortError' ? interrupted_code() : error instanceof UsageError ? 2 : 1;
  }
}
