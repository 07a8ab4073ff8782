import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { repo_root } from '../support/golden.ts';

/** What a fence may say after `sh`, in sight of the reader, and why such a command is not run here. */
const MARKS: Readonly<Record<string, string>> = {
  clone: 'works on a fresh clone, or is the test run itself',
  checkpoint: 'needs the real weights',
  gpu: 'needs a GPU',
  slow: 'takes minutes',
};
const MOST_SKIPPED = 13;

interface Fence {
  where: string;
  mark: string;
  script: string;
  explained: boolean;
}

/** The ```sh fences of a Markdown file. */
function fences_of(file: string, text: string): Fence[] {
  const fences: Fence[] = [];
  const lines = text.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const open = /^```sh\b\s*(.*)$/.exec(lines[i] ?? '');
    if (!open) continue;
    const end = lines.indexOf('```', i + 1);
    if (end < 0) throw new Error(`${file}:${i + 1}: a fence that does not end`);
    const before = lines
      .slice(Math.max(0, i - 2), i)
      .join(' ')
      .trim();
    const explained = before !== '' && !before.startsWith('#');
    fences.push({
      where: `${file}:${i + 1}`,
      mark: open[1] ?? '',
      script: lines.slice(i + 1, end).join('\n'),
      explained,
    });
    i = end;
  }
  return fences;
}

const docs = existsSync(join(repo_root, 'docs')) ? readdirSync(join(repo_root, 'docs'), { recursive: true }) : [];
const files = ['README.md', 'CONTRIBUTING.md', ...docs.map((name) => `docs/${name}`)]
  .filter((name) => name.endsWith('.md') && existsSync(join(repo_root, name)))
  .sort();
const fences = files.flatMap((file) => fences_of(file, readFileSync(join(repo_root, file), 'utf8')));
const skipped = fences.filter((fence) => fence.mark !== '');

const title = (fence: Fence): string => `${fence.where} ${fence.script.split('\n').join(' ; ').slice(0, 100)}`;

describe('the commands of the documents', () => {
  beforeAll(() => {
    if (existsSync(join(repo_root, 'dist/.stamp'))) return; // npm test has built it
    const build = spawnSync(process.execPath, ['tools/build.mjs'], { cwd: repo_root, encoding: 'utf8' });
    if (build.status !== 0) throw new Error(`cannot build: ${build.stderr}`);
  });

  it('are there', () => {
    expect(fences.filter((fence) => fence.where.startsWith('README.md')).length).toBeGreaterThan(0);
  });

  for (const fence of fences) {
    if (fence.mark !== '') {
      it.skip(`${title(fence)} (${fence.mark}: ${MARKS[fence.mark] ?? 'unknown mark'})`);
      continue;
    }
    it(title(fence), () => {
      const done = spawnSync('bash', ['-euo', 'pipefail', '-c', fence.script], {
        cwd: repo_root,
        encoding: 'utf8',
        timeout: 110_000,
        killSignal: 'SIGKILL',
        env: { ...process.env, MOLMOE_SETUP: 'off' },
      });
      expect(done.status, `${fence.script}\n${done.stdout.slice(-2000)}${done.stderr.slice(-2000)}`).toBe(0);
    });
  }

  it('are skipped by a known mark only, each explained by the words before it, and few', () => {
    expect(skipped.filter((fence) => !(fence.mark in MARKS)).map(title)).toEqual([]);
    expect(skipped.filter((fence) => !fence.explained).map(title)).toEqual([]);
    expect(skipped.length).toBeLessThanOrEqual(MOST_SKIPPED);
  });

  it('would fail the test if they failed or were not closed', () => {
    const text = 'words\n```sh\nfalse\n```\n\n# Title\n\n```sh gpu\nexit 3\n```\n';
    expect(fences_of('a.md', text)).toEqual([
      { where: 'a.md:2', mark: '', script: 'false', explained: true },
      { where: 'a.md:8', mark: 'gpu', script: 'exit 3', explained: false },
    ]);
    expect(() => fences_of('a.md', '```sh\nls')).toThrow('a.md:1');
  });
});

/** Links inside the project must lead somewhere. */
describe('the links of the documents', () => {
  it.each(files)('%s', (file) => {
    const text = readFileSync(join(repo_root, file), 'utf8');
    const targets = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)|<img[^>]+src="([^"]+)"/g)].map((m) => m[1] ?? m[2] ?? '');
    const missing = targets.filter((t) => !/^[a-z]+:/.test(t) && !existsSync(join(repo_root, file, '..', t)));
    expect(missing).toEqual([]);
  });
});

/** A fence that names a file is that file. */
describe('the code of the documents', () => {
  const named = files.flatMap((file) => {
    const text = readFileSync(join(repo_root, file), 'utf8');
    return [...text.matchAll(/^```ts (\S+)\n([\s\S]*?)^```$/gm)].map(
      (m) => [file, m[1] as string, m[2] as string] as const,
    );
  });
  it.each(named)('%s shows %s as it is', (_, path, code) => {
    const source = readFileSync(join(repo_root, path), 'utf8');
    expect(path.endsWith('index.ts') ? code.split('\n').every((line) => source.includes(line)) : source === code).toBe(
      true,
    );
  });
  it('is there', () => expect(named.length).toBeGreaterThan(0));
});
