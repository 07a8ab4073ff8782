import { expert_matmul, expert_tile_rows } from '../../kernels/expert_matmul/expert_matmul.ts';
import { expert_down, expert_gate_up } from '../../kernels/expert_matvec/expert_matvec.ts';
import { moe_combine } from '../../kernels/moe_combine/moe_combine.ts';
import { moe_route } from '../../kernels/moe_route/moe_route.ts';
import { moe_router } from '../../kernels/moe_router/moe_router.ts';
import { max_tiles, moe_sort, moe_tiles } from '../../kernels/moe_sort/moe_sort.ts';
import { FORMATS, round_up, type Variant, type WeightFormat } from '../../kernels/spec.ts';
import { expert_matmul as product_reference } from '../reference/expert_matmul.ts';
import { expert_down as down_reference, expert_gate_up as gate_up_reference } from '../reference/expert_matvec.ts';
import { matmul as linear_reference } from '../reference/matmul.ts';
import { moe_combine as combine_reference } from '../reference/moe_combine.ts';
import { moe_route as route_reference } from '../reference/moe_route.ts';
import { moe_sort as sort_reference, moe_tiles as tiles_reference } from '../reference/moe_sort.ts';
import { rms_norm as norm_reference } from '../reference/norm.ts';
import {
  type Draw,
  type Frame,
  type FuzzCase,
  type FuzzOp,
  frame_length,
  framed,
  launch,
  packed,
  replaced,
  stored,
} from './fuzz.ts';
import { expert_slices, random_choices, side_by_side } from './routing.ts';
import { ALL_FORMATS, k_for, PLAIN_FORMATS } from './weights.ts';

const UNUSED = 0xffffffff;
const ROUNDING = 3e-5;

/** Who chose whom. Now and then only a few experts are chosen at all, and the others have no row. */
function routing(draw: Draw, most_rows: number, most_experts: number) {
  const [rows, experts] = [draw.whole(1, most_rows), draw.whole(1, most_experts)];
  const all = Array.from({ length: experts }, (_, e) => e);
  const first = draw.whole(0, experts - 1);
  const among = draw.maybe() ? all : all.slice(first, first + draw.whole(1, experts));
  const top_k = draw.whole(1, Math.min(8, among.length));
  const choices = random_choices(rows, top_k, experts, draw.whole(1, 2 ** 20), among);
  return { rows, experts, top_k, choices, slots: rows * top_k };
}

interface ExpertWeights {
  readonly matrices: readonly Float32Array[];
  readonly buffers: Readonly<Record<string, Uint32Array>>;
  readonly slices: readonly { readonly expert0: number; readonly expert_count: number; readonly name: string }[];
}

const expert_noise = (draw: Draw, experts: number, k: number, cols: number, format: WeightFormat): Float32Array[] =>
  Array.from({ length: experts }, () => stored(draw.noise(k * cols), k, cols, format));

/** The experts' matrices [k][cols] in some slices, a buffer each. */
function sliced(
  draw: Draw,
  matrices: readonly Float32Array[],
  k: number,
  cols: number,
  format: WeightFormat,
): Omit<ExpertWeights, 'matrices'> {
  const size = draw.whole(Math.ceil(matrices.length / 4), matrices.length);
  const in_order = expert_slices(matrices.length, size).map((slice, i) => ({ ...slice, name: `weights ${i}` }));
  // In either order, so that no slice sets right what another did to its slots.
  const slices = draw.maybe() ? in_order : in_order.toReversed();
  const buffers = slices.map(({ expert0, expert_count, name }) => {
    const parts = matrices.slice(expert0, expert0 + expert_count).map((matrix) => packed(matrix, k, cols, format));
    const words = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((at, part) => {
      words.set(part, at);
      return at + part.length;
    }, 0);
    return [name, words] as const;
  });
  return { slices, buffers: Object.fromEntries(buffers) };
}

