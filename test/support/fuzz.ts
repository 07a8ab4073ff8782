import { describe, expect, it } from 'vitest';
import type { Buffer } from '../../engine/gpu/buffers.ts';
import type { Executor } from '../../engine/gpu/executor.ts';
import { round_up, type Variant } from '../../kernels/spec.ts';
import {
  type Data,
  framed,
  type KernelCase,
  type Numbers,
  plain_weights,
  range,
  type Want,
} from '../reference/cases/case.ts';
import { quantise } from '../reference/quantise.ts';
import { uniform } from '../reference/sample.ts';
import { noise, TAG, test_executor, upload } from './gpu.ts';
import { type Guard, guard } from './guarded.ts';

/** Shapes an operation and variant is tried on, all different. */
export const SHAPES = 200;
/** Another number tries other shapes. */
const BASE_SEED = Number(process.env.MOLMOE_FUZZ_SEED ?? 1);
const MOST_LINES = 5;

/** Random choices that a seed repeats, and the numbers of a case; all of its results are looked at. */
export interface Draw extends Numbers {
  /** low .. high, small numbers more often, and the two ends more often than their neighbours. */
  readonly whole: (low: number, high: number) => number;
  /** `least` and up to three fours more: what a stride or a column can be where kernels work in fours. */
  readonly fours: (least: number) => number;
  readonly pick: <T>(list: readonly T[]) => T;
  readonly maybe: () => boolean;
  readonly noise: (count: number) => Float32Array;
}

export function make_draw(seed: number): Draw {
  let step = 0;
  const next = () => uniform(seed, step++);
  const pick: Draw['pick'] = (list) => list[Math.floor(next() * list.length)] as (typeof list)[number];
  const whole: Draw['whole'] = (low, high) => {
    const part = next();
    if (part < 0.1) return low;
    if (part > 0.95) return high;
    return low - 1 + Math.floor((high - low + 2) ** next()); // 1 .. span + 1, each half as likely as half of it
  };
  const draw = { whole, fours: (least: number) => least + 4 * whole(0, 3), pick, maybe: () => next() < 0.5 };
  return with_noise(draw, (count) => noise(count, 1 + Math.floor(next() * 2 ** 30)));
}

/** The same choices with other numbers. */
export function with_noise(draw: Omit<Draw, 'noise' | keyof Numbers>, noise: Draw['noise']): Draw {
  const given: Draw['given'] = (matrix, cols, format) => {
    if (format !== 'q8' && format !== 'q4') return plain_weights(matrix, cols, format);
    const { words, values } = quantise(matrix, matrix.length / cols, cols, format);
    return { data: () => words, at: (row, col) => values[row * cols + col] as number };
  };
  return {
    ...draw,
    noise,
    values: (count, scale = 1) => noise(count).map((x) => scale * x),
    given,
    weights: (rows, cols, format, parts = 1) => {
      const wide = round_up(cols, 8);
      const matrix = new Float32Array(rows * parts * wide);
      for (let part = 0; part < parts; part++) {
        framed(noise(rows * cols), { rows, cols, stride: parts * wide, col0: part * wide }, matrix);
      }
      const { data, at } = given(matrix, parts * wide, format);
      return { data, at: (row, col, part) => at(row, part * wide + col, 0) };
    },
    some: range,
  };
}

export interface FuzzOp {
  readonly name: string;
  readonly kernels: readonly {
    readonly name: string;
    readonly variants: readonly Pick<Variant, 'name' | 'matrix'>[];
  }[];
  readonly make: (draw: Draw, variant: Variant['name']) => KernelCase;
  /** Largest difference; 0 where it is not given. */
  readonly tolerance?: number;
}

const hash = (name: string): number => [...name].reduce((h, c) => (Math.imul(h, 31) + c.charCodeAt(0)) >>> 0, 7);

interface Tried {
  readonly seed: number;
  readonly made: KernelCase;
}

/** The first different shapes that the seeds lead to. */
function shapes(op: FuzzOp, variant: Variant['name'], count: number): Tried[] {
  const seen = new Set<string>();
  const tried: Tried[] = [];
  for (let seed = hash(`${op.name} ${BASE_SEED}`); tried.length < count; seed++) {
    const made = op.make(make_draw(seed >>> 0), variant);
    const shape = JSON.stringify(made.launches.map(({ kernel, params, options }) => [kernel.name, params, options]));
    if (seen.has(shape)) continue;
    seen.add(shape);
    tried.push({ seed: seed >>> 0, made });
  }
  return tried;
}

