import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repo_root } from './golden.ts';

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  /** Without what Dawn prints itself where stderr is a socket, as it is under a Node parent. */
  readonly errors: readonly string[];
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly timeout_ms?: number;
  readonly cwd?: string;
  readonly stdin?: string | Uint8Array;
  /** Called with the child's output so far; returns a signal to send. */
  readonly watch?: (stdout: string) => NodeJS.Signals | undefined;
}

/** dist/cli.js as a user runs it, from a folder that is not the project's. */
export function cli(args: readonly string[], options: CliOptions = {}): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(repo_root, 'dist/cli.js'), ...args], {
      cwd: options.cwd ?? tmpdir(),
      env: { ...process.env, ...options.env },
      stdio: [options.stdin === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`molmoe ${args.join(' ')}: no end in time; so far: ${stdout}${stderr}`));
    }, options.timeout_ms ?? 120_000);
    child.stdin?.on('error', () => undefined); // closed unread: the test sees what the command said
    child.stdin?.end(options.stdin);
    child.stdout?.on('data', (data) => {
      stdout += data;
      const signal = options.watch?.(stdout);
      if (signal !== undefined) child.kill(signal);
    });
    child.stderr?.on('data', (data) => {
      stderr += data;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      const errors = stderr.split('\n').filter((line) => line !== '' && !line.startsWith('Warning: max'));
      resolve({ code, stdout, errors });
    });
  });
}
