import { bytes_per_weight, FORMATS, matrix_lines, round_up, type WeightFormat } from '../../kernels/spec.ts';
import { InputError } from '../errors.ts';
import { type Buffer, mebibytes } from '../gpu/buffers.ts';
import type { PackJob } from '../weights/upload.ts';
import type { ModelConfig } from './config.ts';
import { formats_of } from './formats.ts';
import { geometry_of } from './geometry.ts';

export interface ColumnSlice<B = Buffer> {
  readonly buffer: B;
  readonly col0: number;
  readonly cols: number;
  /** cols without the padding between matrices side by side. */
  readonly true_cols: number;
}

/** [k][cols] in its storage format, in the strips of kernels/common/eight.wgsl, cut into slices of columns that one binding can hold. */
export interface Matrix<B = Buffer> {
  readonly format: WeightFormat;
  readonly k: number;
  readonly cols: number;
  readonly slices: readonly ColumnSlice<B>[];
  /** [cols padded to 8] f32, zeros in the padding. */
  readonly bias: B | undefined;
}

/** [expert][k][cols], cut into slices of experts. */
export interface ExpertMatrix<B = Buffer> {
  readonly format: WeightFormat;
  readonly k: number;
  readonly cols: number;
  readonly slices: readonly { readonly buffer: B; readonly expert0: number; readonly experts: number }[];
}

/** Embedding rows [id][d padded to 8], cut into slices of ids. */
export interface Table<B = Buffer> {
  readonly format: WeightFormat;
  readonly slices: readonly { readonly buffer: B; readonly first_id: number; readonly count: number }[];
}

export interface LayerNorm<B = Buffer> {
  readonly weight: B;
  readonly bias: B;
}

export interface VitBlock<B = Buffer> {
  readonly attention_norm: LayerNorm<B>;
  readonly qkv: Matrix<B>; // columns: q, k, v, each padded to 8
  readonly out: Matrix<B>;
  readonly ffn_norm: LayerNorm<B>;
  readonly up: Matrix<B>;
  readonly down: Matrix<B>;
}

export interface Block<B = Buffer> {
  readonly attn_norm: B;
  readonly qkv: Matrix<B>; // columns: q, k, v, each padded to 8
  readonly q_norm: B;
  readonly k_norm: B;
  readonly out: Matrix<B>;
  readonly ff_norm: B;
  readonly router: Matrix<B>;
  readonly gate_up: ExpertMatrix<B>; // columns: gate, up, each padded to 8
  readonly down: ExpertMatrix<B>;
}

/** All of the model's weights, as its code names them. */
export interface ModelWeights<B = Buffer> {
  readonly patch_embedding: Matrix<B>;
  readonly class_embedding: B;
  readonly positions: B; // [positions, emb]
  readonly pre_ln: LayerNorm<B>;
  readonly vit: readonly VitBlock<B>[];
  readonly pad_embed: B; // [2, taps * emb]
  readonly pool_q: Matrix<B>;
  readonly pool_kv: Matrix<B>; // columns: k, v, each padded to 8
  readonly pool_out: Matrix<B>;
  readonly projector_gate_up: Matrix<B>;
  readonly projector_down: Matrix<B>;
  readonly embedding: Table<B>;
  readonly blocks: readonly Block<B>[];
  readonly ln_f: B;
  readonly lm_head: Matrix<B>;
}

/** Where the parts of a tensor of norms, biases or positions go, all f32. */
export interface VectorJob<B = Buffer> {
  readonly buffer: B;
  readonly parts: readonly { readonly name: string; readonly at: number }[];
}

export interface WeightLayout<B = Buffer> {
  readonly weights: ModelWeights<B>;
  readonly jobs: readonly PackJob<B>[];
  readonly vectors: readonly VectorJob<B>[];
}

