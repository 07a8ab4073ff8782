import { add_features } from '../../../kernels/add_features/add_features.ts';
import { argmax } from '../../../kernels/argmax/argmax.ts';
import { NO_EXPERT } from '../../../kernels/moe_route/moe_route.ts';
import { layer_norm, rms_norm } from '../../../kernels/norm/norm.ts';
import { tap_windows, window_mean } from '../../../kernels/pool_windows/pool_windows.ts';
import { sample } from '../../../kernels/sample/sample.ts';
import { type Kernel, type Params, round_up } from '../../../kernels/spec.ts';
import { swiglu, swiglu_mixed } from '../../../kernels/swiglu/swiglu.ts';
import { vit_embed } from '../../../kernels/vit_embed/vit_embed.ts';
import { add_features as add_reference } from '../add_features.ts';
import { argmax as argmax_reference } from '../argmax.ts';
import { layer_norm as layer_reference, type NormDims, rms_norm as rms_reference } from '../norm.ts';
import { window_mean as mean_reference, type TapDims, tap_windows as tap_reference } from '../pool_windows.ts';
import { type SampleDims, sample as sample_reference } from '../sample.ts';
import { swiglu as swiglu_reference } from '../swiglu.ts';
import { vit_embed as embed_reference } from '../vit_embed.ts';
import { frame_length, framed, type KernelCase, launch, type Numbers, range, replaced, type Want } from './case.ts';

/** The first two are needed, the rest tight where it is not given. */
type NormShape = Pick<NormDims, 'rows' | 'cols'> & Partial<NormDims> & { readonly scale?: number };

export function norm_case(n: Numbers, centred: boolean, { scale = 1, ...s }: NormShape): KernelCase {
  const d = { x_stride: s.cols, y_stride: s.cols, x_row0: 0, y_row0: 0, eps: 1e-5, ...s };
  const { rows, cols } = d;
  const kernel = centred ? layer_norm : rms_norm;
  return {
    kernel,
    launches: [launch(kernel, d)],
    open: () => {
      const values = n.values(rows * cols).map((x) => scale * x);
      const x = framed(values, { rows, cols, stride: d.x_stride, row0: d.x_row0 });
      const weight = n.values(cols).map((w) => 1 + w);
      const [bias, y] = [n.values(cols), n.values((d.y_row0 + rows + 1) * d.y_stride)];
      return {
        buffers: { x, weight, y, ...(centred ? { bias } : {}) },
        want: () => {
          const right = centred ? layer_reference(x, weight, bias, y, d) : rms_reference(x, weight, y, d);
          return [{ buffer: 'y', values: right }];
        },
      };
    },
  };
}

interface SwigluShape {
  readonly rows: number;
  readonly hidden: number;
  readonly up_col0?: number;
  readonly in_stride?: number;
  readonly out_stride?: number;
}

export function swiglu_case(n: Numbers, { rows, hidden, ...s }: SwigluShape): KernelCase {
  const computed = round_up(hidden, 4);
  const { up_col0 = computed, out_stride = computed } = s;
  const { in_stride = 2 * up_col0 } = s;
  const d = { rows, hidden, in_stride, out_stride, up_col0 };
  return {
    kernel: swiglu as Kernel,
    launches: [launch(swiglu, d)],
    open: () => {
      const half = { rows, cols: computed, stride: in_stride };
      const gate_up = framed(n.values(rows * computed, 4), half);
      framed(n.values(rows * computed), { ...half, col0: up_col0 }, gate_up);
      const h = n.values((rows + 1) * out_stride);
      return { buffers: { gate_up, h }, want: () => [{ buffer: 'h', values: swiglu_reference(gate_up, h, d) }] };
    },
  };
}

/** Of slots some have an expert; rows of the others hold no number, and keep what was in `h`. */
export function swiglu_mixed_case(
  n: Numbers,
  shape: SwigluShape & { readonly slot0: number; readonly filled: readonly boolean[] },
): KernelCase {
  const { slot0, filled, ...plain_shape } = shape;
  const plain = swiglu_case(n, plain_shape);
  const params = { ...plain.launches[0]?.params, slot0, pairs: filled.filter(Boolean).length } as Params;
  const { in_stride = 0, out_stride = 1 } = params;
  return {
    kernel: swiglu_mixed as Kernel,
    launches: [launch(swiglu_mixed as Kernel, params)],
    open: () => {
      const { buffers, want } = plain.open();
      const { gate_up, h } = buffers as Record<'gate_up' | 'h', Float32Array>;
      const right = (want()[0] as Want).values;
      const experts = [...new Array<number>(slot0).fill(NO_EXPERT), ...filled.map((has) => (has ? 3 : NO_EXPERT))];
      for (const [row, has] of filled.entries()) {
        if (!has) gate_up.fill(Number.NaN, row * in_stride, (row + 1) * in_stride);
      }
      const values = Array.from(h, (before, i) => (filled[Math.floor(i / out_stride)] ? (right[i] as number) : before));
      return { buffers: { ...buffers, experts: Uint32Array.from(experts) }, want: () => [{ buffer: 'h', values }] };
    },
  };
}

interface ArgmaxShape {
  readonly rows: number;
  readonly cols: number;
  readonly stride?: number;
  readonly token_row0?: number;
  /** Values a unit: few of them make the largest one often there twice. */
  readonly steps?: number;
  readonly nan_at?: number;
}

