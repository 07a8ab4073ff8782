import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { in_flags } from '../../src/commands/flags.ts';
import { repo_root } from '../support/golden.ts';

it('engine and kernels name options by their own names: only the command line has flags', () => {
  const named = ['engine', 'kernels'].flatMap((room) =>
    readdirSync(join(repo_root, room), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) =>
        readFileSync(join(repo_root, room, name), 'utf8')
          .split('\n')
          .filter((line) => !/^\s*(\/\/|\/?\*)/.test(line) && /(?<![\w-])--[a-z][a-z-]+/.test(line))
          .map((line) => `${room}/${name}: ${line.trim()}`),
      ),
  );
  expect(named).toEqual([]);
});

it('the command line says the flag where the engine says the option', () => {
  const said: [string, string][] = [
    ['maxCrops: expected a whole number, found 0', '--max-crops: expected a whole number, found 0'],
    ['sampling.topK: expected 1, found x: y', '--sample-top-k: expected 1, found x: y'],
    ['knobs.topK: expected 1', '--top-k: expected 1'],
    [
      'maxCrops, crops, tier: expected one, found crops and tier',
      '--max-crops, --crops, --tier: expected one, found --crops and --tier',
    ],
    ['a/b.json: expected JSON: found none', 'a/b.json: expected JSON: found none'],
    ['no colon here', 'no colon here'],
  ];
  for (const [engine, flags] of said) expect(in_flags(engine, true)).toBe(flags);
  const input = 'model: x cannot be stored; use dtype bf16 or f32, or a smaller dtype';
  expect(in_flags(input, false)).toBe('model: x cannot be stored; use --dtype bf16 or f32, or a smaller dtype');
});