/** Runs all shapes, reads everything back at once, and describes each that is wrong in one line. */
export async function faults_of(e: Executor, op: FuzzOp, variant: Variant['name'], count = SHAPES): Promise<string[]> {
  const tried = shapes(op, variant, count).map(({ seed, made }) => {
    const { buffers, want } = made.open();
    return { seed, made, buffers, want: want() };
  });
  const uploaded = tried.map(({ buffers }) =>
    Object.fromEntries(Object.entries(buffers).map(([name, data]) => [name, upload(e, data, name)])),
  );
  for (const [i, { made }] of tried.entries()) {
    for (const { kernel, params, options, bind } of made.launches) {
      const bound = Object.fromEntries(
        kernel.bindings.map(({ name }) => [name, uploaded[i]?.[bind[name] ?? name]] as const),
      );
      e.dispatch(kernel, bound, params, options, TAG);
    }
  }
  const outputs = tried.flatMap(({ want, ...of }, i) =>
    want.map((one) => ({ ...of, want: one, from: uploaded[i]?.[one.buffer] as Buffer })),
  );
  const results = e.buffers.create(
    'results',
    outputs.reduce((sum, { from }) => sum + from.bytes, 0),
    'activations',
  );
  let end = 0;
  const offsets = outputs.map(({ from }) => {
    const at = end;
    e.copy(from, 0, results, at, from.bytes);
    end += from.bytes;
    return at;
  });
  const all = await e.read(results, 0, end);
  e.buffers.destroy(results, ...uploaded.flatMap((buffers) => Object.values(buffers)));
  return outputs.flatMap(({ seed, made, buffers, want }, n) => {
    const data = buffers[want.buffer] as Data;
    const Type = data.constructor as Uint32ArrayConstructor;
    const got = new Type(all, offsets[n] as number, data.length);
    const wrong = first_difference(got, want, op.tolerance ?? 0);
    if (wrong === undefined) return [];
    const what = made.launches.map(
      ({ kernel, options, params }) => `${kernel.name} ${JSON.stringify({ ...options, ...params })}`,
    );
    return [`${op.name} ${variant}, seed ${seed}: ${want.buffer}${wrong}; ${what.join('; ')}`];
  });
}

/** Everything is looked at: a reference that tells of some places only is a fault of the test. */
function first_difference(got: ArrayLike<number>, { at, values }: Want, tolerance: number): string | undefined {
  if (at !== undefined || got.length !== values.length) {
    return ` has ${got.length} values, the reference ${values.length}`;
  }
  const right = (x: number, y: number) => Number.isNaN(y) || x === y || Math.abs(x - y) <= tolerance;
  const wrong = range(got.length).filter((i) => !right(got[i] as number, values[i] as number));
  const [first] = wrong;
  if (first === undefined) return undefined;
  return `[${first}] expected ${values[first]}, found ${got[first]} (${wrong.length} of ${got.length} differ by more than ${tolerance})`;
}

/** Variants that differ from each other; those for matrix units have a test of their own, which emulates the units. */
const variant_names = ({ kernels }: FuzzOp): Variant['name'][] => {
  const several = kernels.filter((kernel) => kernel.variants.length > 1);
  const variants = (several.length > 0 ? several : kernels).flatMap((kernel) => kernel.variants);
  return [...new Set(variants.flatMap((v) => (v.matrix ? [] : [v.name])))];
};

/** Every variant of every operation against the reference, on buffers between guard zones. */
export function fuzz_tests(
  title: string,
  ops: readonly FuzzOp[],
  executor: (variant: Variant['name']) => Promise<Executor> = test_executor,
  count = SHAPES,
): void {
  describe(`${title}, ${count} shapes each`, async () => {
    const opened = new Map<string, { e: Executor; zones: Guard }>();
    for (const variant of new Set(ops.flatMap(variant_names))) {
      const e = await executor(variant);
      opened.set(variant, { e, zones: guard(e, 'nan') });
    }
    for (const op of ops) {
      for (const variant of variant_names(op)) {
        it(`${op.name} ${variant}`, async () => {
          const { e, zones } = opened.get(variant) as { e: Executor; zones: Guard };
          const faults = await faults_of(e, op, variant, count);
          expect([...faults.slice(0, MOST_LINES), ...(await zones.check())]).toEqual([]);
        });
      }
    }
  });
}
