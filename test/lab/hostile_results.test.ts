import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { digest_of } from '../../experiments/lab/fingerprint.ts';
import { finished_cells, read_results } from '../../experiments/lab/read.ts';
import { open_results, type ResultsOptions, reopen_results, write_beside } from '../../experiments/lab/record.ts';
import { FAKE_RUN, fake_configuration } from '../support/records.ts';

/** Folders that somebody else prepared: nothing is waited for, nothing is touched that is not the lab's. */
const scratch = mkdtempSync(join(tmpdir(), 'molmoe-hostile-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let folder: string;
let outside: string;

const { fingerprint, ceilings } = FAKE_RUN;
const plan = { options: {}, cells: [], skipped: [] };
const options: ResultsOptions = { experiment: 'e1', fingerprint, plan, ceilings, started: FAKE_RUN.started };
const low = { ...fake_configuration('low', 'short', 'short', 3), run: digest_of(fingerprint) };

beforeEach(async () => {
  const root = mkdtempSync(join(scratch, 'run-'));
  folder = join(root, 'results');
  outside = join(root, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'low_short_short.json'), JSON.stringify(low));
  writeFileSync(join(outside, 'precious.svg'), 'mine');
  const results = await open_results(folder, options);
  await results.save(low);
  await results.write('figures/precious.svg', '<svg/>');
  await results.close();
});

/** The one line that this ends in. */
async function failure(of: Promise<unknown>): Promise<string> {
  const error = await of.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(InputError);
  expect(error.message).not.toContain('\n');
  return error.message;
}
async function with_fresh(): Promise<void> {
  await (await open_results(folder, { ...options, fresh: true })).close();
}

describe('in place of a file', () => {
  const kinds: [found: string, place: (path: string) => void][] = [
    ['a pipe', (path) => execFileSync('mkfifo', [path])],
    ['a directory', (path) => mkdirSync(path)],
    ['a device', (path) => symlinkSync('/dev/zero', path)],
  ];
  const files = ['run.json', 'files.txt', 'configurations/low_short_short.json', 'lock.json'];
  const cases = files.flatMap((name) => kinds.map(([found, place]) => [name, found, place] as const));

  it.each(cases)('%s: %s is named, neither opened nor waited for', async (name, found, place) => {
    const path = join(folder, name);
    rmSync(path, { force: true });
    place(path);
    const kind = name === 'lock.json' && found === 'a device' ? 'a symbolic link' : found;
    const message = new RegExp(`^${path}: expected a file, found ${kind}; .*(delete|restore|name|choose)`);
    expect(await failure(open_results(folder, options))).toMatch(message);
    expect(await failure(reopen_results(folder))).toMatch(message);
    if (name === 'files.txt' || name === 'lock.json') return;
    expect(await failure(read_results(folder))).toMatch(message);
    expect(await failure(finished_cells(folder))).toMatch(message);
    if (found !== 'a directory') expect(await failure(read_results(path))).toMatch(message);
  });

  it.each(kinds)(
    'plan.json: %s is replaced where the plan is written, and named where it is read',
    async (found, place) => {
      const path = join(folder, 'plan.json');
      rmSync(path);
      place(path);
      expect(await failure(reopen_results(folder))).toContain(`${path}: expected a file, found ${found}; delete it: `);
      if (found === 'a directory')
        expect(await failure(open_results(folder, options))).toContain(`${path}: expected a file`);
      else await (await open_results(folder, options)).close();
    },
  );
});

describe('a symbolic link', () => {
  it.each(['configurations', 'figures', 'traces'])('as the folder %s leads nowhere out', async (inner) => {
    rmSync(join(folder, inner), { recursive: true, force: true });
    symlinkSync(outside, join(folder, inner));
    const message = `${join(folder, inner)}: expected a folder of these results, found a symbolic link; remove it or choose another --out`;
    expect(await failure(with_fresh())).toBe(message);
    expect(await failure(open_results(folder, options))).toBe(message);
    expect(await failure(reopen_results(folder))).toBe(message);
    expect(readdirSync(outside).sort()).toEqual(['low_short_short.json', 'precious.svg']);
  });

  it('that appears while a run goes on is not followed either', async () => {
    const results = await open_results(folder, options);
    rmSync(join(folder, 'figures'), { recursive: true });
    symlinkSync(outside, join(folder, 'figures'));
    expect(await failure(results.write('figures/precious.svg', 'x'))).toContain('found a symbolic link');
    await results.close();
    expect(readFileSync(join(outside, 'precious.svg'), 'utf8')).toBe('mine');
  });

  it('is not followed by what draws from published files', async () => {
    rmSync(join(folder, 'figures'), { recursive: true });
    symlinkSync(outside, join(folder, 'figures'));
    expect(await failure(write_beside(folder, 'figures/precious.svg', 'x'))).toContain('found a symbolic link');
    expect(readFileSync(join(outside, 'precious.svg'), 'utf8')).toBe('mine');
  });

  it('as a file is replaced or removed itself, not what it points at', async () => {
    const path = join(folder, 'figures/precious.svg');
    rmSync(path);
    symlinkSync(join(outside, 'precious.svg'), path);
    const results = await open_results(folder, options);
    await results.write('figures/precious.svg', '<svg/>');
    await results.close();
    expect(readFileSync(join(outside, 'precious.svg'), 'utf8')).toBe('mine');
    rmSync(path);
    symlinkSync(join(outside, 'precious.svg'), path);
    await with_fresh();
    expect(readdirSync(join(folder, 'figures'))).toEqual([]);
    expect(readFileSync(join(outside, 'precious.svg'), 'utf8')).toBe('mine');
  });

  it('as the list of files is not appended to', async () => {
    rmSync(join(folder, 'files.txt'));
    symlinkSync(join(outside, 'precious.svg'), join(folder, 'files.txt'));
    expect(await failure(open_results(folder, options))).toContain('plan.json: expected a file that can be written');
    expect(readFileSync(join(outside, 'precious.svg'), 'utf8')).toBe('mine');
  });

  it('as the results folder itself is what --out named', async () => {
    const link = join(folder, '../link');
    symlinkSync(folder, link);
    const results = await open_results(link, options);
    expect([...results.finished().keys()]).toEqual(['low_short_short']);
    await results.close();
  });
});

describe('a list that names more than the lab writes', () => {
  it('has no say: --fresh removes results and nothing else', async () => {
    const mine = [
      'package.json',
      'thesis.tex',
      'src/main.json',
      'figures/photo.jpg',
      'configurations/notes.txt',
      'index.html',
    ];
    mkdirSync(join(folder, 'src'));
    for (const name of mine) writeFileSync(join(folder, name), '{"name": "mine"}');
    writeFileSync(
      join(folder, 'files.txt'),
      ['', ...mine, 'run.json', 'figures/precious.svg', '../outside/precious.svg'].join('\n'),
    );
    await with_fresh();
    for (const name of mine) expect(readFileSync(join(folder, name), 'utf8'), name).toBe('{"name": "mine"}');
    expect(readdirSync(join(folder, 'figures'))).toEqual(['photo.jpg']);
    expect(readFileSync(join(outside, 'precious.svg'), 'utf8')).toBe('mine');
  });
});

describe('names of configurations', () => {
  it.each(['a\nb.json', '\x1b[2J.json', '.json', 'ü.json'])('%j is not read', async (name) => {
    writeFileSync(join(folder, 'configurations', name), JSON.stringify(low));
    const message = await failure(read_results(folder));
    expect(message).toMatch(
      /configurations: expected files named after configurations, found ".*"; move it elsewhere$/,
    );
    expect(message).not.toMatch(/\p{Cc}/u);
  });
});
