import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { bench_builds } from '../../bench/builds.bench.ts';
import { verdict_of } from '../../bench/target.ts';

const folder = mkdtempSync(join(tmpdir(), 'molmoe-builds-test-'));
afterAll(() => rmSync(folder, { recursive: true }));
const log = join(folder, 'order.txt');

/** A command line that takes so long for E1. */
function build(name: string, cells: Record<string, number[]>, place = ''): string {
  const dist = join(folder, name);
  mkdirSync(dist);
  writeFileSync(join(dist, 'package.json'), '{ "type": "module" }');
  writeFileSync(
    join(dist, 'cli.js'),
    `import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
const [command, ...args] = process.argv.slice(2);
const of = (flag) => args[args.indexOf(flag) + 1];
if (command !== 'e1' || of('--regime') !== 'high' || of('--model') !== 'molmoe-mini') throw new Error(process.argv.join(' '));
appendFileSync(${JSON.stringify(log)}, '${name} ');
const configurations = Object.entries(${JSON.stringify(cells)}).map(([key, totals]) => {
  return { key, samples: totals.map((T_total) => ({ T_total })) };
});
const out = of('--out') + '/${place}';
mkdirSync(out, { recursive: true });
writeFileSync(out + '/e1_stage_latency_breakdown.json', JSON.stringify({ provenance: { commit: '${name}' }, configurations }));`,
  );
  return dist;
}

const bench = { say: () => {}, quick: false, out: '', dtype: 'f16', runs: 2 };
const before = build('before', { high_short_short: [100, 120, 110], high_long_short: [300, 300, 300], gone: [1] });
const now = build('now', { high_short_short: [55, 50, 60], high_long_short: [320, 310, 400] }, 'core/');

it('runs both builds in turn and compares medians of T_total, configuration by configuration', async () => {
  const { rows, targets, before_commit } = await bench_builds({ ...bench, before }, now);
  expect(rows.map(({ key, ratio, now_ms }) => [key, ratio, now_ms.length])).toEqual([
    ['high_short_short', 2, 6],
    ['high_long_short', 300 / 320, 6],
  ]);
  expect(targets.map(verdict_of)).toEqual(['least met', 'MISSED']);
  expect(before_commit).toBe('before');
});

it('says in one line what a build lacks', async () => {
  await expect(bench_builds(bench, now)).rejects.toThrow(/^bench builds: expected --before FOLDER, .*$/);
  await expect(bench_builds({ ...bench, before: join(folder, 'nowhere') }, now)).rejects.toThrow(/found .*nowhere$/);
  const broken = build('broken', {});
  writeFileSync(join(broken, 'cli.js'), "process.stderr.write('error: no such model\\n'); process.exit(1);");
  await expect(bench_builds({ ...bench, before: broken }, now)).rejects.toThrow(/^--before: .*: error: no such model$/);
});
