import type { ModelConfig } from '../../engine/model/config.ts';
import { expert_matmul, expert_tile_rows } from '../../kernels/expert_matmul/expert_matmul.ts';
import { expert_down, expert_gate_up } from '../../kernels/expert_matvec/expert_matvec.ts';
import { moe_combine } from '../../kernels/moe_combine/moe_combine.ts';
import { moe_route } from '../../kernels/moe_route/moe_route.ts';
import { moe_router } from '../../kernels/moe_router/moe_router.ts';
import { max_tiles, moe_sort, moe_tiles } from '../../kernels/moe_sort/moe_sort.ts';
import { FORMATS, type Kernel, row_stride } from '../../kernels/spec.ts';
import { expert_down as down_reference } from '../../test/reference/expert_matvec.ts';
import { matmul as linear_reference, silu } from '../../test/reference/matmul.ts';
import { moe_combine as combine_reference } from '../../test/reference/moe_combine.ts';
import { moe_route as route_reference } from '../../test/reference/moe_route.ts';
import { moe_sort as sort_reference, moe_tiles as tiles_reference } from '../../test/reference/moe_sort.ts';
import { rms_norm as norm_reference } from '../../test/reference/norm.ts';
import {
  type Data,
  type KernelCase,
  launch,
  type Maker,
  pattern,
  places,
  range,
  type Setting,
  spread,
  taken,
} from './case.ts';

const F16 = { WEIGHT_FORMAT: FORMATS.f16 };
const EPS = 1e-5;

/** Sizes of one mixture of experts; all of them are multiples of 8. */
export interface Experts {
  readonly d: number;
  readonly hidden: number;
  readonly experts: number;
  readonly top_k: number;
}

export function expert_cases(config: ModelConfig, prompts: readonly number[]): Maker[] {
  const size = { d: config.d_model, hidden: config.expert_hidden, experts: config.n_experts, top_k: config.top_k };
  const many = prompts.filter((n) => n >= 16);
  return [
    ...many.map(
      (rows): Maker =>
        (setting) =>
          grouped(rows, size, setting, 'gate up'),
    ),
    (setting) => grouped(512, size, setting, 'down'),
    (setting) => grouped(333, { d: 264, hidden: 136, experts: 13, top_k: 5 }, setting, 'gate up'),
    ...[1, 4].flatMap((rows): Maker[] => [
      (setting) => gate_up(rows, size, setting),
      (setting) => down(rows, size, setting),
    ]),
    ...prompts.map((rows) => () => route(rows, size)),
    () => route(333, { ...size, experts: 61, top_k: 5 }),
    ...[1, 4].map((rows) => () => router(rows, size)),
    () => router(3, { d: 260, hidden: 8, experts: 40, top_k: 5 }),
    ...many.map((rows) => () => sort(rows, size)),
    (setting) => tiles(512, size, setting),
    ...many.map((rows) => () => combine(rows, size)),
  ];
}

/** Different experts in a row, all of them chosen about as often. */
function choices_of(rows: number, { experts, top_k }: Experts): Uint32Array {
  const coprime = range(experts).filter((step) => gcd(step, experts) === 1);
  return Uint32Array.from({ length: rows * top_k }, (_, slot) => {
    const row = Math.floor(slot / top_k);
    const step = coprime[row % coprime.length] as number;
    return (row * 37 + (row % 11) ** 2 + (slot % top_k) * step) % experts;
  });
}

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

interface Slice {
  readonly name: string;
  readonly expert0: number;
  readonly expert_count: number;
}

/** As many experts a buffer as one binding holds, as in the engine. */
function slices_of(experts: number, values: number, { max_binding_bytes }: Setting): Slice[] {
  const size = Math.max(1, Math.floor(max_binding_bytes / (2 * values)));
  return range(Math.ceil(experts / size)).map((i) => ({
    name: `weights ${i}`,
    expert0: i * size,
    expert_count: Math.min(size, experts - i * size),
  }));
}

const WEIGHTS = pattern(2, 1 / 32);

const weight_buffers = (slices: readonly Slice[], values: number): Record<string, Data> =>
  Object.fromEntries(
    slices.map(({ name, expert0, expert_count }) => [
      name,
      WEIGHTS.stored(expert_count * values, 'F16', expert0 * values),
    ]),
  );

/** x times some columns of an expert's matrix [k][wide]. */
const times = (x: ArrayLike<number>, expert: number, k: number, wide: number, cols: readonly number[]): Float64Array =>
  linear_reference(x, taken(WEIGHTS, range(k), cols, wide, expert * k * wide), { rows: 1, k, cols: cols.length });

