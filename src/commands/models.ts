import type { ModelConfig } from '../../engine/model/config.ts';
import { preset_names } from '../../engine/model/presets.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { weight_bytes } from '../../engine/model/weight_bytes.ts';
import { config_of } from '../../engine/node/choose_model.ts';
import { shipped_names } from '../../engine/node/shipped_model.ts';
import { element_count } from '../../engine/weights/source.ts';
import { FORMATS, type WeightFormat } from '../../kernels/spec.ts';
import { note, out, short_number, table } from '../print.ts';

const DTYPES = Object.keys(FORMATS) as WeightFormat[];

/** Presets, and what comes trained: what each is, and what its weights take on the GPU in each storage format. */
export async function models(flags: { readonly json?: boolean }): Promise<undefined> {
  const rows = await Promise.all([
    ...preset_names.map(async (name) => facts_of(name, 'synthetic', await config_of({ kind: 'preset', name }))),
    ...shipped_names.map(async (name) => facts_of(name, 'trained', await config_of({ kind: 'shipped', name }))),
  ]);
  if (flags.json) {
    out(`${JSON.stringify({ schema: 'molmoe.models/1', models: rows })}\n`);
    return;
  }
  const head = ['model', 'weights', 'parameters', 'a token', 'blocks', 'experts', 'width', 'ViT blocks', ...DTYPES];
  out(
    `${table([
      head,
      ...rows.map((row) => [
        row.name,
        row.weights,
        short_number(row.parameters),
        short_number(row.active_parameters),
        String(row.blocks),
        `${row.top_k} of ${row.experts}`,
        String(row.width),
        String(row.vit_blocks),
        ...DTYPES.map((dtype) => `${short_number(row.weight_bytes[dtype] as number)}B`),
      ]),
    ])}\n`,
  );
  note(
    'Bytes of the weights on the GPU; a request takes its own besides. A token: parameters of the language model that one meets.',
  );
}

function facts_of(name: string, weights: 'synthetic' | 'trained', config: ModelConfig) {
  const specs = tensor_specs(config);
  const parameters = (of: typeof specs) => of.reduce((sum, { shape }) => sum + element_count(shape), 0);
  const is_expert = (tensor: string) => tensor.includes('.experts.');
  const language = specs.filter((spec) => !/vision_backbone/.test(spec.name) && spec.role !== 'token_embedding');
  const experts = parameters(language.filter((spec) => is_expert(spec.name)));
  const others = parameters(language) - experts;
  return {
    name,
    weights,
    parameters: parameters(specs),
    active_parameters: others + (experts * config.top_k) / config.n_experts,
    blocks: config.n_layers,
    experts: config.n_experts,
    top_k: config.top_k,
    width: config.d_model,
    vit_blocks: config.vit.layers,
    weight_bytes: Object.fromEntries(DTYPES.map((dtype) => [dtype, weight_bytes(config, dtype)])),
  };
}
