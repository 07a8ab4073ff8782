import type { ModelConfig } from '../../engine/model/config.ts';
import { GraphBuilder } from './graph_builder.ts';
import type { Dtype } from './onnx.ts';
import { joined, OnnxWeights } from './onnx_weights.ts';

/** Attention as the runtime's own operation, or as products and a softmax. */
export type AttentionForm = 'fused' | 'composed';
/**
 * `sorted`: slots in the order of their experts, cut into one product an expert; lengths are worked out by the host.
 * `gathered`: of one token, the chosen experts' matrices are copied together. `dense`: every expert for every token.
 */
export type ExpertForm = 'sorted' | 'gathered' | 'dense';

export interface Forms {
  readonly vision: AttentionForm;
  readonly pooling: AttentionForm;
  readonly prefill: AttentionForm;
  readonly decode: AttentionForm;
  readonly prefill_experts: ExpertForm;
  readonly decode_experts: ExpertForm;
}

export interface Sizes {
  readonly views: number;
  readonly prompt_tokens: number;
}

/** Rows that go through the decoder's blocks together. */
interface Rows {
  readonly count: number;
  readonly position: string;
  readonly past: boolean;
  readonly experts: ExpertForm;
  readonly attention: AttentionForm;
}

interface Heads {
  readonly batch: number;
  readonly rows: number;
  readonly keys?: number;
  readonly heads: number;
  readonly width: number;
  readonly causal?: boolean;
  /** Of the decoder: the layer that keys and values are kept for, and those that are kept already. */
  readonly layer?: number;
  readonly past?: { readonly key: string; readonly value: string };
}

const VISION = 'model.vision_backbone';
const VIT = `${VISION}.image_vit`;
const POOL = `${VISION}.image_pooling_2d`;
const TEXT = 'model.transformer';
/** Of a crop: patches a side and in all, and the 2x2 windows that pooling makes one of. */
const [SIDE, PATCHES, WINDOWS] = [24, 576, 144];
const EXPERT_GROUPS = 4; // one buffer holds no more of a dense product's results

/** The model as one ONNX graph a stage, with the synthetic weights that the engine has. */
export class OnnxMolmoe {
  private readonly config: ModelConfig;
  private readonly dtype: Dtype;
  private readonly forms: Forms;
  private readonly sizes: Sizes;
  private readonly weights: OnnxWeights;
  private g: GraphBuilder;

  constructor(config: ModelConfig, dtype: Dtype, forms: Forms, sizes: Sizes) {
    this.config = config;
    this.dtype = dtype;
    this.forms = forms;
    this.sizes = sizes;
    this.weights = new OnnxWeights(config);
    this.g = new GraphBuilder(dtype);
  }

  /** images [views, 576, 588], 1 or 0 a view that counts or is empty [views, 1, 1], padding [views, 576, 2]. */
  vision_encoder(): Uint8Array {
    const { vit, vit_layers } = this.config;
    const { views } = this.sizes;
    const { emb, heads, positions } = vit;
    const g = this.start();
    const images = g.input('images', this.dtype, [views, PATCHES, 3 * vit.patch ** 2]);
    const counts = g.input('counts', this.dtype, [views, 1, 1]);
    const padding = g.input('padding', this.dtype, [views, PATCHES, 2]);

    const first = g.op('Expand', [this.vector(`${VIT}.class_embedding`, [1, 1, emb]), g.integers(views, 1, emb)]);
    let x = g.op('Concat', [first, this.linear(images, `${VIT}.patch_embedding`)], { axis: 1 });
    x = g.op('Add', [x, this.vector(`${VIT}.positional_embedding`, [positions, emb])]);
    x = this.layer_norm(x, `${VIT}.pre_ln`);
    const tapped = new Map<number, string>();
    for (let n = 0; n <= Math.max(...vit_layers); n++) {
      const block = `${VIT}.transformer.resblocks.${n}`;
      const h = this.layer_norm(x, `${block}.attention_norm`);
      const q = this.linear(h, `${block}.attention.wq`, 1 / Math.sqrt(vit.head_dim));
      const [k, v] = [this.linear(h, `${block}.attention.wk`), this.linear(h, `${block}.attention.wv`)];
      const out = this.attention(this.forms.vision, [q, k, v], { batch: views, rows: positions, heads, width: emb });
      x = g.op('Add', [x, this.linear(out, `${block}.attention.wo`)]);
      const wide = this.linear(this.layer_norm(x, `${block}.ffn_norm`), `${block}.feed_forward.w1`);
      x = g.op('Add', [x, this.linear(this.gated(wide, 1.702), `${block}.feed_forward.w2`)]);
      if (vit_layers.includes(n)) {
        tapped.set(n, g.op('Slice', [x, g.integers(0, 1, 0), g.integers(views, positions, emb)]));
      }
    }
    const width = vit_layers.length * emb;
    const taps = vit_layers.map((n) => tapped.get(n) as string);
    const features = g.op('Mul', [g.op('Concat', taps, { axis: 2 }), counts]);
    const padded = g.op('MatMul', [padding, this.vector(`${VISION}.pad_embed`, [2, width])]);
    const y = g.op('Add', [features, padded]);
    g.output('features', y, this.dtype, [views, PATCHES, width]);
    g.corner(y, 3);
    return g.encoded();
  }

