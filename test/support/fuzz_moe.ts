import { expert_matmul, expert_tile_rows } from '../../kernels/expert_matmul/expert_matmul.ts';
import { expert_down, expert_gate_up } from '../../kernels/expert_matvec/expert_matvec.ts';
import { moe_combine } from '../../kernels/moe_combine/moe_combine.ts';
import { moe_route, moe_route_mixed, NO_EXPERT } from '../../kernels/moe_route/moe_route.ts';
import { moe_router } from '../../kernels/moe_router/moe_router.ts';
import { moe_sort, moe_tiles } from '../../kernels/moe_sort/moe_sort.ts';
import { round_up, type Variant } from '../../kernels/spec.ts';
import { type KernelCase, range } from '../reference/cases/case.ts';
import {
  combine_case,
  down_case,
  type ExpertShape,
  expert_matmul_case,
  gate_up_case,
  type Routing,
  route_case,
  route_mixed_case,
  router_case,
  sort_case,
  tiles_case,
} from '../reference/cases/experts.ts';
import type { Draw, FuzzOp } from './fuzz.ts';
import { expert_slices, random_choices } from './routing.ts';
import { ALL_FORMATS, k_for, PLAIN_FORMATS } from './weights.ts';

const ROUNDING = 3e-5;

/** Now and then only a few experts are chosen at all, and the others have no row. */
function routing(draw: Draw, most_rows: number, most_experts: number): Routing {
  const [rows, experts] = [draw.whole(1, most_rows), draw.whole(1, most_experts)];
  const all = range(experts);
  const first = draw.whole(0, experts - 1);
  const among = draw.maybe() ? all : all.slice(first, first + draw.whole(1, experts));
  const top_k = draw.whole(1, Math.min(8, among.length));
  const choices = random_choices(rows, top_k, experts, draw.whole(1, 2 ** 20), among);
  return { rows, experts, top_k, choices };
}

/** k and columns of up to four times these numbers, and these. */
function experts(draw: Draw, most_rows: number, most_fours: number, most_cols: number): ExpertShape {
  const routed = routing(draw, most_rows, 12);
  const format = draw.pick(ALL_FORMATS);
  const [k, cols] = [k_for(format, 4 * draw.whole(1, most_fours)), draw.whole(1, most_cols)];
  const slices = expert_slices(routed.experts, draw.whole(Math.ceil(routed.experts / 4), routed.experts));
  return {
    ...{ ...routed, format, k, cols, in_stride: draw.fours(k), out_stride: round_up(cols, 8) + 8 * draw.whole(0, 2) },
    ...{ in_row0: draw.whole(0, 2), out_row0: draw.whole(0, 2) },
    // In either order, so that no slice sets right what another did to its slots.
    slices: draw.maybe() ? slices : slices.toReversed(),
  };
}

function grouped(draw: Draw, variant: Variant['name']): KernelCase {
  const shape = experts(draw, 70, 24, 100);
  const a_div = draw.pick([1, shape.top_k]);
  return expert_matmul_case(draw, { ...shape, a_div, tile_rows: expert_tile_rows({ name: variant }) });
}

function route(draw: Draw): KernelCase {
  const all = draw.whole(1, 256);
  return route_case(draw, {
    ...{ rows: draw.whole(1, 40), experts: all, k: draw.whole(1, all), stride: all + draw.whole(0, 5) },
    ...{ row0: draw.whole(0, 3), steps: draw.pick([4, 2 ** 20]) },
  });
}

function route_mixed(draw: Draw): KernelCase {
  const all = draw.whole(1, 256);
  const [k_text, k_picture] = [draw.whole(1, all), draw.whole(1, all)];
  const rows = draw.whole(1, 40);
  return route_mixed_case(draw, {
    ...{ rows, experts: all, k: Math.max(k_text, k_picture), k_text, k_picture, stride: all + draw.whole(0, 5) },
    ...{ row0: draw.whole(0, 3), mark0: draw.whole(0, 5), steps: draw.pick([4, 2 ** 20]) },
    pictures: range(rows).map(() => draw.maybe()),
  });
}

function router(draw: Draw): KernelCase {
  const [all, k] = [draw.whole(1, 256), 4 * draw.whole(1, 200)];
  return router_case(draw, {
    ...{ rows: draw.whole(1, 4), k, experts: all, top_k: draw.whole(1, Math.min(all, 16)) },
    ...{ format: draw.pick(PLAIN_FORMATS), step: draw.pick([3, 7, 11, 13].filter((prime) => all % prime !== 0)) },
    ...{ x_stride: draw.fours(k), normed_stride: draw.fours(k), logits_stride: all + draw.whole(0, 5) },
  });
}

function sort(draw: Draw): KernelCase {
  const routed = routing(draw, 400, 64);
  const earlier = Array.from({ length: draw.whole(0, 6) }, () => draw.whole(0, routed.experts - 1));
  const { top_k, choices } = routed;
  if (draw.maybe()) return sort_case(routed, earlier);
  const taken = range(routed.rows).map(() => draw.whole(0, top_k));
  const some = choices.map((expert, slot) =>
    slot % top_k < (taken[Math.floor(slot / top_k)] as number) ? expert : NO_EXPERT,
  );
  return sort_case({ ...routed, choices: some }, earlier);
}

function combine(draw: Draw): KernelCase {
  const cols = 4 * draw.whole(1, 80);
  const [rows, k] = [draw.whole(1, 40), draw.whole(1, 8)];
  return combine_case(draw, {
    ...{ rows, k, cols, y_stride: draw.fours(cols), x_stride: draw.fours(cols) },
    taken: draw.maybe() ? range(rows).map(() => draw.whole(0, k)) : undefined,
    ...{ x_row0: draw.whole(0, 3), slot0: draw.whole(0, 3) },
  });
}

export const MOE_OPS: readonly FuzzOp[] = [
  { name: 'moe_route', kernels: [moe_route], make: route, tolerance: 2e-6 },
  { name: 'moe_route_mixed', kernels: [moe_route_mixed], make: route_mixed, tolerance: 2e-6 },
  { name: 'moe_router', kernels: [moe_router], make: router, tolerance: 1e-4 },
  { name: 'moe_sort', kernels: [moe_sort], make: sort },
  { name: 'moe_tiles', kernels: [moe_tiles], make: (draw) => tiles_case(routing(draw, 300, 64), draw.whole(1, 70)) },
  { name: 'expert_matmul', kernels: [expert_matmul], make: grouped, tolerance: ROUNDING },
  {
    ...{ name: 'expert_gate_up', kernels: [expert_gate_up], tolerance: ROUNDING },
    make: (draw) => gate_up_case(draw, experts(draw, 5, 40, 90)),
  },
  {
    ...{ name: 'expert_down', kernels: [expert_down], tolerance: ROUNDING },
    make: (draw) => down_case(draw, experts(draw, 5, 40, 150)),
  },
  { name: 'moe_combine', kernels: [moe_combine], make: combine, tolerance: 4e-6 },
];
