import type { Stage } from '../engine/gpu/executor.ts';
import type { ModelConfig } from '../engine/model/config.ts';
import { FEW_ROWS } from '../engine/model/context.ts';
import { geometry_of } from '../engine/model/geometry.ts';
import { decode_splits } from '../kernels/attention_decode/attention_decode.ts';
import { expert_tile_rows } from '../kernels/expert_matmul/expert_matmul.ts';
import { EPILOGUE, matmul } from '../kernels/matmul/matmul.ts';
import { matvec } from '../kernels/matvec/matvec.ts';
import { bytes_per_weight, FORMATS, type Kernel, row_stride, type Traits, type Variant } from '../kernels/spec.ts';
import * as attentions from '../test/reference/cases/attention.ts';
import { type KernelCase, type PlainFormat, range } from '../test/reference/cases/case.ts';
import * as moe from '../test/reference/cases/experts.ts';
import { embedding_case, packing_case, product_case } from '../test/reference/cases/products.ts';
import * as rows_of from '../test/reference/cases/rows.ts';
import { pattern } from './pattern.ts';

/** One kernel on one shape of the model. Made anew for each variant, since tiles differ. */
export interface BenchCase extends KernelCase {
  readonly stage: Stage;
  readonly shape: string;
}

/** What shapes depend on besides the model. */
export interface Setting {
  readonly traits: Traits;
  readonly max_binding_bytes: number;
  readonly variant: Pick<Variant, 'name'>;
}

/** Only the case that is running is held: some hold hundreds of megabytes. */
export type Maker = (setting: Setting) => BenchCase;

const labelled = (stage: Stage, shape: string, made: KernelCase): BenchCase => ({ ...made, stage, shape });
const phase = (rows: number): Stage => (rows === 1 ? 'decode' : 'prefill');

interface Linear {
  readonly stage: Stage;
  readonly what?: string;
  readonly rows: number;
  readonly k: number;
  readonly cols: number;
  readonly epilogue?: number;
  readonly format?: PlainFormat;
  /** Columns go to as many slices as this asks for, as a checkpoint's do. */
  readonly max_binding_bytes?: number;
}

/** As the engine launches it: few rows go to the matrix-vector kernel, and rows of activations lie apart. */
export function linear({ stage, what = '', max_binding_bytes, ...s }: Linear): BenchCase {
  const { rows, k, cols, format = 'f16' } = s;
  const most = (max_binding_bytes ?? Number.POSITIVE_INFINITY) / (k * bytes_per_weight(FORMATS[format]));
  const slice_cols = most < cols ? Math.floor(most / 128) * 128 : undefined;
  const kernel = (rows <= FEW_ROWS ? matvec : matmul) as Kernel;
  const made = product_case(pattern(), kernel, { ...s, format, slice_cols, a_stride: row_stride(k) });
  return labelled(stage, `${rows}x${k}x${cols} ${format} ${what}`, made);
}

/** Sizes of one mixture of experts; all of them are multiples of 8. */
export interface ExpertSizes {
  readonly d: number;
  readonly hidden: number;
  readonly experts: number;
  readonly top_k: number;
}

export const expert_sizes = (config: ModelConfig): ExpertSizes => {
  return { d: config.d_model, hidden: config.expert_hidden, experts: config.n_experts, top_k: config.top_k };
};

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** Different experts in a row, all of them chosen about as often. */
export function even_routing(rows: number, { experts, top_k }: ExpertSizes): moe.Routing {
  const coprime = range(experts).filter((step) => gcd(step, experts) === 1);
  const choices = Uint32Array.from({ length: rows * top_k }, (_, slot) => {
    const row = Math.floor(slot / top_k);
    const step = coprime[row % coprime.length] as number;
    return (row * 37 + (row % 11) ** 2 + (slot % top_k) * step) % experts;
  });
  return { rows, experts, top_k, choices };
}

type Part = 'gate up' | 'down';

/** As many experts a buffer as one binding holds, as in the engine. */
function expert_shape(rows: number, size: ExpertSizes, setting: Setting, k: number, cols: number, parts: number) {
  const most = Math.max(1, Math.floor(setting.max_binding_bytes / (2 * k * cols * parts)));
  const slices = range(Math.ceil(size.experts / most)).map((i) => {
    return { expert0: i * most, expert_count: Math.min(most, size.experts - i * most) };
  });
  return { ...even_routing(rows, size), slices, format: 'f16' as const, k, cols };
}

