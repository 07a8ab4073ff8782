import type { Buffer } from '../../engine/gpu/buffers.ts';
import type { Executor, Tag } from '../../engine/gpu/executor.ts';
import { start_timeline } from '../../engine/gpu/timeline.ts';
import { open_executor } from '../../engine/node/load.ts';
import { attention } from '../../kernels/attention/attention.ts';
import { weights } from '../../kernels/common/weights.ts';
import { expert_matmul, expert_tile_rows } from '../../kernels/expert_matmul/expert_matmul.ts';
import { expert_down, expert_gate_up } from '../../kernels/expert_matvec/expert_matvec.ts';
import { matmul } from '../../kernels/matmul/matmul.ts';
import { moe_combine } from '../../kernels/moe_combine/moe_combine.ts';
import { max_tiles, moe_sort, moe_tiles } from '../../kernels/moe_sort/moe_sort.ts';
import {
  ceil_div,
  FORMATS,
  type Kernel,
  type Options,
  type Params,
  row_stride,
  type Variant,
  wgsl_files,
} from '../../kernels/spec.ts';
import { swiglu } from '../../kernels/swiglu/swiglu.ts';
import type { Bench } from '../main.ts';
import attention_naive from './attention_naive.wgsl';
import matmul_eight from './matmul_eight.wgsl';
import matmul_naive from './matmul_naive.wgsl';
import matmul_shared_rows from './matmul_shared_rows.wgsl';
import params_wgsl from './params.wgsl';

/**
 * From the obvious kernel to the one that runs, a step at a time: what docs/kernels tells, measured here. Each step's
 * result is held against the last one's; GPU time, best of a few runs.
 */
const RUNS = 5;
/** A step this slow is run once. */
const SLOW_MS = 1500;
const TAG: Tag = { stage: 'prefill', component: 'mlp' };
const F16 = { WEIGHT_FORMAT: FORMATS.f16 };
/** Largest difference to the last step, over the largest value of its result. */
const TOLERANCE = 1e-4;

interface Step {
  readonly name: string;
  /** Which variants of the engine's own kernels run. */
  readonly variant: Variant['name'];
  readonly needs_lanes?: boolean;
  /** Leaves work out to show what it costs: its result is nothing, and is not compared. */
  readonly lacks?: true;
  readonly record: (executor: Executor) => void;
}

interface Ladder {
  readonly name: string;
  readonly flops: number;
  readonly result_bytes: number;
  /** Makes the operands, and the steps over them; `result` is where each leaves its own. */
  readonly open: (executor: Executor) => { readonly result: Buffer; readonly steps: readonly Step[] };
}

export async function bench_ladder({ say, quick, filter }: Bench) {
  const ladders = [
    matmul_ladder(577, 1024, 1024),
    attention_ladder('attention, vision encoder', 577, 64, false),
    attention_ladder('attention, causal', 512, 128, true),
    experts_ladder(quick ? 64 : 512),
  ].filter(({ name }) => filter === undefined || name.includes(filter));
  const { executor } = await open_executor({ hush: true, tuning: 'off' });
  const rows: Record<string, unknown>[] = [];
  try {
    for (const ladder of ladders) {
      say(`-- ${ladder.name}`);
      for (const row of await climb(executor, ladder)) {
        rows.push(row);
        say(
          `${row.step.padEnd(58)} ${row.ms.toFixed(2).padStart(9)} ms ${row.gflops.toFixed(1).padStart(8)} GFLOP/s  ${row.off === null ? 'lacks a part' : `off by ${row.off.toExponential(1)}`}`,
        );
      }
    }
  } finally {
    executor.destroy();
  }
  return rows;
}

