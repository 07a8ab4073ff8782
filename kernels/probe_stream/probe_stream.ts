import { kernel, type Options } from '../spec.ts';
import order from './order.wgsl';
import read from './probe_read.wgsl';
import write from './probe_write.wgsl';

/** The numbers are the constants of order.wgsl. */
const ORDERS = { beside: 0, own: 1, grid: 2 } as const;

/** How the same bytes are gone through: which way is fastest differs between adapters and drivers. */
export interface StreamForm {
  /** Numbers of a word: a scalar, or a vector. */
  readonly width: 1 | 2 | 4;
  readonly threads: number;
  readonly order: keyof typeof ORDERS;
  /** Words of a thread between two rounds of its loop. */
  readonly at_once: 4 | 16;
  /** Not for software adapters, whose compilers may take seconds over it (5 s on Mesa 25.0, for a sixth of the best rate). */
  readonly hardware_only?: boolean;
}

const form = (
  width: StreamForm['width'],
  threads: number,
  order: StreamForm['order'],
  at_once: StreamForm['at_once'],
) => ({ width, threads, order, at_once });

/** Forms that were fastest on some adapter or driver, and what lies between them. */
export const READ_FORMS: readonly StreamForm[] = [
  form(4, 8, 'beside', 4),
  form(4, 8, 'own', 4),
  form(4, 8, 'own', 16),
  form(1, 8, 'own', 16),
  form(4, 256, 'beside', 16),
  form(4, 256, 'grid', 4),
  form(2, 256, 'grid', 16),
  form(1, 256, 'grid', 4),
  { ...form(4, 64, 'beside', 4), hardware_only: true },
  { ...form(4, 64, 'beside', 16), hardware_only: true },
  { ...form(4, 64, 'grid', 4), hardware_only: true },
];
export const WRITE_FORMS: readonly StreamForm[] = [
  form(4, 8, 'beside', 4),
  form(4, 8, 'own', 4),
  form(1, 8, 'own', 16),
  form(4, 256, 'beside', 16),
  form(4, 256, 'grid', 4),
  form(1, 256, 'grid', 16),
  { ...form(4, 64, 'beside', 4), hardware_only: true },
  { ...form(4, 64, 'grid', 4), hardware_only: true },
];

export const stream_options = ({ width, threads, order, at_once }: StreamForm) => ({
  WIDTH: width,
  THREADS: threads,
  ORDER: ORDERS[order],
  AT_ONCE: at_once,
});

const WAYS = { beside: 'side by side', own: 'a stretch each', grid: 'side by side over the grid' } as const;
export const stream_name = ({ width, threads, order, at_once }: StreamForm): string =>
  `${width === 1 ? 'scalars' : `vec${width}`} ${WAYS[order]}, ${threads} threads, ${at_once} at once`;

/** Bytes of one workgroup; the size of what is read or written is a multiple. */
export const STREAM_UNIT_BYTES = 65536;
/** Later workgroups leave their sums where earlier ones did, so that the result stays small. */
export const STREAM_SUM_BYTES = 4 * 65536;

const word = ({ WIDTH = 4 }: Options): string =>
  Number(WIDTH) === 1
    ? 'alias Word = u32;\nfn total(word: Word) -> u32 { return word; }'
    : `alias Word = vec${WIDTH}u;\nfn total(word: Word) -> u32 { return dot(word, Word(1u)); }`;

/** The fastest plain reads: workgroup i reads unit i % wrap, so a small `wrap` reads the same bytes again and again. */
export const probe_read = kernel({
  name: 'probe_read',
  bindings: [
    { name: 'words', access: 'read' }, // [wrap * 16384] u32, as words
    { name: 'sums', access: 'read_write' }, // [65536] u32: of the words a thread read, wrapping
  ],
  params: [['wrap', 'u32']],
  host: ['workgroups'],
  variants: [{ name: 'simple', wgsl: (options) => [word(options), order, read], grid: (p) => [p.workgroups, 1, 1] }],
  flops: () => ({ useful: 0, other: 0 }),
  bytes: (p) => ({ weights: 0, read: STREAM_UNIT_BYTES * p.workgroups, written: 0, kv: 0 }),
});

/** The fastest plain writes, of one value everywhere. */
export const probe_write = kernel({
  name: 'probe_write',
  bindings: [{ name: 'words', access: 'read_write' }], // [wrap * 16384] u32, as words
  params: [
    ['wrap', 'u32'],
    ['value', 'u32'],
  ],
  host: ['workgroups'],
  variants: [{ name: 'simple', wgsl: (options) => [word(options), order, write], grid: (p) => [p.workgroups, 1, 1] }],
  flops: () => ({ useful: 0, other: 0 }),
  bytes: (p) => ({ weights: 0, read: 0, written: STREAM_UNIT_BYTES * p.workgroups, kv: 0 }),
});

/** What a thread leaves that read its share of a unit full of `value`. */
export const stream_sum = (value: number, { threads }: StreamForm): number =>
  ((STREAM_UNIT_BYTES / 4 / threads) * value) % 2 ** 32;
