import { in_strips } from '../../../kernels/common/strips.ts';
import { expert_matmul } from '../../../kernels/expert_matmul/expert_matmul.ts';
import { expert_down, expert_gate_up } from '../../../kernels/expert_matvec/expert_matvec.ts';
import { moe_combine } from '../../../kernels/moe_combine/moe_combine.ts';
import { moe_route, moe_route_mixed, NO_EXPERT } from '../../../kernels/moe_route/moe_route.ts';
import { moe_router } from '../../../kernels/moe_router/moe_router.ts';
import { max_tiles, moe_sort, moe_tiles } from '../../../kernels/moe_sort/moe_sort.ts';
import {
  FORMATS,
  type Kernel,
  matrix_lines,
  type Options,
  round_up,
  type WeightFormat,
} from '../../../kernels/spec.ts';
import { expert_matmul as product_reference } from '../expert_matmul.ts';
import { expert_down as down_reference, expert_gate_up as gate_up_reference } from '../expert_matvec.ts';
import { matmul as linear_reference } from '../matmul.ts';
import { moe_combine as combine_reference } from '../moe_combine.ts';
import { moe_route as route_reference } from '../moe_route.ts';
import { moe_sort as sort_reference, moe_tiles as tiles_reference } from '../moe_sort.ts';
import { rms_norm as norm_reference } from '../norm.ts';
import {
  type Data,
  frame_length,
  framed,
  gathered,
  type KernelCase,
  type Launch,
  launch,
  type Numbers,
  place,
  range,
  replaced,
  rows_of,
  wanted,
} from './case.ts';

const UNUSED = 0xffffffff;

/** Who chose whom: top_k slots a row, of different experts; the last ones may be empty. */
export interface Routing {
  readonly rows: number;
  readonly experts: number;
  readonly top_k: number;
  readonly choices: Uint32Array;
}

/** Experts whose weights lie in one buffer. */
export interface ExpertSlice {
  readonly expert0: number;
  readonly expert_count: number;
}

export interface ExpertShape extends Routing {
  readonly slices: readonly ExpertSlice[];
  readonly format: WeightFormat;
  /** Rows of an expert's matrix. */
  readonly k: number;
  /** Columns of its result. */
  readonly cols: number;
  readonly in_stride?: number;
  readonly out_stride?: number;
  readonly in_row0?: number;
  readonly out_row0?: number;
}

const of_slices = (kernel: Kernel, s: ExpertShape, numbers: Readonly<Record<string, number>>): Launch[] =>
  s.slices.map(({ expert0, expert_count }, i) => {
    const slots = i === 0 ? s.choices.length : 0;
    const a_rows = { a_rows_counted: slots / (numbers.a_div ?? 1) };
    const counted = { pairs_counted: slots, ...a_rows, expert_count_total: s.experts };
    const options = { WEIGHT_FORMAT: FORMATS[s.format] };
    return launch(kernel, { ...numbers, expert0, expert_count, ...counted }, options, { weights: `weights ${i}` });
  });

/** The experts' matrices [k][parts * cols] in their slices, and some columns of the experts of some slots. */
function weights_of(n: Numbers, { slices, k, cols, format, choices }: ExpertShape, parts = 1) {
  const held = slices.map((slice) => ({ ...slice, of: n.weights(slice.expert_count * k, cols, format, parts) }));
  const buffers: Record<string, Data> = Object.fromEntries(
    held.map(({ of, expert_count }, i) => {
      const eights = (parts * round_up(cols, 8)) / 8;
      return [`weights ${i}`, in_strips(of.data(), matrix_lines(FORMATS[format], k), eights, expert_count)];
    }),
  );
  const columns = (slots: readonly number[], picked: readonly number[], part = 0): Float32Array[] => {
    const known = new Map<number, Float32Array>();
    return slots.map((slot) => {
      const expert = choices[slot] as number;
      const slice = held.find(({ expert0, expert_count }) => expert >= expert0 && expert < expert0 + expert_count);
      if (slice === undefined) throw new Error(`expert ${expert} is in no slice`);
      const matrix = known.get(expert) ?? gathered(slice.of, (expert - slice.expert0) * k, k, picked, part);
      known.set(expert, matrix);
      return matrix;
    });
  };
  return { buffers, columns };
}

