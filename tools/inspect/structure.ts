import { buffer_bytes } from '../../engine/gpu/buffers.ts';
import { repository_parameters } from '../../engine/meter/legacy.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import { parameter_counts, tensor_specs } from '../../engine/model/tensors.ts';
import { weight_layout } from '../../engine/model/weight_layout.ts';
import {
  type CheckpointHeaders,
  holds_weights,
  read_headers,
  tensor_differences,
} from '../../engine/weights/checkpoint.ts';
import { element_count, type TensorSpec } from '../../engine/weights/source.ts';
import { FORMATS, type WeightFormat } from '../../kernels/spec.ts';
import type { Subject } from './subject.ts';

/** A part of the model by its tensors' names. Neighbours that are alike stand as one, `repeats` times. */
export interface Module {
  readonly name: string;
  readonly repeats: number;
  /** Of all repeats. */
  readonly parameters: number;
  readonly tensors: number;
  /** Of a part that is nothing but tensors: what they are called in it, and their shapes. */
  readonly shapes: Readonly<Record<string, readonly number[]>>;
  readonly parts: readonly Module[];
}

/** The hierarchy with exact parameter counts, bytes in each storage, and where there is a checkpoint, what it holds of it. */
export async function inspect_structure({ name, config, folder }: Subject) {
  const specs = tensor_specs(config);
  const headers = folder && holds_weights(await folder.list()) ? await read_headers(folder) : undefined;
  const ks = [1, 2, 4, 8, 16, 32, 64].filter((k) => k < config.n_experts);
  return {
    model: name,
    tensors: specs.length,
    hierarchy: module_of('all tensors', specs),
    parameters: { ...repository_parameters(config), ...parameter_counts(config) },
    active: [...ks, config.n_experts].map((k) => {
      const { llm_active, active_without_head, active } = parameter_counts(config, k);
      return { top_k: k, llm_active, active_without_head, active };
    }),
    storage: storage_of(config),
    checkpoint: headers ? { ...stored(headers), ...tensor_differences(headers.tensors, specs) } : null,
  };
}

export type StructureReport = Awaited<ReturnType<typeof inspect_structure>>;

export const differs = ({ checkpoint }: StructureReport): boolean =>
  checkpoint !== null && checkpoint.missing.length + checkpoint.unexpected.length + checkpoint.misshapen.length > 0;

/** Tensors of one part, by the rest of their names. */
export function module_of(name: string, specs: readonly Pick<TensorSpec, 'name' | 'shape'>[]): Module {
  const shapes: Record<string, readonly number[]> = {};
  const groups = new Map<string, { name: string; shape: readonly number[] }[]>();
  for (const spec of specs) {
    const dot = spec.name.indexOf('.');
    if (dot < 0) shapes[spec.name] = spec.shape;
    else {
      const head = spec.name.slice(0, dot);
      const group = groups.get(head) ?? [];
      groups.set(head, group);
      group.push({ name: spec.name.slice(dot + 1), shape: spec.shape });
    }
  }
  const parts = joined([...groups].map(([head, inner]) => module_of(head, inner)));
  const own = Object.values(shapes);
  const sum = (of: (part: Module) => number) => parts.reduce((total, part) => total + of(part), 0);
  return {
    name,
    repeats: 1,
    parameters: own.reduce((total, shape) => total + element_count(shape), 0) + sum((part) => part.parameters),
    tensors: own.length + sum((part) => part.tensors),
    shapes,
    parts,
  };
}

/** Numbered neighbours that differ in nothing but their number: `0-15`. */
function joined(parts: readonly Module[]): Module[] {
  const all: { module: Module; kind: string; first: string; times: number }[] = [];
  for (const module of parts) {
    const kind = JSON.stringify({ ...module, name: '' });
    const before = all.at(-1);
    const follows = before && /^\d+$/.test(module.name) && Number(module.name) === Number(before.first) + before.times;
    if (before && follows && before.kind === kind) before.times += 1;
    else all.push({ module, kind, first: module.name, times: 1 });
  }
  return all.map(({ module, first, times }) => ({
    ...module,
    name: times === 1 ? first : `${first}-${Number(first) + times - 1}`,
    repeats: times,
    parameters: times * module.parameters,
    tensors: times * module.tensors,
  }));
}

const FORMAT_NAMES = Object.keys(FORMATS) as WeightFormat[];

/** Bytes on the GPU of each component, padding included, in each storage. Norms, biases and positions are f32 in all. */
function storage_of(config: ModelConfig) {
  return FORMAT_NAMES.map((format) => {
    const { weights } = weight_layout(config, format, Number.POSITIVE_INFINITY, (_, bytes) => new Held(bytes));
    const { vit, blocks, embedding, lm_head, ln_f, ...rest } = weights;
    const { pool_q, pool_kv, pool_out, projector_gate_up, projector_down, pad_embed, ...vision } = rest;
    const each = (of: (block: (typeof blocks)[number]) => unknown) => bytes_in(blocks.map(of));
    const components = {
      vision_encoder: bytes_in([vision, vit]),
      projector: bytes_in([pool_q, pool_kv, pool_out, projector_gate_up, projector_down, pad_embed]),
      embeddings: bytes_in(embedding),
      attention: each(({ qkv, out }) => [qkv, out]),
      router: each(({ router }) => router),
      experts: each(({ gate_up, down }) => [gate_up, down]),
      norms: each(({ attn_norm, q_norm, k_norm, ff_norm }) => [attn_norm, q_norm, k_norm, ff_norm]) + bytes_in(ln_f),
      lm_head: bytes_in(lm_head),
    };
    return { format, components, total: bytes_in(weights) };
  });
}

/** A buffer that is only counted. */
class Held {
  readonly bytes: number;
  constructor(wanted: number) {
    this.bytes = buffer_bytes(wanted);
  }
}

function bytes_in(part: unknown): number {
  if (part instanceof Held) return part.bytes;
  if (typeof part !== 'object' || part === null) return 0;
  return Object.values(part).reduce((sum: number, inner) => sum + bytes_in(inner), 0);
}

function stored({ files, tensors }: CheckpointHeaders) {
  const dtypes: Record<string, number> = {};
  for (const { dtype } of tensors.values()) dtypes[dtype] = (dtypes[dtype] ?? 0) + 1;
  const all = [...tensors.values()];
  return {
    files,
    tensors: tensors.size,
    parameters: all.reduce((sum, { shape }) => sum + element_count(shape), 0),
    bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
    dtypes,
  };
}
