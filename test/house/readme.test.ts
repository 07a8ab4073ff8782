import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { markdown_text } from '../../experiments/lab/markup.ts';
import { EXPERIMENTS } from '../../src/registry.ts';
import { repo_root } from '../support/golden.ts';

const HEAD = '| experiment | group | asks |';

/** A line an experiment, in the order of the list, with its page where there is one. */
const rows = EXPERIMENTS.map(({ name, group, question }) => {
  const page = `docs/experiments/${name}.md`;
  const shown = existsSync(join(repo_root, page)) ? `[\`${name}\`](${page})` : `\`${name}\``;
  return `| ${shown} | ${group} | ${markdown_text(question)} |`;
});

it('README.md has the table of all experiments', async () => {
  const path = join(repo_root, 'README.md');
  const lines = readFileSync(path, 'utf8').split('\n');
  const at = lines.indexOf(HEAD);
  const end = lines.findIndex((line, i) => i > at && !line.startsWith('|'));
  expect(at).toBeGreaterThan(0);
  const wanted = [...lines.slice(0, at + 2), ...rows, ...lines.slice(end)].join('\n');
  const remedy = 'to write it anew: npx vitest run test/house/readme.test.ts --update';
  await expect(wanted, remedy).toMatchFileSnapshot(path);
});
