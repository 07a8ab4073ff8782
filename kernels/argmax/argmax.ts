import { row_variants } from '../norm/norm.ts';
import { kernel } from '../spec.ts';
import body from './argmax.wgsl';
import ordered from './ordered.wgsl';

/** What argmax and sample write where the logits have no answer; the host must check for it. */
export const NO_TOKEN = 0xffffffff;

/** tokens[token_row0 + r] = index of row r's largest logit, the lowest among equals; NO_TOKEN if the row holds a NaN. */
export const argmax = kernel({
  name: 'argmax',
  bindings: [
    { name: 'logits', access: 'read' }, // [rows, stride] f32
    { name: 'tokens', access: 'read_write' }, // [token_row0 + rows] u32
  ],
  /** cols is 1 or more; stride is a multiple of 4. */
  params: [
    ['rows', 'u32'],
    ['cols', 'u32'],
    ['stride', 'u32'],
    ['token_row0', 'u32'],
  ],
  moves: ['token_row0'],
  variants: row_variants<'rows'>([ordered, body], (p) => p.rows),
  flops: (p) => ({ useful: 0, other: p.rows * p.cols }),
  bytes: (p) => ({ weights: 0, read: 4 * p.rows * p.cols, written: 4 * p.rows, kv: 0 }),
});
