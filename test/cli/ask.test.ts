import { join } from 'node:path';
import { expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { repo_root } from '../support/golden.ts';

const PICTURE = join(repo_root, 'test/fixtures/golden/data/images/checker_560x560.png');
const ASK = ['ask', PICTURE, '--model', 'molmoe-tiny', '--max-new-tokens', '3'];

it('answers line after line, sees the picture once a setting of the knobs, and goes on after a wrong line', async () => {
  const typed = ['What is this?', '', 'What color is it?', '/top-k 2', 'What color is it?', '/top-k 99', '/blocks 0-1'];
  const wrong = ['/nonsense', '/top-k x', '/blocks 9', '/knobs', '/top-k', '/quit', 'never asked'];
  const { code, stdout, errors } = await cli(ASK, { stdin: `${[...typed, ...wrong].join('\n')}\n` });
  expect(code).toBe(0);
  expect(stdout.split('\n').length).toBe(3 + 1);
  const times = errors.filter((line) => line.startsWith('first token after'));
  expect(times.map((line) => line.includes('vision encoder'))).toEqual([true, false, true]);
  expect(times[1]).toMatch(/\d+ of \d+ prompt tokens kept/);
  const text = errors.join('\n');
  expect(text).toMatch(/^\/top-k: expected a whole number from 1 to 8 .*found 99$/m);
  expect(text).toMatch(/^\/nonsense: expected top-k, /m);
  expect(text).toMatch(/^\/top-k: expected a whole number, found x$/m);
  expect(text).toMatch(/^\/blocks: .*9/m);
  expect(text).toMatch(/^--top-k 2 --blocks 0,1$/m);
  expect(text).toMatch(/^knobs {4}--blocks 0,1$/m); // /top-k alone: as at the start
});

it('says what it says alone, whatever was asked before', async () => {
  const last = async (typed: string) =>
    (await cli([...ASK, '--quiet'], { stdin: typed })).stdout.trimEnd().split('\n').at(-1);
  expect(await last('Hello\nWhat is this?\nWhat color is it?')).toBe(await last('What color is it?'));
});

it('refuses what is no picture, in one line', async () => {
  expect(await cli(['ask', '/nowhere.png'], { stdin: '' })).toMatchObject({
    code: 1,
    errors: [expect.stringMatching(/nowhere/)],
  });
  expect(await cli(['ask', '-'], { stdin: '' })).toMatchObject({
    code: 2,
    errors: [expect.stringMatching(/expected a file, found -/)],
  });
});