/** Rows of slots side by side: each has its own matrix. */
const alone = (slots: readonly number[], k: number) => ({ k, a_div: 1, top_k: 1, each: range(slots.length) });

export function gate_up_case(n: Numbers, s: ExpertShape): KernelCase {
  const { rows, k, cols: hidden, top_k, choices } = s;
  const slots = rows * top_k;
  const wide = round_up(hidden, 8);
  const a_frame = { rows, cols: k, stride: s.in_stride ?? k, row0: s.in_row0 };
  const h_frame = { rows: slots, cols: hidden, stride: s.out_stride ?? wide };
  const strides = { a_stride: a_frame.stride, h_stride: h_frame.stride, a_row0: s.in_row0 ?? 0 };
  return {
    kernel: expert_gate_up as Kernel,
    launches: of_slices(expert_gate_up as Kernel, s, { rows, top_k, k, hidden, ...strides }),
    open: () => {
      const a = n.values(rows * k, 1 / 4);
      const h = n.values((slots + 1) * h_frame.stride);
      const { buffers, columns } = weights_of(n, s, 2);
      return {
        buffers: { a: framed(a, a_frame), experts: choices, h, ...buffers },
        want: () => {
          const picked = { rows: n.some(slots, 32), cols: n.some(hidden, 17) };
          const { each, ...d } = alone(picked.rows, k);
          const x = rows_of(a, [...picked.rows.map((slot) => Math.floor(slot / top_k))], k);
          const [gate, up] = [columns(picked.rows, picked.cols, 0), columns(picked.rows, picked.cols, 1)];
          const values = gate_up_reference(x, gate, up, each, { ...d, hidden: picked.cols.length });
          const padding = { cols: wide, value: 0 }; // padded weights are zeros
          return [wanted('h', h, h_frame, picked, values, padding)];
        },
      };
    },
  };
}

export function down_case(n: Numbers, s: ExpertShape): KernelCase {
  const { rows, k: hidden, cols, top_k, choices } = s;
  const slots = rows * top_k;
  const wide = round_up(cols, 8);
  const h_frame = { rows: slots, cols: hidden, stride: s.in_stride ?? hidden };
  const x_frame = { rows, cols, stride: s.out_stride ?? wide, row0: s.out_row0 };
  const strides = { h_stride: h_frame.stride, x_stride: x_frame.stride, x_row0: s.out_row0 ?? 0 };
  return {
    kernel: expert_down as Kernel,
    launches: of_slices(expert_down as Kernel, s, { rows, top_k, hidden, cols, ...strides }),
    open: () => {
      const [h, x] = [n.values(slots * hidden), n.values(frame_length(x_frame) + x_frame.stride)];
      const route_weights = n.values(slots).map(Math.abs);
      const { buffers, columns } = weights_of(n, s);
      return {
        buffers: { h: framed(h, h_frame), experts: choices, route_weights, x, ...buffers },
        want: () => {
          const picked = { rows: n.some(rows, 8), cols: n.some(cols, 17) };
          const own = picked.rows.flatMap((row) => range(top_k).map((i) => row * top_k + i));
          const weights = rows_of(route_weights, own, 1);
          const d = { hidden, cols: picked.cols.length, top_k };
          const [each, matrices] = [range(own.length), columns(own, picked.cols)];
          const sums = down_reference(rows_of(h, own, hidden), matrices, each, weights, d);
          const before = picked.rows.flatMap((row) => picked.cols.map((col) => x[place(x_frame, row, col)] as number));
          return [
            wanted(
              'x',
              x,
              x_frame,
              picked,
              sums.map((sum, i) => sum + (before[i] as number)),
            ),
          ];
        },
      };
    },
  };
}

export interface GroupedShape extends ExpertShape {
  /** `top_k` where rows of `a` are tokens, 1 where they are slots. */
  readonly a_div: number;
  readonly tile_rows: number;
}

