import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { repo_root } from '../support/golden.ts';

const cff = readFileSync(join(repo_root, 'CITATION.cff'), 'utf8');
const { version, license, files } = JSON.parse(readFileSync(join(repo_root, 'package.json'), 'utf8'));
/** Of the file itself, not of a reference in it. */
const value_of = (key: string): string | undefined => new RegExp(`^${key}: "?(.*?)"?$`, 'm').exec(cff)?.[1];

it('CITATION.cff is of this version, and has what the format asks for', () => {
  expect(value_of('cff-version')).toBe('1.2.0');
  expect([value_of('version'), value_of('license'), value_of('type')]).toEqual([version, license, 'software']);
  for (const key of ['message', 'title']) expect(value_of(key)).toMatch(/\w/);
  expect(cff).toMatch(/^authors:\n {2}- (name|family-names): \S/m);
  expect(cff).not.toMatch(/\t| $/m);
});

it('CITATION.cff is in the package', () => expect(files).toContain('CITATION.cff'));
