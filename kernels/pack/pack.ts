import eight from '../common/eight.wgsl';
import { ceil_div, is_quantised, kernel } from '../spec.ts';
import matrix from './pack_matrix.wgsl';
import matrix_quantised from './pack_matrix_quantised.wgsl';
import rows from './pack_rows.wgsl';
import source from './pack_source.wgsl';
import store from './pack_store.wgsl';

/** Options: SOURCE (see SOURCES) and WEIGHT_FORMAT. */
export const SOURCES = { F32: 0, F16: 1, BF16: 2, formula: 3 } as const;

/** What a flag's bits mean. */
export const PACK_FAULTS = { not_finite: 1, too_large: 2 } as const;

const BINDINGS = [
  { name: 'source', access: 'read', optional: true }, // checkpoint bytes from source_byte0 (a multiple of 8)
  { name: 'output', access: 'read_write' },
  { name: 'flags', access: 'read_write' }, // u32 a tensor
] as const;

/** Eights: where the packed matrix begins, the first of its columns that is written, and how many a line has. */
const PARAMS = [
  ['rows', 'u32'],
  ['k', 'u32'],
  ['source_byte0', 'u32'],
  ['formula_row0', 'u32'],
  ['output_base', 'u32'],
  ['output_group0', 'u32'],
  ['output_groups', 'u32'],
  ['hash', 'u32'],
  ['amplitude', 'f32'],
  ['stored', 'u32'], // rounding of formula values: 0 none, 1 f16, 2 bf16
  ['flag', 'u32'],
] as const;

type Dims = Readonly<Record<(typeof PARAMS)[number][0], number>>;
const no_flops = (p: Dims) => ({ useful: 0, other: p.rows * p.k });
const bytes = (p: Dims) => ({ weights: 4 * p.rows * p.k, read: 0, written: 4 * p.rows * p.k, kv: 0 });

/** Linear weights: transposed from [out][in] to [in][out], converted or quantised, padded to eights of columns. */
export const pack_matrix = kernel({
  name: 'pack_matrix',
  bindings: BINDINGS,
  params: PARAMS,
  variants: [
    {
      name: 'simple',
      wgsl: (o) =>
        is_quantised(Number(o.WEIGHT_FORMAT)) ? [eight, source, matrix_quantised] : [eight, source, store, matrix],
      grid: (p) => [ceil_div(p.rows, 64), ceil_div(p.k, 256), 1],
    },
  ],
  flops: no_flops,
  bytes,
});

/** Embedding tables: rows stay rows, converted and padded to eights. */
export const pack_rows = kernel({
  name: 'pack_rows',
  bindings: BINDINGS,
  params: PARAMS,
  variants: [{ name: 'simple', wgsl: [source, store, rows], grid: (p) => [ceil_div(p.k, 512), p.rows, 1] }],
  flops: no_flops,
  bytes,
});