export function expert_matmul_case(n: Numbers, s: GroupedShape): KernelCase {
  const { rows, experts, top_k, choices, k, cols, a_div, tile_rows } = s;
  const slots = rows * top_k;
  const wide = round_up(cols, 8);
  const a_frame = { rows: slots / a_div, cols: k, stride: s.in_stride ?? k, row0: s.in_row0 };
  const c_frame = { rows: slots, cols, stride: s.out_stride ?? wide };
  const most = max_tiles(slots, experts, tile_rows);
  const numbers = {
    ...{ k, cols, a_stride: a_frame.stride, c_stride: c_frame.stride, list_stride: rows, a_div },
    ...{ a_row0: s.in_row0 ?? 0, max_tiles: most, most_pairs: slots, flop_k: k, flop_cols: cols },
  };
  return {
    kernel: expert_matmul as Kernel,
    launches: of_slices(expert_matmul as Kernel, s, numbers),
    open: () => {
      const listed = sort_reference(choices, experts);
      const lists = new Uint32Array(experts * rows).fill(UNUSED);
      for (const [expert, list] of listed.entries()) lists.set(list, expert * rows);
      const counts = Uint32Array.from(listed, (list) => list.length);
      const tiles = Uint32Array.from(tiles_reference([...counts], tile_rows, most));
      const a = n.values(a_frame.rows * k);
      const c = n.values((slots + 1) * c_frame.stride);
      const { buffers, columns } = weights_of(n, s);
      return {
        buffers: { a: framed(a, a_frame), counts, lists, tiles, c, ...buffers },
        want: () => {
          const picked = { rows: n.some(slots, 12), cols: n.some(cols, 17) };
          const { each, ...d } = alone(picked.rows, k);
          const x = rows_of(
            a,
            picked.rows.map((slot) => Math.floor(slot / a_div)),
            k,
          );
          const size = { ...d, cols: picked.cols.length };
          const values = product_reference(x, columns(picked.rows, picked.cols), each, size);
          const padding = { cols: wide, value: 0 }; // padded weights are zeros
          return [wanted('c', c, c_frame, picked, values, padding)];
        },
      };
    },
  };
}

export interface RouteShape {
  readonly rows: number;
  readonly experts: number;
  readonly k: number;
  readonly stride?: number;
  readonly row0?: number;
  /** Values a unit: few of them make ties. */
  readonly steps?: number;
}

const chosen_of = (logits: Float32Array | Float64Array, experts: number, k: number) => {
  const rows = range(logits.length / experts).map((r) =>
    route_reference(logits.subarray(r * experts, (r + 1) * experts), k),
  );
  return { experts: rows.flatMap((row) => row.experts), weights: rows.flatMap((row) => row.weights) };
};

export interface MixedRouteShape extends RouteShape {
  readonly k_text: number;
  readonly k_picture: number;
  readonly mark0: number;
  /** Which rows are a picture's. */
  readonly pictures: readonly boolean[];
}

/** Slots of rows that take fewer experts end with empty ones. */
export function route_mixed_case(n: Numbers, s: MixedRouteShape): KernelCase {
  const { k, row0 = 0, k_text, k_picture, mark0, pictures } = s;
  const plain = route_case(n, s);
  const taken = pictures.map((is_picture) => (is_picture ? k_picture : k_text));
  const pairs = taken.reduce((sum, count) => sum + count, 0);
  const params = { ...plain.launches[0]?.params, k_text, k_picture, mark0, pairs } as never;
  return {
    kernel: moe_route_mixed as Kernel,
    launches: [launch(moe_route_mixed, params)],
    open: () => {
      const { buffers, want } = plain.open();
      const marks = Uint32Array.of(...new Array<number>(mark0 + row0).fill(7), ...pictures.map(Number));
      const emptied = (values: ArrayLike<number>, empty: number) =>
        Array.from(values, (value, slot) => {
          const own = taken[Math.floor(slot / k) - row0];
          return own === undefined || slot % k < own ? value : empty;
        });
      return {
        buffers: { ...buffers, marks },
        want: () =>
          want().map(({ buffer, values }) => ({
            buffer,
            values: emptied(values, buffer === 'experts' ? NO_EXPERT : -1),
          })),
      };
    },
  };
}