function gate_up_case(draw: Draw): FuzzCase {
  const { rows, experts, top_k, choices, slots } = routing(draw, 5, 12);
  const format = draw.pick(ALL_FORMATS);
  const [k, hidden] = [k_for(format, 4 * draw.whole(1, 40)), draw.whole(1, 90)];
  const wide = round_up(hidden, 8);
  const a_frame = { rows, cols: k, stride: k + 4 * draw.whole(0, 3), row0: draw.whole(0, 2) };
  const h_frame = { rows: slots, cols: hidden, stride: wide + 8 * draw.whole(0, 2) };
  const [gate, up] = [expert_noise(draw, experts, k, hidden, format), expert_noise(draw, experts, k, hidden, format)];
  const both = gate.map((matrix, e) => side_by_side(matrix, up[e] as Float32Array, k, hidden));
  const { slices, buffers } = sliced(draw, both, k, 2 * wide, format);
  const a = draw.noise(rows * k).map((x) => x / 4);
  const h = draw.noise((slots + 1) * h_frame.stride);
  const product = gate_up_reference(a, gate, up, choices, { k, hidden, top_k });
  const zeros = replaced(h, 0, { ...h_frame, cols: wide }); // padded weights are zeros
  const numbers = { rows, top_k, k, hidden, a_stride: a_frame.stride, h_stride: h_frame.stride, a_row0: a_frame.row0 };
  return {
    launches: slices.map(({ expert0, expert_count, name }) =>
      launch(
        expert_gate_up,
        { ...numbers, expert0, expert_count, pairs_counted: slots, expert_count_total: experts },
        { WEIGHT_FORMAT: FORMATS[format] },
        { weights: name },
      ),
    ),
    buffers: { a: framed(a, a_frame), experts: choices, h, ...buffers },
    want: { h: replaced(zeros, product, h_frame) },
    tolerance: ROUNDING,
  };
}

function down_case(draw: Draw): FuzzCase {
  const { rows, experts, top_k, choices, slots } = routing(draw, 5, 12);
  const format = draw.pick(ALL_FORMATS);
  const [hidden, cols] = [k_for(format, 4 * draw.whole(1, 40)), draw.whole(1, 150)];
  const wide = round_up(cols, 8);
  const h_frame = { rows: slots, cols: hidden, stride: hidden + 4 * draw.whole(0, 3) };
  const x_frame = { rows, cols, stride: wide + 8 * draw.whole(0, 2), row0: draw.whole(0, 2) };
  const down = expert_noise(draw, experts, hidden, cols, format);
  const { slices, buffers } = sliced(draw, down, hidden, cols, format);
  const h = draw.noise(slots * hidden);
  const route_weights = draw.noise(slots).map(Math.abs);
  const sums = down_reference(h, down, choices, route_weights, { hidden, cols, top_k });
  const before = draw.noise((x_frame.row0 + rows + 1) * x_frame.stride);
  const want = Float64Array.from(before);
  sums.forEach((sum, i) => {
    const at = (x_frame.row0 + Math.floor(i / cols)) * x_frame.stride + (i % cols);
    want[at] = (want[at] as number) + sum;
  });
  const numbers = {
    rows,
    top_k,
    hidden,
    cols,
    h_stride: h_frame.stride,
    x_stride: x_frame.stride,
    x_row0: x_frame.row0,
  };
  return {
    launches: slices.map(({ expert0, expert_count, name }) =>
      launch(
        expert_down,
        { ...numbers, expert0, expert_count, pairs_counted: slots, expert_count_total: experts },
        { WEIGHT_FORMAT: FORMATS[format] },
        { weights: name },
      ),
    ),
    buffers: { h: framed(h, h_frame), experts: choices, route_weights, x: before, ...buffers },
    want: { x: want },
    tolerance: ROUNDING,
  };
}

function expert_matmul_case(draw: Draw, variant: Variant['name']): FuzzCase {
  const { rows, experts, top_k, choices, slots } = routing(draw, 70, 12);
  const format = draw.pick(ALL_FORMATS);
  const [k, cols] = [k_for(format, 4 * draw.whole(1, 24)), draw.whole(1, 100)];
  const wide = round_up(cols, 8);
  const a_div = draw.pick([1, top_k]); // `a` holds slots or tokens
  const a_frame = { rows: slots / a_div, cols: k, stride: k + 4 * draw.whole(0, 3), row0: draw.whole(0, 2) };
  const c_frame = { rows: slots, cols, stride: wide + 8 * draw.whole(0, 2) };
  const matrices = expert_noise(draw, experts, k, cols, format);
  const { slices, buffers } = sliced(draw, matrices, k, cols, format);
  const listed = sort_reference(choices, experts);
  const lists = new Uint32Array(experts * rows).fill(UNUSED);
  for (const [e, list] of listed.entries()) lists.set(list, e * rows);
  const counts = Uint32Array.from(listed, (list) => list.length);
  const tile_rows = expert_tile_rows({ name: variant });
  const most = max_tiles(rows, top_k, experts, tile_rows);
  const a = draw.noise(a_frame.rows * k);
  const before = draw.noise((slots + 1) * c_frame.stride);
  const product = product_reference(a, matrices, choices, { k, cols, a_div });
  const zeros = replaced(before, 0, { ...c_frame, cols: wide }); // padded weights are zeros
  const numbers = {
    ...{ k, cols, a_stride: a_frame.stride, c_stride: c_frame.stride, list_stride: rows, a_div, a_row0: a_frame.row0 },
    ...{
      max_tiles: most,
      pairs_counted: slots,
      most_pairs: slots,
      expert_count_total: experts,
      flop_k: k,
      flop_cols: cols,
    },
  };
  return {
    launches: slices.map(({ expert0, expert_count, name }) =>
      launch(
        expert_matmul,
        { ...numbers, expert0, expert_count },
        { WEIGHT_FORMAT: FORMATS[format] },
        { weights: name },
      ),
    ),
    buffers: {
      ...{ a: framed(a, a_frame), counts, lists, c: before, ...buffers },
      tiles: Uint32Array.from(tiles_reference([...counts], tile_rows, most)),
    },
    want: { c: replaced(zeros, product, c_frame) },
    tolerance: ROUNDING,
  };
}