/** Slots sorted by expert, as in prefill. */
export function grouped(rows: number, size: ExpertSizes, setting: Setting, part: Part): BenchCase {
  const { experts, top_k, d, hidden } = size;
  const [k, cols, a_div] = part === 'down' ? [hidden, d, 1] : [d, 2 * hidden, top_k];
  const shape = expert_shape(rows, size, setting, k, cols, 1);
  const tile_rows = expert_tile_rows(setting.variant);
  const made = moe.expert_matmul_case(pattern(), { ...shape, a_div, tile_rows, in_stride: row_stride(k) });
  return labelled('prefill', `${rows} tokens, ${top_k} of ${experts}, ${k}x${cols} ${part}`, made);
}

/** Each slot by itself, as in decoding. */
function by_slot(rows: number, size: ExpertSizes, setting: Setting, part: Part): BenchCase {
  const { experts, top_k, d, hidden } = size;
  const name = `${rows} token${rows === 1 ? '' : 's'}, ${top_k} of ${experts}`;
  if (part === 'down') {
    const made = moe.down_case(pattern(), expert_shape(rows, size, setting, hidden, d, 1));
    return labelled('decode', `${name}, ${hidden}x${d}`, made);
  }
  const made = moe.gate_up_case(pattern(), expert_shape(rows, size, setting, d, hidden, 2));
  return labelled('decode', `${name}, ${d}x${2 * hidden}`, made);
}

export const route = (rows: number, { experts, top_k: k }: Pick<ExpertSizes, 'experts' | 'top_k'>): BenchCase =>
  labelled(phase(rows), `${rows}x${experts} top ${k}`, moe.route_case(pattern(), { rows, experts, k }));

/** Norm, logits and choice of a decode step. */
const router = (rows: number, { d: k, experts, top_k }: ExpertSizes): BenchCase => {
  const step = [3, 5, 7].find((prime) => experts % prime !== 0) ?? 1;
  const made = moe.router_case(pattern(), { rows, k, experts, top_k, format: 'f16', step });
  return labelled('decode', `${rows}x${k}x${experts} top ${top_k}`, made);
};

const sort = (rows: number, size: ExpertSizes): BenchCase => {
  const { experts, top_k } = size;
  return labelled('prefill', `${rows}x${top_k} into ${experts}`, moe.sort_case(even_routing(rows, size)));
};

const tiles = (rows: number, size: ExpertSizes, { variant }: Setting): BenchCase => {
  const tile_rows = expert_tile_rows(variant);
  const shape = `${rows}x${size.top_k} in ${size.experts} lists, tiles of ${tile_rows}`;
  return labelled('prefill', shape, moe.tiles_case(even_routing(rows, size), tile_rows));
};

export const combine = (rows: number, { d: cols, top_k: k }: Pick<ExpertSizes, 'd' | 'top_k'>): BenchCase =>
  labelled('prefill', `${rows}x${cols}, ${k} a row`, moe.combine_case(pattern(), { rows, k, cols }));

export function attention(s: attentions.AttentionShape): BenchCase {
  const { groups = 1, rows, heads, head_dim, first_position } = s;
  const causal = first_position !== undefined;
  const shape = `${groups}x${rows} of ${rows + (first_position ?? 0)} ${heads}x${head_dim}${causal ? ' causal' : ''}`;
  return labelled(causal ? 'prefill' : 'vision_encoder', shape, attentions.attention_case(pattern(), s));
}

/** Sequences of the same length; the combining kernel is timed by itself behind the splits it combines. */
function decoding(rows: number, keys: number, { n_heads, head_dim }: ModelConfig, traits: Traits, combines: boolean) {
  const { splits, split_keys } = combines
    ? { splits: keys / 512, split_keys: 512 }
    : decode_splits(keys, n_heads, rows, traits);
  const made = attentions.decode_case(pattern(), {
    ...{ heads: n_heads, head_dim, slots: rows, capacity: keys, split_keys, combine: combines },
    places: range(rows).map((row) => [row, keys - 1] as const),
  });
  return labelled(
    'decode',
    `${rows} of ${keys} ${n_heads}x${head_dim}, ${splits} split${splits === 1 ? '' : 's'}`,
    made,
  );
}

function rope(rows: number, { n_heads: heads, head_dim, rope_theta: theta, norm_eps: eps }: ModelConfig): BenchCase {
  const places = range(rows).map((row) => [0, row] as const);
  const made = attentions.rope_case(pattern(), { heads, head_dim, capacity: rows, places, theta, eps });
  return labelled(phase(rows), `${rows} ${heads}x${head_dim}`, made);
}

