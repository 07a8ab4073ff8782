import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { compare_fronts } from '../../experiments/analysis/fronts.ts';
import { jaccard, pareto_front, tied_front } from '../../experiments/lab/pareto.ts';
import { golden_test } from '../input/support.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-fronts-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let files = 0;
function written(value: unknown, name = `${files++}.json`): string {
  const path = join(scratch, name);
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
  return path;
}

describe('a front', () => {
  golden_test('stats.json', 'of the reference', (text) => {
    const { pareto } = JSON.parse(text) as {
      pareto: { name: string; points: [number, number][]; strict_frontier: number[] }[];
    };
    for (const { name, points, strict_frontier } of pareto) {
      expect(pareto_front(points.map(([x, y]) => ({ x, y }))), name).toEqual(strict_frontier);
    }
  });

  golden_test('stats.json', 'of the reference, by the rule that keeps ties', (text) => {
    const { pareto } = JSON.parse(text) as {
      pareto: { name: string; points: [number, number][]; sweep_frontier: number[] }[];
    };
    for (const { name, points, sweep_frontier } of pareto) {
      expect(tied_front(points.map(([x, y]) => ({ x, y }))), name).toEqual(sweep_frontier);
    }
  });

  it('shares with another what both have', () => {
    expect([jaccard([1, 2, 3], [2, 3, 4]), jaccard([1], [1]), jaccard([1], []), jaccard([], [])]).toEqual([
      0.5,
      1,
      0,
      null,
    ]);
  });

  it('leaves out what is beaten and nothing else, whatever the order', () => {
    const point = fc.record({ x: fc.nat(8), y: fc.nat(8) });
    fc.assert(
      fc.property(fc.array(point), (points) => {
        const front = new Set(pareto_front(points));
        for (const [i, a] of points.entries()) {
          const beaten = points.some((b) => b.x <= a.x && b.y >= a.y && (b.x < a.x || b.y > a.y));
          expect(front.has(i)).toBe(!beaten);
        }
        const on = (some: typeof points) =>
          pareto_front(some)
            .map((i) => JSON.stringify(some[i]))
            .sort();
        expect(on([...points].reverse())).toEqual(on(points));
      }),
    );
  });
});

const point = (max_crops: number, top_k: number, num_active_blocks: number) => ({
  max_crops,
  top_k,
  num_active_blocks,
});
const times = (mean: number) => ({ P50: mean + 1, P95: mean + 20, P99: mean + 30, mean, std: 2, min: 1, max: 500 });
const GRID = [point(2, 4, 12), point(6, 4, 12), point(10, 4, 12), point(6, 8, 16)] as const;
const [A, B, C, D] = GRID;
const accuracy = (entries: readonly object[]) => ({ summary: entries, all_samples: [], config: {} });
const ACCURACY = accuracy([
  { ...A, accuracy: 0.6, num_samples: 100, std: 0.4 },
  { ...B, accuracy: 0.7, num_samples: 100, std: 0.4 },
  { ...C, accuracy: 0.7, num_samples: 100, std: 0.4 },
  { ...D, accuracy: 0.8, num_samples: 100, std: 0.4 },
]);
const timed = (at: object, total: number, prefill: number | null, decode: number) => ({
  ...at,
  latency_total_ms: times(total),
  latency_prefill_ms: prefill === null ? null : times(prefill),
  latency_decode_ms: times(decode),
});
const LATENCY = {
  summary: [timed(D, 400, 100, 50), timed(C, 330, 90, 20), timed(B, 300, 80, 30), timed(A, 310, 70, 20)],
};

