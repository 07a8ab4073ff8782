import { add_features } from '../../kernels/add_features/add_features.ts';
import { argmax } from '../../kernels/argmax/argmax.ts';
import { layer_norm, rms_norm } from '../../kernels/norm/norm.ts';
import { tap_windows, window_mean } from '../../kernels/pool_windows/pool_windows.ts';
import { sample } from '../../kernels/sample/sample.ts';
import { round_up } from '../../kernels/spec.ts';
import { swiglu } from '../../kernels/swiglu/swiglu.ts';
import { vit_embed } from '../../kernels/vit_embed/vit_embed.ts';
import { add_features as add_reference } from '../reference/add_features.ts';
import { argmax as argmax_reference } from '../reference/argmax.ts';
import { layer_norm as layer_reference, rms_norm as rms_reference } from '../reference/norm.ts';
import * as windows_reference from '../reference/pool_windows.ts';
import { sample as sample_reference } from '../reference/sample.ts';
import { swiglu as swiglu_reference } from '../reference/swiglu.ts';
import { vit_embed as embed_reference } from '../reference/vit_embed.ts';
import { type Draw, type FuzzCase, type FuzzOp, frame_length, framed, launch, replaced } from './fuzz.ts';

/** A width that kernels of fours take, and a stride that holds it. */
function width(draw: Draw, most: number) {
  const cols = 4 * draw.whole(1, most / 4);
  return { cols, stride: cols + 4 * draw.whole(0, 3) };
}

function norm(draw: Draw, centred: boolean): FuzzCase {
  const { cols, stride: x_stride } = width(draw, 1200);
  const [rows, x_row0, y_row0] = [draw.whole(1, 20), draw.whole(0, 3), draw.whole(0, 3)];
  const d = {
    rows,
    cols,
    x_stride,
    y_stride: cols + 4 * draw.whole(0, 3),
    x_row0,
    y_row0,
    eps: draw.pick([1e-5, 1e-6]),
  };
  const scale = draw.pick([1, 100]);
  const values = draw.noise(rows * cols).map((v) => scale * v);
  const x = framed(values, { rows, cols, stride: x_stride, row0: x_row0 });
  const weight = draw.noise(cols).map((w) => 1 + w);
  const bias = draw.noise(cols);
  const y = draw.noise((y_row0 + rows + 1) * d.y_stride);
  if (!centred) {
    const want = { y: rms_reference(x, weight, y, d) };
    return { launches: [launch(rms_norm, d)], buffers: { x, weight, y }, want, tolerance: 1e-5 };
  }
  const want = { y: layer_reference(x, weight, bias, y, d) };
  return { launches: [launch(layer_norm, d)], buffers: { x, weight, bias, y }, want, tolerance: 1e-5 };
}

function swiglu_case(draw: Draw): FuzzCase {
  const [rows, hidden] = [draw.whole(1, 20), draw.whole(1, 300)];
  const computed = round_up(hidden, 4);
  const up_col0 = computed + 4 * draw.whole(0, 3);
  const d = {
    rows,
    hidden,
    up_col0,
    in_stride: 2 * up_col0 + 4 * draw.whole(0, 3),
    out_stride: computed + 4 * draw.whole(0, 3),
  };
  const half = { rows, cols: computed, stride: d.in_stride };
  const gate = framed(
    draw.noise(rows * computed).map((v) => 4 * v),
    half,
  );
  const gate_up = new Float32Array(replaced(gate, draw.noise(rows * computed), { ...half, col0: up_col0 }));
  const h = draw.noise((rows + 1) * d.out_stride);
  const want = { h: swiglu_reference(gate_up, h, d) };
  return { launches: [launch(swiglu, d)], buffers: { gate_up, h }, want, tolerance: 1e-5 };
}

function argmax_case(draw: Draw): FuzzCase {
  const [rows, cols] = [draw.whole(1, 12), draw.whole(1, 3000)];
  const stride = round_up(cols, 4) + 4 * draw.whole(0, 2);
  const token_row0 = draw.whole(0, 3);
  // Few different values, so that the largest one is often there twice.
  const steps = draw.pick([3, 50, 2 ** 20]);
  const values = draw.noise(rows * cols).map((v) => Math.round(v * steps) / steps);
  if (draw.whole(0, 9) === 9) values[draw.whole(0, values.length - 1)] = Number.NaN;
  const logits = framed(values, { rows, cols, stride });
  const tokens = new Uint32Array(token_row0 + rows + 1).fill(77);
  const found = Array.from({ length: rows }, (_, r) => argmax_reference(values.subarray(r * cols, (r + 1) * cols)));
  const want = { tokens: replaced(tokens, found, { rows, cols: 1, stride: 1, row0: token_row0 }) };
  return { launches: [launch(argmax, { rows, cols, stride, token_row0 })], buffers: { logits, tokens }, want };
}

/** A draw this near to the edge between two tokens may fall to either side. */
const ROUNDING = 2e-5;

