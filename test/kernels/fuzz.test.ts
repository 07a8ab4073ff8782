import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Kernel, round_up } from '../../kernels/spec.ts';
import { swiglu } from '../../kernels/swiglu/swiglu.ts';
import { type KernelCase, launch } from '../reference/cases/case.ts';
import { type FuzzOp, faults_of, SHAPES } from '../support/fuzz.ts';
import { FUZZ_OPS } from '../support/fuzz_ops.ts';
import { repo_root } from '../support/golden.ts';
import { test_executor } from '../support/gpu.ts';

const folder = join(repo_root, 'kernels');
const modules = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'common')
  .filter((entry) => !entry.name.startsWith('probe_')) // they measure a device and compute nothing of the model
  .map((entry) => import(`../../kernels/${entry.name}/${entry.name}.ts`));

it('every kernel of the model is fuzzed', async () => {
  const exported = (await Promise.all(modules)).flatMap((module) => Object.values(module));
  const is_kernel = (x: unknown): x is Kernel => typeof x === 'object' && x !== null && 'variants' in x;
  const kernels = exported.filter(is_kernel);
  const fuzzed = new Set(FUZZ_OPS.flatMap((op) => op.kernels.map((kernel) => kernel.name)));
  expect([...fuzzed].sort()).toEqual(kernels.map((kernel) => kernel.name).sort());
});

describe('the fuzz itself', async () => {
  const e = await test_executor();
  const op = FUZZ_OPS.find(({ name }) => name === 'swiglu') as FuzzOp;
  const spoiled = (spoil: (made: KernelCase) => KernelCase): FuzzOp => ({
    ...op,
    make: (...by) => spoil(op.make(...by)),
  });
  const rows_of = (made: KernelCase) => made.launches[0]?.params.rows as number;

  it('finds nothing where nothing is wrong, whatever it is run on', async () => {
    expect(await faults_of(e, op, 'simple')).toEqual([]);
  });

  it('names seed, operation, variant and parameters of one wrong value in one shape', async () => {
    let spoilt = 0;
    const wrong = spoiled((made) => {
      if (rows_of(made) < 3 || spoilt++ > 0) return made;
      const open: KernelCase['open'] = () => {
        const { buffers, want } = made.open();
        const off_by_little = (values: ArrayLike<number>) => Array.from(values, (x, i) => (i === 1 ? x + 1e-4 : x));
        return { buffers, want: () => want().map((one) => ({ ...one, values: off_by_little(one.values) })) };
      };
      return { ...made, open };
    });
    const faults = await faults_of(e, wrong, 'simple');
    expect(faults.length).toBe(1);
    expect(faults[0]).toMatch(
      /^swiglu simple, seed \d+: h\[1\] expected \S+, found \S+ \(1 of \d+ .*\); swiglu \{"rows":\d+,"hidden":/,
    );
  });

  it('finds a row too many, a row too few and padding that is read, in nearly every shape', async () => {
    const with_params = (change: (p: Record<string, number>) => Record<string, number>) =>
      spoiled((made) => ({
        ...made,
        launches: made.launches.map(({ params }) => launch(swiglu as Kernel, { ...params, ...change(params) })),
      }));
    const rows = (by: 1 | -1) => with_params((p) => ({ rows: Math.max(1, (p.rows as number) + by) }));
    const beyond = with_params((p) => ({ hidden: round_up(p.hidden as number, 4) + 1 }));
    for (const wrong of [rows(1), rows(-1), beyond]) {
      expect((await faults_of(e, wrong, 'simple')).length).toBeGreaterThan(0.6 * SHAPES);
    }
  });
});
