import { InputError } from '../errors.ts';
import { shown } from '../weights/text.ts';
import { PUBLISHED_MEAN, PUBLISHED_STD, read_geometry } from './geometry.ts';

/** Ids of the prompt's image tokens. */
export type ImageTokenIds = Readonly<{
  im_start: number;
  im_end: number;
  im_patch: number;
  im_col: number;
  image: number;
}>;

/** What the engine needs to know of a model. All numbers are checked and fit together. */
export type ModelConfig = Readonly<{
  d_model: number;
  n_heads: number;
  head_dim: number;
  n_layers: number;
  n_experts: number;
  /** Experts a token takes unless a request says otherwise. */
  top_k: number;
  expert_hidden: number;
  projector_hidden: number;

  vocab_size: number;
  /** Rows of the first embedding table and of the output head; ids from here on read the second table. */
  embedding_size: number;
  additional_vocab_size: number;
  bos_id: number;
  eos_id: number;
  pad_id: number;
  special: ImageTokenIds;

  norm_eps: number;
  rope_theta: number;
  max_sequence_length: number;
  max_position_embeddings: number;

  vit: Readonly<{
    emb: number;
    heads: number;
    head_dim: number;
    layers: number;
    mlp: number;
    /** Sides of a patch and of a crop in pixels; positions of a crop, the class token's first. */
    patch: number;
    image: number;
    positions: number;
    norm_eps: number;
  }>;
  /** 0-based blocks whose outputs are the image features, in the order they are concatenated. */
  vit_layers: readonly number[];
  pooling_h: 2;
  pooling_w: 2;

  max_crops: number;
  /** Patches that neighbouring crops share: before and after. */
  overlap_margins: readonly [number, number];
  image_mean: readonly [number, number, number];
  image_std: readonly [number, number, number];
  message_formatting: 'role';
  always_start_with_space: boolean;
}>;

export type JsonObject = Record<string, unknown>;

/**
 * Choices that change the arithmetic or the prompt and that this engine makes in one way only. The first value is the
 * published one; an absent field counts as null.
 */
const fixed: Readonly<Record<string, readonly unknown[]>> = {
  model_type: ['molmo'],
  activation_type: ['swiglu'],
  alibi: [false],
  attention_layer_norm: [true],
  attention_layer_norm_with_affine: [true],
  attn_logit_softcapping: [null],
  bias_for_layer_norm: [false],
  block_group_size: [1],
  block_type: ['moe'],
  clip_qkv: [null],
  crop_mode: ['overlap-and-resize-c2'],
  final_logit_softcapping: [null],
  fix_image_input_idx: [2],
  float32_attention: [true],
  image_padding_embed: ['pad_and_partial_pad'],
  image_pooling_2d: ['attention-meanq'],
  image_pooling_h: [2],
  image_pooling_w: [2],
  image_projector: ['mlp'],
  include_bias: [false],
  layer_norm_type: ['rms'],
  layer_norm_with_affine: [true],
  message_formatting: ['role'],
  moe_dropless: [true],
  moe_interleave: [false],
  moe_shared_expert: [false],
  multi_query_attention: [null, false],
  norm_after: [false],
  normalize_input_embeds: [false],
  qkv_bias: [false],
  rope: [true],
  rope_full_precision: [true],
  rope_impl: ['llama'],
  rope_scaling: [null],
  scale_logits: [false],
  unconditioned: [false],
  use_cls_feature: [false],
  use_col_tokens: [true],
  use_position_ids: [true],
  weight_tying: [false],
  'vision_backbone.image_mlp_activations': ['quick_gelu'],
  'vision_backbone.image_model_type': ['openai'],
  'vision_backbone.resize_mode': ['default'],
};

const vision = 'vision_backbone.';
const MOST_HEAD_DIM = 128;

