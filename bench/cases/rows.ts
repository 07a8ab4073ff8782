import type { ModelConfig } from '../../engine/model/config.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { add_features } from '../../kernels/add_features/add_features.ts';
import { argmax } from '../../kernels/argmax/argmax.ts';
import { layer_norm, rms_norm } from '../../kernels/norm/norm.ts';
import { tap_windows, window_mean } from '../../kernels/pool_windows/pool_windows.ts';
import { sample } from '../../kernels/sample/sample.ts';
import type { Kernel } from '../../kernels/spec.ts';
import { swiglu } from '../../kernels/swiglu/swiglu.ts';
import { vit_embed } from '../../kernels/vit_embed/vit_embed.ts';
import { add_features as add_reference } from '../../test/reference/add_features.ts';
import { argmax as argmax_reference } from '../../test/reference/argmax.ts';
import { layer_norm as layer_reference, rms_norm as rms_reference } from '../../test/reference/norm.ts';
import * as windows_reference from '../../test/reference/pool_windows.ts';
import { sample as sample_reference } from '../../test/reference/sample.ts';
import { swiglu as swiglu_reference } from '../../test/reference/swiglu.ts';
import { vit_embed as embed_reference } from '../../test/reference/vit_embed.ts';
import { type KernelCase, launch, type Maker, pattern } from './case.ts';

/** Kernels that give each row its own work: what they move is what they cost. */
export function row_cases(config: ModelConfig, prompts: readonly number[]): Maker[] {
  const { d_model: d, vit, embedding_size } = config;
  const { patches_per_side, cells: view_cells } = geometry_of(config);
  const cells = 2 * view_cells;
  return [
    ...prompts.map((rows) => () => norm(rows, d, false)),
    () => norm(2 * vit.positions, vit.emb, true),
    () => norm(333, 1036, false),
    () => norm(333, 1036, true),
    () => swiglu_case(cells, config.projector_hidden),
    () => swiglu_case(512 * config.top_k, config.expert_hidden),
    () => argmax_case(1, embedding_size),
    () => argmax_case(8, embedding_size),
    () => sample_case(embedding_size),
    () => add_features_case(cells, d, 335),
    () => vit_embed_case(2, vit.emb, patches_per_side ** 2),
    () => tap_windows_case(2, vit.emb, config.vit_layers.length, patches_per_side),
    () => window_mean_case(cells, config.vit_layers.length * vit.emb),
  ];
}

export function norm(rows: number, cols: number, centred: boolean): KernelCase {
  const d = { rows, cols, x_stride: cols, y_stride: cols, x_row0: 0, y_row0: 0, eps: 1e-5 };
  const [x, weight, bias] = [pattern(1, 2).f32(rows * cols), pattern(2).f32(cols), pattern(3).f32(cols)];
  const y = new Float32Array(rows * cols);
  const kernel = centred ? layer_norm : rms_norm;
  return {
    kernel,
    stage: centred ? 'vision_encoder' : rows === 1 ? 'decode' : 'prefill',
    shape: `${rows}x${cols}`,
    launches: [launch(kernel, d)],
    buffers: () => ({ x, weight, bias, y }),
    want: () => {
      const values = centred ? layer_reference(x, weight, bias, y, d) : rms_reference(x, weight, y, d);
      return [{ buffer: 'y', values }];
    },
  };
}

function swiglu_case(rows: number, hidden: number): KernelCase {
  const d = { rows, hidden, in_stride: 2 * hidden, out_stride: hidden, up_col0: hidden };
  const gate_up = pattern(1, 4).f32(rows * 2 * hidden);
  const h = new Float32Array(rows * hidden);
  return {
    kernel: swiglu as Kernel,
    stage: rows < 512 ? 'projector' : 'prefill',
    shape: `${rows}x${hidden}`,
    launches: [launch(swiglu, d)],
    buffers: () => ({ gate_up, h }),
    want: () => [{ buffer: 'h', values: swiglu_reference(gate_up, h, d) }],
  };
}