export function argmax_case(n: Numbers, s: ArgmaxShape): KernelCase {
  const { rows, cols, stride = round_up(cols, 4), token_row0 = 0, steps = 2 ** 20, nan_at } = s;
  return {
    kernel: argmax as Kernel,
    launches: [launch(argmax, { rows, cols, stride, token_row0 })],
    open: () => {
      const values = n.values(rows * cols).map((v) => Math.round(v * steps) / steps);
      if (nan_at !== undefined) values[nan_at] = Number.NaN;
      const tokens = new Uint32Array(token_row0 + rows + 1).fill(77);
      return {
        buffers: { logits: framed(values, { rows, cols, stride }), tokens },
        want: () => {
          const found = range(rows).map((r) => argmax_reference(values.subarray(r * cols, (r + 1) * cols)));
          const frame = { rows, cols: 1, stride: 1, row0: token_row0 };
          return [{ buffer: 'tokens', values: replaced(tokens, found, frame) }];
        },
      };
    },
  };
}

/** A draw this near to the edge between two tokens may fall to either side. */
const ROUNDING = 2e-5;

interface SampleShape extends SampleDims {
  readonly cols: number;
  readonly stride?: number;
  readonly row?: number;
  readonly token_at?: number;
}

export function sample_case(n: Numbers, s: SampleShape): KernelCase {
  const { cols, stride = round_up(cols, 4), row = 0, token_at = 0, ...settings } = s;
  return {
    kernel: sample as Kernel,
    launches: [launch(sample, { ...settings, cols, stride, row, token_at })],
    open: () => {
      const values = n.values(cols, 4);
      const tokens = new Uint32Array(token_at + 2).fill(77);
      return {
        buffers: { logits: framed(values, { rows: 1, cols, stride, row0: row }), tokens },
        want: () => {
          const { token, margin } = sample_reference(values, settings);
          const want = Float64Array.from(tokens);
          want[token_at] = margin < ROUNDING ? Number.NaN : token;
          return [{ buffer: 'tokens', values: want }];
        },
      };
    },
  };
}

interface FeatureShape {
  readonly cols: number;
  readonly rows: number;
  /** The row of each cell, at most once; none where it is outside of 0 .. rows - 1. */
  readonly index: Int32Array;
  readonly f_stride?: number;
  readonly x_stride?: number;
}

export function add_features_case(n: Numbers, s: FeatureShape): KernelCase {
  const { cols, rows, index, f_stride = cols, x_stride = cols } = s;
  const d = { cells: index.length, cells_counted: index.length, cols, rows, f_stride, x_stride };
  return {
    kernel: add_features as Kernel,
    launches: [launch(add_features, d)],
    open: () => {
      const features = framed(n.values(d.cells * cols), { rows: d.cells, cols, stride: f_stride });
      const x = n.values((rows + 1) * x_stride);
      const want = () => [{ buffer: 'x', values: add_reference(features, index, x, d) }];
      return { buffers: { features, index, x }, want };
    },
  };
}

interface EmbedShape {
  readonly crops: number;
  readonly patches_per_crop: number;
  readonly emb: number;
  readonly stride?: number;
  readonly pos_stride?: number;
}

export function vit_embed_case(n: Numbers, s: EmbedShape): KernelCase {
  const { crops, patches_per_crop, emb, stride = emb, pos_stride = emb } = s;
  const d = { crops, patches_per_crop, emb, stride, pos_stride };
  return {
    kernel: vit_embed as Kernel,
    launches: [launch(vit_embed, d)],
    open: () => {
      const rows = crops * patches_per_crop;
      const patches = framed(n.values(rows * emb), { rows, cols: emb, stride });
      const class_embedding = n.values(emb);
      const places = { rows: patches_per_crop + 1, cols: emb, stride: pos_stride };
      const positions = framed(n.values(places.rows * emb), places);
      const x = n.values((rows + crops + 1) * stride);
      const want = () => [{ buffer: 'x', values: embed_reference(patches, class_embedding, positions, x, d) }];
      return { buffers: { patches, class_embedding, positions, x }, want };
    },
  };
}

type TapShape = Pick<TapDims, 'crops' | 'emb' | 'grid_side'> &
  Partial<TapDims> & {
    readonly taps: number;
    /** One value a crop: whether anything of it is kept. */
    readonly keep: Float32Array;
    /** One a patch: 0 padding, below 1 partly so. */
    readonly masks: Float32Array;
  };

export function tap_windows_case(n: Numbers, { taps, keep, masks, ...s }: TapShape): KernelCase {
  const whole = taps * s.emb;
  const d = { crop0: 0, x_stride: s.emb, w_stride: whole, col0: 0, pad_cols: whole, ...s };
  return {
    kernel: tap_windows as Kernel,
    launches: [launch(tap_windows, d)],
    open: () => {
      const patches = d.grid_side ** 2;
      const rows = d.crops * (patches + 1);
      const x = framed(n.values(rows * d.emb), { rows, cols: d.emb, stride: d.x_stride });
      const pad_embed = n.values(2 * d.pad_cols);
      const windows = n.values(keep.length * patches * d.w_stride);
      const want = () => [{ buffer: 'windows', values: tap_reference(x, masks, keep, pad_embed, windows, d) }];
      return { buffers: { x, masks, keep, pad_embed, windows }, want };
    },
  };
}

interface MeanShape {
  readonly cells: number;
  readonly cols: number;
  readonly w_stride?: number;
  readonly m_stride?: number;
}

export function window_mean_case(n: Numbers, s: MeanShape): KernelCase {
  const { cells, cols, w_stride = cols, m_stride = cols } = s;
  const d = { cells, cols, w_stride, m_stride };
  return {
    kernel: window_mean as Kernel,
    launches: [launch(window_mean, d)],
    open: () => {
      const frame = { rows: 4 * cells, cols, stride: w_stride };
      const windows = framed(n.values(frame_length(frame)), frame);
      const mean = n.values((cells + 1) * m_stride);
      return { buffers: { windows, mean }, want: () => [{ buffer: 'mean', values: mean_reference(windows, mean, d) }] };
    },
  };
}