function sample_case(draw: Draw): FuzzCase {
  const [cols, row, token_at] = [draw.whole(1, 1000), draw.whole(0, 2), draw.whole(0, 3)];
  const stride = round_up(cols, 4) + 4 * draw.whole(0, 2);
  const settings = {
    temperature: draw.pick([0.3, 1, 2.5]),
    top_p: draw.pick([1, 0.9, 0.37, 0.01]),
    top_k: draw.maybe() ? 0 : draw.whole(1, 1200),
    seed: draw.whole(0, 2 ** 30),
    step: draw.whole(0, 5000),
  };
  const values = draw.noise(cols).map((v) => 4 * v);
  const logits = framed(values, { rows: 1, cols, stride, row0: row });
  const tokens = new Uint32Array(token_at + 2).fill(77);
  const { token, margin } = sample_reference(values, settings);
  const want = Float64Array.from(tokens);
  want[token_at] = margin < ROUNDING ? Number.NaN : token;
  return {
    launches: [launch(sample, { ...settings, cols, stride, row, token_at })],
    buffers: { logits, tokens },
    want: { tokens: want },
  };
}

function add_features_case(draw: Draw): FuzzCase {
  const { cols, stride: f_stride } = width(draw, 300);
  const [cells, rows] = [draw.whole(1, 40), draw.whole(1, 60)];
  const d = { cells, cells_counted: cells, cols, rows, f_stride, x_stride: cols + 4 * draw.whole(0, 3) };
  // A row at most once; numbers outside 0 .. rows - 1 mean no row.
  const unused = [-100, -1, rows, -(2 ** 31), 2 ** 31 - 1];
  const first = draw.whole(0, rows - 1);
  const index = Int32Array.from({ length: cells }, (_, c) =>
    c >= rows || draw.whole(0, 4) === 4 ? draw.pick(unused) : (first + c) % rows,
  );
  const features = framed(draw.noise(cells * cols), { rows: cells, cols, stride: f_stride });
  const x = draw.noise((rows + 1) * d.x_stride);
  const want = { x: add_reference(features, index, x, d) };
  return { launches: [launch(add_features, d)], buffers: { features, index, x }, want, tolerance: 1e-6 };
}

function vit_embed_case(draw: Draw): FuzzCase {
  const { cols: emb, stride } = width(draw, 300);
  const [crops, patches_per_crop] = [draw.whole(1, 4), draw.whole(1, 40)];
  const d = { crops, patches_per_crop, emb, stride, pos_stride: emb + 4 * draw.whole(0, 2) };
  const rows = crops * patches_per_crop;
  const patches = framed(draw.noise(rows * emb), { rows, cols: emb, stride });
  const class_embedding = draw.noise(emb);
  const places = { rows: patches_per_crop + 1, cols: emb, stride: d.pos_stride };
  const positions = framed(draw.noise(places.rows * emb), places);
  const x = draw.noise((rows + crops + 1) * stride);
  const want = { x: embed_reference(patches, class_embedding, positions, x, d) };
  return {
    launches: [launch(vit_embed, d)],
    buffers: { patches, class_embedding, positions, x },
    want,
    tolerance: 1e-6,
  };
}

function tap_windows_case(draw: Draw): FuzzCase {
  const { cols: emb, stride: x_stride } = width(draw, 300);
  const [crops, crop0, grid_side] = [draw.whole(1, 3), draw.whole(0, 2), 2 * draw.whole(1, 4)];
  const taps = draw.whole(1, 3);
  const col0 = emb * draw.whole(0, taps - 1);
  const d = {
    crops,
    crop0,
    emb,
    x_stride,
    w_stride: taps * emb + 4 * draw.whole(0, 2),
    col0,
    pad_cols: taps * emb,
    grid_side,
  };
  const patches = grid_side ** 2;
  const rows = crops * (patches + 1);
  const x = framed(draw.noise(rows * emb), { rows, cols: emb, stride: x_stride });
  const keep = Float32Array.from({ length: crop0 + crops }, () => draw.pick([1, 1, 0]));
  const masks = Float32Array.from({ length: keep.length * patches }, () => draw.pick([1, 0, 0.3, 0.999, -1]));
  const pad_embed = draw.noise(2 * d.pad_cols);
  const windows = draw.noise(keep.length * patches * d.w_stride);
  const want = { windows: windows_reference.tap_windows(x, masks, keep, pad_embed, windows, d) };
  return { launches: [launch(tap_windows, d)], buffers: { x, masks, keep, pad_embed, windows }, want, tolerance: 1e-6 };
}

function window_mean_case(draw: Draw): FuzzCase {
  const { cols, stride: w_stride } = width(draw, 600);
  const cells = draw.whole(1, 40);
  const d = { cells, cols, w_stride, m_stride: cols + 4 * draw.whole(0, 3) };
  const frame = { rows: 4 * cells, cols, stride: w_stride };
  const windows = framed(draw.noise(frame_length(frame)), frame);
  const mean = draw.noise((cells + 1) * d.m_stride);
  const want = { mean: windows_reference.window_mean(windows, mean, d) };
  return { launches: [launch(window_mean, d)], buffers: { windows, mean }, want, tolerance: 1e-6 };
}

export const ROW_OPS: readonly FuzzOp[] = [
  { name: 'rms_norm', kernels: [rms_norm], make: (draw) => norm(draw, false) },
  { name: 'layer_norm', kernels: [layer_norm], make: (draw) => norm(draw, true) },
  { name: 'swiglu', kernels: [swiglu], make: swiglu_case },
  { name: 'argmax', kernels: [argmax], make: argmax_case },
  { name: 'sample', kernels: [sample], make: sample_case },
  { name: 'add_features', kernels: [add_features], make: add_features_case },
  { name: 'vit_embed', kernels: [vit_embed], make: vit_embed_case },
  { name: 'tap_windows', kernels: [tap_windows], make: tap_windows_case },
  { name: 'window_mean', kernels: [window_mean], make: window_mean_case },
];
