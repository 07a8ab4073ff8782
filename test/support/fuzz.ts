import { describe, expect, it } from 'vitest';
import type { Buffer } from '../../engine/gpu/buffers.ts';
import type { Executor } from '../../engine/gpu/executor.ts';
import { decode, encode } from '../../engine/weights/half.ts';
import type { StoredDtype } from '../../engine/weights/source.ts';
import {
  bytes_per_weight,
  FORMATS,
  type Kernel,
  type Options,
  type Params,
  round_up,
  type Variant,
  type WeightFormat,
} from '../../kernels/spec.ts';
import { quantise } from '../reference/quantise.ts';
import { uniform } from '../reference/sample.ts';
import { noise, TAG, test_executor, upload } from './gpu.ts';
import { type Guard, guard } from './guarded.ts';
import type { PlainFormat } from './weights.ts';

/** Shapes an operation and variant is tried on, all different. */
export const SHAPES = 200;
/** Another number tries other shapes. */
const BASE_SEED = Number(process.env.MOLMOE_FUZZ_SEED ?? 1);
const MOST_LINES = 5;

/** Random choices that a seed repeats. */
export interface Draw {
  /** low .. high, small numbers more often, and the two ends more often than their neighbours. */
  readonly whole: (low: number, high: number) => number;
  readonly pick: <T>(list: readonly T[]) => T;
  readonly maybe: () => boolean;
  readonly noise: (count: number) => Float32Array;
}

export function make_draw(seed: number): Draw {
  let step = 0;
  const next = () => uniform(seed, step++);
  const pick: Draw['pick'] = (list) => list[Math.floor(next() * list.length)] as (typeof list)[number];
  return {
    whole: (low, high) => {
      const part = next();
      if (part < 0.1) return low;
      if (part > 0.95) return high;
      return low - 1 + Math.floor((high - low + 2) ** next()); // 1 .. span + 1, each half as likely as half of it
    },
    pick,
    maybe: () => next() < 0.5,
    noise: (count) => noise(count, 1 + Math.floor(next() * 2 ** 30)),
  };
}

export type Data = Float32Array | Uint32Array | Int32Array;

export interface Launch {
  readonly kernel: Kernel;
  readonly params: Params;
  readonly options: Options;
  /** Bindings that take a buffer of another name. */
  readonly bind: Readonly<Record<string, string>>;
}

export function launch<P extends string>(
  kernel: Kernel<P>,
  params: Params<P>,
  options: Options = {},
  bind: Launch['bind'] = {},
): Launch {
  return { kernel: kernel as Kernel, params, options, bind };
}

/** One shape: what the buffers hold before the launches, and what some of them must hold, from end to end, after. */
export interface FuzzCase {
  readonly launches: readonly Launch[];
  readonly buffers: Readonly<Record<string, Data>>;
  /** NaN: any value is right. */
  readonly want: Readonly<Record<string, ArrayLike<number>>>;
  /** Largest difference; 0 where it is not given. */
  readonly tolerance?: number;
}

export interface FuzzOp {
  readonly name: string;
  readonly kernels: readonly {
    readonly name: string;
    readonly variants: readonly Pick<Variant, 'name' | 'matrix'>[];
  }[];
  readonly make: (draw: Draw, variant: Variant['name']) => FuzzCase;
}

/** Rows of a matrix inside a buffer. */
export interface Frame {
  readonly rows: number;
  readonly cols: number;
  readonly stride: number;
  readonly row0?: number;
  readonly col0?: number;
}

const place = ({ cols, stride, row0 = 0, col0 = 0 }: Frame, i: number): number =>
  (row0 + Math.floor(i / cols)) * stride + col0 + (i % cols);

export const frame_length = ({ rows, stride, row0 = 0 }: Frame): number => (row0 + rows) * stride;

/** Puts the frame's rows into a buffer of NaN, so that reading around them shows. */
export function framed(values: ArrayLike<number>, frame: Frame): Float32Array {
  const out = new Float32Array(frame_length(frame)).fill(Number.NaN);
  for (let i = 0; i < frame.rows * frame.cols; i++) out[place(frame, i)] = values[i] as number;
  return out;
}

