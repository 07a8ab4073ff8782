/**
 * What `npm start`, `npm test` and `npm run bench` run first: packages, build, adapter. Each step looks whether it has
 * anything to do, and says so in one line before it does it. Built from Node alone, since it runs before the packages
 * are there. MOLMOE_SETUP=off skips it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { source_digest } from './build.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const say = (line) => process.stderr.write(`setup: ${line}\n`);

if (process.env.MOLMOE_SETUP !== 'off') {
  const reason = packages_reason();
  if (reason) {
    say(`installing the packages (${reason})`);
    const npm = npm_command();
    must(npm.command, [...npm.args, 'ci', '--ignore-scripts', '--include=dev', '--no-audit', '--no-fund'], 'npm ci');
  }
  const stamp = join(root, 'dist/.stamp');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== source_digest()) {
    say(`building dist/ (${existsSync(stamp) ? 'the sources changed' : 'not built yet'})`);
    must(process.execPath, [join(root, 'tools/build.mjs')], 'the build');
  }
  const { ensure_adapter } = await import(new URL('../dist/ensure_adapter.js', import.meta.url).href);
  try {
    ensure_adapter(say);
  } catch (error) {
    say(error.message); // what runs next does without an adapter, or says itself that it cannot
  }
}

/** Why the packages must be installed, by npm's own record of what is there; undefined where they need not be. */
function packages_reason() {
  const record = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(record)) return 'there are none yet';
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  for (const [path, { version, integrity, optional, os, cpu, libc }] of Object.entries(wanted)) {
    if (path === '') continue;
    const have = installed[path];
    // Optional packages are those of other platforms, but for the one that names this platform.
    const ours = os?.includes(process.platform) && cpu?.includes(process.arch) && !libc;
    if (!have && optional && !ours) continue;
    if (have?.version !== version || have?.integrity !== integrity) return 'package-lock.json changed';
  }
  return undefined;
}

/** The npm that runs this script, or the one that comes with Node. */
function npm_command() {
  const running = process.env.npm_execpath;
  if (running && basename(running).startsWith('npm-cli')) return { command: process.execPath, args: [running] };
  return { command: process.platform === 'win32' ? 'npm.cmd' : 'npm', args: [] };
}

/** Runs a step in silence; if it fails, its last lines tell why. */
function must(command, args, name) {
  const done = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 26,
    shell: command.endsWith('.cmd'),
  });
  if (done.status === 0) return;
  const lines = `${done.stdout ?? ''}\n${done.stderr ?? ''}`.split('\n').filter((line) => line.trim() !== '');
  // npm ends with pages of help: what went wrong stands at their head.
  const errors = lines.filter((line) => /^npm error \S/.test(line)).slice(0, 8);
  process.stderr.write(`${(errors.length > 0 ? errors : lines.slice(-12)).join('\n')}\n`);
  say(`${name} failed (${done.error?.message ?? `exit ${done.status ?? done.signal}`})`);
  process.exit(1);
}
