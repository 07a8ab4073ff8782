import { describe, expect, it } from 'vitest';
import { run_network, train_network } from '../../experiments/estimator/network.ts';
import { random_numbers } from '../../experiments/lab/random.ts';

const TRAINING = { rounds: 300, rate: 0.02, seed: 1 };

function curve(count: number, seed: number) {
  const random = random_numbers(seed);
  const rows = Array.from({ length: count }, () => [100 * random(), 5 * random()]);
  const targets = rows.map(([a = 0, b = 0]) => [Math.sin(a / 20) * b, 1000 + a]);
  return { rows, targets };
}

const miss = (network: ReturnType<typeof train_network>, { rows, targets }: ReturnType<typeof curve>, of: number) =>
  rows.reduce(
    (sum, row, i) => sum + Math.abs((run_network(network, row)[of] as number) - (targets[i]?.[of] as number)),
    0,
  ) / rows.length;

describe('a small network', () => {
  it('learns a curve and a line at once, and predicts them where it was not shown', () => {
    const network = train_network(curve(80, 1).rows, curve(80, 1).targets, { ...TRAINING, rounds: 800 });
    expect(miss(network, curve(40, 2), 0)).toBeLessThan(0.35);
    expect(miss(network, curve(40, 2), 1)).toBeLessThan(5);
  });

  it('is the same for the same seed, another for another', () => {
    const { rows, targets } = curve(20, 3);
    const one = train_network(rows, targets, TRAINING);
    expect(run_network(train_network(rows, targets, TRAINING), [5, 1])).toEqual(run_network(one, [5, 1]));
    expect(run_network(train_network(rows, targets, { ...TRAINING, seed: 2 }), [5, 1])).not.toEqual(
      run_network(one, [5, 1]),
    );
  });

  it('learns nothing from a target that is not there', () => {
    const { rows, targets } = curve(30, 4);
    const some = targets.map(([a = 0, b = 0], i) => (i % 2 === 0 ? [a, b] : [a, null]));
    const wild = targets.map(([a = 0, b = 0], i) => (i % 2 === 0 ? [a, b] : [a, 1e6]));
    expect(miss(train_network(rows, some, TRAINING), curve(20, 5), 1)).toBeLessThan(30);
    expect(miss(train_network(rows, wild, TRAINING), curve(20, 5), 1)).toBeGreaterThan(1e4);
  });

  it('goes on from where another stopped, in its units', () => {
    const { rows, targets } = curve(60, 6);
    const first = train_network(rows, targets, TRAINING);
    const same = train_network(rows.slice(0, 3), targets.slice(0, 3), { ...TRAINING, rounds: 0, from: first });
    expect(run_network(same, [7, 2])).toEqual(run_network(first, [7, 2]));
    const slower = targets.map(([a = 0, b = 0]) => [a, b + 50]);
    const tuned = train_network(rows.slice(0, 10), slower.slice(0, 10), { ...TRAINING, rate: 0.005, from: first });
    expect(miss(tuned, { rows, targets: slower }, 1)).toBeLessThan(miss(first, { rows, targets: slower }, 1));
    expect(run_network(first, [7, 2])).toEqual(run_network(train_network(rows, targets, TRAINING), [7, 2]));
  });

  it('copes with columns that do not vary, and a single row', () => {
    const network = train_network([[3, 3]], [[5, null]], TRAINING);
    expect(run_network(network, [3, 3]).every(Number.isFinite)).toBe(true);
    expect(run_network(network, [3, 3])[0]).toBeCloseTo(5, 1);
  });
});