/** The buffer with other values in the frame. */
export function replaced(
  before: ArrayLike<number>,
  values: ArrayLike<number> | number,
  frame: Frame,
): Float64Array<ArrayBuffer> {
  const out = Float64Array.from(before);
  for (let i = 0; i < frame.rows * frame.cols; i++) {
    out[place(frame, i)] = typeof values === 'number' ? values : (values[i] as number);
  }
  return out;
}

/** The frame's values, row after row. */
export function inside(data: ArrayLike<number>, frame: Frame): Float32Array {
  return Float32Array.from({ length: frame.rows * frame.cols }, (_, i) => data[place(frame, i)] as number);
}

/** A matrix [k][cols] as a storage format holds it. */
export function stored(matrix: Float32Array, k: number, cols: number, format: WeightFormat): Float32Array {
  if (format === 'q8' || format === 'q4') return quantise(matrix, k, cols, format).values;
  return rounded(matrix, format);
}

export function rounded(values: Float32Array, format: PlainFormat): Float32Array {
  const dtype = format.toUpperCase() as StoredDtype;
  const bytes = new Uint8Array(values.length * bytes_per_weight(FORMATS[format]));
  encode(values, dtype, bytes);
  return decode(bytes, dtype);
}

/** [k][cols] with columns padded to eights by zeros, in the storage format: packed_words for whole arrays at once. */
export function packed(matrix: ArrayLike<number>, k: number, cols: number, format: WeightFormat): Uint32Array {
  if (format === 'q8' || format === 'q4') return quantise(matrix, k, cols, format).words;
  const wide = round_up(cols, 8);
  const padded = new Float32Array(replaced(new Float32Array(k * wide), matrix, { rows: k, cols, stride: wide }));
  const bytes = new Uint8Array(padded.length * bytes_per_weight(FORMATS[format]));
  encode(padded, format.toUpperCase() as StoredDtype, bytes);
  return new Uint32Array(bytes.buffer);
}

const hash = (name: string): number => [...name].reduce((h, c) => (Math.imul(h, 31) + c.charCodeAt(0)) >>> 0, 7);

interface Tried {
  readonly seed: number;
  readonly made: FuzzCase;
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
  const tried = shapes(op, variant, count);
  const uploaded = tried.map(({ made }) =>
    Object.fromEntries(Object.entries(made.buffers).map(([name, data]) => [name, upload(e, data, name)])),
  );
  for (const [i, { made }] of tried.entries()) {
    for (const { kernel, params, options, bind } of made.launches) {
      const bound = Object.fromEntries(
        kernel.bindings.map(({ name }) => [name, uploaded[i]?.[bind[name] ?? name]] as const),
      );
      e.dispatch(kernel, bound, params, options, TAG);
    }
  }
  const outputs = tried.flatMap(({ made }, i) =>
    Object.keys(made.want).map((name) => ({ i, name, from: uploaded[i]?.[name] as Buffer })),
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
  return outputs.flatMap(({ i, name }, n) => {
    const { seed, made } = tried[i] as Tried;
    const data = made.buffers[name] as Data;
    const Type = data.constructor as Uint32ArrayConstructor;
    const got = new Type(all, offsets[n] as number, data.length);
    const wrong = first_difference(got, made.want[name] as ArrayLike<number>, made.tolerance ?? 0);
    if (wrong === undefined) return [];
    const what = made.launches.map(
      ({ kernel, options, params }) => `${kernel.name} ${JSON.stringify({ ...options, ...params })}`,
    );
    return [`${op.name} ${variant}, seed ${seed}: ${name}${wrong}; ${what.join('; ')}`];
  });
}

function first_difference(got: ArrayLike<number>, want: ArrayLike<number>, tolerance: number): string | undefined {
  if (got.length !== want.length) return ` has ${got.length} values, the reference ${want.length}`;
  const right = (x: number, y: number) => Number.isNaN(y) || x === y || Math.abs(x - y) <= tolerance;
  const wrong = Array.from(got, (_, i) => i).filter((i) => !right(got[i] as number, want[i] as number));
  const [at] = wrong;
  if (at === undefined) return undefined;
  return `[${at}] expected ${want[at]}, found ${got[at]} (${wrong.length} of ${got.length} differ by more than ${tolerance})`;
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
