import { spawnSync } from 'node:child_process';

export interface Outcome {
  ok: boolean;
  stdout: string;
  /** The last lines that say why it failed, as one line. */
  why: string;
}

/** Runs a program without a shell, its output kept from the user. */
export function run(
  command: string,
  args: readonly string[],
  options: { env?: NodeJS.ProcessEnv; seconds: number },
): Outcome {
  const done = spawnSync(command, args, {
    env: { ...process.env, ...options.env },
    encoding: 'utf8',
    timeout: options.seconds * 1000,
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 26,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines = `${done.stderr ?? ''}\n${done.stdout ?? ''}`.split('\n').map((line) => line.trim());
  const timed_out = (done.error as NodeJS.ErrnoException | undefined)?.code === 'ETIMEDOUT';
  return {
    ok: done.status === 0,
    stdout: done.stdout ?? '',
    why: timed_out
      ? `no end after ${options.seconds} s`
      : (done.error?.message ??
        (lines
          .filter((line) => /^(E:|npm error)/.test(line))
          .slice(0, 2)
          .join(' ') ||
          lines.filter(Boolean).at(-1) ||
          `exit ${done.status ?? done.signal}`)),
  };
}
