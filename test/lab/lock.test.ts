import { execFileSync, spawn, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { take_lock } from '../../experiments/lab/lock.ts';
import { repo_root } from '../support/golden.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-lock-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let folder: string;
let lock_file: string;
beforeEach(() => {
  folder = mkdtempSync(join(scratch, 'out-'));
  lock_file = join(folder, 'lock.json');
});

/** The id of a process that has ended. */
const dead_pid = (): number => spawnSync(process.execPath, ['-e', '']).pid;
const lock = (over: object = {}): string =>
  JSON.stringify({
    pid: dead_pid(),
    host: hostname(),
    started: '2026-01-01T00:00:00.000Z',
    process_start: null,
    token: '0123456789abcdef',
    ...over,
  });

describe('take_lock', () => {
  it('says who holds the folder, and is free again afterwards', async () => {
    const held = await take_lock(folder);
    expect(JSON.parse(readFileSync(lock_file, 'utf8'))).toMatchObject({ pid: process.pid, host: hostname() });
    const { message } = await take_lock(folder).catch((error) => error);
    expect(message).toMatch(
      new RegExp(
        `^${folder}: another run \\(pid ${process.pid}, since 2.*Z\\) writes here; wait for it or choose another --out$`,
      ),
    );
    expect(readdirSync(folder)).toEqual(['lock.json']);
    await held.release();
    expect(readdirSync(folder)).toEqual([]);
    await (await take_lock(folder)).release();
  });

  it('takes over from a process that has ended', async () => {
    writeFileSync(lock_file, lock());
    const held = await take_lock(folder);
    expect(JSON.parse(readFileSync(lock_file, 'utf8')).pid).toBe(process.pid);
    expect(readdirSync(folder)).toEqual(['lock.json']);
    await held.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('takes over from a process that ended while it took over', async () => {
    writeFileSync(lock_file, lock());
    writeFileSync(join(folder, 'lock.0123456789abcdef.json'), lock({ token: 'fedcba9876543210' }));
    await take_lock(folder);
    expect(JSON.parse(readFileSync(lock_file, 'utf8')).pid).toBe(process.pid);
  });

  it('does not go round in a circle of claims', async () => {
    writeFileSync(lock_file, lock());
    writeFileSync(join(folder, 'lock.0123456789abcdef.json'), lock());
    await expect(take_lock(folder)).rejects.toThrow(/lock\.0123456789abcdef\.json: .*found a circle; delete it/);
  });

  it('keeps off where another process is taking over', async () => {
    writeFileSync(lock_file, lock());
    writeFileSync(join(folder, 'lock.0123456789abcdef.json'), lock({ pid: process.ppid, token: 'fedcba9876543210' }));
    await expect(take_lock(folder)).rejects.toThrow(`another run (pid ${process.ppid}, since`);
  });

  it.runIf(process.platform === 'linux')('tells a later process with the same id from the owner', async () => {
    writeFileSync(lock_file, lock({ pid: process.pid, process_start: '1' }));
    await (await take_lock(folder)).release();
  });

  it('cannot tell whether a process of another machine lives', async () => {
    writeFileSync(lock_file, lock({ host: 'elsewhere' }));
    const { message } = await take_lock(folder).catch((error) => error);
    expect(message).toMatch(
      /on elsewhere, since .*; wait for it or choose another --out, or delete .*lock\.json if it has/,
    );
  });

  it.each(['', '{"pid": 12', '{"pid":"me"}', '[]'])(
    'waits a moment with a lock that says %j, then takes over',
    async (text) => {
      writeFileSync(lock_file, text);
      await expect(take_lock(folder)).rejects.toThrow('another run may begin here');
      const old = Date.now() / 1000 - 60;
      utimesSync(lock_file, old, old);
      const held = await take_lock(folder);
      expect(readdirSync(folder)).toEqual(['lock.json']);
      await held.release();
      expect(readdirSync(folder)).toEqual([]);
    },
  );

  it('says which file to delete where an unreadable lock has a later time, and deletes nothing itself', async () => {
    writeFileSync(lock_file, '');
    const later = Date.now() / 1000 + 1e6;
    utimesSync(lock_file, later, later);
    const { message } = await take_lock(folder).catch((error) => error);
    expect(message).toBe(
      `${lock_file}: expected a lock, found one not yet written: another run may begin here; wait for it or choose another --out, or delete ${lock_file} if there is none`,
    );
    expect(readdirSync(folder)).toEqual(['lock.json']);
  });

  it.each([
    ['a pipe', () => execFileSync('mkfifo', [lock_file])],
    ['a directory', () => mkdirSync(lock_file)],
    ['a symbolic link', () => symlinkSync('nowhere', lock_file)],
    ['a symbolic link', () => symlinkSync('/dev/zero', lock_file)],
  ])('neither waits for nor follows %s in its place', async (found, place) => {
    place();
    const { message } = await take_lock(folder).catch((error) => error);
    expect(message).toBe(
      `${lock_file}: expected a file, found ${found}; delete it if no other run writes here, or choose another --out`,
    );
  });

  it.each([
    ['a process id that no system has', { pid: 2 ** 32 + 1 }],
    ['a host that would write on the terminal', { host: 'a\x1b[2J\nb' }],
  ])('takes %s for no lock at all', async (_, over) => {
    writeFileSync(lock_file, lock(over));
    const old = Date.now() / 1000 - 60;
    utimesSync(lock_file, old, old);
    await (await take_lock(folder)).release();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('does not release what another run took over meanwhile', async () => {
    const held = await take_lock(folder);
    writeFileSync(lock_file, lock({ pid: process.ppid, token: 'fedcba9876543210' }));
    await held.release();
    expect(readdirSync(folder)).toEqual(['lock.json']);
  });

  it('is an error of one line where there is no such folder', async () => {
    await expect(take_lock(join(folder, 'none'))).rejects.toThrow(InputError);
  });
});

describe('processes that race', () => {
  const module = join(scratch, 'lock.mjs');
  buildSync({
    entryPoints: [join(repo_root, 'experiments/lab/lock.ts')],
    outfile: module,
    bundle: true,
    format: 'esm',
    platform: 'node',
    logLevel: 'error',
  });
  // Takes the lock again and again. What it holds it marks by a file that only one may create; half of the time it
  // then leaves the lock as a killed process would.
  const racer = `
    import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
    import { take_lock } from ${JSON.stringify(module)};
    const [folder, dead, until] = process.argv.slice(2);
    let [taken, clashes] = [0, 0];
    while (Date.now() < Number(until)) {
      const held = await take_lock(folder).catch((error) => {
        if (error.name !== 'InputError' || !error.message.includes('another run (pid')) throw error;
      });
      await new Promise((done) => setTimeout(done, Math.random() * 2));
      if (!held) continue;
      taken += 1;
      const mark = folder + '/held';
      try {
        writeFileSync(mark, '', { flag: 'wx' });
      } catch {
        clashes += 1;
      }
      await new Promise((done) => setTimeout(done, Math.random() * 2));
      rmSync(mark, { force: true });
      if (Math.random() < 0.5) await held.release();
      else {
        const lock = JSON.parse(readFileSync(folder + '/lock.json', 'utf8'));
        writeFileSync(folder + '/killed.' + process.pid, JSON.stringify({ ...lock, pid: Number(dead) }));
        renameSync(folder + '/killed.' + process.pid, folder + '/lock.json');
      }
    }
    console.log(JSON.stringify({ taken, clashes }));
  `;

  it('never both hold the folder, though locks of dead processes lie there', async () => {
    const script = join(scratch, 'racer.mjs');
    writeFileSync(script, racer);
    writeFileSync(lock_file, lock());
    const until = Date.now() + 3000;
    const race = () =>
      new Promise<{ taken: number; clashes: number }>((resolve, reject) => {
        const child = spawn(process.execPath, [script, folder, String(dead_pid()), String(until)]);
        let output = '';
        for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
        child.on('close', (code) => (code === 0 ? resolve(JSON.parse(output)) : reject(new Error(output))));
      });
    const ends = await Promise.all(Array.from({ length: 6 }, race));
    expect(ends.map(({ clashes }) => clashes)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(ends.reduce((sum, { taken }) => sum + taken, 0)).toBeGreaterThan(20);
    expect(ends.filter(({ taken }) => taken > 0).length).toBeGreaterThan(1);
  });
});