export function route_case(n: Numbers, s: RouteShape): KernelCase {
  const { rows, experts, k, stride = experts, row0 = 0, steps = 2 ** 20 } = s;
  return {
    kernel: moe_route as Kernel,
    launches: [launch(moe_route, { rows, experts, k, stride, row0 })],
    open: () => {
      const values = n.values(rows * experts).map((x) => (4 * Math.round(x * steps)) / steps);
      const ids = new Uint32Array((row0 + rows + 1) * k).fill(UNUSED);
      const weights = n.values(ids.length);
      return {
        buffers: { logits: framed(values, { rows, cols: experts, stride, row0 }), experts: ids, weights },
        want: () => {
          const [chosen, slots] = [chosen_of(values, experts, k), { rows, cols: k, stride: k, row0 }];
          return [
            { buffer: 'experts', values: replaced(ids, chosen.experts, slots) },
            { buffer: 'weights', values: replaced(weights, chosen.weights, slots) },
          ];
        },
      };
    },
  };
}

export interface RouterShape {
  readonly rows: number;
  readonly k: number;
  readonly experts: number;
  readonly top_k: number;
  readonly format: WeightFormat;
  /** Has no divisor in common with `experts`. */
  readonly step: number;
  readonly x_stride?: number;
  readonly normed_stride?: number;
  readonly logits_stride?: number;
}

/** Logits that stand apart, whatever the rounding: column e of the router is (a permuted e) times one direction. */
export function router_case(n: Numbers, s: RouterShape): KernelCase {
  const { rows, k, experts, top_k, format, step } = s;
  const { x_stride = k, normed_stride = k, logits_stride = experts } = s;
  const eps = 1e-5;
  const numbers = { rows, k, experts, top_k, x_stride, normed_stride, logits_stride, eps };
  return {
    kernel: moe_router as Kernel,
    launches: [launch(moe_router, numbers, { WEIGHT_FORMAT: FORMATS[format] })],
    open: () => {
      const direction = n.values(k).map((x) => (x < 0 ? -1 : 1));
      const scales = n.values(rows).map((x) => 1 + x);
      const x = Float32Array.from({ length: rows * k }, (_, i) => {
        return (0.5 + (i % 7)) * (direction[i % k] as number) * (scales[Math.floor(i / k)] as number);
      });
      const norm_weight = n.values(k).map((w) => 1.5 + w);
      const grade = (e: number) => (((e * step) % experts) + 1) / (8 * k);
      const w = Float32Array.from({ length: k * experts }, (_, i) => {
        return (direction[Math.floor(i / experts)] as number) * grade(i % experts);
      });
      const router = n.given(w, experts, format);
      const normed_frame = { rows, cols: k, stride: normed_stride };
      const normed = n.values(frame_length(normed_frame) + 4);
      const logits = n.values((rows + 1) * logits_stride);
      const ids = new Uint32Array((rows + 1) * top_k).fill(UNUSED);
      const route_weights = n.values(ids.length);
      return {
        buffers: {
          ...{
            x: framed(x, { rows, cols: k, stride: x_stride }),
            weights: in_strips(router.data(), k, Math.ceil(experts / 8)),
            norm_weight,
          },
          ...{ normed, logits, experts: ids, route_weights },
        },
        want: () => {
          const sizes = { rows, cols: k, x_stride: k, y_stride: k, x_row0: 0, y_row0: 0, eps };
          const right = norm_reference(x, norm_weight, new Float32Array(rows * k), sizes);
          const matrix = gathered(router, 0, k, range(experts));
          const values = linear_reference(right, matrix, { rows, k, cols: experts });
          const [chosen, slots] = [chosen_of(values, experts, top_k), { rows, cols: top_k, stride: top_k }];
          return [
            { buffer: 'normed', values: replaced(normed, right, normed_frame) },
            { buffer: 'logits', values: replaced(logits, values, { rows, cols: experts, stride: logits_stride }) },
            { buffer: 'experts', values: replaced(ids, chosen.experts, slots) },
            { buffer: 'route_weights', values: replaced(route_weights, chosen.weights, slots) },
          ];
        },
      };
    },
  };
}