  /** Attention over each window with its mean as the query, then the MLP: a row of the decoder's width a window. */
  projector(): Uint8Array {
    const { vit, vit_layers, d_model } = this.config;
    const { views } = this.sizes;
    const width = vit.emb * vit_layers.length;
    const half = SIDE / 2;
    const count = views * WINDOWS;
    const g = this.start();
    const features = g.input('features', this.dtype, [views, PATCHES, width]);
    // Rows of windows, rows in one, columns of windows, columns in one with their features.
    const cut = g.op('Reshape', [features, g.integers(views * half, 2, half, 2 * width)]);
    const turned = g.op('Transpose', [cut], { perm: { ints: [0, 2, 1, 3] } });
    const windows = g.op('Reshape', [turned, g.integers(count, 4, width)]);
    const mean = g.op('ReduceMean', [windows, g.integers(1)], { keepdims: 1 });
    const q = this.linear(mean, `${POOL}.wq`, 1 / Math.sqrt(vit.head_dim));
    const [k, v] = [this.linear(windows, `${POOL}.wk`), this.linear(windows, `${POOL}.wv`)];
    const heads = { batch: count, rows: 1, keys: 4, heads: vit.heads, width: vit.emb };
    const out = this.linear(this.attention(this.forms.pooling, [q, k, v], heads), `${POOL}.wo`);
    const pooled = g.op('Reshape', [out, g.integers(count, vit.emb)]);
    const gate = this.gated(this.linear(pooled, `${VISION}.image_projector.w1`), 1);
    const h = g.op('Mul', [gate, this.linear(pooled, `${VISION}.image_projector.w3`)]);
    const y = this.linear(h, `${VISION}.image_projector.w2`);
    g.output('rows', y, this.dtype, [count, d_model]);
    g.corner(y, 2);
    return g.encoded();
  }

  /** ids [tokens], rows of the projector, and which of these each token adds: one past the last is none. */
  prefill(): Uint8Array {
    const { d_model } = this.config;
    const { views, prompt_tokens } = this.sizes;
    const g = this.start();
    const ids = g.input('ids', 'i64', [prompt_tokens]);
    const pictures = g.input('rows', this.dtype, [views * WINDOWS, d_model]);
    const row_of = g.input('row_of', 'i64', [prompt_tokens]);
    const none = g.reals('no_row', [1, d_model], () => new Float32Array(d_model));
    const seen = g.op('Gather', [g.op('Concat', [pictures, none], { axis: 0 }), row_of], { axis: 0 });
    const { prefill: attention, prefill_experts: experts } = this.forms;
    const rows = { count: prompt_tokens, position: g.integers(0), past: false, experts, attention };
    this.blocks(g.op('Add', [this.embed(ids), seen]), rows);
    return g.encoded();
  }

  /** One token: its id, its position, keys and values of those before. */
  decode(): Uint8Array {
    const g = this.start();
    const x = this.embed(g.input('ids', 'i64', [1]));
    const position = g.input('position', 'i64', [1]);
    const { decode: attention, decode_experts: experts } = this.forms;
    this.blocks(x, { count: 1, position, past: true, experts, attention });
    return g.encoded();
  }

  private start(): GraphBuilder {
    this.g = new GraphBuilder(this.dtype);
    return this.g;
  }

