import { UsageError } from '../../engine/errors.ts';
import type { Buffer } from '../../engine/gpu/buffers.ts';
import type { Executor } from '../../engine/gpu/executor.ts';
import { open_executor } from '../../engine/node/load.ts';
import { attention } from '../../kernels/attention/attention.ts';
import eight_wgsl from '../../kernels/common/eight.wgsl';
import { weights } from '../../kernels/common/weights.ts';
import { expert_matmul, expert_tile_rows } from '../../kernels/expert_matmul/expert_matmul.ts';
import { expert_down, expert_gate_up } from '../../kernels/expert_matvec/expert_matvec.ts';
import { matmul } from '../../kernels/matmul/matmul.ts';
import { moe_combine } from '../../kernels/moe_combine/moe_combine.ts';
import { max_tiles, moe_sort, moe_tiles } from '../../kernels/moe_sort/moe_sort.ts';
import { ceil_div, FORMATS, type Kernel, row_stride, type Variant, wgsl_files } from '../../kernels/spec.ts';
import { swiglu } from '../../kernels/swiglu/swiglu.ts';
import { attention_case } from '../../test/reference/cases/attention.ts';
import { type Data, type KernelCase, type Launch, launch } from '../../test/reference/cases/case.ts';
import { product_case } from '../../test/reference/cases/products.ts';
import type { Bench } from '../bench.ts';
import { even_routing } from '../cases.ts';
import { costs_of } from '../costs.ts';
import { pattern } from '../pattern.ts';
import { type Contestant, open_contestant, record_case, time_case } from '../timed.ts';
import attention_naive from './attention_naive.wgsl';
import { integer_ladder } from './integer_ladder.ts';
import matmul_eight from './matmul_eight.wgsl';
import matmul_naive from './matmul_naive.wgsl';
import matmul_shared_rows from './matmul_shared_rows.wgsl';
import params_wgsl from './params.wgsl';
import { type Ladder, type Rung, rung_kernel } from './rung.ts';

/**
 * From the obvious kernel to the one that runs, a step at a time: what docs/kernels tells, measured here. Each step's
 * result is held against the last one's; GPU time, best of a few runs.
 */
const F16 = { WEIGHT_FORMAT: FORMATS.f16 };

export async function bench_ladder({ say, quick, filter }: Bench) {
  const { executor } = await open_executor({ hush: true, tuning: 'off' });
  const rows: Record<string, unknown>[] = [];
  try {
    const ladders = [
      matmul_ladder(577, 1024, 1024),
      integer_ladder(577, 1024, 1024),
      attention_ladder('attention, vision encoder', 577, 64, false),
      attention_ladder('attention, causal', 512, 128, true),
      experts_ladder(quick ? 64 : 512),
    ].filter(({ name }) => filter === undefined || name.includes(filter));
    if (ladders.length === 0)
      throw new UsageError(`--filter ${filter}: expected a part of a ladder's name, such as matmul`);
    for (const ladder of ladders) {
      say(`-- ${ladder.name}`);
      for await (const row of climb(executor, ladder)) {
        rows.push(row);
        const [ms, rate] = [row.ms.toFixed(2).padStart(9), row.gflops.toFixed(1).padStart(8)];
        say(`${row.step.padEnd(58)} ${ms} ms ${rate} GFLOP/s${row.lacks ? '  lacks a part' : ''}`);
      }
    }
  } finally {
    executor.destroy();
  }
  return rows;
}

async function* climb(executor: Executor, { name, flops, result, rungs }: Ladder) {
  const able = rungs.filter((rung) => !rung.needs_lanes || executor.device.traits.subgroup_size >= 8);
  const contestants = new Map<string, Contestant>();
  for (const { variant } of able) {
    if (!contestants.has(variant)) contestants.set(variant, await open_contestant(executor, variant));
  }
  const of = (rung: Rung) => contestants.get(rung.variant) as Contestant;
  const labelled = (made: KernelCase) => ({ ...made, stage: 'prefill', shape: '' }) as const;
  const last = able.findLast(({ lacks }) => !lacks) as Rung;
  const values = await record_case(of(last), labelled(last.make()), async (record, { uploaded }) => {
    record();
    const from = uploaded[result] as Buffer;
    return new Float32Array(await of(last).executor.read(from, 0, from.bytes));
  });
  for (const rung of able) {
    const made = rung.make();
    const open: KernelCase['open'] = () => {
      const { buffers } = made.open();
      return { buffers, want: () => (rung.lacks ? [] : [{ buffer: result, values }]) };
    };
    const timed = await time_case(of(rung), labelled({ ...made, open }), true);
    if (typeof timed === 'string') throw new Error(`${name}: ${rung.name}: ${timed}`);
    const { ms, samples_ms } = timed;
    yield { ladder: name, step: rung.name, lacks: rung.lacks, ms, samples_ms, gflops: flops / ms / 1e6 };
  }
  for (const { timeline } of contestants.values()) timeline.close();
}

