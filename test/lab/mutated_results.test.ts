import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { e1 } from '../../experiments/core/e1.ts';
import { compare_results } from '../../experiments/lab/compare.ts';
import { read_results, type SavedResults } from '../../experiments/lab/read.ts';
import type { Configuration, Run } from '../../experiments/lab/schema.ts';
import { written } from '../../experiments/lab/tables.ts';
import { upgraded } from '../../experiments/lab/upgrade.ts';
import { comparison_lines } from '../../src/commands/compare.ts';
import { repo_root } from '../support/golden.ts';

/**
 * Measured results with one thing changed, as a slip, a bad disk or somebody unkind would: they end in a clean result
 * or in one line, never in an internal error, and no output holds a NaN or an infinity.
 */
const measured = join(repo_root, 'test/fixtures/results/e1');
const key = 'low_short_short';
const texts = {
  run: readFileSync(join(measured, 'run.json'), 'utf8'),
  configuration: readFileSync(join(measured, `configurations/${key}.json`), 'utf8'),
};
/** The same as measured on a slice of a larger model, in today's format. */
function on_a_slice(): string {
  const measured_cell = upgraded(JSON.parse(texts.configuration)) as Configuration;
  const { clean, counters, flops, instrumented, tokens } = measured_cell;
  const scaled: Configuration['scaled'] = {
    model: 'molmoe-1b',
    from: 'molmoe-slice',
    method: 'times the blocks',
    blocks: { language: [2, 16], vision: [3, 23] },
    stages: { prefill: { factor: 7.5 } },
    samples: clean.samples,
    parts: instrumented?.runs[0]?.parts ?? [],
    counters,
    flops,
  };
  const memory = { weights: 1e8, kv: 1e6, activations: 1e6, tables: 1e4, staging: 1e6, total: 1e8 };
  const request = { id: 'only', prompt: 'What?', image: null, tokens, counters, flops };
  return JSON.stringify({ ...measured_cell, scaled, memory, requests: [request, { ...request, id: 'other' }] });
}

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-mutated-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
mkdirSync(join(scratch, 'configurations'));

/** undefined where it ended in one line. */
async function results_of(run: string, configuration: string): Promise<SavedResults | undefined> {
  writeFileSync(join(scratch, 'run.json'), run);
  writeFileSync(join(scratch, `configurations/${key}.json`), configuration);
  try {
    return await read_results(scratch);
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    expect(error.message).toMatch(/^[^\p{Cc}]{1,800}$/u);
    return undefined;
  }
}

/** All that is made of results: comparison, published files, tables, findings, charts. */
function outputs_of(results: SavedResults, original: SavedResults): unknown[] {
  const { configurations } = results;
  const there = compare_results(original, results);
  const back = compare_results(results, original);
  const derived = e1.derive({ run: results.run as Run, configurations, skipped: [] });
  for (const [file, schema] of Object.entries(e1.schemas)) {
    expect(schema.safeParse(derived.files[file]).error?.issues[0], file).toBeUndefined();
  }
  const paths = { a: 'a', b: 'b' };
  const lines = [...comparison_lines(there, paths), ...comparison_lines(back, paths)];
  const cells = derived.tables.flatMap(({ columns, rows }) =>
    rows.flatMap((row) => row.map((value, i) => written(value, columns[i] as (typeof columns)[number]))),
  );
  return [there, back, derived, lines, cells];
}

/** Where a value that is no number, or a word that stands for one, lies. */
function nonsense(value: unknown, path = ''): string[] {
  if (typeof value === 'number') return Number.isFinite(value) ? [] : [`${path}: ${value}`];
  if (typeof value === 'string') return /\b(NaN|Infinity|undefined)\b/.test(value) ? [`${path}: ${value}`] : [];
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([name, inner]) => nonsense(inner, `${path}.${name}`));
}