export const norm = (rows: number, cols: number, centred: boolean): BenchCase =>
  labelled(
    centred ? 'vision_encoder' : phase(rows),
    `${rows}x${cols}`,
    rows_of.norm_case(pattern(), centred, { rows, cols }),
  );

const swiglu = (stage: Stage, rows: number, hidden: number): BenchCase =>
  labelled(stage, `${rows}x${hidden}`, rows_of.swiglu_case(pattern(), { rows, hidden }));

const argmax = (rows: number, cols: number): BenchCase =>
  labelled('decode', `${rows}x${cols}`, rows_of.argmax_case(pattern(), { rows, cols }));

const sample = (cols: number): BenchCase => {
  const settings = { temperature: 0.7, top_p: 0.9, top_k: 50, seed: 1, step: 3 };
  return labelled('decode', `1x${cols} top-k 50, top-p 0.9`, rows_of.sample_case(pattern(), { ...settings, cols }));
};

function embedding(rows: number, d: number, count: number): BenchCase {
  const ids = Uint32Array.from({ length: rows }, (_, r) => (r * 7919 + 5) % count);
  return labelled(phase(rows), `${rows}x${d} f16`, embedding_case(pattern(), { d, count, format: 'f16', ids }));
}

/** f32 of a checkpoint into halves; `rows` outputs of `k` inputs. */
const packing = (turn: boolean, rows: number, k: number): BenchCase =>
  labelled('load', `${rows}x${k} f32 to f16`, packing_case(pattern(), { turn, rows, k, format: 'f16' }));

/** Every kernel of the model on the shapes it has there, prompts of these lengths, and some odd ones. */
export const kernel_cases = (config: ModelConfig, prompts: readonly number[]): Maker[] => [
  ...product_makers(config, prompts),
  ...attention_makers(config, prompts),
  ...expert_makers(expert_sizes(config), prompts),
  ...row_makers(config, prompts),
];

const VIEWS = 2;

function product_makers(config: ModelConfig, prompts: readonly number[]): Maker[] {
  const { patches, patch_values, cells: view_cells } = geometry_of(config);
  const cells = VIEWS * view_cells;
  const { d_model: d, vit } = config;
  const { bias, accumulate, quick_gelu } = EPILOGUE;
  const rows = VIEWS * vit.positions;
  const features = config.vit_layers.length * vit.emb;
  const of =
    (stage: Stage) =>
    (what: string, m: number, k: number, cols: number, epilogue = 0, format: PlainFormat = 'f16'): Maker =>
    ({ max_binding_bytes }) =>
      linear({ stage, what, rows: m, k, cols, epilogue, format, max_binding_bytes });
  const [vision, projector, prefill, decode] = [of('vision_encoder'), of('projector'), of('prefill'), of('decode')];
  return [
    vision('patch embedding', VIEWS * patches, patch_values, vit.emb),
    vision('qkv', rows, vit.emb, 3 * vit.emb, bias),
    vision('out', rows, vit.emb, vit.emb, bias | accumulate),
    vision('out', vit.positions, vit.emb, vit.emb, bias | accumulate),
    vision('mlp up', rows, vit.emb, vit.mlp, bias | quick_gelu),
    vision('mlp down', rows, vit.mlp, vit.emb, bias | accumulate),
    projector('pooling q', cells, features, vit.emb, bias),
    projector('pooling kv', 4 * cells, features, 2 * vit.emb, bias),
    projector('pooling out', cells, vit.emb, vit.emb, bias),
    projector('gate up', cells, vit.emb, 2 * config.projector_hidden),
    projector('down', cells, config.projector_hidden, d),
    ...prompts.map((n) => prefill('qkv', n, d, 3 * d)),
    ...[prompts.find((n) => n > FEW_ROWS) ?? 18, 512].map((n) => prefill('out', n, d, d, accumulate)),
    prefill('router', 512, d, config.n_experts),
    ...(['f32', 'bf16'] as const).flatMap((format) => [
      decode('', 1, d, d, 0, format),
      prefill('', 512, d, d, 0, format),
    ]),
    prefill('odd', 333, 516, 1001, bias),
    decode('qkv', 1, d, 3 * d),
    ...[1, 4].map((n) => decode('out', n, d, d, accumulate)),
    decode('router', 1, d, config.n_experts),
    decode('head', 1, d, config.embedding_size),
    decode('odd', 3, 516, 1001, bias),
    ...[1, 512].map((n) => () => embedding(n, d, 16384)),
    () => packing(true, 4 * vit.emb, vit.emb),
    () => packing(false, 4096, d),
  ];
}

