import type { ModelConfig } from '../../engine/model/config.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { rotary_table } from '../../engine/model/sequences.ts';
import { attention } from '../../kernels/attention/attention.ts';
import {
  attention_decode,
  attention_decode_combine,
  decode_partial_values,
  decode_splits,
} from '../../kernels/attention_decode/attention_decode.ts';
import { pool_attention } from '../../kernels/pool_attention/pool_attention.ts';
import { qk_rope } from '../../kernels/qk_rope/qk_rope.ts';
import type { Kernel, Traits } from '../../kernels/spec.ts';
import { attend } from '../../test/reference/attention.ts';
import { pool_attention as pool_reference } from '../../test/reference/pool_attention.ts';
import { qk_rope as rope_reference } from '../../test/reference/qk_rope.ts';
import { type KernelCase, launch, type Maker, pattern, places, range, spread } from './case.ts';

export function attention_cases(config: ModelConfig, prompts: readonly number[]): Maker[] {
  const { n_heads: heads, head_dim, vit } = config;
  const causal =
    (rows: number, first_position = 0) =>
    () =>
      attention_case({ groups: 1, rows, heads, head_dim, first_position });
  const decode =
    (rows: number, keys: number, kernel: Kernel = attention_decode as Kernel): Maker =>
    ({ traits }) =>
      decode_case(rows, keys, heads, head_dim, traits, kernel);
  return [
    ...[1, 2].map(
      (groups) => () => attention_case({ groups, rows: vit.positions, heads: vit.heads, head_dim: vit.head_dim }),
    ),
    ...prompts.map((rows) => causal(rows)),
    causal(333, 100),
    ...[128, 512, 2048].map((keys) => decode(1, keys)),
    decode(4, 512),
    decode(1, 2048, attention_decode_combine as Kernel),
    ...[1, 512].map((rows) => () => rope_case(rows, heads, head_dim, config.rope_theta, config.norm_eps)),
    () => pool_case(2 * geometry_of(config).cells, vit.heads, vit.head_dim),
  ];
}

interface Shape {
  readonly groups: number;
  readonly rows: number;
  readonly heads: number;
  readonly head_dim: number;
  /** Of causal attention: the first query's place. */
  readonly first_position?: number;
}

export function attention_case({ groups, rows, heads, head_dim, first_position }: Shape): KernelCase {
  const causal = first_position !== undefined;
  const keys = rows + (first_position ?? 0);
  const width = heads * head_dim;
  const scale = Math.fround(1 / Math.sqrt(head_dim));
  const [q, k, v] = [pattern(1, 2), pattern(2, 2), pattern(3, 2)];
  const params = {
    ...{ groups, rows, keys, heads, q_stride: width, kv_stride: width, o_stride: width },
    ...{ q_col0: 0, k_col0: 0, v_col0: 0, q_row0: 0, k_row0: 0, first_position: first_position ?? 0, scale },
  };
  return {
    kernel: attention as Kernel,
    stage: causal ? 'prefill' : 'vision_encoder',
    shape: `${groups}x${rows} of ${keys} ${heads}x${head_dim}${causal ? ' causal' : ''}`,
    launches: [launch(attention, params, { HEAD_DIM: head_dim, CAUSAL: causal })],
    buffers: () => ({
      q: q.f32(groups * rows * width),
      k: k.f32(groups * keys * width),
      v: v.f32(groups * keys * width),
      o: new Float32Array(groups * rows * width),
    }),
    want: () => {
      const queries = spread(groups * rows, 7);
      const some_heads = spread(heads, 3);
      const values = queries.flatMap((query) => {
        const row0 = Math.floor(query / rows) * keys;
        const seen = causal ? first_position + query + 1 : keys;
        const of = (head: number) => [
          (j: number) => q.at(query * width + head * head_dim + j),
          ...[k, v].map((x) => (key: number, j: number) => x.at((row0 + key) * width + head * head_dim + j)),
        ];
        return some_heads.flatMap((head) => {
          const [query_at, key_at, value_at] = of(head) as [
            (j: number) => number,
            (key: number, j: number) => number,
            (key: number, j: number) => number,
          ];
          return attend(head_dim, seen, scale, query_at, key_at, value_at);
        });
      });
      const cols = some_heads.flatMap((head) => range(head_dim).map((j) => head * head_dim + j));
      return [{ buffer: 'o', at: places(queries, cols, width), values }];
    },
  };
}

