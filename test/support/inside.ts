import { run_program } from '../../src/run_program.ts';
import type { Ended } from './cli.ts';

/** A command line in this process: what takes a process of its own a second of starting up takes none here. */
export async function inside(args: readonly string[]): Promise<Ended> {
  const { stdout, stderr, send, exitCode } = process;
  const written = { stdout: '', stderr: '' };
  const kept = { stdout: stdout.write, stderr: stderr.write };
  const keep = (name: keyof typeof written) =>
    ((data: string | Uint8Array, ...rest: unknown[]) => {
      written[name] += typeof data === 'string' ? data : new TextDecoder().decode(data);
      const done = rest.find((each) => typeof each === 'function') as (() => void) | undefined;
      done?.();
      return true;
    }) as typeof stdout.write;
  stdout.write = keep('stdout');
  stderr.write = keep('stderr');
  // What a command tells its runner is not for that of the tests, whose own messages go on.
  const told = (...said: Parameters<NonNullable<typeof send>>) =>
    Object.keys(said[0] as object).join() === 'error' ? true : send?.apply(process, said);
  if (send) Object.assign(process, { send: told });
  process.exitCode = undefined;
  // Nor is this process at its end when the command is.
  const unref = process.channel?.unref;
  Object.assign(process.channel ?? {}, { unref: () => undefined });
  try {
    await run_program(args);
    const errors = written.stderr.split('\n').filter((line) => line !== '');
    return { code: Number(process.exitCode ?? 0), stdout: written.stdout, errors };
  } finally {
    process.removeAllListeners('SIGINT').removeAllListeners('SIGTERM');
    Object.assign(stdout, { write: kept.stdout });
    Object.assign(stderr, { write: kept.stderr });
    Object.assign(process, { send, exitCode });
    Object.assign(process.channel ?? {}, { unref });
  }
}
