import type { ModelConfig } from '../../engine/model/config.ts';
import { preset_config, preset_names } from '../../engine/model/presets.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { weight_bytes } from '../../engine/model/weight_bytes.ts';
import { element_count } from '../../engine/weights/source.ts';
import { FORMATS, type WeightFormat } from '../../kernels/spec.ts';
import { note, out, short_number, table } from '../print.ts';

const DTYPES = Object.keys(FORMATS) as WeightFormat[];

/** The presets: what each is, and what its weights take on the GPU in each storage format. */
export async function models(flags: { readonly json?: boolean }): Promise<undefined> {
  const rows = preset_names.map((name) => facts_of(name, preset_config(name)));
  if (flags.json) {
    out(`${JSON.stringify({ schema: 'molmoe.models/1', models: rows })}\n`);
    return;
  }
  const head = ['model', 'parameters', 'a token', 'blocks', 'experts', 'width', 'ViT blocks', ...DTYPES];
  out(
    `${table([
      head,
      ...rows.map((row) => [
        row.name,
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

function facts_of(name: string, config: ModelConfig) {
  const specs = tensor_specs(config);
  const parameters = (of: typeof specs) => of.reduce((sum, { shape }) => sum + element_count(shape), 0);
  const is_expert = (tensor: string) => tensor.includes('.experts.');
  const language = specs.filter((spec) => !/vision_backbone/.test(spec.name) && spec.role !== 'token_embedding');
  const experts = parameters(language.filter((spec) => is_expert(spec.name)));
  const others = parameters(language) - experts;
  return {
    name,
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