  private blocks(embedded: string, rows: Rows): void {
    const { g } = this;
    const { count } = rows;
    const { d_model, n_heads, head_dim, n_layers, embedding_size } = this.config;
    let x = embedded;
    for (let n = 0; n < n_layers; n++) {
      const block = `${TEXT}.blocks.${n}`;
      const h = this.rms_norm(x, `${block}.attn.attn_norm`);
      const parts = g.ops(3, 'Split', [this.linear(h, `${block}.attn.att_proj`)], { axis: 1, num_outputs: 3 });
      const batched = (part: string) => g.op('Reshape', [part, g.integers(1, count, d_model)]);
      const [q, k, v] = parts as [string, string, string];
      const heads = [
        this.rotate(batched(this.rms_norm(q, `${block}.attn.q_norm`, 1 / Math.sqrt(head_dim))), rows.position),
        this.rotate(batched(this.rms_norm(k, `${block}.attn.k_norm`)), rows.position),
        batched(v),
      ] as const;
      const past = rows.past ? this.past(n) : undefined;
      const shape = { batch: 1, rows: count, heads: n_heads, width: d_model, causal: !rows.past, past, layer: n };
      const out = g.op('Reshape', [this.attention(rows.attention, heads, shape), g.integers(count, d_model)]);
      x = g.op('Add', [x, this.linear(out, `${block}.attn.attn_out`)]);
      x = g.op('Add', [x, this.experts(this.rms_norm(x, `${block}.mlp.ff_norm`), `${block}.mlp`, rows)]);
    }
    const last = count === 1 ? x : g.op('Slice', [x, g.integers(count - 1, 0), g.integers(count, d_model)]);
    const logits = this.linear(this.rms_norm(last, `${TEXT}.ln_f`), 'lm_head');
    g.output('logits', logits, this.dtype, [1, embedding_size]);
    g.output('token', g.op('ArgMax', [logits], { axis: 1, keepdims: 0 }), 'i64', [1]);
  }

  /** What composed decoding multiplies by are keys a column each; the runtime's own operation has them a row each. */
  private past(layer: number) {
    const { n_heads, head_dim } = this.config;
    const columns = this.forms.decode === 'composed';
    const input = (name: string, dims: readonly (number | string)[]) =>
      this.g.input(`past_${name}_${layer}`, this.dtype, [1, n_heads, ...dims]);
    const rows = ['past', head_dim];
    return { key: input('key', columns ? [head_dim, 'past'] : rows), value: input('value', rows) };
  }

  /** q has been divided by the root of a head's width. */
  private attention(form: AttentionForm, [q, k, v]: readonly [string, string, string], shape: Heads): string {
    const { g } = this;
    const { batch, rows, heads, width, keys = rows, causal = false, past, layer } = shape;
    const mask = causal ? this.mask(rows) : undefined;
    const size = width / heads;
    const total = past ? 'total' : rows;
    const keep = (name: string, from: string, ...dims: (number | string)[]) => {
      if (layer !== undefined) g.output(`${name}_${layer}`, from, this.dtype, [batch, heads, ...dims]);
    };
    if (form === 'fused') {
      const inputs = [q, k, v, '', '', mask ?? '', past?.key ?? '', past?.value ?? ''];
      while (inputs.at(-1) === '') inputs.pop();
      const attributes = { num_heads: heads, scale: { float: 1 } };
      const [out, key, value] = g.ops(layer === undefined ? 1 : 3, 'MultiHeadAttention', inputs, attributes);
      keep('key', key as string, total, size);
      keep('value', value as string, total, size);
      return out as string;
    }
    const by_head = (x: string, count: number, perm: readonly number[]) => {
      const split = g.op('Reshape', [x, g.integers(batch, count, heads, size)]);
      return g.op('Transpose', [split], { perm: { ints: perm } });
    };
    let columns = by_head(k, keys, [0, 2, 3, 1]);
    let values = by_head(v, keys, [0, 2, 1, 3]);
    if (past) {
      columns = g.op('Concat', [past.key, columns], { axis: 3 });
      values = g.op('Concat', [past.value, values], { axis: 2 });
    }
    if (this.forms.decode === 'composed') keep('key', columns, size, total);
    else if (layer !== undefined) keep('key', by_head(k, keys, [0, 2, 1, 3]), total, size);
    keep('value', values, total, size);
    const scores = g.op('MatMul', [by_head(q, rows, [0, 2, 1, 3]), columns]);
    const shares = g.op('Softmax', [mask ? g.op('Add', [scores, mask]) : scores], { axis: -1 });
    const out = g.op('Transpose', [g.op('MatMul', [shares, values])], { perm: { ints: [0, 2, 1, 3] } });
    return g.op('Reshape', [out, g.integers(batch, rows, width)]);
  }