function attention_makers(config: ModelConfig, prompts: readonly number[]): Maker[] {
  const { n_heads: heads, head_dim, vit } = config;
  const decode =
    (rows: number, keys: number, combines = false): Maker =>
    ({ traits }) =>
      decoding(rows, keys, config, traits, combines);
  const pool = { cells: VIEWS * geometry_of(config).cells, heads: vit.heads, head_dim: vit.head_dim };
  return [
    ...[1, 2].map(
      (groups) => () => attention({ groups, rows: vit.positions, heads: vit.heads, head_dim: vit.head_dim }),
    ),
    ...prompts.map((rows) => () => attention({ rows, heads, head_dim, first_position: 0 })),
    () => attention({ rows: 333, heads, head_dim, first_position: 100 }),
    ...[128, 512, 2048].map((keys) => decode(1, keys)),
    decode(4, 512),
    decode(1, 2048, true),
    ...[1, 512].map((rows) => () => rope(rows, config)),
    () =>
      labelled('projector', `${pool.cells} cells ${vit.heads}x${vit.head_dim}`, attentions.pool_case(pattern(), pool)),
  ];
}

function expert_makers(size: ExpertSizes, prompts: readonly number[]): Maker[] {
  const many = prompts.filter((n) => n >= 16);
  return [
    ...many.map(
      (rows): Maker =>
        (setting) =>
          grouped(rows, size, setting, 'gate up'),
    ),
    (setting) => grouped(512, size, setting, 'down'),
    (setting) => grouped(333, { d: 264, hidden: 136, experts: 13, top_k: 5 }, setting, 'gate up'),
    ...[1, 4].flatMap((rows) =>
      (['gate up', 'down'] as const).map(
        (part): Maker =>
          (setting) =>
            by_slot(rows, size, setting, part),
      ),
    ),
    ...prompts.map((rows) => () => route(rows, size)),
    () => route(333, { ...size, experts: 61, top_k: 5 }),
    ...[1, 4].map((rows) => () => router(rows, size)),
    () => router(3, { d: 260, hidden: 8, experts: 40, top_k: 5 }),
    ...many.map((rows) => () => sort(rows, size)),
    (setting) => tiles(512, size, setting),
    ...many.map((rows) => () => combine(rows, size)),
  ];
}

/** Kernels that give each row its own work: what they move is what they cost. */
function row_makers(config: ModelConfig, prompts: readonly number[]): Maker[] {
  const { d_model: d, vit, embedding_size } = config;
  const taps = config.vit_layers.length;
  const { patches, patches_per_side, cells: view_cells } = geometry_of(config);
  const cells = VIEWS * view_cells;
  const index = Int32Array.from({ length: cells }, (_, c) => (c % 50 === 49 ? -100 : c + 10));
  const masks = Float32Array.from({ length: VIEWS * patches }, (_, i) => [1, 0, 0.5][i % 3] as number);
  const tapped = { crops: VIEWS, emb: vit.emb, taps, grid_side: patches_per_side, keep: new Float32Array(VIEWS).fill(1), masks };
  const embedded = { crops: VIEWS, patches_per_crop: patches, emb: vit.emb };
  const mean = { cells, cols: taps * vit.emb };
  const views = `${VIEWS} views of ${patches}x${vit.emb}`;
  const added = { cols: d, rows: 335, index };
  return [
    ...prompts.map((rows) => () => norm(rows, d, false)),
    () => norm(VIEWS * vit.positions, vit.emb, true),
    ...[false, true].map((centred) => () => norm(333, 1036, centred)),
    () => swiglu('projector', cells, config.projector_hidden),
    () => swiglu('prefill', 512 * config.top_k, config.expert_hidden),
    ...[1, 8].map((rows) => () => argmax(rows, embedding_size)),
    () => sample(embedding_size),
    () => labelled('prefill', `${cells} cells into 335x${d}`, rows_of.add_features_case(pattern(), added)),
    () => labelled('vision_encoder', views, rows_of.vit_embed_case(pattern(), embedded)),
    () => labelled('vision_encoder', views, rows_of.tap_windows_case(pattern(), tapped)),
    () => labelled('projector', `${cells}x${mean.cols}`, rows_of.window_mean_case(pattern(), mean)),
  ];
}
