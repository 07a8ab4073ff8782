import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { repo_root } from '../support/golden.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-terminal-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Writes to fd 2 as a native library does, before, during and after a hush. */
const script = join(scratch, 'noise.mjs');
buildSync({
  stdin: {
    contents: `
      import { writeSync } from 'node:fs';
      import { hushed } from './engine/node/adapter_env.ts';
      writeSync(2, 'before\\n');
      const seven = await hushed(async () => {
        writeSync(2, 'a driver warns\\n');
        await new Promise((done) => setTimeout(done, 5));
        return 7;
      });
      writeSync(2, seven === 7 ? 'after\\n' : 'lost the result\\n');
      try {
        hushed(() => {
          throw new Error('expected');
        });
      } catch {}
      process.stderr.write('own\\n');
      process.exitCode = 3;`,
    resolveDir: repo_root,
  },
  bundle: true,
  format: 'esm',
  platform: 'node',
  outfile: script,
});
const shell = (command: string): { status: number | null; stdout: string } =>
  spawnSync('sh', ['-c', command, 'sh', process.execPath, script], { encoding: 'utf8' });

describe.skipIf(process.platform !== 'linux')('native noise on stderr', () => {
  it('is hushed on a pipe, and nothing else is', () => {
    const { stdout } = shell('{ "$1" "$2"; echo "exit $?"; } 2>&1 | cat');
    expect(stdout).toBe('before\nafter\nown\nexit 3\n');
  });

  it.skipIf(spawnSync('script', ['--version']).status !== 0)('is hushed on a terminal, and nothing else is', () => {
    writeFileSync(join(scratch, 'run.sh'), `"${process.execPath}" "${script}"\n`);
    const { stdout } = shell(`script -qec "sh ${join(scratch, 'run.sh')}" /dev/null < /dev/null`);
    expect(stdout.replaceAll('\r', '')).toBe('before\nafter\nown\n');
  });

  it('is hushed in a file that is appended to, where the order of its writers is kept', () => {
    const log = join(scratch, 'appended');
    shell(`{ "$1" "$2"; echo end; } >> ${log} 2>&1`);
    expect(readFileSync(log, 'utf8')).toBe('before\nafter\nown\nend\n');
  });

  it('is left alone in a file, whose writers share one position, and nothing is lost', () => {
    const log = join(scratch, 'log');
    shell(`{ "$1" "$2"; echo end; } > ${log} 2>&1`);
    expect(readFileSync(log, 'utf8')).toBe('before\na driver warns\nafter\nown\nend\n');
  });

  it('is left alone where stderr is closed', () => {
    expect(shell('"$1" "$2" 2>&-; echo "exit $?"').stdout).toContain('exit');
  });
});
