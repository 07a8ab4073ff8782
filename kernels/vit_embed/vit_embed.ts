import { ceil_div, kernel } from '../spec.ts';
import simple from './vit_embed.wgsl';

/** Input of the vision transformer: the class token before each crop's patches, plus positional embeddings. */
export const vit_embed = kernel({
  name: 'vit_embed',
  bindings: [
    { name: 'patches', access: 'read' }, // [crops * patches_per_crop, stride] f32
    { name: 'class_embedding', access: 'read' }, // [emb] f32
    { name: 'positions', access: 'read' }, // [patches_per_crop + 1, pos_stride] f32; row 0 is the class token's
    { name: 'x', access: 'read_write' }, // [crops * (patches_per_crop + 1), stride] f32
  ],
  /** emb and strides are multiples of 4. */
  params: [
    ['crops', 'u32'],
    ['patches_per_crop', 'u32'],
    ['emb', 'u32'],
    ['stride', 'u32'],
    ['pos_stride', 'u32'],
  ],
  variants: [
    { name: 'simple', wgsl: [simple], grid: (p) => [ceil_div(p.emb, 4 * 64), p.patches_per_crop + 1, p.crops] },
  ],
  flops: (p) => ({ useful: 0, other: p.crops * (p.patches_per_crop + 1) * p.emb }),
  bytes: (p) => ({
    weights: 4 * p.emb * (p.patches_per_crop + 2),
    read: 4 * p.emb * p.crops * p.patches_per_crop,
    written: 4 * p.emb * p.crops * (p.patches_per_crop + 1),
    kv: 0,
  }),
});
