import { element_count, type TensorSpec, type WeightRole } from '../weights/source.ts';
import type { ModelConfig } from './config.ts';

/** Every tensor of a checkpoint of this model, in the order of the model's modules. Linear weights are [out, in]. */
export function tensor_specs(config: ModelConfig): TensorSpec[] {
  const specs: TensorSpec[] = [];
  const add = (name: string, role: WeightRole, ...shape: number[]) => specs.push({ name, shape, role });
  const linear = (name: string, out: number, inner: number) => {
    add(`${name}.weight`, 'linear', out, inner);
    add(`${name}.bias`, 'bias', out);
  };
  const layer_norm = (name: string, size: number) => {
    add(`${name}.weight`, 'norm', size);
    add(`${name}.bias`, 'bias', size);
  };
  const d = config.d_model;

  add('model.transformer.wte.embedding', 'token_embedding', config.embedding_size, d);
  add('model.transformer.wte.new_embedding', 'token_embedding', config.additional_vocab_size, d);
  add('model.transformer.ln_f.weight', 'norm', d);
  for (let n = 0; n < config.n_layers; n++) {
    const block = `model.transformer.blocks.${n}`;
    add(`${block}.attn.q_norm.weight`, 'norm', d);
    add(`${block}.attn.k_norm.weight`, 'norm', d);
    add(`${block}.attn.att_proj.weight`, 'linear', 3 * d, d);
    add(`${block}.attn.attn_out.weight`, 'linear', d, d);
    add(`${block}.attn.attn_norm.weight`, 'norm', d);
    add(`${block}.mlp.gate.weight`, 'linear', config.n_experts, d);
    for (let e = 0; e < config.n_experts; e++) {
      const expert = `${block}.mlp.experts.${e}`;
      add(`${expert}.gate_proj.weight`, 'linear', config.expert_hidden, d);
      add(`${expert}.up_proj.weight`, 'linear', config.expert_hidden, d);
      add(`${expert}.down_proj.weight`, 'linear', d, config.expert_hidden);
    }
    add(`${block}.mlp.ff_norm.weight`, 'norm', d);
  }

  const { emb, layers, mlp, patch, positions } = config.vit;
  const features = emb * config.vit_layers.length;
  const vision = 'model.vision_backbone';
  add(`${vision}.pad_embed`, 'pad_embed', 2, features);
  for (const w of ['wq', 'wk', 'wv']) linear(`${vision}.image_pooling_2d.${w}`, emb, features);
  linear(`${vision}.image_pooling_2d.wo`, emb, emb);
  add(`${vision}.image_projector.w1.weight`, 'linear', config.projector_hidden, emb);
  add(`${vision}.image_projector.w2.weight`, 'linear', d, config.projector_hidden);
  add(`${vision}.image_projector.w3.weight`, 'linear', config.projector_hidden, emb);

  const vit = `${vision}.image_vit`;
  add(`${vit}.class_embedding`, 'pos_embedding', emb);
  add(`${vit}.positional_embedding`, 'pos_embedding', positions, emb);
  add(`${vit}.patch_embedding.weight`, 'linear', emb, patch * patch * 3);
  layer_norm(`${vit}.pre_ln`, emb);
  for (let n = 0; n < layers; n++) {
    const block = `${vit}.transformer.resblocks.${n}`;
    for (const w of ['wq', 'wk', 'wv', 'wo']) linear(`${block}.attention.${w}`, emb, emb);
    linear(`${block}.feed_forward.w1`, mlp, emb);
    linear(`${block}.feed_forward.w2`, emb, mlp);
    layer_norm(`${block}.attention_norm`, emb);
    layer_norm(`${block}.ffn_norm`, emb);
  }
  add('lm_head.weight', 'linear', config.embedding_size, d);
  return specs;
}

/** Which part of the model a tensor's parameters count for; the first match decides. */
const parts = [
  ['vit', /\.image_vit\./],
  ['pooling', /\.image_pooling_2d\./],
  ['projector_mlp', /\.image_projector\./],
  ['pad_embed', /\.pad_embed$/],
  ['lm_head', /^lm_head\./],
  ['token_embedding', /\.wte\.embedding$/],
  ['new_embedding', /\.wte\.new_embedding$/],
  ['experts', /\.mlp\.experts\./],
  ['router', /\.mlp\.gate\./],
  ['attention', /\.attn\.(att_proj|attn_out)\./],
  ['norms', /_norm\.weight$|\.ln_f\.weight$/],
] as const;

type Part = (typeof parts)[number][0];

export type ParameterCounts = Readonly<
  Record<Part, number> & {
    /** Pooling, projector MLP and padding embeddings. */
    projector: number;
    /** Embeddings, blocks and final norm, without the output head. */
    llm: number;
    /** As `llm`, with only the top_k experts a token uses. */
    llm_active: number;
    /** ViT, projector and `llm`: the rule of published profiles, which leaves the output head out. */
    total_without_head: number;
    active_without_head: number;
    total: number;
    active: number;
  }
>;

export function parameter_counts(config: ModelConfig, top_k = config.top_k): ParameterCounts {
  const count = Object.fromEntries(parts.map(([part]) => [part, 0])) as Record<Part, number>;
  for (const { name, shape } of tensor_specs(config)) {
    const part = parts.find(([, pattern]) => pattern.test(name));
    if (part) count[part[0]] += element_count(shape);
  }
  const projector = count.pooling + count.projector_mlp + count.pad_embed;
  const always = count.token_embedding + count.new_embedding + count.attention + count.norms + count.router;
  const llm = always + count.experts;
  const llm_active = always + (count.experts / config.n_experts) * top_k;
  const total_without_head = count.vit + projector + llm;
  const active_without_head = count.vit + projector + llm_active;
  return {
    ...count,
    projector,
    llm,
    llm_active,
    total_without_head,
    active_without_head,
    total: total_without_head + count.lm_head,
    active: active_without_head + count.lm_head,
  };
}