export function grouped(rows: number, size: Experts, setting: Setting, part: 'gate up' | 'down'): KernelCase {
  const { experts, top_k } = size;
  const [k, cols, a_div] = part === 'down' ? [size.hidden, size.d, 1] : [size.d, 2 * size.hidden, top_k];
  const slots = rows * top_k;
  const choices = choices_of(rows, size);
  const tile_rows = expert_tile_rows(setting.variant);
  const most = max_tiles(rows, top_k, experts, tile_rows);
  const slices = slices_of(experts, k * cols, setting);
  const a = pattern(1);
  const a_stride = row_stride(k);
  const numbers = {
    ...{ k, cols, a_stride, c_stride: cols, list_stride: rows, a_div, a_row0: 0, max_tiles: most },
    ...{ most_pairs: slots, expert_count_total: experts, flop_k: k, flop_cols: cols },
  };
  return {
    kernel: expert_matmul as Kernel,
    stage: 'prefill',
    shape: `${rows} tokens, ${top_k} of ${experts}, ${k}x${cols} ${part}`,
    launches: slices.map(({ name, expert0, expert_count }, i) =>
      launch(expert_matmul, { ...numbers, expert0, expert_count, pairs_counted: i === 0 ? slots : 0 }, F16, {
        weights: name,
      }),
    ),
    buffers: () => {
      const listed = sort_reference(choices, experts);
      const lists = new Uint32Array(experts * rows);
      for (const [expert, list] of listed.entries()) lists.set(list, expert * rows);
      const counts = Uint32Array.from(listed, (list) => list.length);
      return {
        a: a.f32((slots / a_div) * a_stride),
        ...{ counts, lists, tiles: Uint32Array.from(tiles_reference([...counts], tile_rows, most)) },
        c: new Float32Array(slots * cols),
        ...weight_buffers(slices, k * cols),
      };
    },
    want: () => {
      const [some_slots, some_cols] = [spread(slots, 12), spread(cols, 17)];
      const values = some_slots.flatMap((slot) => [
        ...times(taken(a, [Math.floor(slot / a_div)], range(k), a_stride), choices[slot] as number, k, cols, some_cols),
      ]);
      return [{ buffer: 'c', at: places(some_slots, some_cols, cols), values }];
    },
  };
}

function gate_up(rows: number, size: Experts, setting: Setting): KernelCase {
  const { d: k, hidden, experts, top_k } = size;
  const [choices, a] = [choices_of(rows, size), pattern(1)];
  const slots = rows * top_k;
  const slices = slices_of(experts, k * 2 * hidden, setting);
  const numbers = { rows, top_k, k, hidden, a_stride: k, h_stride: hidden, a_row0: 0, expert_count_total: experts };
  return {
    kernel: expert_gate_up as Kernel,
    stage: 'decode',
    shape: `${rows} token${rows === 1 ? '' : 's'}, ${top_k} of ${experts}, ${k}x${2 * hidden}`,
    launches: slices.map(({ name, expert0, expert_count }, i) =>
      launch(expert_gate_up, { ...numbers, expert0, expert_count, pairs_counted: i === 0 ? slots : 0 }, F16, {
        weights: name,
      }),
    ),
    buffers: () => ({
      a: a.f32(rows * k),
      experts: choices,
      h: new Float32Array(slots * hidden),
      ...weight_buffers(slices, k * 2 * hidden),
    }),
    want: () => {
      const some_cols = spread(hidden, 17);
      const values = range(slots).flatMap((slot) => {
        const x = taken(a, [Math.floor(slot / top_k)], range(k), k);
        const part = (col0: number) =>
          times(
            x,
            choices[slot] as number,
            k,
            2 * hidden,
            some_cols.map((col) => col0 + col),
          );
        const up = part(hidden);
        return [...part(0)].map((gate, i) => silu(gate) * (up[i] as number));
      });
      return [{ buffer: 'h', at: places(range(slots), some_cols, hidden), values }];
    },
  };
}

function down(rows: number, size: Experts, setting: Setting): KernelCase {
  const { d: cols, hidden, experts, top_k } = size;
  const [choices, h, route_weights, x] = [choices_of(rows, size), pattern(1), pattern(3), pattern(4)];
  const slots = rows * top_k;
  const slices = slices_of(experts, hidden * cols, setting);
  const numbers = {
    rows,
    top_k,
    hidden,
    cols,
    h_stride: hidden,
    x_stride: cols,
    x_row0: 0,
    expert_count_total: experts,
  };
  return {
    kernel: expert_down as Kernel,
    stage: 'decode',
    shape: `${rows} token${rows === 1 ? '' : 's'}, ${top_k} of ${experts}, ${hidden}x${cols}`,
    launches: slices.map(({ name, expert0, expert_count }, i) =>
      launch(expert_down, { ...numbers, expert0, expert_count, pairs_counted: i === 0 ? slots : 0 }, F16, {
        weights: name,
      }),
    ),
    buffers: () => ({
      ...{ h: h.f32(slots * hidden), experts: choices, route_weights: route_weights.f32(slots), x: x.f32(rows * cols) },
      ...weight_buffers(slices, hidden * cols),
    }),
    want: () => {
      const some_cols = spread(cols, 17);
      // Every slot has its own matrix here, cut to the columns that are looked at.
      const matrices = [...choices].map((e) => taken(WEIGHTS, range(hidden), some_cols, cols, e * hidden * cols));
      const sums = down_reference(h.f32(slots * hidden), matrices, range(slots), route_weights.f32(slots), {
        ...{ hidden, cols: some_cols.length, top_k },
      });
      const before = taken(x, range(rows), some_cols, cols);
      return [
        {
          buffer: 'x',
          at: places(range(rows), some_cols, cols),
          values: sums.map((sum, i) => sum + (before[i] as number)),
        },
      ];
    },
  };
}