function route_case(draw: Draw): FuzzCase {
  const [rows, experts, row0] = [draw.whole(1, 40), draw.whole(1, 256), draw.whole(0, 3)];
  const k = draw.whole(1, experts);
  const stride = experts + draw.whole(0, 5);
  const steps = draw.pick([4, 2 ** 20]); // few different values make ties
  const values = draw.noise(rows * experts).map((x) => (4 * Math.round(x * steps)) / steps);
  const chosen = Array.from({ length: rows }, (_, r) =>
    route_reference(values.subarray(r * experts, (r + 1) * experts), k),
  );
  const slots = { rows, cols: k, stride: k, row0 };
  const ids = new Uint32Array((row0 + rows + 1) * k).fill(UNUSED);
  const weights = draw.noise(ids.length);
  return {
    launches: [launch(moe_route, { rows, experts, k, stride, row0 })],
    buffers: { logits: framed(values, { rows, cols: experts, stride, row0 }), experts: ids, weights },
    want: {
      experts: replaced(
        ids,
        chosen.flatMap((row) => row.experts),
        slots,
      ),
      weights: replaced(
        weights,
        chosen.flatMap((row) => row.weights),
        slots,
      ),
    },
    tolerance: 2e-6,
  };
}

/** Logits that stand apart, whatever the rounding: column e of the router is (a permuted e) times one direction. */
function router_case(draw: Draw): FuzzCase {
  const [rows, experts, format] = [draw.whole(1, 4), draw.whole(1, 256), draw.pick(PLAIN_FORMATS)];
  const [k, top_k] = [4 * draw.whole(1, 200), draw.whole(1, Math.min(experts, 16))];
  const [x_frame, a_frame] = [0, 1].map(() => ({ rows, cols: k, stride: k + 4 * draw.whole(0, 3) })) as [Frame, Frame];
  const logits_stride = experts + draw.whole(0, 5);
  const direction = draw.noise(k).map((x) => (x < 0 ? -1 : 1));
  const scales = draw.noise(rows).map((x) => 1 + x);
  const x = Float32Array.from(
    { length: rows * k },
    (_, i) => (0.5 + (i % 7)) * (direction[i % k] as number) * (scales[Math.floor(i / k)] as number),
  );
  const norm_weight = draw.noise(k).map((w) => 1.5 + w);
  const step = draw.pick([3, 7, 11, 13].filter((prime) => experts % prime !== 0));
  const grade = (e: number) => (((e * step) % experts) + 1) / (8 * k);
  const w = Float32Array.from(
    { length: k * experts },
    (_, i) => (direction[Math.floor(i / experts)] as number) * grade(i % experts),
  );
  const router = stored(w, k, experts, format);
  const eps = 1e-5;
  const sizes = { rows, cols: k, x_stride: k, y_stride: k, x_row0: 0, y_row0: 0, eps };
  const normed = norm_reference(x, norm_weight, new Float32Array(rows * k), sizes);
  const values = linear_reference(normed, router, { rows, k, cols: experts });
  const chosen = Array.from({ length: rows }, (_, r) =>
    route_reference(values.subarray(r * experts, (r + 1) * experts), top_k),
  );
  const blank = { a: draw.noise(frame_length(a_frame) + 4), logits: draw.noise((rows + 1) * logits_stride) };
  const ids = new Uint32Array((rows + 1) * top_k).fill(UNUSED);
  const route_weights = draw.noise(ids.length);
  const slots = { rows, cols: top_k, stride: top_k };
  return {
    launches: [
      launch(
        moe_router,
        { rows, k, experts, top_k, x_stride: x_frame.stride, normed_stride: a_frame.stride, logits_stride, eps },
        { WEIGHT_FORMAT: FORMATS[format] },
      ),
    ],
    buffers: {
      ...{ x: framed(x, x_frame), weights: packed(router, k, experts, format), norm_weight, normed: blank.a },
      ...{ logits: blank.logits, experts: ids, route_weights },
    },
    want: {
      normed: replaced(blank.a, normed, a_frame),
      logits: replaced(blank.logits, values, { rows, cols: experts, stride: logits_stride }),
      experts: replaced(
        ids,
        chosen.flatMap((row) => row.experts),
        slots,
      ),
      route_weights: replaced(
        route_weights,
        chosen.flatMap((row) => row.weights),
        slots,
      ),
    },
    tolerance: 1e-4,
  };
}

