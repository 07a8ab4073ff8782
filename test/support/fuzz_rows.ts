import { add_features } from '../../kernels/add_features/add_features.ts';
import { argmax } from '../../kernels/argmax/argmax.ts';
import { layer_norm, rms_norm } from '../../kernels/norm/norm.ts';
import { tap_windows, window_mean } from '../../kernels/pool_windows/pool_windows.ts';
import { sample } from '../../kernels/sample/sample.ts';
import { round_up } from '../../kernels/spec.ts';
import { swiglu, swiglu_mixed } from '../../kernels/swiglu/swiglu.ts';
import { vit_embed } from '../../kernels/vit_embed/vit_embed.ts';
import { type KernelCase, range } from '../reference/cases/case.ts';
import {
  add_features_case,
  argmax_case,
  norm_case,
  sample_case,
  swiglu_case,
  swiglu_mixed_case,
  tap_windows_case,
  vit_embed_case,
  window_mean_case,
} from '../reference/cases/rows.ts';
import type { Draw, FuzzOp } from './fuzz.ts';

function norm(draw: Draw, centred: boolean): KernelCase {
  const cols = 4 * draw.whole(1, 300);
  return norm_case(draw, centred, {
    ...{ rows: draw.whole(1, 20), cols, x_stride: draw.fours(cols), y_stride: draw.fours(cols) },
    ...{ x_row0: draw.whole(0, 3), y_row0: draw.whole(0, 3), eps: draw.pick([1e-5, 1e-6]), scale: draw.pick([1, 100]) },
  });
}

function gates(draw: Draw) {
  const [rows, hidden] = [draw.whole(1, 20), draw.whole(1, 300)];
  const up_col0 = draw.fours(round_up(hidden, 4));
  const strides = { in_stride: draw.fours(2 * up_col0), out_stride: draw.fours(round_up(hidden, 4)) };
  return { rows, hidden, up_col0, ...strides };
}

const gated = (draw: Draw): KernelCase => swiglu_case(draw, gates(draw));

function gated_mixed(draw: Draw): KernelCase {
  const shape = gates(draw);
  const filled = range(shape.rows).map(() => draw.maybe());
  return swiglu_mixed_case(draw, { ...shape, slot0: draw.whole(0, 9), filled });
}

function greedy(draw: Draw): KernelCase {
  const [rows, cols] = [draw.whole(1, 12), draw.whole(1, 3000)];
  return argmax_case(draw, {
    ...{ rows, cols, stride: round_up(cols, 4) + 4 * draw.whole(0, 2), token_row0: draw.whole(0, 3) },
    steps: draw.pick([3, 50, 2 ** 20]),
    nan_at: draw.whole(0, 9) === 9 ? draw.whole(0, rows * cols - 1) : undefined,
  });
}

function sampled(draw: Draw): KernelCase {
  const cols = draw.whole(1, 1000);
  return sample_case(draw, {
    ...{ cols, row: draw.whole(0, 2), token_at: draw.whole(0, 3), stride: round_up(cols, 4) + 4 * draw.whole(0, 2) },
    ...{ temperature: draw.pick([0.3, 1, 2.5]), top_p: draw.pick([1, 0.9, 0.37, 0.01]) },
    ...{ top_k: draw.maybe() ? 0 : draw.whole(1, 1200), seed: draw.whole(0, 2 ** 30), step: draw.whole(0, 5000) },
  });
}

function features(draw: Draw): KernelCase {
  const [cols, rows] = [4 * draw.whole(1, 75), draw.whole(1, 60)];
  const unused = [-100, -1, rows, -(2 ** 31), 2 ** 31 - 1];
  const first = draw.whole(0, rows - 1);
  return add_features_case(draw, {
    ...{ cols, rows, f_stride: draw.fours(cols), x_stride: draw.fours(cols) },
    index: Int32Array.from({ length: draw.whole(1, 40) }, (_, c) =>
      c >= rows || draw.whole(0, 4) === 4 ? draw.pick(unused) : (first + c) % rows,
    ),
  });
}

function embedded(draw: Draw): KernelCase {
  const emb = 4 * draw.whole(1, 75);
  return vit_embed_case(draw, {
    ...{ crops: draw.whole(1, 4), patches_per_crop: draw.whole(1, 40), emb },
    ...{ stride: draw.fours(emb), pos_stride: emb + 4 * draw.whole(0, 2) },
  });
}

function tapped(draw: Draw): KernelCase {
  const [emb, taps, grid_side] = [4 * draw.whole(1, 75), draw.whole(1, 3), 2 * draw.whole(1, 4)];
  const [crops, crop0] = [draw.whole(1, 3), draw.whole(0, 2)];
  const keep = Float32Array.from({ length: crop0 + crops }, () => draw.pick([1, 1, 0]));
  return tap_windows_case(draw, {
    ...{ crops, crop0, emb, taps, grid_side, keep, x_stride: draw.fours(emb) },
    ...{ w_stride: taps * emb + 4 * draw.whole(0, 2), col0: emb * draw.whole(0, taps - 1) },
    masks: Float32Array.from({ length: keep.length * grid_side ** 2 }, () => draw.pick([1, 0, 0.3, 0.999, -1])),
  });
}

function mean(draw: Draw): KernelCase {
  const cols = 4 * draw.whole(1, 150);
  const strides = { w_stride: draw.fours(cols), m_stride: draw.fours(cols) };
  return window_mean_case(draw, { cells: draw.whole(1, 40), cols, ...strides });
}

export const ROW_OPS: readonly FuzzOp[] = [
  { name: 'rms_norm', kernels: [rms_norm], make: (draw) => norm(draw, false), tolerance: 1e-5 },
  { name: 'layer_norm', kernels: [layer_norm], make: (draw) => norm(draw, true), tolerance: 1e-5 },
  { name: 'swiglu', kernels: [swiglu], make: gated, tolerance: 1e-5 },
  { name: 'swiglu_mixed', kernels: [swiglu_mixed], make: gated_mixed, tolerance: 1e-5 },
  { name: 'argmax', kernels: [argmax], make: greedy },
  { name: 'sample', kernels: [sample], make: sampled },
  { name: 'add_features', kernels: [add_features], make: features, tolerance: 1e-6 },
  { name: 'vit_embed', kernels: [vit_embed], make: embedded, tolerance: 1e-6 },
  { name: 'tap_windows', kernels: [tap_windows], make: tapped, tolerance: 1e-6 },
  { name: 'window_mean', kernels: [window_mean], make: mean, tolerance: 1e-6 },
];