/** Checks a config.json. Keys it does not know are ignored (tools add many), wrong values of known ones never. */
export function parse_config(json: unknown, where: string): ModelConfig {
  const fail = (field: string, expected: string, found: unknown, remedy = 'correct the file'): never => {
    throw new InputError(`${where}: ${field}: expected ${expected}, found ${shown(found)}; ${remedy}`);
  };
  if (!is_object(json)) return fail('the file', 'a JSON object', json);
  refuse_other_models(json, where);
  const backbone = own(json, 'vision_backbone');
  if (!is_object(backbone)) return fail('vision_backbone', 'an object', backbone);

  const get = (field: string): unknown =>
    field.startsWith(vision) ? own(backbone, field.slice(vision.length)) : own(json, field);
  const integer = (field: string, min: number, max: number, multiple = 1): number => {
    const value = get(field);
    if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) {
      if ((value as number) % multiple === 0) return value as number;
    }
    const kind = multiple === 1 ? 'an integer' : `a multiple of ${multiple}`;
    return fail(field, `${kind} from ${min} to ${max}`, value);
  };
  const real = (field: string, min: number, max: number): number => {
    const value = get(field);
    if (typeof value === 'number' && value >= min && value <= max) return value;
    return fail(field, `a number from ${min} to ${max}`, value);
  };
  const integer_or = (field: string, fallback: number, min: number, max: number): number =>
    (get(field) ?? null) === null ? fallback : integer(field, min, max);
  const divided = (field: string, whole_field: string, whole: number, parts: number): number => {
    if (whole % parts !== 0) fail(field, `a divisor of ${whole_field} (${whole})`, parts);
    const size = whole / parts;
    // Kernels read 4 values at once, rotation pairs the two halves of a head, and eight lanes hold its sums in registers.
    if (size % 8 !== 0 || size > MOST_HEAD_DIM) {
      fail(field, `heads of a multiple of 8 up to ${MOST_HEAD_DIM} (${whole_field} / ${field})`, size);
    }
    return size;
  };
  const same_or_null = (field: string, value: number, why: string) => {
    const found = get(field) ?? null;
    if (found !== null && found !== value) fail(field, `${value} (${why}) or null`, found);
  };

  for (const [field, allowed] of Object.entries(fixed)) {
    if (!allowed.some((value) => same(value, get(field)))) {
      fail(field, allowed.map(shown).join(' or '), get(field), 'this engine runs the MolmoE architecture only');
    }
  }

  const d_model = integer('d_model', 4, 16384, 4);
  const n_heads = integer('n_heads', 1, 512);
  const head_dim = divided('n_heads', 'd_model', d_model, n_heads);
  same_or_null('head_dim', head_dim, 'd_model / n_heads');
  same_or_null('n_kv_heads', n_heads, 'as many as n_heads');
  const n_experts = integer('moe_num_experts', 1, 256);
  const hidden = swiglu_hidden(get('mlp_hidden_size'), get('mlp_ratio'), d_model, fail);

  const vocab_size = integer('vocab_size', 2, 2 ** 20);
  const embedding_size = integer_or('embedding_size', vocab_size, vocab_size, 2 ** 20);
  if (embedding_size * d_model >= 2 ** 32) fail('embedding_size', 'fewer than 2^32 weights in a table', embedding_size);
  const additional_vocab_size = integer('additional_vocab_size', 1, 2 ** 16);
  const ids = embedding_size + additional_vocab_size;
  if (vocab_size + 5 > ids)
    fail('additional_vocab_size', 'room for 5 image tokens after vocab_size', additional_vocab_size);

  const emb = integer(`${vision}image_emb_dim`, 4, 16384, 4);
  const heads = integer(`${vision}image_num_heads`, 1, 512);
  const vit_head_dim = divided(`${vision}image_num_heads`, `${vision}image_emb_dim`, emb, heads);
  same_or_null(`${vision}image_head_dim`, vit_head_dim, 'image_emb_dim / image_num_heads');
  same_or_null(`${vision}image_num_key_value_heads`, heads, 'as many as image_num_heads');
  const layers = integer(`${vision}image_num_layers`, 1, 256);
  const { overlap_margins, ...crop } = read_geometry(get, fail);

  return deep_freeze<ModelConfig>({
    d_model,
    n_heads,
    head_dim,
    n_layers: integer('n_layers', 1, 256),
    n_experts,
    top_k: integer('moe_top_k', 1, n_experts),
    expert_hidden: hidden,
    projector_hidden: hidden,
    vocab_size,
    embedding_size,
    additional_vocab_size,
    // The tokenizer has no BOS: a prompt begins with the end-of-text id, the last of the vocabulary.
    bos_id: integer_or('bos_token_id', vocab_size - 1, 0, ids - 1),
    eos_id: integer_or('eos_token_id', vocab_size - 1, 0, ids - 1),
    pad_id: integer_or('pad_token_id', vocab_size - 1, 0, ids - 1),
    // The tokenizer adds the image tokens right after its vocabulary (50280 to 50284 in the published model).
    // Where embedding_size is larger than vocab_size they read padding rows of the first table, as trained.
    special: {
      im_start: vocab_size,
      im_end: vocab_size + 1,
      im_patch: vocab_size + 2,
      im_col: vocab_size + 3,
      image: vocab_size + 4,
    },
    norm_eps: real('layer_norm_eps', 1e-12, 0.1),
    rope_theta: real('rope_theta', 1, 1e9),
    max_sequence_length: integer('max_sequence_length', 1, 2 ** 20),
    max_position_embeddings: integer('max_position_embeddings', 1, 2 ** 24),
    vit: {
      emb,
      heads,
      head_dim: vit_head_dim,
      layers,
      mlp: integer(`${vision}image_mlp_dim`, 4, 65536, 4),
      ...crop,
      norm_eps: real(`${vision}image_norm_eps`, 1e-12, 0.1),
    },
    vit_layers: feature_blocks(get('vit_layers'), layers, fail),
    pooling_h: 2,
    pooling_w: 2,
    max_crops: integer('max_crops', 1, 64),
    overlap_margins,
    image_mean: PUBLISHED_MEAN,
    image_std: PUBLISHED_STD,
    message_formatting: 'role',
    always_start_with_space: boolean('always_start_with_space', get('always_start_with_space'), fail),
  });
}