export function route(rows: number, { experts, top_k: k }: Experts): KernelCase {
  const logits = pattern(1, 4).f32(rows * experts);
  return {
    kernel: moe_route as Kernel,
    stage: rows === 1 ? 'decode' : 'prefill',
    shape: `${rows}x${experts} top ${k}`,
    launches: [launch(moe_route, { rows, experts, k, stride: experts, row0: 0 })],
    buffers: () => ({ logits, experts: new Uint32Array(rows * k), weights: new Float32Array(rows * k) }),
    want: () => {
      const chosen = range(rows).map((r) => route_reference(logits.subarray(r * experts, (r + 1) * experts), k));
      return [
        { buffer: 'experts', values: chosen.flatMap((row) => row.experts) },
        { buffer: 'weights', values: chosen.flatMap((row) => row.weights) },
      ];
    },
  };
}

/** Norm, logits and choice of a decode step. */
function router(rows: number, { d: k, experts, top_k }: Experts): KernelCase {
  const [x, norm_weight] = [pattern(1).f32(rows * k), pattern(2).f32(k)];
  const strides = { x_stride: k, normed_stride: k, logits_stride: experts };
  return {
    kernel: moe_router as Kernel,
    stage: 'decode',
    shape: `${rows}x${k}x${experts} top ${top_k}`,
    launches: [launch(moe_router, { rows, k, experts, top_k, eps: EPS, ...strides }, F16)],
    buffers: () => ({
      ...{ x, norm_weight, weights: WEIGHTS.stored(k * experts, 'F16'), normed: new Float32Array(rows * k) },
      ...{ logits: new Float32Array(rows * experts) },
      ...{ experts: new Uint32Array(rows * top_k), route_weights: new Float32Array(rows * top_k) },
    }),
    want: () => {
      const sizes = { rows, cols: k, x_stride: k, y_stride: k, x_row0: 0, y_row0: 0, eps: EPS };
      const normed = norm_reference(x, norm_weight, new Float32Array(rows * k), sizes);
      const logits = linear_reference(normed, WEIGHTS.f32(k * experts), { rows, k, cols: experts });
      const chosen = range(rows).map((r) => route_reference(logits.subarray(r * experts, (r + 1) * experts), top_k));
      return [
        { buffer: 'normed', values: normed },
        { buffer: 'logits', values: logits },
        { buffer: 'experts', values: chosen.flatMap((row) => row.experts) },
        { buffer: 'route_weights', values: chosen.flatMap((row) => row.weights) },
      ];
    },
  };
}

function sort(rows: number, size: Experts): KernelCase {
  const { experts, top_k: k } = size;
  const choices = choices_of(rows, size);
  return {
    kernel: moe_sort as Kernel,
    stage: 'prefill',
    shape: `${rows}x${k} into ${experts}`,
    launches: [launch(moe_sort, { rows, k, experts, slot0: 0 })],
    buffers: () => ({
      experts: choices,
      counts: new Uint32Array(experts),
      lists: new Uint32Array(experts * rows),
    }),
    want: () => {
      const listed = sort_reference(choices, experts);
      return [
        { buffer: 'counts', values: listed.map((list) => list.length) },
        {
          buffer: 'lists',
          at: listed.flatMap((list, e) => list.map((_, i) => e * rows + i)),
          values: listed.flat(),
        },
      ];
    },
  };
}

function tiles(rows: number, size: Experts, setting: Setting): KernelCase {
  const { experts, top_k } = size;
  const tile_rows = expert_tile_rows(setting.variant);
  const most = max_tiles(rows, top_k, experts, tile_rows);
  const counts = sort_reference(choices_of(rows, size), experts).map((list) => list.length);
  return {
    kernel: moe_tiles as Kernel,
    stage: 'prefill',
    shape: `${rows}x${top_k} in ${experts} lists, tiles of ${tile_rows}`,
    launches: [launch(moe_tiles, { experts, tile_rows, max_tiles: most })],
    buffers: () => ({ counts: Uint32Array.from(counts), tiles: new Uint32Array(2 * most) }),
    want: () => [{ buffer: 'tiles', values: tiles_reference(counts, tile_rows, most) }],
  };
}

export function combine(rows: number, { d: cols, top_k: k }: Experts): KernelCase {
  const [y, weights, x] = [pattern(1).f32(rows * k * cols), pattern(2).f32(rows * k), pattern(3).f32(rows * cols)];
  const numbers = { rows, k, cols, y_stride: cols, x_stride: cols, x_row0: 0, slot0: 0 };
  return {
    kernel: moe_combine as Kernel,
    stage: 'prefill',
    shape: `${rows}x${cols}, ${k} a row`,
    launches: [launch(moe_combine, numbers)],
    buffers: () => ({ y, weights, x }),
    want: () => [{ buffer: 'x', values: combine_reference(y, weights, x, { rows, k, cols }) }],
  };
}