/** Which buffers a model's weights take, none above `limit` bytes, and what of the checkpoint goes where in them. */
export function weight_layout<B>(
  config: ModelConfig,
  format: WeightFormat,
  limit: number,
  create: (label: string, bytes: number) => B,
): WeightLayout<B> {
  const jobs: PackJob<B>[] = [];
  const vectors: VectorJob<B>[] = [];
  const formats = formats_of(format);
  /** Bytes of eight weights. */
  const unit = (of: WeightFormat): number => 8 * bytes_per_weight(FORMATS[of]);
  const too_small = (label: string, needed: number): never => {
    throw new InputError(
      `weight ${label}: its smallest slice needs ${mebibytes(needed)}, a kernel can bind ${mebibytes(limit)} here; use a smaller dtype`,
    );
  };

  /** Tensors [out, k] side by side as columns, each padded to 8; a bias likewise. */
  const matrix = (
    label: string,
    k: number,
    parts: readonly { name: string; cols: number }[],
    { bias = false, format = formats.linear(k) } = {},
  ): Matrix<B> => {
    const line = k * unit(format);
    const cols = parts.reduce((sum, part, i) => sum + (i + 1 < parts.length ? round_up(part.cols, 8) : part.cols), 0);
    const most = Math.floor(limit / line) * 8;
    if (most < 8) too_small(label, line);
    const slices: { buffer: B; col0: number; cols: number; true_cols: number }[] = [];
    for (let col0 = 0; col0 < cols; col0 += most) {
      const width = Math.min(most, cols - col0);
      slices.push({
        buffer: create(`${label} +${col0}`, (round_up(width, 8) / 8) * line),
        col0,
        cols: width,
        true_cols: 0,
      });
    }
    let part_col0 = 0;
    for (const part of parts) {
      for (const slice of slices) {
        const from = Math.max(part_col0, slice.col0);
        const to = Math.min(part_col0 + part.cols, slice.col0 + slice.cols);
        if (from >= to) continue;
        slice.true_cols += to - from;
        jobs.push({
          tensor: `${part.name}.weight`,
          row0: from - part_col0,
          rows: to - from,
          output: slice.buffer,
          output_base: 0,
          output_group0: (from - slice.col0) / 8,
          output_groups: round_up(slice.cols, 8) / 8,
          layout: 'matrix',
          format,
        });
      }
      part_col0 += round_up(part.cols, 8);
    }
    if (!bias) return { format, k, cols, slices, bias: undefined };
    let at = 0;
    const bias_parts = parts.map((part) => {
      const placed = { name: `${part.name}.bias`, at };
      at += round_up(part.cols, 8);
      return placed;
    });
    return { format, k, cols, slices, bias: vector(`${label} bias`, at, bias_parts) };
  };
  const vector = (label: string, length: number, parts: readonly { name: string; at: number }[]): B => {
    const buffer = create(label, 4 * round_up(length, 8));
    vectors.push({ buffer, parts });
    return buffer;
  };
  const single = (name: string, length: number): B => vector(name, length, [{ name, at: 0 }]);
  const layer_norm = (name: string, size: number): LayerNorm<B> => ({
    weight: single(`${name}.weight`, size),
    bias: single(`${name}.bias`, size),
  });
  const experts = (
    label: string,
    k: number,
    parts: readonly { name: (e: number) => string; cols: number }[],
  ): ExpertMatrix<B> => {
    const cols = parts.reduce((sum, part) => sum + round_up(part.cols, 8), 0);
    const format = formats.experts(config.d_model, config.expert_hidden);
    const each = (cols / 8) * k * unit(format);
    const most = Math.floor(limit / each);
    if (most < 1) too_small(label, each);
    const slices: { buffer: B; expert0: number; experts: number }[] = [];
    for (let expert0 = 0; expert0 < config.n_experts; expert0 += most) {
      const count = Math.min(most, config.n_experts - expert0);
      const buffer = create(`${label} experts +${expert0}`, count * each);
      slices.push({ buffer, expert0, experts: count });
      for (let e = 0; e < count; e++) {
        let group = 0;
        for (const part of parts) {
          jobs.push({
            tensor: `${part.name(expert0 + e)}.weight`,
            row0: 0,
            rows: part.cols,
            output: buffer,
            output_base: (e * matrix_lines(FORMATS[format], k) * cols) / 8,
            output_group0: group,
            output_groups: cols / 8,
            layout: 'matrix',
            format,
          });
          group += round_up(part.cols, 8) / 8;
        }
      }
    }
    return { format, k, cols, slices };
  };
  const table = (tensors: readonly { name: string; rows: number }[], d: number): Table<B> => {
    const groups = round_up(d, 8) / 8;
    const format = formats.table;
    const row_bytes = groups * unit(format);
    const most = Math.floor(limit / row_bytes);
    const slices: { buffer: B; first_id: number; count: number }[] = [];
    let id0 = 0;
    for (const { name, rows } of tensors) {
      for (let row0 = 0; row0 < rows; row0 += most) {
        const count = Math.min(most, rows - row0);
        const output = create(`${name} +${row0}`, count * row_bytes);
        slices.push({ buffer: output, first_id: id0 + row0, count });
        jobs.push({
          tensor: name,
          row0,
          rows: count,
          output,
          output_base: 0,
          output_group0: 0,
          output_groups: groups,
          layout: 'rows',
          format,
        });
      }
      id0 += rows;
    }
    return { format, slices };
  };

  const d = config.d_model;
  const { emb, mlp } = config.vit;
  const taps = config.vit_layers.length * emb;
  const vision = 'model.vision_backbone';
  const vit = `${vision}.image_vit`;
  const pooling = `${vision}.image_pooling_2d`;
  const hidden = config.projector_hidden;

  const vit_block = (n: number): VitBlock<B> => {
    const block = `${vit}.transformer.resblocks.${n}`;
    const part = (name: string, cols: number) => ({ name: `${block}.${name}`, cols });
    return {
      attention_norm: layer_norm(`${block}.attention_norm`, emb),
      qkv: matrix(
        `${block}.qkv`,
        emb,
        ['wq', 'wk', 'wv'].map((w) => part(`attention.${w}`, emb)),
        { bias: true },
      ),
      out: matrix(`${block}.wo`, emb, [part('attention.wo', emb)], { bias: true }),
      ffn_norm: layer_norm(`${block}.ffn_norm`, emb),
      up: matrix(`${block}.w1`, emb, [part('feed_forward.w1', mlp)], { bias: true }),
      down: matrix(`${block}.w2`, mlp, [part('feed_forward.w2', emb)], { bias: true }),
    };
  };
  const block = (n: number): Block<B> => {
    const name = `model.transformer.blocks.${n}`;
    const expert = (projection: string) => (e: number) => `${name}.mlp.experts.${e}.${projection}`;
    return {
      attn_norm: single(`${name}.attn.attn_norm.weight`, d),
      qkv: matrix(`${name}.qkv`, d, [{ name: `${name}.attn.att_proj`, cols: 3 * d }]),
      q_norm: single(`${name}.attn.q_norm.weight`, d),
      k_norm: single(`${name}.attn.k_norm.weight`, d),
      out: matrix(`${name}.attn_out`, d, [{ name: `${name}.attn.attn_out`, cols: d }]),
      ff_norm: single(`${name}.mlp.ff_norm.weight`, d),
      router: matrix(`${name}.router`, d, [{ name: `${name}.mlp.gate`, cols: config.n_experts }], {
        format: formats.router,
      }),
      gate_up: experts(`${name}.gate_up`, d, [
        { name: expert('gate_proj'), cols: config.expert_hidden },
        { name: expert('up_proj'), cols: config.expert_hidden },
      ]),
      down: experts(`${name}.down`, config.expert_hidden, [{ name: expert('down_proj'), cols: d }]),
    };
  };

  const weights: ModelWeights<B> = {
    patch_embedding: matrix('patch_embedding', geometry_of(config).patch_values, [
      { name: `${vit}.patch_embedding`, cols: emb },
    ]),
    class_embedding: single(`${vit}.class_embedding`, emb),
    positions: single(`${vit}.positional_embedding`, config.vit.positions * emb),
    pre_ln: layer_norm(`${vit}.pre_ln`, emb),
    vit: Array.from({ length: config.vit.layers }, (_, n) => vit_block(n)),
    pad_embed: single(`${vision}.pad_embed`, 2 * taps),
    pool_q: matrix('pool wq', taps, [{ name: `${pooling}.wq`, cols: emb }], { bias: true }),
    pool_kv: matrix(
      'pool wk wv',
      taps,
      ['wk', 'wv'].map((w) => ({ name: `${pooling}.${w}`, cols: emb })),
      { bias: true },
    ),
    pool_out: matrix('pool wo', emb, [{ name: `${pooling}.wo`, cols: emb }], { bias: true }),
    projector_gate_up: matrix(
      'projector w1 w3',
      emb,
      ['w1', 'w3'].map((w) => ({ name: `${vision}.image_projector.${w}`, cols: hidden })),
    ),
    projector_down: matrix('projector w2', hidden, [{ name: `${vision}.image_projector.w2`, cols: d }]),
    embedding: table(
      [
        { name: 'model.transformer.wte.embedding', rows: config.embedding_size },
        { name: 'model.transformer.wte.new_embedding', rows: config.additional_vocab_size },
      ],
      d,
    ),
    blocks: Array.from({ length: config.n_layers }, (_, n) => block(n)),
    ln_f: single('model.transformer.ln_f.weight', d),
    lm_head: matrix('lm_head', d, [{ name: 'lm_head', cols: config.embedding_size }], {
      format: formats.lm_head(d),
    }),
  };
  return { weights, jobs, vectors };
}
