import { bytes_per_weight, FORMATS, round_up, type WeightFormat } from '../../kernels/spec.ts';
import { element_count, type TensorSpec } from '../weights/source.ts';
import type { ModelConfig } from './config.ts';
import { formats_of } from './formats.ts';
import { tensor_specs } from './tensors.ts';

/** Bytes that the weights take on the GPU, padding included: what `load_weights` allocates, without asking a device. */
export function weight_bytes(config: ModelConfig, format: WeightFormat): number {
  const formats = formats_of(format);
  const stored = (spec: TensorSpec, k: number): WeightFormat => {
    if (spec.name.startsWith('lm_head.')) return formats.lm_head(k);
    if (spec.name.endsWith('.mlp.gate.weight')) return formats.router;
    return spec.name.includes('.experts.') ? formats.experts(config.d_model, config.expert_hidden) : formats.linear(k);
  };
  const bytes_of = (spec: TensorSpec): number => {
    const [rows = 0, k = 0] = spec.shape;
    if (spec.role === 'token_embedding') return rows * round_up(k, 8) * bytes_per_weight(FORMATS[formats.table]);
    if (spec.role === 'linear') return round_up(rows, 8) * k * bytes_per_weight(FORMATS[stored(spec, k)]);
    return 4 * round_up(element_count(spec.shape), 8);
  };
  return tensor_specs(config).reduce((sum, spec) => sum + bytes_of(spec), 0);
}
