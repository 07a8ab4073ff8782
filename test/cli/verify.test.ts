import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { repo_root } from '../support/golden.ts';

const folder = mkdtempSync(join(tmpdir(), 'molmoe-verify-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it('reports a set that is refused, goes on with the others, and ends with 1', async () => {
  for (const set of ['geo', 'odd', 'tiny']) {
    cpSync(join(repo_root, 'test/fixtures/golden/model', set), join(folder, set), { recursive: true });
  }
  const file = join(folder, 'odd/config.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"image_num_pos": 577', '"image_num_pos": 500'));
  const { code, stdout, errors } = await cli(['verify', folder, '--case', 'text17', '--case', 'text29']);
  expect(errors.join('\n')).toMatch(
    /REFUSED {2}odd: .*odd\/config\.json: vision_backbone\.image_num_pos: expected 577/,
  );
  expect(errors.filter((line) => line.startsWith('pass'))).toHaveLength(2);
  expect(JSON.parse(stdout)).toMatchObject({ cases: 2, passed: 2, failed: 0, refused: [{ set: 'odd' }] });
  expect(code).toBe(1);
});

it('covers another geometry with what is shipped', async () => {
  const { code, stdout } = await cli(['verify', '--set', 'geo', '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ cases: 3, passed: 3, failed: 0, refused: [] });
  expect(code).toBe(0);
});
