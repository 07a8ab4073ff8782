import eight_wgsl from '../../kernels/common/eight.wgsl';
import { in_strips } from '../../kernels/common/strips.ts';
import { team_consts } from '../../kernels/common/weights.ts';
import { matmul } from '../../kernels/matmul/matmul.ts';
import { ceil_div, FORMATS, type Kernel, row_stride } from '../../kernels/spec.ts';
import { type Data, type Launch, launch } from '../../test/reference/cases/case.ts';
import { quantise } from '../../test/reference/quantise.ts';
import matmul_dots from './matmul_dots.wgsl';
import params_wgsl from './params.wgsl';
import { type Ladder, type Rung, rung_kernel } from './rung.ts';

const GROUP = 32; // values that share a scale
const ROWS = 32;
/** Words between rows: an odd number of cache lines, as floats have. */
const words_apart = (k: number): number => row_stride(k / 4);

/** Bytes whose largest in a group is 127, so that formats keep every one of them. */
function bytes(count: number, run: number, seed: number): Int8Array {
  let state = seed;
  return Int8Array.from({ length: count }, (_, i) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(i / run) % GROUP === 0 ? 127 : (state >>> 24) - 128 || 1;
  }).map((byte) => Math.max(-127, byte));
}

/** A product of rows and weights that are bytes with scales: weights made floats, as the engine does, or all in integers. */
export function integer_ladder(rows: number, k: number, cols: number): Ladder {
  const [unit, a_unit] = [Math.fround(1 / 127), 1 / 128];
  const sizes = { rows, k, cols, true_cols: cols, c_stride: cols, col0: 0, a_row0: 0, c_row0: 0, epilogue: 0 };
  const buffers = (): Record<string, Data> => {
    const [a, w] = [bytes(rows * k, 1, 1), bytes(k * cols, cols, 2)];
    const floats = new Float32Array(rows * row_stride(k));
    const a_bytes = new Int8Array(4 * rows * words_apart(k));
    for (let row = 0; row < rows; row++) {
      const own = a.subarray(row * k, (row + 1) * k);
      floats.set(
        Float32Array.from(own, (byte) => byte * a_unit),
        row * row_stride(k),
      );
      a_bytes.set(own, 4 * row * words_apart(k));
    }
    // Four rows of k to a word, a word a column.
    const four = new Int8Array(k * cols);
    for (let i = 0; i < four.length; i++) {
      const word = i >> 2;
      four[i] = w[(4 * Math.floor(word / cols) + (i % 4)) * cols + (word % cols)] as number;
    }
    const { words } = quantise(
      Float32Array.from(w, (byte) => byte / 127),
      k,
      cols,
      'q8',
    );
    return {
      ...{ a: floats, a_bytes: new Uint32Array(a_bytes.buffer), c: new Float32Array(rows * cols) },
      weights: in_strips(words, (k / GROUP) * 17, cols / 8),
      weight_bytes: in_strips(new Uint32Array(four.buffer), k / 4, cols / 8),
      a_scale: new Float32Array((rows * k) / GROUP).fill(a_unit),
      weight_scale: new Float32Array((k * cols) / GROUP).fill(unit),
    };
  };
  const rung = (name: string, variant: Rung['variant'], one: Launch): Rung => ({
    ...{ name, variant, needs_lanes: true },
    make: () => ({ kernel: one.kernel, launches: [one], open: () => ({ buffers: buffers(), want: () => [] }) }),
  });
  const product: Kernel = {
    ...(matmul as unknown as Kernel),
    bindings: [
      ...(['a', 'a_scale', 'weights', 'weight_scale'] as const).map((name) => ({ name, access: 'read' }) as const),
      { name: 'c', access: 'read_write' },
    ],
  };
  const dots = (name: string, APART: boolean): Launch => {
    const own = rung_kernel(product, name, {
      wgsl: [eight_wgsl, params_wgsl, matmul_dots],
      subgroups: true,
      consts: (_, traits) => ({ ...team_consts(traits), ROWS, APART }),
      grid: (p, _, traits) => [
        ceil_div(p.cols as number, 8 * traits.subgroup_size),
        ceil_div(p.rows as number, ROWS),
        1,
      ],
    });
    const bind = { a: 'a_bytes', weights: 'weight_bytes' };
    return launch(own, { ...sizes, a_stride: words_apart(k) }, { WEIGHT_FORMAT: FORMATS.q8 }, bind);
  };
  const floats = launch(matmul, { ...sizes, a_stride: row_stride(k) }, { WEIGHT_FORMAT: FORMATS.q8 });
  return {
    name: `matmul in integers ${rows}x${k}x${cols}, q8 weights`,
    flops: 2 * rows * k * cols,
    result: 'c',
    rungs: [
      rung('bytes of rows and weights, dot4I8Packed', 'simple', dots('matmul_dots', false)),
      rung('bytes taken apart first', 'simple', dots('matmul_bytes', true)),
      rung('weights become floats (lanes)', 'lanes', floats),
    ],
  };
}