function argmax_case(rows: number, cols: number): KernelCase {
  const logits = pattern(1).f32(rows * cols);
  return {
    kernel: argmax as Kernel,
    stage: 'decode',
    shape: `${rows}x${cols}`,
    launches: [launch(argmax, { rows, cols, stride: cols, token_row0: 0 })],
    buffers: () => ({ logits, tokens: new Uint32Array(rows) }),
    want: () => {
      const found = Array.from({ length: rows }, (_, r) => argmax_reference(logits.subarray(r * cols, (r + 1) * cols)));
      return [{ buffer: 'tokens', values: found }];
    },
  };
}

/** A seed whose draw is far from the edge between two tokens. */
function sample_case(cols: number): KernelCase {
  const logits = pattern(1, 4).f32(cols);
  const settings = { temperature: 0.7, top_p: 0.9, top_k: 50, seed: 1, step: 3 };
  return {
    kernel: sample as Kernel,
    stage: 'decode',
    shape: `1x${cols} top-k 50, top-p 0.9`,
    launches: [launch(sample, { ...settings, cols, stride: cols, row: 0, token_at: 0 })],
    buffers: () => ({ logits, tokens: new Uint32Array(1) }),
    want: () => [{ buffer: 'tokens', values: [sample_reference(logits, settings).token] }],
  };
}

function add_features_case(cells: number, cols: number, rows: number): KernelCase {
  const d = { cells, cells_counted: cells, cols, rows, f_stride: cols, x_stride: cols };
  const index = Int32Array.from({ length: cells }, (_, c) => (c % 50 === 49 ? -100 : c + 10));
  const [features, x] = [pattern(1).f32(cells * cols), pattern(2).f32(rows * cols)];
  return {
    kernel: add_features as Kernel,
    stage: 'prefill',
    shape: `${cells} cells into ${rows}x${cols}`,
    launches: [launch(add_features, d)],
    buffers: () => ({ features, index, x }),
    want: () => [{ buffer: 'x', values: add_reference(features, index, x, d) }],
  };
}

function vit_embed_case(crops: number, emb: number, patches_per_crop: number): KernelCase {
  const d = { crops, patches_per_crop, emb, stride: emb, pos_stride: emb };
  const [patches, class_embedding] = [pattern(1).f32(crops * patches_per_crop * emb), pattern(2).f32(emb)];
  const rows = patches_per_crop + 1;
  const [positions, x] = [pattern(3).f32(rows * emb), new Float32Array(crops * rows * emb)];
  return {
    kernel: vit_embed as Kernel,
    stage: 'vision_encoder',
    shape: `${crops} views of ${patches_per_crop}x${emb}`,
    launches: [launch(vit_embed, d)],
    buffers: () => ({ patches, class_embedding, positions, x }),
    want: () => [{ buffer: 'x', values: embed_reference(patches, class_embedding, positions, x, d) }],
  };
}

function tap_windows_case(crops: number, emb: number, taps: number, grid_side: number): KernelCase {
  const patches = grid_side ** 2;
  const d = { crops, crop0: 0, emb, x_stride: emb, w_stride: taps * emb, col0: 0, pad_cols: taps * emb, grid_side };
  const x = pattern(1).f32(crops * (patches + 1) * emb);
  const keep = new Float32Array(crops).fill(1);
  const masks = Float32Array.from({ length: crops * patches }, (_, i) => [1, 0, 0.5][i % 3] as number);
  const pad_embed = pattern(2).f32(2 * taps * emb);
  const windows = new Float32Array(crops * patches * taps * emb);
  return {
    kernel: tap_windows as Kernel,
    stage: 'vision_encoder',
    shape: `${crops} views of ${patches}x${emb}`,
    launches: [launch(tap_windows, d)],
    buffers: () => ({ x, masks, keep, pad_embed, windows }),
    want: () => [{ buffer: 'windows', values: windows_reference.tap_windows(x, masks, keep, pad_embed, windows, d) }],
  };
}

function window_mean_case(cells: number, cols: number): KernelCase {
  const d = { cells, cols, w_stride: cols, m_stride: cols };
  const [windows, mean] = [pattern(1).f32(4 * cells * cols), new Float32Array(cells * cols)];
  return {
    kernel: window_mean as Kernel,
    stage: 'projector',
    shape: `${cells}x${cols}`,
    launches: [launch(window_mean, d)],
    buffers: () => ({ windows, mean }),
    want: () => [{ buffer: 'mean', values: windows_reference.window_mean(windows, mean, d) }],
  };
}
