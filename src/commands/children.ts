import { spawn } from 'node:child_process';
import { on_interrupts } from '../options.ts';

/** How a command of this same program ended, run as a process of its own. */
export interface ChildEnd {
  readonly code: number;
  /** Kept where it was not shown. */
  readonly stdout: string;
  /** Its last line where it failed. */
  readonly error: string | undefined;
}

export interface ChildOptions {
  readonly stdout: 'show' | 'keep';
  readonly stderr: 'show' | 'drop';
}

export interface Children {
  readonly run: (args: readonly string[], options: ChildOptions) => Promise<ChildEnd>;
  /** Aborted by Ctrl-C or a polite kill, which the child that runs is told of too. */
  readonly signal: AbortSignal;
  readonly end: () => void;
}

/**
 * One child at a time. It has a process group of its own, so that a terminal's Ctrl-C reaches it once, through here: it
 * saves what it has and ends. A second Ctrl-C ends it at once. What failed it says over the channel, since stderr stays
 * the terminal's.
 */
export function children(): Children {
  const controller = new AbortController();
  let kill: ((name: NodeJS.Signals) => void) | undefined;
  const interrupts = on_interrupts((name) => {
    controller.abort();
    kill?.(name);
  });
  return {
    signal: controller.signal,
    end: interrupts.end,
    run: (args, { stdout, stderr }) =>
      new Promise((resolve, reject) => {
        const child = spawn(process.execPath, [...process.execArgv, process.argv[1] as string, ...args], {
          detached: process.platform !== 'win32',
          stdio: ['ignore', stdout === 'show' ? 'inherit' : 'pipe', stderr === 'show' ? 'inherit' : 'ignore', 'ipc'],
        });
        kill = (name) => void child.kill(name);
        let text = '';
        let error: string | undefined;
        child.stdout?.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        child.on('message', (message: { error?: unknown }) => {
          if (typeof message.error === 'string') error = message.error;
        });
        child.on('error', reject);
        child.on('close', (code, signal) => {
          kill = undefined;
          const end = signal === null ? `ended with exit code ${code}` : `ended by ${signal}`;
          resolve({ code: code ?? 1, stdout: text, error: code === 0 ? undefined : (error ?? end) });
        });
      }),
  };
}