/** Sequences of the same length; the combining kernel is timed by itself behind the splits it combines. */
function decode_case(
  rows: number,
  keys: number,
  heads: number,
  head_dim: number,
  traits: Traits,
  kernel: Kernel,
): KernelCase {
  const width = heads * head_dim;
  const scale = Math.fround(1 / Math.sqrt(head_dim));
  const [q, k_cache, v_cache] = [pattern(1, 2), pattern(2, 2), pattern(3, 2)];
  const split_keys = 512;
  const { splits, split_keys: size } =
    kernel.name === attention_decode_combine.name
      ? { splits: keys / split_keys, split_keys }
      : decode_splits(keys, heads, rows, traits);
  const options = { HEAD_DIM: head_dim };
  const params = {
    ...{ rows, heads, q_stride: width, kv_stride: width, o_stride: width, capacity: keys, table_row0: 0 },
    ...{ splits, split_keys: size, scale, keys: rows * keys },
  };
  const combine = launch(attention_decode_combine, { rows, heads, splits, o_stride: width }, options);
  return {
    kernel,
    stage: 'decode',
    shape: `${rows} of ${keys} ${heads}x${head_dim}, ${splits} split${splits === 1 ? '' : 's'}`,
    launches: [launch(attention_decode, params, options), ...(splits > 1 ? [combine] : [])],
    buffers: () => ({
      q: q.f32(rows * width),
      k_cache: k_cache.f32(rows * keys * width),
      v_cache: v_cache.f32(rows * keys * width),
      row_table: Uint32Array.from({ length: 2 * rows }, (_, i) => (i % 2 === 0 ? i / 2 : keys - 1)),
      o: new Float32Array(rows * width),
      partial: new Float32Array(decode_partial_values(rows, heads, splits, head_dim)),
    }),
    want: () => {
      const some_heads = spread(heads, 3);
      const values = range(rows).flatMap((row) =>
        some_heads.flatMap((head) => {
          const col0 = head * head_dim;
          return attend(
            head_dim,
            keys,
            scale,
            (j) => q.at(row * width + col0 + j),
            (key, j) => k_cache.at((row * keys + key) * width + col0 + j),
            (key, j) => v_cache.at((row * keys + key) * width + col0 + j),
          );
        }),
      );
      const cols = some_heads.flatMap((head) => range(head_dim).map((j) => head * head_dim + j));
      return [{ buffer: 'o', at: places(range(rows), cols, width), values }];
    },
  };
}

function rope_case(rows: number, heads: number, head_dim: number, theta: number, eps: number): KernelCase {
  const width = heads * head_dim;
  const capacity = rows;
  const d = {
    ...{ rows, heads, qkv_stride: 3 * width, k_col0: width, v_col0: 2 * width, q_stride: width },
    ...{ kv_stride: width, capacity, table_row0: 0, eps },
  };
  const buffers = {
    qkv: pattern(1, 2).f32(rows * 3 * width),
    q_weight: pattern(2).f32(width),
    k_weight: pattern(3).f32(width),
    rope: rotary_table(theta, head_dim, capacity),
    row_table: Uint32Array.from({ length: 2 * rows }, (_, i) => (i % 2 === 0 ? 0 : (i - 1) / 2)),
    q: new Float32Array(rows * width),
    k_cache: new Float32Array(rows * width),
    v_cache: new Float32Array(rows * width),
  };
  return {
    kernel: qk_rope as Kernel,
    stage: rows === 1 ? 'decode' : 'prefill',
    shape: `${rows} ${heads}x${head_dim}`,
    launches: [launch(qk_rope, d, { HEAD_DIM: head_dim })],
    buffers: () => buffers,
    want: () =>
      Object.entries(rope_reference(buffers, { ...d, head_dim })).map(([buffer, values]) => ({ buffer, values })),
  };
}

function pool_case(cells: number, heads: number, head_dim: number): KernelCase {
  const width = heads * head_dim;
  const scale = Math.fround(1 / Math.sqrt(head_dim));
  const d = { cells, heads, head_dim, v_col0: width, q_stride: width, kv_stride: 2 * width, o_stride: width, scale };
  const [q, kv] = [pattern(1, 2).f32(cells * width), pattern(2, 2).f32(4 * cells * 2 * width)];
  const o = new Float32Array(cells * width);
  return {
    kernel: pool_attention as Kernel,
    stage: 'projector',
    shape: `${cells} cells ${heads}x${head_dim}`,
    launches: [launch(pool_attention, d)],
    buffers: () => ({ q, kv, o }),
    want: () => [{ buffer: 'o', values: pool_reference(q, kv, o, d) }],
  };
}