/** `earlier`: choices of another part, which are not counted. */
export function sort_case({ rows, experts, top_k, choices }: Routing, earlier: readonly number[] = []): KernelCase {
  return {
    kernel: moe_sort as Kernel,
    launches: [
      launch(moe_sort, {
        ...{ rows, k: top_k, experts, slot0: earlier.length },
        pairs: choices.filter((expert) => expert !== NO_EXPERT).length,
      }),
    ],
    open: () => ({
      buffers: {
        experts: Uint32Array.from([...earlier, ...choices]),
        counts: new Uint32Array(experts).fill(UNUSED),
        lists: new Uint32Array(experts * rows).fill(UNUSED),
      },
      want: () => {
        const listed = sort_reference(choices, experts);
        const filled = listed.flatMap((list) => [...list, ...new Array<number>(rows - list.length).fill(UNUSED)]);
        return [
          { buffer: 'counts', values: listed.map((list) => list.length) },
          { buffer: 'lists', values: filled },
        ];
      },
    }),
  };
}

export function tiles_case({ rows, experts, top_k, choices }: Routing, tile_rows: number): KernelCase {
  const most = max_tiles(rows * top_k, experts, tile_rows);
  return {
    kernel: moe_tiles as Kernel,
    launches: [launch(moe_tiles, { experts, tile_rows, max_tiles: most })],
    open: () => {
      const counts = sort_reference(choices, experts).map((list) => list.length);
      return {
        buffers: { counts: Uint32Array.from(counts), tiles: new Uint32Array(2 * most).fill(77) },
        want: () => [{ buffer: 'tiles', values: tiles_reference(counts, tile_rows, most) }],
      };
    },
  };
}

export interface CombineShape {
  readonly rows: number;
  readonly k: number;
  readonly cols: number;
  readonly y_stride?: number;
  readonly x_stride?: number;
  readonly x_row0?: number;
  readonly slot0?: number;
  /** Experts of each row where those are not all k: its other slots hold no number at all. */
  readonly taken?: readonly number[];
}

export function combine_case(n: Numbers, s: CombineShape): KernelCase {
  const { rows, k, cols, y_stride = cols, x_stride = cols, x_row0 = 0, slot0 = 0, taken } = s;
  const pairs = taken?.reduce((sum, count) => sum + count, 0) ?? rows * k;
  const is_empty = (slot: number) => slot % k >= (taken?.[Math.floor(slot / k)] ?? k);
  const option: Options = taken === undefined ? {} : { MIXED: true };
  const x_frame = { rows, cols, stride: x_stride, row0: x_row0 };
  return {
    kernel: moe_combine as Kernel,
    launches: [launch(moe_combine, { rows, k, cols, y_stride, x_stride, x_row0, slot0, pairs }, option)],
    open: () => {
      const [y, weights] = [n.values(rows * k * cols), n.values(rows * k)];
      const [right_y, right_weights] = [y.slice(), weights.slice()];
      for (const slot of range(rows * k)) {
        if (taken !== undefined) weights[slot] = right_weights[slot] = Math.abs(weights[slot] as number);
        if (!is_empty(slot)) continue;
        weights[slot] = -1;
        right_weights[slot] = 0;
        y.fill(Number.NaN, slot * cols, (slot + 1) * cols);
      }
      const [x, all] = [n.values(rows * cols), n.values((x_row0 + rows + 1) * x_stride)];
      return {
        buffers: {
          y: framed(y, { rows: rows * k, cols, stride: y_stride }),
          weights: framed(weights, { rows: rows * k, cols: 1, stride: 1, row0: slot0 }),
          x: framed(x, x_frame, all),
        },
        want: () => [
          {
            buffer: 'x',
            values: replaced(all, combine_reference(right_y, right_weights, x, { rows, k, cols }), x_frame),
          },
        ],
      };
    },
  };
}
