import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { repo_root } from '../support/golden.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-train-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
// What a Python without PyTorch says when it is asked for it.
writeFileSync(join(scratch, 'torch.py'), 'raise ModuleNotFoundError("No module named \'torch\'", name="torch")\n');

const python = spawnSync('python3', ['-c', 'import numpy'], { encoding: 'utf8' });
const reason = python.error ? ': there is no python3' : '';

describe(`the training where PyTorch is missing${reason}`, () => {
  it.skipIf(reason !== '').each(['train', 'evaluate', 'export', 'golden'])('%s.py says so in one line', (script) => {
    const args = [join(repo_root, `tools/train/${script}.py`), '--out', join(scratch, 'out'), '--to', scratch];
    const { status, stderr, stdout } = spawnSync('python3', args, {
      encoding: 'utf8',
      env: { ...process.env, PYTHONPATH: scratch, PYTHONDONTWRITEBYTECODE: '1' },
    });
    expect(status).toBe(1);
    expect(stderr).toMatch(/^error: (torch|numpy): expected it for .*, found none; Debian's python3-torch .*\n$/);
    expect(stdout).toBe('');
  });
});