function sort_case(draw: Draw): FuzzCase {
  const { rows, experts, top_k, choices } = routing(draw, 400, 64);
  const slot0 = draw.whole(0, 6);
  const earlier = Array.from({ length: slot0 }, () => draw.whole(0, experts - 1)); // of another part: not counted
  const listed = sort_reference(choices, experts);
  const unused = (list: readonly number[]) => [...list, ...new Array<number>(rows - list.length).fill(UNUSED)];
  return {
    launches: [launch(moe_sort, { rows, k: top_k, experts, slot0 })],
    buffers: {
      experts: Uint32Array.from([...earlier, ...choices]),
      counts: new Uint32Array(experts).fill(UNUSED),
      lists: new Uint32Array(experts * rows).fill(UNUSED),
    },
    want: { counts: listed.map((list) => list.length), lists: listed.flatMap(unused) },
  };
}

function tiles_case(draw: Draw): FuzzCase {
  const { rows, experts, top_k, choices } = routing(draw, 300, 64);
  const tile_rows = draw.whole(1, 70);
  const most = max_tiles(rows, top_k, experts, tile_rows);
  const counts = sort_reference(choices, experts).map((list) => list.length);
  return {
    launches: [launch(moe_tiles, { experts, tile_rows, max_tiles: most })],
    buffers: { counts: Uint32Array.from(counts), tiles: new Uint32Array(2 * most).fill(77) },
    want: { tiles: tiles_reference(counts, tile_rows, most) },
  };
}

function combine_case(draw: Draw): FuzzCase {
  const [rows, k, cols] = [draw.whole(1, 40), draw.whole(1, 8), 4 * draw.whole(1, 80)];
  const y_frame = { rows: rows * k, cols, stride: cols + 4 * draw.whole(0, 3) };
  const x_frame = { rows, cols, stride: cols + 4 * draw.whole(0, 3), row0: draw.whole(0, 3) };
  const slot0 = draw.whole(0, 3);
  const [y, x, weights] = [draw.noise(rows * k * cols), draw.noise(rows * cols), draw.noise(rows * k)];
  const before = draw.noise((x_frame.row0 + rows + 1) * x_frame.stride);
  const filled = Float32Array.from(replaced(before, x, x_frame));
  const placed = framed(weights, { rows: rows * k, cols: 1, stride: 1, row0: slot0 });
  const numbers = { rows, k, cols, y_stride: y_frame.stride, x_stride: x_frame.stride, x_row0: x_frame.row0, slot0 };
  return {
    launches: [launch(moe_combine, numbers)],
    buffers: { y: framed(y, y_frame), weights: placed, x: filled },
    want: { x: replaced(filled, combine_reference(y, weights, x, { rows, k, cols }), x_frame) },
    tolerance: 4e-6,
  };
}

export const MOE_OPS: readonly FuzzOp[] = [
  { name: 'moe_route', kernels: [moe_route], make: route_case },
  { name: 'moe_router', kernels: [moe_router], make: router_case },
  { name: 'moe_sort', kernels: [moe_sort], make: sort_case },
  { name: 'moe_tiles', kernels: [moe_tiles], make: tiles_case },
  { name: 'expert_matmul', kernels: [expert_matmul], make: expert_matmul_case },
  { name: 'expert_gate_up', kernels: [expert_gate_up], make: gate_up_case },
  { name: 'expert_down', kernels: [expert_down], make: down_case },
  { name: 'moe_combine', kernels: [moe_combine], make: combine_case },
];
