import { type Command, CommanderError } from 'commander';
import { make_program } from './program.ts';

/** One command line of this program in this process; its exit code is the process's. */
export async function run_program(args: readonly string[]): Promise<void> {
  const program = make_program();
  throw_instead(program);
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? 0 : 2;
  }
}

function throw_instead(command: Command): void {
  command.exitOverride();
  for (const inner of command.commands) throw_instead(inner);
}
