import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import {
  ablations,
  beam_of,
  beam_step,
  halves_agree,
  importance_of,
  least_first,
  once_each,
  pruned,
  removed_of,
  without,
} from '../../experiments/accuracy/importance.ts';
import { read_importance } from '../../experiments/accuracy/importance_file.ts';
import { m5 } from '../../experiments/accuracy/m5.ts';
import { sensitivity } from '../../experiments/accuracy/sensitivity.ts';
import type { Saved } from '../../experiments/lab/define.ts';
import { render } from '../../experiments/lab/figures.ts';
import { PROVENANCE } from '../support/records.ts';
import { type FakeCell, fake_saved } from '../support/scored.ts';

const scratch = mkdtempSync(join(tmpdir(), 'blocks-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const LAYERS = PROVENANCE.model.layers;
/** What each block is worth, and blocks 1 and 2 together far more than each alone. */
const WORTH = Array.from({ length: LAYERS }, (_, block) => (block === 0 ? 0.6 : 0.02 + 0.01 * ((block * 7) % 5)));
const accuracy_without = (gone: readonly number[]): number => {
  const both = gone.includes(1) && gone.includes(2) ? 0.3 : 0;
  return Math.max(0, 1 - both - gone.reduce((sum, block) => sum + (WORTH[block] as number), 0));
};
const cell = (gone: readonly number[]): FakeCell => {
  const { settings, knobs } = without(gone, LAYERS);
  return { settings, knobs, accuracy: accuracy_without(gone), ms: 100 - 5 * gone.length };
};
const answered = (sets: readonly (readonly number[])[], timed = 0): Saved =>
  fake_saved(sets.map(cell), { samples: 120, timed, options: {} });

/** Rounds to the end, as workers go through them. */
function conducted(options: Record<string, unknown>, timed = 0, of = sensitivity): Saved {
  const sets = ablations(LAYERS, true).map((point) => removed_of(point as never));
  for (;;) {
    const saved = { ...answered(sets, timed), options };
    const next = of.next?.(saved, options) ?? [];
    if (next.length === 0) return saved;
    sets.push(...next.map((point) => removed_of(point as never)));
  }
}

describe('the importance of blocks', () => {
  const saved = answered(ablations(LAYERS, true).map((point) => removed_of(point as never)));

  it('is what accuracy loses without each, with an interval that the seed decides', () => {
    const found = importance_of(saved, 42);
    expect(found.map(({ block }) => block)).toEqual(Array.from({ length: LAYERS }, (_, i) => i));
    for (const { block, score, ci95 } of found) {
      expect(score).toBeCloseTo(WORTH[block] as number, 1);
      expect(ci95?.[0]).toBeLessThanOrEqual(score);
      expect(ci95?.[1]).toBeGreaterThanOrEqual(score);
    }
    expect(importance_of(saved, 42)).toEqual(found);
    expect(importance_of(saved, 43).map(({ ci95 }) => ci95)).not.toEqual(found.map(({ ci95 }) => ci95));
    expect(least_first(importance_of(saved, 43))).toEqual(least_first(found));
  });

  it('keeps the first and the last block, whatever they score', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1, max: 1, noNaN: true }), { minLength: 3, maxLength: 24 }), (scores) => {
        const found = scores.map((score, block) => ({ block, score }));
        for (let gone = 0; gone <= scores.length - 2; gone++) {
          const chosen = pruned(found, scores.length, gone);
          expect(new Set(chosen).size).toBe(gone);
          expect(chosen.some((block) => block === 0 || block === scores.length - 1)).toBe(false);
          // Nested: one more block gone is a superset.
          expect(pruned(found, scores.length, gone + 1).slice(0, gone)).toEqual(chosen);
        }
      }),
    );
  });

  it('says how far two halves of the samples agree', () => {
    expect(halves_agree(saved)).toBeGreaterThan(0.5);
    expect(halves_agree(answered([[]]))).toBeNull();
  });

  it('is read from a file of ours or of the study; others are refused in one line', () => {
    const path = join(scratch, 'scores.json');
    writeFileSync(path, '{"0": 0.5, "1": -0.02}');
    expect(read_importance(path)).toEqual([
      { block: 0, score: 0.5 },
      { block: 1, score: -0.02 },
    ]);
    writeFileSync(path, '{"schema": "x", "scores": {"3": 1}}');
    expect(read_importance(path)).toEqual([{ block: 3, score: 1 }]);
    for (const text of ['', '[]', '{"a": 1}', '{"0": "much"}', '{"scores": 3}']) {
      writeFileSync(path, text);
      expect(() => read_importance(path), text).toThrow(/expected JSON of block to score/);
    }
    expect(() => read_importance(join(scratch, 'none.json'))).toThrow(/importance scores of blocks/);
    expect(() => read_importance('/dev/zero')).toThrow(/found a pipe or device/);
    expect(() => sensitivity.check({ importanceScoresFile: path }, new Set())).toThrow(/block to score/);
  });
});

