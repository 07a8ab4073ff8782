import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { repo_root } from '../support/golden.ts';

const installed = mkdtempSync(join(tmpdir(), 'molmoe-package-'));
afterAll(() => rmSync(installed, { recursive: true, force: true }));

it('holds all that verify needs: only what package.json ships, in another place', () => {
  const { files } = JSON.parse(readFileSync(join(repo_root, 'package.json'), 'utf8')) as { files: string[] };
  for (const path of ['package.json', ...files])
    cpSync(join(repo_root, path), join(installed, path), { recursive: true });
  symlinkSync(join(repo_root, 'node_modules'), join(installed, 'node_modules'));
  const command = [join(installed, 'dist/cli.js'), 'verify', '--set', 'tiny', '--case', 'text17'];
  const { status, stdout } = spawnSync(process.execPath, command, { cwd: tmpdir(), encoding: 'utf8', timeout: 60_000 });
  expect(JSON.parse(stdout)).toMatchObject({ cases: 1, passed: 1, failed: 0 });
  expect(status).toBe(0);
});