/** Nothing is wrong with such a file: it is of a model that this engine does not run. */
function refuse_other_models(json: JsonObject, where: string): void {
  const other = (['model_type', 'block_type'] as const).find((field) => {
    const value = own(json, field);
    return typeof value === 'string' && !fixed[field]?.includes(value);
  });
  if (other === undefined) return;
  throw new InputError(
    `${where}: ${other}: expected ${shown(fixed[other]?.[0])} (MolmoE), found ${shown(own(json, other))}: another architecture, which this engine does not run; name the folder of a MolmoE`,
  );
}

type Fail = (field: string, expected: string, found: unknown) => never;

/** SwiGLU splits the hidden size in a gate and an up half, each a multiple of 4; experts and projector share it. */
function swiglu_hidden(size: unknown, ratio: unknown, d_model: number, fail: Fail): number {
  const field = (size ?? null) === null ? 'mlp_ratio' : 'mlp_hidden_size';
  const found = field === 'mlp_ratio' ? ratio : size;
  const hidden = (typeof found === 'number' ? found : Number.NaN) * (field === 'mlp_ratio' ? d_model : 1);
  if (!(hidden >= 8 && hidden <= 131072 && hidden % 8 === 0)) {
    fail(
      field,
      `${field === 'mlp_ratio' ? 'mlp_ratio * d_model as ' : ''}twice an expert's hidden size, a multiple of 8 from 8 to 131072`,
      found,
    );
  }
  return hidden / 2;
}

/** Indices may count from the end (-1 = the last block's output). */
function feature_blocks(value: unknown, layers: number, fail: Fail): number[] {
  const inside = (n: unknown) => Number.isInteger(n) && (n as number) >= -layers && (n as number) < layers;
  const blocks = Array.isArray(value) && value.every(inside) ? value.map((n: number) => (n < 0 ? n + layers : n)) : [];
  if (blocks.length !== 2 || blocks[0] === blocks[1]) {
    fail('vit_layers', `two different blocks from ${-layers} to ${layers - 1}`, value);
  }
  return blocks;
}

function boolean(field: string, value: unknown, fail: Fail): boolean {
  return typeof value === 'boolean' ? value : fail(field, 'true or false', value);
}

/** A config.json in the published form; `parse_config` of it gives an equal config. */
export function config_to_json(config: ModelConfig): JsonObject {
  const { vit } = config;
  return merge_config(fixed_config_json(), {
    d_model: config.d_model,
    n_heads: config.n_heads,
    n_layers: config.n_layers,
    moe_num_experts: config.n_experts,
    moe_top_k: config.top_k,
    mlp_hidden_size: 2 * config.expert_hidden,
    vocab_size: config.vocab_size,
    embedding_size: config.embedding_size,
    additional_vocab_size: config.additional_vocab_size,
    bos_token_id: config.bos_id,
    eos_token_id: config.eos_id,
    pad_token_id: config.pad_id,
    layer_norm_eps: config.norm_eps,
    rope_theta: config.rope_theta,
    max_sequence_length: config.max_sequence_length,
    max_position_embeddings: config.max_position_embeddings,
    vit_layers: config.vit_layers.map((block) => block - vit.layers),
    max_crops: config.max_crops,
    overlap_margins: [...config.overlap_margins],
    always_start_with_space: config.always_start_with_space,
    vision_backbone: {
      image_emb_dim: vit.emb,
      image_num_heads: vit.heads,
      image_num_key_value_heads: vit.heads,
      image_head_dim: vit.head_dim,
      image_num_layers: vit.layers,
      image_mlp_dim: vit.mlp,
      image_norm_eps: vit.norm_eps,
      image_default_input_size: [vit.image, vit.image],
      image_patch_size: vit.patch,
      image_pos_patch_size: vit.patch,
      image_num_pos: vit.positions,
    },
  });
}

/** The part of a config.json that is the same for every model this engine runs. */
export function fixed_config_json(): JsonObject {
  const json: JsonObject = {};
  const backbone: JsonObject = {};
  for (const [field, [value]] of Object.entries(fixed)) {
    if (field.startsWith(vision)) backbone[field.slice(vision.length)] = value;
    else json[field] = value;
  }
  return { ...json, vision_backbone: backbone };
}

/** `over` on top of `base`, also inside vision_backbone. */
export function merge_config(base: JsonObject, over: JsonObject): JsonObject {
  const backbone = { ...(base.vision_backbone as JsonObject), ...(over.vision_backbone as JsonObject | undefined) };
  return { ...base, ...over, vision_backbone: backbone };
}

function is_object(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Never a property that the object inherits. */
function own(object: JsonObject, key: string): unknown {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/** Equal constants or lists of constants; an absent field counts as null. */
function same(allowed: unknown, found: unknown): boolean {
  if (!Array.isArray(allowed)) return Object.is(allowed, found ?? null);
  return Array.isArray(found) && found.length === allowed.length && allowed.every((item, i) => same(item, found[i]));
}

function deep_freeze<T extends object>(value: T): T {
  for (const child of Object.values(value)) if (typeof child === 'object' && child !== null) deep_freeze(child);
  return Object.freeze(value);
}
