import { closed_form_flops, decode_step_flops } from '../../engine/meter/closed_forms.ts';
import { pass_weight_bytes } from '../../engine/meter/roofline.ts';
import { formats_of } from '../../engine/model/formats.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { holds_weights, read_headers } from '../../engine/weights/checkpoint.ts';
import { bytes_per_weight, FORMATS, type WeightFormat } from '../../kernels/spec.ts';
import type { Subject } from './subject.ts';
import { values_for } from './topk.ts';

const FORMAT_NAMES = Object.keys(FORMATS) as WeightFormat[];
/** The study's request: a picture of one crop and its overview, "Describe this image.", and the first decode step. */
const EXAMPLE = { views: 2, prompt_tokens: 326, new_tokens: 2 } as const;

/** Where the experts are, what they are, and what each more of them a token costs. */
export async function inspect_moe_layer(subject: Subject, top_k_values: readonly number[] | undefined) {
  const { name, config } = subject;
  const { d_model, expert_hidden, n_experts, n_layers, top_k } = config;
  const expert_parameters = 3 * d_model * expert_hidden;
  const per_expert = 2 * expert_parameters;
  const ks = values_for(config, top_k_values ?? ascending([...powers_below(n_experts), top_k]));
  const stored = (format: WeightFormat, count: number) => count * bytes_per_weight(FORMATS[format]);
  const example = (k: number) => {
    const { totals } = closed_form_flops(config, { ...EXAMPLE, top_k: k });
    const decode = sum(decode_step_flops(config, EXAMPLE.prompt_tokens + 1, k));
    return {
      prefill: totals.prefill,
      decode_step: decode,
      forward: totals.vision_encoder + totals.projector + totals.prefill,
    };
  };
  const least = example(ks[0] as number);
  return {
    model: name,
    blocks: await blocks_of(subject),
    expert: {
      kind: 'SwiGLU, no bias',
      gate: [expert_hidden, d_model],
      up: [expert_hidden, d_model],
      down: [d_model, expert_hidden],
      parameters: expert_parameters,
    },
    router: {
      shape: [n_experts, d_model],
      parameters: n_experts * d_model,
      flops_per_token: 2 * n_experts * d_model,
      rule: 'softmax over all experts, then the largest, largest first, ties to the lower id; their weights as they are, not scaled to a sum of 1',
    },
    top_k,
    parameters: { block: n_experts * expert_parameters, all: n_layers * n_experts * expert_parameters },
    bytes: FORMAT_NAMES.map((format) => {
      const formats = formats_of(format);
      const expert = stored(formats.experts(d_model, expert_hidden), expert_parameters);
      const router = stored(formats.router, n_experts * d_model);
      return { format, expert, block: n_experts * expert, all: n_layers * n_experts * expert, router };
    }),
    example: EXAMPLE,
    per_top_k: ks.map((k) => {
      const flops = example(k);
      const ratio = (stage: keyof typeof flops) => flops[stage] / least[stage];
      return {
        top_k: k,
        expert_flops_block: k * per_expert,
        expert_flops: n_layers * k * per_expert,
        expert_bytes: by_format(
          (format) => n_layers * k * stored(formats_of(format).experts(d_model, expert_hidden), expert_parameters),
        ),
        decode_bytes: by_format((format) => pass_weight_bytes(config, format, k).decode),
        example_flops: flops,
        ratios: { prefill: ratio('prefill'), decode_step: ratio('decode_step'), forward: ratio('forward') },
      };
    }),
  };
}

export type MoeLayerReport = Awaited<ReturnType<typeof inspect_moe_layer>>;

const ascending = (values: readonly number[]): readonly number[] => [...new Set(values)].sort((a, b) => a - b);

const powers_below = (most: number): number[] => {
  const powers: number[] = [];
  for (let k = 1; k <= most; k *= 2) powers.push(k);
  return powers;
};

const by_format = (bytes: (format: WeightFormat) => number) =>
  Object.fromEntries(FORMAT_NAMES.map((format) => [format, bytes(format)])) as Record<WeightFormat, number>;

const sum = (parts: Readonly<Record<string, number>>): number =>
  Object.values(parts).reduce((total, x) => total + x, 0);

/** Experts and router of each block by the names of its tensors: a checkpoint's own, where there is one. */
async function blocks_of({ config, folder }: Subject) {
  const headers = folder && holds_weights(await folder.list()) ? await read_headers(folder) : undefined;
  const names = headers ? [...headers.tensors.keys()] : tensor_specs(config).map(({ name }) => name);
  const from = headers ? 'checkpoint' : 'config';
  const experts = new Map<number, Set<number>>();
  const routers = new Set<number>();
  for (const name of names) {
    const [, block = '', rest = ''] = /^model\.transformer\.blocks\.(\d+)\.mlp\.(.*)$/.exec(name) ?? [];
    const expert = /^experts\.(\d+)\./.exec(rest)?.[1];
    if (rest.startsWith('gate.')) routers.add(Number(block));
    if (expert !== undefined) experts.set(Number(block), (experts.get(Number(block)) ?? new Set()).add(Number(expert)));
  }
  const rows = Array.from({ length: config.n_layers }, (_, block) => ({
    block,
    experts: experts.get(block)?.size ?? 0,
    router: routers.has(block),
  }));
  return { from, rows };
}