describe('fronts of the combined knobs', () => {
  it('are those of total, prefill and decode, joined on the three knobs', async () => {
    const found = await compare_fronts(written(ACCURACY), written(LATENCY), 'mean');
    expect(found.rows.map(({ max_crops, ms, on_front }) => [max_crops, ms.total, Object.values(on_front)])).toEqual([
      [2, 310, [false, true, false]],
      [6, 300, [true, true, false]],
      [6, 400, [true, true, true]],
      [10, 330, [false, false, true]],
    ]);
    expect(found).toMatchObject({
      metric: 'mean',
      accuracy_only: [],
      latency_only: [],
      on: { all_three: 1, two: 1, one: 2, none: 0 },
    });
    const slow = await compare_fronts(written(ACCURACY), written(LATENCY), 'P95');
    expect(slow.rows[0]?.ms).toEqual({ total: 330, prefill: 90, decode: 40 });
  });

  it('come from folders too: the final file, else a file a configuration and none of single ranks', async () => {
    const folder = join(scratch, 'final');
    mkdirSync(folder);
    writeFileSync(join(folder, 'exp5_accuracy_results.json'), JSON.stringify(ACCURACY));
    const parts = join(scratch, 'parts');
    mkdirSync(parts);
    for (const [i, { max_crops, top_k, num_active_blocks }] of GRID.entries()) {
      const name = `exp5_accuracy_results_crops${max_crops}_topk${top_k}_blocks${num_active_blocks}`;
      writeFileSync(join(parts, `${name}.json`), JSON.stringify(accuracy([ACCURACY.summary[i] as object])));
      writeFileSync(join(parts, `${name}_rank0.json`), JSON.stringify(accuracy([])));
    }
    const times_at = join(scratch, 'latency');
    mkdirSync(times_at);
    writeFileSync(join(times_at, 'exp6_latency_results.json'), JSON.stringify(LATENCY));
    expect(await compare_fronts(folder, times_at, 'mean')).toEqual(await compare_fronts(parts, times_at, 'mean'));
  });

  it('say what only one file has, and what has no time', async () => {
    const latency = { summary: [timed(A, 300, null, 20), timed(B, 310, null, 30), timed(point(1, 1, 8), 1, 1, 1)] };
    const found = await compare_fronts(written(ACCURACY), written(latency), 'mean');
    expect(found.accuracy_only).toEqual(['10 crops, top-k 4, 12 blocks', '6 crops, top-k 8, 16 blocks']);
    expect(found.latency_only).toEqual(['1 crops, top-k 1, 8 blocks']);
    expect(found.rows.map(({ on_front }) => on_front.prefill)).toEqual([null, null]);
  });

  it.each([
    [
      'another experiment',
      { summary: [{ top_k: 1, P50: 2 }] },
      /summary\[0\]: max_crops: expected number, found nothing; is it another experiment's file/,
    ],
    ['no summary', { results: [] }, /expected a list summary, found nothing/],
    ['nothing in it', { summary: [] }, /expected configurations in its summary, found none/],
    ['cut', '{"summary": [', /expected JSON, found JSON that is cut off/],
    [
      'twice',
      { summary: [LATENCY.summary[0], LATENCY.summary[0]] },
      /summary\[1\]: expected each configuration once, found 6 crops, top-k 8/,
    ],
    [
      'another grid',
      { summary: [timed(point(1, 1, 8), 1, 1, 1)] },
      /expected configurations of .*, found none of its 4; take both of one grid/,
    ],
    ['no number', '{"summary": [{"max_crops": 1e999}]}', /max_crops/],
  ])('refuse a latency file that is %s', async (_what, latency, message) => {
    const found = compare_fronts(written(ACCURACY), written(latency), 'mean');
    await expect(found).rejects.toThrow(InputError);
    await expect(found).rejects.toThrow(message);
  });

  it('refuse a place with nothing of theirs', async () => {
    const empty = join(scratch, 'empty');
    mkdirSync(empty);
    await expect(compare_fronts(empty, written(LATENCY), 'mean')).rejects.toThrow(
      /expected exp5_accuracy_results.json or .*found neither/,
    );
    await expect(compare_fronts(join(scratch, 'none'), written(LATENCY), 'mean')).rejects.toThrow(InputError);
  });
});
