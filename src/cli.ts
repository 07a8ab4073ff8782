import { type Command, CommanderError } from 'commander';
import { make_program } from './program.ts';

const program = make_program();
const throw_instead = (command: Command): void => {
  command.exitOverride();
  for (const inner of command.commands) throw_instead(inner);
};
throw_instead(program);
try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