  private mask(rows: number): string {
    const lowest = this.dtype === 'f16' ? -65504 : -3e38;
    const hidden = (i: number) => (i % rows > Math.floor(i / rows) ? lowest : 0);
    const values = () => Float32Array.from({ length: rows * rows }, (_, i) => hidden(i));
    return this.g.reals(`mask_${rows}`, [1, 1, rows, rows], values);
  }

  private experts(h: string, name: string, { count, experts: form }: Rows): string {
    const { g } = this;
    const shares = g.op('Softmax', [this.linear(h, `${name}.gate`)], { axis: -1 });
    const top_k = g.integers(this.config.top_k);
    const [weights, chosen] = g.ops(2, 'TopK', [shares, top_k], { axis: -1 }) as [string, string];
    if (form === 'gathered') return this.gathered_experts(h, name, weights, chosen);
    if (form === 'dense') return this.dense_experts(h, name, shares, weights, chosen);
    return this.sorted_experts(h, name, count, weights, chosen);
  }

  /**
   * Of one token: its experts' matrices as a batch, the weighted sum as one more product. A matrix is a row to be gathered,
   * and the indices keep their shape: the provider reshapes no integers, and would ask the host.
   */
  private gathered_experts(h: string, name: string, weights: string, chosen: string): string {
    const { g } = this;
    const { n_experts, top_k, d_model: d, expert_hidden: hidden } = this.config;
    const picked = (part: 'gate_up' | 'down_proj', rows: number, cols: number) => {
      const all = g.reals(`${name}.${part}`, [n_experts, rows * cols], () => this.weights.experts(name, part));
      return g.op('Reshape', [g.op('Gather', [all, chosen], { axis: 0 }), g.integers(top_k, rows, cols)]);
    };
    const wide = this.halves(g.op('MatMul', [h, picked('gate_up', d, 2 * hidden)]), 2);
    const down = g.op('MatMul', [wide, picked('down_proj', hidden, d)]);
    return g.op('MatMul', [weights, g.op('Reshape', [down, g.integers(top_k, d)])]);
  }

  /** Experts that were not chosen weigh nothing. */
  private dense_experts(h: string, name: string, shares: string, weights: string, chosen: string): string {
    const { g } = this;
    const { n_experts, d_model: d, expert_hidden: hidden } = this.config;
    const cut = (x: string) => g.ops(EXPERT_GROUPS, 'Split', [x], { axis: 0, num_outputs: EXPERT_GROUPS });
    const all = (part: 'gate_up' | 'down_proj', rows: number, cols: number) =>
      cut(g.reals(`${name}.${part}`, [n_experts, rows, cols], () => this.weights.experts(name, part)));
    const none = g.op('Mul', [shares, g.reals('zero', [1], () => Float32Array.of(0))]);
    const kept = g.op('ScatterElements', [none, chosen, weights], { axis: 1 });
    const turned = g.op('Transpose', [kept], { perm: { ints: [1, 0] } });
    const parts = cut(g.op('Unsqueeze', [turned, g.integers(2)]));
    const x = g.op('Unsqueeze', [h, g.integers(0)]);
    const [gate_up, downs] = [all('gate_up', d, 2 * hidden), all('down_proj', hidden, d)];
    const sums = parts.map((part, i) => {
      const wide = this.halves(g.op('MatMul', [x, gate_up[i] as string]), 2);
      const down = g.op('MatMul', [g.op('Mul', [wide, part]), downs[i] as string]);
      return g.op('ReduceSum', [down, g.integers(0)], { keepdims: 0 });
    });
    return sums.reduce((a, b) => g.op('Add', [a, b]));
  }

