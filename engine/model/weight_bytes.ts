import type { WeightFormat } from '../../kernels/spec.ts';
import { buffer_bytes } from '../gpu/buffers.ts';
import type { ModelConfig } from './config.ts';
import { weight_layout } from './weight_layout.ts';

/** Bytes that the weights take on the GPU, padding included: what `load_weights` allocates, without asking a device. */
export function weight_bytes(config: ModelConfig, format: WeightFormat): number {
  let bytes = 0;
  weight_layout(config, format, Number.POSITIVE_INFINITY, (_, wanted) => {
    bytes += buffer_bytes(wanted);
  });
  return bytes;
}
