import ordered from '../argmax/ordered.wgsl';
import { row_variants } from '../norm/norm.ts';
import { kernel } from '../spec.ts';
import body from './sample.wgsl';

/**
 * Draws one token: softmax(logits / temperature); keeps the top_k most likely (0 or cols and more: all), of these the
 * fewest most likely whose share reaches top_p (1 and more: all), lower indices first among equals; then takes the first
 * index, in index order, at which the kept tokens' running share goes beyond u = (pcg(pcg(step) + seed) >> 8) * 2^-24.
 * Writes NO_TOKEN where the largest logit is not finite or any is NaN. The temperature is above 0: for 0 use argmax.
 */
export const sample = kernel({
  name: 'sample',
  bindings: [
    { name: 'logits', access: 'read' }, // [row + 1, stride] f32
    { name: 'tokens', access: 'read_write' }, // [token_at + 1] u32
  ],
  /** cols is 1 or more; stride is a multiple of 4. */
  params: [
    ['cols', 'u32'],
    ['stride', 'u32'],
    ['row', 'u32'],
    ['token_at', 'u32'],
    ['temperature', 'f32'],
    ['top_p', 'f32'],
    ['top_k', 'u32'],
    ['seed', 'u32'],
    ['step', 'u32'],
  ],
  moves: ['token_at', 'step'],
  variants: row_variants<never>([ordered, body], () => 1),
  flops: (p) => ({ useful: 0, other: 4 * p.cols }),
  bytes: (p) => ({ weights: 0, read: 4 * p.cols, written: 4, kv: 0 }),
});