/** The case with another kernel in the place of its own. */
const with_kernel = (made: KernelCase, kernel: Kernel): KernelCase => {
  return { ...made, kernel, launches: made.launches.map((one) => ({ ...one, kernel })) };
};

/** Loads in the loop of `lanes` matmul, and what costs nothing in their place. */
const NO_WEIGHTS = {
  'weight_row(column, 2u * k)': 'Eight(vec4f(f32(column.first + k)), vec4f(f32(column.first - k)))',
  'weight_row(column, 2u * k + 1u)': 'Eight(vec4f(f32(column.first + 2u * k)), vec4f(f32(column.first - 2u * k)))',
};
const NO_A = { 'a[starts[b] + k]': 'vec2f(f32(starts[b] + k), f32(starts[b] ^ k))' };

/** `lanes` matmul with parts of its text replaced. */
function without(name: string, parts: Readonly<Record<string, string>>): Kernel {
  const { name: _, ...lanes } = matmul.variants.find(({ name }) => name === 'lanes') as Variant;
  const cut = (text: string): string =>
    Object.entries(parts).reduce((left, [load, instead]) => left.replace(load, instead), text);
  return rung_kernel(matmul as unknown as Kernel, name, {
    ...lanes,
    wgsl: (o) => {
      const files = wgsl_files(lanes, o);
      for (const load in parts) {
        if (!files.some((text) => text.includes(load))) throw new Error(`matmul's loop has no ${load} any more`);
      }
      return files.map(cut);
    },
  });
}

function matmul_ladder(rows: number, k: number, cols: number): Ladder {
  const product = matmul as unknown as Kernel;
  const shape = { rows, k, cols, format: 'f16' } as const;
  const tight = () => product_case(pattern(), product, shape);
  const spaced = () => product_case(pattern(), product, { ...shape, a_stride: row_stride(k) });
  const naive = rung_kernel(product, 'matmul_naive', {
    wgsl: [eight_wgsl, params_wgsl, matmul_naive],
    grid: (p) => [ceil_div(p.cols as number, 8), ceil_div(p.rows as number, 8), 1],
  });
  const eight = (name: string, own_rows: number) =>
    rung_kernel(product, name, {
      wgsl: (o) => [weights(o), params_wgsl, matmul_eight],
      consts: () => ({ ROWS: own_rows }),
      grid: (p) => [ceil_div(p.cols as number, 64), ceil_div(p.rows as number, own_rows), 1],
    });
  const shared = rung_kernel(product, 'matmul_shared_rows', {
    wgsl: (o) => [weights(o), params_wgsl, matmul_shared_rows],
    subgroups: true,
    consts: (_, traits) => ({ LANES: traits.subgroup_size }),
    grid: (p, _, traits) => [ceil_div(p.cols as number, 8 * traits.subgroup_size), ceil_div(p.rows as number, 8), 1],
  });
  const rung = (name: string, kernel: Kernel, variant: Variant['name'], needs_lanes = false): Rung => {
    return { name, variant, needs_lanes, make: () => with_kernel(tight(), kernel) };
  };
  return {
    name: `matmul ${rows}x${k}x${cols}, f16 weights`,
    flops: costs_of(tight()).flops,
    result: 'c',
    rungs: [
      rung('one output a thread', naive, 'simple'),
      rung('eight columns a thread, one wide load of weights', eight('matmul_eight', 1), 'simple'),
      rung('and four rows: a load serves 32 products', eight('matmul_four_rows', 4), 'simple'),
      rung('64x64 tile in workgroup memory (tiled)', product, 'tiled'),
      rung('lanes own columns, eight rows are handed round', shared, 'simple', true),
      rung('sixteen rows, two steps along k a turn (lanes_16)', product, 'lanes_16', true),
      rung('thirty-two rows (lanes)', product, 'lanes', true),
      { ...rung('rows of a an odd number of cache lines apart', product, 'lanes', true), make: spaced },
      ...[
        without('no loads of weights', NO_WEIGHTS),
        without('no loads of a', NO_A),
        without('no loads', { ...NO_WEIGHTS, ...NO_A }),
      ].map((kernel): Rung => {
        return { ...rung(kernel.name, kernel, 'simple', true), lacks: true, make: () => with_kernel(spaced(), kernel) };
      }),
    ],
  };
}

