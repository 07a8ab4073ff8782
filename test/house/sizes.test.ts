import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { repo_root } from '../support/golden.ts';

/** Most lines of a file by where it lies; the first that fits decides. */
const MOST: readonly (readonly [RegExp, number])[] = [
  [/^kernels\/\w+\/.*\.ts$/, 150],
  [/^kernels\/.*\.wgsl$/, 200], // attention and sampling are the only ones above 150
  [/^engine\/.*\.ts$/, 400],
  [/\.(ts|mjs|wgsl)$/, 500],
];
const ROOMS = ['kernels', 'engine', 'experiments', 'src', 'web', 'tools', 'bench', 'test'];

const files = ROOMS.flatMap((room) =>
  (readdirSync(join(repo_root, room), { recursive: true }) as string[]).map((name) => `${room}/${name}`),
).filter((file) => !/(^|\/)(fixtures|node_modules)\//.test(file) && statSync(join(repo_root, file)).isFile());

const lines_of = (file: string): number => readFileSync(join(repo_root, file), 'utf8').split('\n').length - 1;

describe('no file is longer than one can keep in mind', () => {
  it('sees the project', () => expect(files.length).toBeGreaterThan(300));

  for (const [where, most] of MOST) {
    it(`${where}: ${most} lines at most`, () => {
      const own = files.filter((file) => MOST.find(([pattern]) => pattern.test(file))?.[0] === where);
      const long = own.map((file) => [file, lines_of(file)] as const).filter(([, lines]) => lines > most);
      expect(long).toEqual([]);
    });
  }
});