async function climb(executor: Executor, { name, flops, result_bytes, open }: Ladder) {
  const mark = executor.buffers.mark();
  const { result, steps } = open(executor);
  const able = steps.filter((step) => !step.needs_lanes || executor.device.traits.subgroup_size >= 8);
  const timeline = await start_timeline(executor, 'kernel');
  try {
    const done: { step: string; lacks?: true; ms: number; samples_ms: number[]; values: Float32Array }[] = [];
    for (const step of able) {
      executor.prefer(step.variant, {});
      const run = async () => {
        step.record(executor);
        return (await timeline.collect()).sum_ns / 1e6;
      };
      executor.write(result, 0, new Float32Array(result_bytes / 4));
      await run(); // compiles
      const samples_ms = [await run()];
      while (samples_ms.length < RUNS && (samples_ms[0] as number) < SLOW_MS) samples_ms.push(await run());
      const values = new Float32Array(await executor.read(result, 0, result_bytes));
      done.push({ step: step.name, lacks: step.lacks, ms: Math.min(...samples_ms), samples_ms, values });
    }
    const best = (done.findLast(({ lacks }) => !lacks) as (typeof done)[number]).values;
    const most = best.reduce((m, x) => Math.max(m, Math.abs(x)), 0);
    return done.map(({ values, lacks, ...row }) => {
      const gflops = flops / row.ms / 1e6;
      if (lacks) return { ladder: name, ...row, gflops, off: null };
      const off = values.reduce((m, x, i) => Math.max(m, Math.abs(x - (best[i] as number))), 0) / most;
      if (!(off <= TOLERANCE)) throw new Error(`${name}: ${row.step}: off by ${off}`);
      return { ladder: name, ...row, gflops, off };
    });
  } finally {
    timeline.close();
    executor.buffers.sweep(mark, true);
    executor.prefer(executor.variant, executor.tuning);
  }
}

const noise = (executor: Executor, label: string, values: number): Buffer =>
  noise_rows(executor, label, 1, values, values);

/** The same values whatever the stride. */
function noise_rows(executor: Executor, label: string, rows: number, cols: number, stride: number): Buffer {
  const data = new Float32Array(rows * stride);
  for (let i = 0; i < rows * cols; i++) {
    data[Math.floor(i / cols) * stride + (i % cols)] = ((i * 7919) % 1999) / 1999 - 0.5;
  }
  const buffer = executor.buffers.create(label, data.byteLength, 'activations');
  executor.write(buffer, 0, data);
  return buffer;
}

/** Halves between 1/32 and 1/16, of either sign. */
function half_noise(executor: Executor, label: string, values: number): Buffer {
  const data = Uint16Array.from(
    { length: values },
    (_, i) => 0x2800 + ((i * 7919) % 1021) + ((i * 31) & 1 ? 0x8000 : 0),
  );
  const buffer = executor.buffers.create(label, data.byteLength, 'weights');
  executor.write(buffer, 0, data);
  return buffer;
}

/** The engine's kernel with one variant of the ladder's own. */
function step_kernel(kernel: Kernel, name: string, own: Omit<Variant, 'name'>): Kernel {
  return { ...kernel, name, shape_class: undefined, variants: [{ name: 'simple', ...own }] };
}

/** Loads in the loop of `lanes` matmul, and what costs nothing in their place. */
const NO_WEIGHTS = {
  'weight8(first + 2u * k * groups)': 'Eight(vec4f(f32(first + k)), vec4f(f32(first - k)))',
  'weight8(first + (2u * k + 1u) * groups)': 'Eight(vec4f(f32(first + 2u * k)), vec4f(f32(first - 2u * k)))',
};
const NO_A = {
  'a[r0 + k]': 'vec2f(f32(r0 + k), f32(r0 ^ k))',
  'a[r1 + k]': 'vec2f(f32(r1 + k), f32(r1 ^ k))',
};

