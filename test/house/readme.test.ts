import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { markdown_text } from '../../experiments/lab/markup.ts';
import { EXPERIMENTS } from '../../src/registry.ts';
import { repo_root } from '../support/golden.ts';

/** A line an experiment, in the order of the list, with its page where there is one. */
const rows = EXPERIMENTS.map(({ name, group, question }) => {
  const page = `docs/experiments/${name}.md`;
  const shown = existsSync(join(repo_root, page)) ? `[\`${name}\`](${page})` : `\`${name}\``;
  return `| ${shown} | ${group} | ${markdown_text(question)} |`;
});

it('README.md has the table of all experiments', () => {
  const lines = readFileSync(join(repo_root, 'README.md'), 'utf8').split('\n');
  const at = lines.indexOf('| experiment | group | asks |');
  const end = lines.findIndex((line, i) => i > at && !line.startsWith('|'));
  expect(lines.slice(at + 2, end), 'paste what is expected here into the table of README.md').toEqual(rows);
});