describe('the search', () => {
  it('asks for each set once, and ends', () => {
    const saved = conducted({ beamWidth: 3, maxBlocksToRemove: 3, seed: 1 });
    const names = saved.configurations.map(({ settings }) => settings.removed);
    expect(new Set(names).size).toBe(names.length);
    expect(sensitivity.next?.(saved, { beamWidth: 3, maxBlocksToRemove: 3, seed: 1 })).toEqual([]);
  });

  it('finds at least as good a set as pruning, at every size; and all that there are where it is as wide', () => {
    const saved = conducted({ beamWidth: 2, maxBlocksToRemove: 4, seed: 1 });
    const importance = importance_of(saved, 1);
    for (const size of [1, 2, 3, 4]) {
      const [best = []] = beam_of(saved, size, 1);
      const other = pruned(importance, LAYERS, size);
      expect(accuracy_without(best)).toBeGreaterThanOrEqual(accuracy_without(other) - 1e-9);
    }
    const singles = ablations(LAYERS, true).map((point) => removed_of(point as never));
    const wide = beam_step(answered(singles), { width: LAYERS, most: 2 }, []);
    const pairs = (LAYERS * (LAYERS - 1)) / 2;
    expect(once_each(wide.map((gone) => without(gone, LAYERS)))).toHaveLength(pairs);
  });

  it('takes importance from a file, and then need not ablate first', () => {
    const path = join(scratch, 'given.json');
    writeFileSync(path, JSON.stringify(Object.fromEntries(WORTH.map((worth, block) => [block, worth]))));
    const options = { beamWidth: 1, maxBlocksToRemove: 1, seed: 1, minLayers: LAYERS - 2, importanceScoresFile: path };
    const first = sensitivity.next?.(answered([[]]), options) ?? [];
    expect(first.length).toBeGreaterThan(LAYERS - 1);
    expect(sensitivity.next?.(answered([[], ...first.map((point) => removed_of(point as never))]), options)).toEqual(
      [],
    );
  });
});

describe('what is published', () => {
  it('of sensitivity keeps to its schemas, by the names of the study', async () => {
    const saved = conducted({ beamWidth: 2, maxBlocksToRemove: 2, seed: 42 });
    const { files, figures, findings, tables } = sensitivity.derive(saved);
    for (const [name, schema] of Object.entries(sensitivity.schemas)) schema.parse(files[name]);
    const cells = sensitivity.each?.files(saved) ?? {};
    for (const value of Object.values(cells)) sensitivity.each?.schema.parse(value);
    expect(Object.keys(cells)).toEqual(expect.arrayContaining(['sensitivity_baseline', 'sensitivity_block_3']));
    expect(Object.keys(cells).some((name) => /^beam_search_step1_blocks\d+_removed\d+-\d+$/.test(name))).toBe(true);
    expect(figures.map(({ name }) => name)).toEqual([
      'exp3_sensitivity_layer_importance',
      'exp3_sensitivity_pruning_accuracy',
      'exp3_comparison_sequential_vs_importance',
    ]);
    for (const figure of figures) expect((await render(figure, PROVENANCE)).svg).toContain('<svg');
    expect(findings).toHaveLength(3);
    expect(tables[0]?.rows.length).toBeGreaterThan(LAYERS);
  });

  it('of M5 compares ways to choose on the same samples, answers and times', async () => {
    const options = { numActiveBlocks: [LAYERS - 2], randomSets: 2, seed: 7 };
    const saved = conducted(options, 8, m5);
    const { files, figures, findings } = m5.derive(saved);
    m5.schemas.m5_mask_strategy_comparison?.parse(files.m5_mask_strategy_comparison);
    const { rows } = files.m5_mask_strategy_comparison as {
      rows: { policy: string; time_ratio: { value: number } | null }[];
    };
    expect(rows.map(({ policy }) => policy)).toEqual(['prefix', 'importance', 'random', 'random']);
    expect(rows[1]?.time_ratio?.value).toBeCloseTo(1, 6);
    expect(findings[0]).toMatchObject({ outcome: 'confirmed' });
    for (const figure of figures) expect((await render(figure, PROVENANCE)).svg).toContain('<svg');
    expect(() => m5.plan({ config: { n_layers: LAYERS } } as never, { ...options, numActiveBlocks: [LAYERS] })).toThrow(
      /fewer than all/,
    );
  });
});