/** Stand-ins for what JSON.stringify cannot write. */
const RAW: Readonly<Record<string, string>> = {
  '<beyond>': '1e999',
  '<deep>': `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
  '<deep object>': `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`,
  '<lone>': '"\\ud800"',
  '<proto>': '{"__proto__": {"toString": 1}}',
};
const as_text = (value: unknown): string =>
  Object.entries(RAW).reduce((text, [mark, raw]) => text.replaceAll(JSON.stringify(mark), raw), JSON.stringify(value));

const VALUES: readonly unknown[] = [
  ...[0, -1, 1, 0.5, 3, 1e308, -1e308, 1e30, 1e20, 1e12, 2 ** 53, 1e-300, 5e-324, 1e-12, null, true, '', 'x\x1b[2J\n'],
  ...['2026-01-01T00:00:00.000Z', [], {}, [[]], [1e308], { a: { b: { c: { d: { e: 1 } } } } }, ...Object.keys(RAW)],
];

type Change = 'put' | 'drop' | 'double' | 'empty' | 'add';
interface Mutation {
  readonly way: readonly number[];
  readonly change: Change;
  readonly value: unknown;
}
const mutation: fc.Arbitrary<Mutation> = fc.record({
  way: fc.array(fc.nat(10_000), { minLength: 1, maxLength: 9 }),
  change: fc.constantFrom<Change>('put', 'put', 'put', 'drop', 'double', 'empty', 'add'),
  value: fc.constantFrom(...VALUES),
});

/** Goes down by the numbers of the way, as deep as there is something, and changes what it finds. */
function mutated(text: string, { way, change, value }: Mutation): string {
  const root = { whole: JSON.parse(text) };
  let parent: Record<string, unknown> = root;
  let name = 'whole';
  for (const step of way) {
    const inner = parent[name];
    if (inner === null || typeof inner !== 'object' || Object.keys(inner).length === 0) break;
    parent = inner as Record<string, unknown>;
    const names = Object.keys(inner);
    name = names[step % names.length] as string;
  }
  const old = parent[name];
  if (change === 'put') parent[name] = value;
  else if (change === 'drop') Array.isArray(parent) ? parent.splice(Number(name), 1) : delete parent[name];
  else if (change === 'double') parent[name] = Array.isArray(old) ? [...old, ...old] : [old, old];
  else if (change === 'empty') parent[name] = Array.isArray(old) ? [] : {};
  else if (old !== null && typeof old === 'object') Object.assign(old, { added: value });
  return as_text(root.whole);
}

describe('one thing changed', () => {
  const original = results_of(texts.run, texts.configuration);
  const slice = on_a_slice();

  it('nothing changed: all is there', async () => {
    const results = (await original) as SavedResults;
    expect(results.configurations).toHaveLength(1);
    expect(nonsense(outputs_of(results, results))).toEqual([]);
    const sliced = (await results_of(texts.run, slice)) as SavedResults;
    expect(sliced.configurations[0]?.scaled).not.toBeNull();
    expect(nonsense(outputs_of(sliced, results))).toEqual([]);
  });

  it.each(['configuration', 'slice', 'run'] as const)('in the %s: a clean result or one line', async (which) => {
    let [clean, refused] = [0, 0];
    await fc.assert(
      fc.asyncProperty(mutation, async (one) => {
        const text = mutated(which === 'slice' ? slice : texts[which], one);
        const results = await results_of(...in_order(which, text));
        if (results === undefined) {
          refused += 1;
          return;
        }
        clean += 1;
        expect(nonsense(outputs_of(results, (await original) as SavedResults))).toEqual([]);
      }),
      { numRuns: 120, seed: 7 },
    );
    expect(Math.min(clean, refused)).toBeGreaterThan(10);
  });

  const in_order = (which: 'run' | 'slice' | 'configuration', text: string): [string, string] =>
    which === 'run' ? [text, texts.configuration] : [texts.run, text];
});

/** What was seen to go wrong, so that chance need not find it again. */
describe('nonsense that fits the types', () => {
  const changed = async (change: (configuration: Shape) => void) => {
    const configuration = JSON.parse(texts.configuration);
    change(configuration);
    writeFileSync(join(scratch, 'run.json'), texts.run);
    writeFileSync(join(scratch, `configurations/${key}.json`), as_text(configuration));
    return read_results(scratch);
  };
  interface Shape {
    clean: { samples: Record<string, unknown>[] };
    counters: Record<string, Record<string, unknown>>;
    instrumented: { runs: unknown[]; strip: { rows: unknown[][] } };
    settings: object;
  }
  const first = ({ clean }: Shape) => clean.samples[0] as Record<string, unknown>;

  it.each<[what: string, change: (one: Shape) => void, message: RegExp]>([
    ['a negative time', (one) => Object.assign(first(one), { T_total: -1 }), /clean\.samples\[0\]\.T_total: /],
    ['a time of ages', (one) => Object.assign(first(one), { T_LLM_prefill: 1e308 }), /T_LLM_prefill: /],
    [
      'a time below any clock',
      (one) => Object.assign(first(one), { T_LLM_prefill: 1e-300 }),
      /expected 0 or at least 1e-9/,
    ],
    ['an infinite time', (one) => Object.assign(first(one), { T_total: '<beyond>' }), /T_total: /],
    ['no runs', (one) => Object.assign(one.clean, { samples: [] }), /clean\.samples: expected runs/],
    [
      'runs in which nothing ran',
      (one) => {
        for (const sample of one.clean.samples) {
          Object.assign(sample, { T_vision_encoder: null, T_projector: null, T_LLM_prefill: null, T_LLM_decode: null });
        }
      },
      /clean\.samples: expected runs, in each a stage that ran/,
    ],
    [
      'bytes beyond any memory',
      (one) => Object.assign(one.counters.prefill ?? {}, { read_bytes: 1e308 }),
      /read_bytes: /,
    ],
    [
      'launches beyond number',
      (one) => Object.assign(one.counters.prefill ?? {}, { dispatches: 2 ** 53 - 1 }),
      /dispatches: /,
    ],
    [
      'a strip of a stage that is none',
      (one) => one.instrumented.strip.rows.push([9, 0, 0, 0, 1]),
      /strip\.rows\[\d+\]/,
    ],
    ['instruments without a run', (one) => Object.assign(one.instrumented, { runs: [] }), /instrumented\.runs: /],
  ])('%s is one line', async (_, change, message) => {
    const error = await changed(change).catch((reason) => reason);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/; delete that file, and only it is measured again$/);
  });

  it.each(['<deep>', '<deep object>'])('knobs nested without end (%s) are one line', async (deep) => {
    const run = JSON.parse(texts.run);
    run.fingerprint.knobs = { topK: deep };
    writeFileSync(join(scratch, 'run.json'), as_text(run));
    const error = await read_results(scratch).catch((reason) => reason);
    expect(error).toBeInstanceOf(InputError);
    expect(error.message).toMatch(/fingerprint\.knobs\.topK: expected values of JSON, at most 4 deep/);
  });
});