/** `lanes` matmul with parts of its text replaced. */
function without(name: string, parts: Readonly<Record<string, string>>): Kernel {
  const { name: _, ...lanes } = matmul.variants.find(({ name }) => name === 'lanes') as Variant;
  const cut = (text: string): string =>
    Object.entries(parts).reduce((left, [load, instead]) => left.replace(load, instead), text);
  return step_kernel(matmul as unknown as Kernel, name, {
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
  const params: Params = {
    ...{ rows, k, cols, true_cols: cols, a_stride: k, c_stride: cols },
    ...{ col0: 0, a_row0: 0, c_row0: 0, epilogue: 0 },
  };
  const product = matmul as unknown as Kernel;
  const naive = step_kernel(product, 'matmul_naive', {
    wgsl: [params_wgsl, matmul_naive],
    grid: (p) => [ceil_div(p.cols as number, 8), ceil_div(p.rows as number, 8), 1],
  });
  const eight = (name: string, own_rows: number) =>
    step_kernel(product, name, {
      wgsl: (o) => [weights(o), params_wgsl, matmul_eight],
      consts: () => ({ ROWS: own_rows }),
      grid: (p) => [ceil_div(p.cols as number, 64), ceil_div(p.rows as number, own_rows), 1],
    });
  const shared = step_kernel(product, 'matmul_shared_rows', {
    wgsl: (o) => [weights(o), params_wgsl, matmul_shared_rows],
    subgroups: true,
    consts: (_, traits) => ({ LANES: traits.subgroup_size }),
    grid: (p, _, traits) => [ceil_div(p.cols as number, 8 * traits.subgroup_size), ceil_div(p.rows as number, 8), 1],
  });
  return {
    name: `matmul ${rows}x${k}x${cols}, f16 weights`,
    flops: 2 * rows * k * cols,
    result_bytes: 4 * rows * cols,
    open(executor) {
      const buffers = {
        a: noise(executor, 'a', rows * k),
        weights: half_noise(executor, 'weights', k * cols),
        c: executor.buffers.create('c', 4 * rows * cols, 'activations'),
      };
      const a_stride = row_stride(k);
      const spaced = { ...buffers, a: noise_rows(executor, 'spaced a', rows, k, a_stride) };
      const step = (name: string, kernel: Kernel, variant: Variant['name'], needs_lanes = false): Step => ({
        ...{ name, variant, needs_lanes },
        record: (e) => e.dispatch(kernel, buffers, params, F16, TAG),
      });
      const lanes = step('sixteen rows, two steps along k a turn (lanes)', product, 'lanes', true);
      return {
        result: buffers.c,
        steps: [
          step('one output a thread', naive, 'simple'),
          step('eight columns a thread, one wide load of weights', eight('matmul_eight', 1), 'simple'),
          step('and four rows: a load serves 32 products', eight('matmul_four_rows', 4), 'simple'),
          step('64x64 tile in workgroup memory (tiled)', product, 'tiled'),
          step('lanes own columns, eight rows are handed round', shared, 'simple', true),
          lanes,
          {
            ...lanes,
            name: 'rows of a an odd number of cache lines apart',
            record: (e) => e.dispatch(product, spaced, { ...params, a_stride }, F16, TAG),
          },
          ...[
            without('no loads of weights', NO_WEIGHTS),
            without('no loads of a', NO_A),
            without('no loads', { ...NO_WEIGHTS, ...NO_A }),
          ].map(
            (kernel): Step => ({
              ...{ name: kernel.name, variant: 'simple', needs_lanes: true, lacks: true },
              record: (e) => e.dispatch(kernel, spaced, { ...params, a_stride }, F16, TAG),
            }),
          ),
        ],
      };
    },
  };
}

function attention_ladder(name: string, rows: number, head_dim: number, causal: boolean): Ladder {
  const heads = 16;
  const width = heads * head_dim;
  const params: Params = {
    ...{ groups: 1, rows, keys: rows, heads, q_stride: 3 * width, kv_stride: 3 * width, o_stride: width },
    ...{ q_col0: 0, k_col0: width, v_col0: 2 * width, q_row0: 0, k_row0: 0, first_position: 0 },
    scale: 1 / Math.sqrt(head_dim),
  };
  const options: Options = { HEAD_DIM: head_dim, CAUSAL: causal };
  const ours = attention as unknown as Kernel;
  const naive = step_kernel(ours, 'attention_naive', {
    wgsl: [attention_naive],
    grid: (p) => [ceil_div(p.rows as number, 64), p.heads as number, 1],
  });
  return {
    name: `${name}, ${rows} positions, ${heads} heads of ${head_dim}`,
    flops: ours.flops(params, options).useful,
    result_bytes: 4 * rows * width,
    open(executor) {
      const qkv = noise(executor, 'qkv', 3 * rows * width);
      const o = executor.buffers.create('o', 4 * rows * width, 'activations');
      const step = (title: string, kernel: Kernel, variant: Variant['name'], needs_lanes = false): Step => ({
        ...{ name: title, variant, needs_lanes },
        record: (e) => e.dispatch(kernel, { q: qkv, k: qkv, v: qkv, o }, params, options, TAG),
      });
      return {
        result: o,
        steps: [
          step('one query a thread, keys one after the other', naive, 'simple'),
          step('tiles of queries and keys in workgroup memory (tiled)', ours, 'tiled'),
          step('a team of lanes a tile of queries, two short loops (lanes)', ours, 'lanes', true),
        ],
      };
    },
  };
}

/** The experts of molmoe-1b at a quarter of their width, so that a step without tiles ends. */
function experts_ladder(rows: number): Ladder {
  const [experts, top_k, d, hidden] = [64, 8, 1024, 512];
  const slots = rows * top_k;
  const chosen = Uint32Array.from({ length: slots }, (_, s) => {
    const row = Math.floor(s / top_k);
    return (row * 13 + (s % top_k) * 7 + ((row * row) % 5)) % experts;
  });
  return {
    name: `experts, ${rows} positions, top ${top_k} of ${experts}, ${d} wide, ${hidden} hidden`,
    flops: 2 * slots * 3 * d * hidden,
    result_bytes: 4 * rows * d,
    open(executor) {
      const { create } = executor.buffers;
      const words = (label: string, data: Uint32Array | Float32Array) => {
        const buffer = create(label, data.byteLength, 'activations');
        executor.write(buffer, 0, data);
        return buffer;
      };
      const a = noise(executor, 'a', rows * d);
      const up = half_noise(executor, 'gate up', experts * d * 2 * hidden);
      const down = half_noise(executor, 'down', experts * hidden * d);
      const ids = words('experts', chosen);
      const route_weights = words('weights', new Float32Array(slots).fill(1 / top_k));
      const x = create('x', 4 * rows * d, 'activations');
      const h = create('h', 4 * slots * hidden, 'activations');
      const gate_up = create('gate up', 4 * slots * 2 * hidden, 'activations');
      const y = create('y', 4 * slots * d, 'activations');
      const counts = create('counts', 4 * experts, 'activations');
      const lists = create('lists', 4 * experts * rows, 'activations');
      const whole = { expert0: 0, expert_count: experts, expert_count_total: experts, pairs_counted: slots };
      const clear = (e: Executor) => e.write(x, 0, new Float32Array(rows * d));

      const by_slot = (e: Executor) => {
        clear(e);
        const sizes = { rows, top_k, hidden, ...whole };
        const gate = { ...sizes, k: d, a_stride: d, h_stride: hidden, a_row0: 0 };
        e.dispatch(expert_gate_up, { a, weights: up, experts: ids, h }, gate, F16, TAG);
        const last = { ...sizes, cols: d, h_stride: hidden, x_stride: d, x_row0: 0 };
        e.dispatch(expert_down, { h, weights: down, experts: ids, route_weights, x }, last, F16, TAG);
      };
      const grouped = (e: Executor) => {
        clear(e);
        const sized = { most_pairs: slots, expert_count_total: experts };
        const tile_rows = expert_tile_rows(e.choose(expert_matmul, sized, F16));
        const most = max_tiles(rows, top_k, experts, tile_rows);
        const tiles = create('tiles', 8 * most, 'activations');
        e.dispatch(moe_sort, { experts: ids, counts, lists }, { rows, k: top_k, experts, slot0: 0 }, {}, TAG);
        e.dispatch(moe_tiles, { counts, tiles }, { experts, tile_rows, max_tiles: most }, {}, TAG);
        const product = (from: Buffer, k: number, a_div: number, weights: Buffer, cols: number, c: Buffer) => {
          const shape = { k, cols, a_stride: k, c_stride: cols, flop_k: k, flop_cols: cols, a_div, a_row0: 0 };
          const params = { ...shape, ...whole, most_pairs: slots, max_tiles: most, list_stride: rows };
          e.dispatch(expert_matmul, { a: from, weights, tiles, counts, lists, c }, params, F16, TAG);
        };
        product(a, d, top_k, up, 2 * hidden, gate_up);
        const activation = { rows: slots, hidden, in_stride: 2 * hidden, up_col0: hidden, out_stride: hidden };
        e.dispatch(swiglu, { gate_up, h }, activation, {}, TAG);
        product(h, hidden, 1, down, d, y);
        const sum = { rows, k: top_k, cols: d, y_stride: d, x_stride: d, x_row0: 0, slot0: 0 };
        e.dispatch(moe_combine, { y, weights: route_weights, x }, sum, {}, TAG);
      };
      return {
        result: x,
        steps: [
          { name: 'each slot reads its expert (tiled)', variant: 'tiled', record: by_slot },
          { name: 'each slot reads its expert (lanes)', variant: 'lanes', needs_lanes: true, record: by_slot },
          { name: 'slots sorted by expert, one product a tile (tiled)', variant: 'tiled', record: grouped },
          { name: 'the same (lanes)', variant: 'lanes', needs_lanes: true, record: grouped },
        ],
      };
    },
  };
}