  /** Integers are sorted by the host, once a block: the provider sorts floats alone. */
  private sorted_experts(h: string, name: string, count: number, weights: string, chosen: string): string {
    const { g } = this;
    const { n_experts, top_k, d_model: d, expert_hidden: hidden } = this.config;
    const slots = count * top_k;
    const order_of = (x: string) => g.ops(2, 'TopK', [x, g.integers(slots)], { axis: 0, largest: 0 })[1] as string;
    const flat = g.op('Reshape', [chosen, g.integers(slots)]);
    const order = order_of(g.op('Add', [g.op('Mul', [flat, g.integers(slots)]), g.counting(slots)]));
    const back = order_of(order);
    const expert = g.op('Unsqueeze', [g.counting(n_experts), g.integers(1)]);
    const same = g.op('Equal', [g.op('Unsqueeze', [flat, g.integers(0)]), expert]);
    const lengths = g.op('ReduceSum', [g.op('Cast', [same], { to: 7 }), g.integers(1)], { keepdims: 0 });
    const ends = g.op('CumSum', [lengths, g.integers(0)]);
    const ones = (x: string) => g.ops(n_experts, 'Split', [x], { axis: 0, num_outputs: n_experts });
    const [from, to] = [ones(g.op('Sub', [ends, lengths])), ones(ends)];
    const each = (x: string, part: 'gate_up' | 'down_proj', rows: number, cols: number) => {
      const results = from.map((start, e) => {
        const own = () => this.weights.expert(`${name}.experts.${e}`, part);
        const piece = g.op('Slice', [x, start, to[e] as string, g.integers(0)]);
        return g.op('MatMul', [piece, g.reals(`${name}.${e}.${part}`, [rows, cols], own)]);
      });
      return g.op('Concat', results, { axis: 0 });
    };
    const gathered = g.op('Gather', [h, g.op('Div', [order, g.integers(top_k)])], { axis: 0 });
    const wide = this.halves(each(gathered, 'gate_up', d, 2 * hidden), 1);
    const down = g.op('Gather', [each(wide, 'down_proj', hidden, d), back], { axis: 0 });
    const parts = g.op('Reshape', [down, g.integers(count, top_k, d)]);
    const weighted = g.op('Mul', [parts, g.op('Unsqueeze', [weights, g.integers(2)])]);
    return g.op('ReduceSum', [weighted, g.integers(1)], { keepdims: 0 });
  }

  /** SiLU of the first half times the second. */
  private halves(x: string, axis: number): string {
    const [gate, up] = this.g.ops(2, 'Split', [x], { axis, num_outputs: 2 }) as [string, string];
    return this.g.op('Mul', [this.gated(gate, 1), up]);
  }

  /** x * sigmoid(alpha * x): at 1 it is SiLU. */
  private gated(x: string, alpha: number): string {
    return this.g.op('QuickGelu', [x], { alpha: { float: alpha } });
  }

  private embed(ids: string): string {
    const { embedding_size, additional_vocab_size, d_model } = this.config;
    const parts = ['embedding', 'new_embedding'].map((part) => `${TEXT}.wte.${part}`);
    const values = () => joined(parts.map((part) => this.weights.values(part)));
    const table = this.g.reals('embedding', [embedding_size + additional_vocab_size, d_model], values);
    return this.g.op('Gather', [table, ids], { axis: 0 });
  }

  /** Dimension j of a head turns with j + half. */
  private rotate(x: string, position: string): string {
    const { head_dim, rope_theta, max_sequence_length: length } = this.config;
    const half = head_dim / 2;
    const angle = (i: number) => Math.fround(Math.floor(i / half) * Math.fround(rope_theta ** (-(i % half) / half)));
    const table = (name: string, of: (angle: number) => number) =>
      this.g.reals(name, [length, half], () => Float32Array.from({ length: length * half }, (_, i) => of(angle(i))));
    return this.g.op('RotaryEmbedding', [x, position, table('cos', Math.cos), table('sin', Math.sin)]);
  }

  private rms_norm(x: string, name: string, scale = 1): string {
    const weight = this.vector(`${name}.weight`, [this.config.d_model], scale);
    const attributes = { epsilon: { float: this.config.norm_eps }, axis: -1 };
    return this.g.op('SimplifiedLayerNormalization', [x, weight], attributes);
  }

  private layer_norm(x: string, name: string): string {
    const { emb, norm_eps } = this.config.vit;
    const [weight, bias] = [this.vector(`${name}.weight`, [emb]), this.vector(`${name}.bias`, [emb])];
    return this.g.op('LayerNormalization', [x, weight, bias], { epsilon: { float: norm_eps }, axis: -1 });
  }

  private linear(x: string, name: string, scale = 1): string {
    const { weights } = this;
    const [weight, bias] = [`${name}.weight`, `${name}.bias`];
    const [out, inner] = weights.spec(weight).shape as [number, number];
    const product = this.g.op('MatMul', [x, this.g.reals(weight, [inner, out], () => weights.matrix(weight, scale))]);
    return weights.has(bias) ? this.g.op('Add', [product, this.vector(bias, [out], scale)]) : product;
  }

  private vector(name: string, dims: readonly number[], scale = 1): string {
    return this.g.reals(name, dims, () => this.weights.values(name, scale));
  }
}