function attention_ladder(name: string, rows: number, head_dim: number, causal: boolean): Ladder {
  const heads = 16;
  // Queries, keys and values side by side, as the model's product leaves them.
  const stride = 3 * heads * head_dim;
  const apart = { q: { stride }, k: { stride, col0: heads * head_dim }, v_col0: 2 * heads * head_dim };
  const first_position = causal ? 0 : undefined;
  const make = () => attention_case(pattern(), { rows, heads, head_dim, first_position, ...apart });
  const naive = rung_kernel(attention as unknown as Kernel, 'attention_naive', {
    wgsl: [attention_naive],
    grid: (p) => [ceil_div(p.rows as number, 64), p.heads as number, 1],
  });
  return {
    name: `${name}, ${rows} positions, ${heads} heads of ${head_dim}`,
    flops: costs_of(make()).flops,
    result: 'o',
    rungs: [
      {
        name: 'one query a thread, keys one after the other',
        variant: 'simple',
        make: () => with_kernel(make(), naive),
      },
      { name: 'tiles of queries and keys in workgroup memory (tiled)', variant: 'tiled', make },
      { name: 'a team of lanes a tile of queries, two short loops (lanes)', variant: 'lanes', needs_lanes: true, make },
    ],
  };
}

/** The experts of molmoe-1b at a quarter of their width, so that a rung without tiles ends. */
function experts_ladder(rows: number): Ladder {
  const size = { experts: 64, top_k: 8, d: 1024, hidden: 512 };
  const { experts, top_k, d, hidden } = size;
  const { choices } = even_routing(rows, size);
  const slots = rows * top_k;
  const whole = { expert0: 0, expert_count: experts, expert_count_total: experts, pairs_counted: slots };
  const sizes = { rows, top_k, hidden, ...whole };
  const gate = { ...sizes, k: d, a_stride: d, h_stride: hidden, a_row0: 0 };
  const last = { ...sizes, cols: d, h_stride: hidden, x_stride: d, x_row0: 0 };
  const by_slot = [
    launch(expert_gate_up, gate, F16, { weights: 'up' }),
    launch(expert_down, last, F16, { weights: 'down' }),
  ];
  const sorted = (tile_rows: number): Launch[] => {
    const most = max_tiles(slots, experts, tile_rows);
    const product = (k: number, cols: number, a_div: number, bind: Launch['bind']) => {
      const shape = { k, cols, a_stride: k, c_stride: cols, flop_k: k, flop_cols: cols, a_div, a_row0: 0 };
      const params = {
        ...shape,
        ...whole,
        most_pairs: slots,
        a_rows_counted: slots / a_div,
        max_tiles: most,
        list_stride: rows,
      };
      return launch(expert_matmul, params, F16, bind);
    };
    const activation = { rows: slots, hidden, in_stride: 2 * hidden, up_col0: hidden, out_stride: hidden };
    const sum = { rows, k: top_k, cols: d, y_stride: d, x_stride: d, x_row0: 0, slot0: 0, pairs: slots };
    return [
      launch(moe_sort, { rows, k: top_k, experts, slot0: 0, pairs: slots }),
      launch(moe_tiles, { experts, tile_rows, max_tiles: most }),
      product(d, 2 * hidden, top_k, { weights: 'up', c: 'gate_up' }),
      launch(swiglu, activation),
      product(hidden, d, 1, { a: 'h', weights: 'down', c: 'y' }),
      launch(moe_combine, sum, {}, { weights: 'route_weights' }),
    ];
  };
  const buffers = (): Record<string, Data> => {
    const n = pattern();
    const [up, down] = [n.weights(experts * d, 2 * hidden, 'f16'), n.weights(experts * hidden, d, 'f16')];
    return {
      ...{ a: n.values(rows * d), up: up.data(), down: down.data(), experts: choices },
      ...{ route_weights: new Float32Array(slots).fill(1 / top_k), x: new Float32Array(rows * d) },
      ...{ h: new Float32Array(slots * hidden), gate_up: new Float32Array(slots * 2 * hidden) },
      ...{ y: new Float32Array(slots * d), counts: new Uint32Array(experts), lists: new Uint32Array(experts * rows) },
      tiles: new Uint32Array(2 * max_tiles(slots, experts, 1)),
    };
  };
  const rung = (name: string, variant: Variant['name'], launches: readonly Launch[]): Rung => ({
    ...{ name, variant, needs_lanes: variant === 'lanes' },
    make: () => ({ kernel: expert_matmul as Kernel, launches, open: () => ({ buffers: buffers(), want: () => [] }) }),
  });
  const tile_rows = (name: Variant['name']) => expert_tile_rows({ name });
  return {
    name: `experts, ${rows} positions, top ${top_k} of ${experts}, ${d} wide, ${hidden} hidden`,
    flops: 2 * slots * 3 * d * hidden,
    result: 'x',
    rungs: [
      rung('each slot reads its expert (tiled)', 'tiled', by_slot),
      rung('each slot reads its expert (lanes)', 'lanes', by_slot),
      rung('slots sorted by expert, one product a tile (tiled)', 'tiled', sorted(tile_rows('tiled'))),
      rung('the same (lanes)', 'lanes', sorted(tile_rows('lanes'))),
    ],
  };
}
