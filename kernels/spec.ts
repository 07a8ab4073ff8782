/**
 * What a kernel says of itself: bindings, parameters, variants, grid and cost. Pure data: no GPU object is made here,
 * so the same description serves the executor, the ledger, the benchmarks and the tests.
 */

/** Every number that a dispatch passes: sizes, strides, offsets. Also the dims that grid, flops and bytes are counted from. */
export type Params<P extends string = string> = Readonly<Record<P, number>>;

/** Choices that are compiled in: storage format, epilogue, head size. Become WGSL `const` lines. */
export type Options = Readonly<Record<string, number | boolean>>;

export interface Binding {
  readonly name: string;
  readonly access: 'read' | 'read_write';
  /** May be left out of a dispatch when the options do not use it. */
  readonly optional?: boolean;
}

/** FLOPs are 2 x multiply-adds of matrix work. `executed` counts what the kernel computes beyond `useful` (tiles, masked squares). */
export interface Flops {
  readonly useful: number;
  readonly executed: number;
  /** Other arithmetic: exponentials, divisions, sums of norms; one each, useful elements only. */
  readonly other: number;
}

/** Bytes that the mathematics must move, each operand once. */
export interface Bytes {
  readonly weights: number;
  readonly read: number;
  readonly written: number;
  readonly kv: number;
}

export interface MatrixUnits {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly subgroup: number;
  /** Subgroups have several sizes here: a pipeline asks for this one. */
  readonly asked?: boolean;
}

/** What a kernel may ask of an adapter. */
export interface Traits {
  /** 0 where subgroups are missing or their size is not fixed. */
  readonly subgroup_size: number;
  /** A CPU that plays GPU: no latency to hide, barriers dear, gathers slow. */
  readonly software: boolean;
  /** Sizes [m][k] x [k][n] that matrix units multiply f16 in, with sums in f32, and the invocations that hold one together. */
  readonly matrix?: MatrixUnits;
  /** Workgroup memory that a kernel may use, where it is more than every device has. */
  readonly workgroup_bytes?: number;
}

export type Grid = readonly [x: number, y: number, z: number];

/** `simple` serves every adapter; `tiled` is for GPUs; `lanes` for software adapters with subgroups of 8 or more; `matrix` for GPUs whose matrix units WebGPU reaches. */
export type Family = 'simple' | 'tiled' | 'lanes' | 'matrix';

export interface Variant<P extends string = string> {
  /** The family, and what tells a variant from the first of its family: `tiled_128`. The first is taken where nothing was measured. */
  readonly name: Family | `${Family}_${string}`;
  /** Options that it can do, where that is not all: formats, head sizes. */
  readonly fits?: (options: Options) => boolean;
  /** WGSL files, joined in this order behind the `const` lines; some depend on the storage format. */
  readonly wgsl: readonly string[] | ((options: Options) => readonly string[]);
  readonly subgroups?: boolean;
  /** Where nothing was measured, it is left to products of more rows than this. */
  readonly more_rows?: number;
  /** Computes in f16: only where the device has shader-f16, which whoever dispatches it must know. */
  readonly half?: boolean;
  /** Smallest subgroup that it works with, where that is not eight. */
  readonly least_subgroup?: number;
  /** Needs matrix units: activations, and weights that are not f16, are rounded to f16 (11 bits, at most 65504); sums are f32. */
  readonly matrix?: boolean;
  /** Workgroup memory that it needs, where that is more than every device has. */
  readonly workgroup_bytes?: number;
  readonly consts?: (options: Options, traits: Traits) => Readonly<Record<string, number | boolean>>;
  readonly grid: (p: Params<P>, options: Options, traits: Traits) => Grid;
  /** FLOPs that this variant really executes, where tiles make it do more than `flops().useful`. */
  readonly executed?: (p: Params<P>, options: Options, traits: Traits) => number;
}

export interface Kernel<P extends string = string> {
  readonly name: string;
  readonly bindings: readonly Binding[];
  /** In the order of the WGSL struct `Params`; at most 16, four bytes each. */
  readonly params: readonly (readonly [name: P, type: 'u32' | 'f32'])[];
  /** Numbers that grid or cost need and the shader does not. */
  readonly host?: readonly P[];
  /** Parameters that grow by one with each row of the row table: all that sets a decode step apart from the one before. */
  readonly moves?: readonly P[];
  /** Counts that grow from step to step by the launch's own `rows`: each row sees one key more. */
  readonly grows?: readonly P[];
  readonly variants: readonly Variant<P>[];
  /** Shapes that one variant is likely to be the fastest for: what is measured once for all of them. Without it, nothing is tuned. */
  readonly shape_class?: (p: Params<P>, options: Options) => string;
  readonly flops: (p: Params<P>, options: Options) => { readonly useful: number; readonly other: number };
  readonly bytes: (p: Params<P>, options: Options) => Bytes;
}

/** Keeps the parameter names as literal types. */
export function kernel<const P extends string>(description: Kernel<P>): Kernel<P> {
  return description;
}

/** The files in the form that these options take. */
export const wgsl_files = ({ wgsl }: Pick<Variant, 'wgsl'>, options: Options): readonly string[] =>
  typeof wgsl === 'function' ? wgsl(options) : wgsl;

export const family_of = (variant: Pick<Variant, 'name'>): Family => variant.name.split('_', 1)[0] as Family;

/** Lanes of a team, in products and attention; a sum over a row does with fewer. */
const TEAM_SUBGROUP = 8;

/** Bytes of workgroup memory that every device has. */
export const LEAST_WORKGROUP_BYTES = 16384;

export function runs_on(variant: Variant, traits: Traits): boolean {
  if (variant.subgroups && traits.subgroup_size < (variant.least_subgroup ?? TEAM_SUBGROUP)) return false;
  if (variant.matrix && traits.matrix === undefined) return false;
  return (variant.workgroup_bytes ?? 0) <= (traits.workgroup_bytes ?? LEAST_WORKGROUP_BYTES);
}

/** Sizes of the adapter's matrices, as common/matrix_units.wgsl names them. */
export const matrix_consts = ({ matrix }: Traits) => ({
  MATRIX_M: matrix?.m ?? 0,
  MATRIX_N: matrix?.n ?? 0,
  MATRIX_K: matrix?.k ?? 0,
  SUBGROUP: matrix?.subgroup ?? 0,
});

/** Results of a matrix, and rows and columns of it, that every kernel's tile takes. */
const MOST_RESULTS = 256;
const MATRIX_SIDES = [8, 16, 32];
const MATRIX_SUBGROUPS = [8, 16, 32, 64];

/** Why kernels cannot use matrices of these sizes, in a line; undefined where they can. */
export function matrix_misfit({ m, n, k, subgroup }: MatrixUnits): string | undefined {
  const found = `found ${m}x${n}x${k} held by ${subgroup}`;
  if (!MATRIX_SUBGROUPS.includes(subgroup)) return `expected subgroups of ${MATRIX_SUBGROUPS.join(', ')}, ${found}`;
  const odd = [m, n, k].find((side) => !MATRIX_SIDES.includes(side));
  if (odd !== undefined) return `expected sides of ${MATRIX_SIDES.join(', ')}, ${found}`;
  if (m > subgroup) return `expected no more rows than a subgroup has invocations, ${found}`;
  if (m * n > MOST_RESULTS) return `expected at most ${MOST_RESULTS} results a matrix, ${found}`;
  return undefined;
}

/** Invocations that every device can have in a workgroup. */
const WORKGROUP_THREADS = 256;

/** How many subgroups lie below one another in a tile of `rows`: at most `wanted`, as far as matrices and a workgroup allow. */
export function subgroups_down(rows: number, wanted: number, across: number, { matrix }: Traits): number {
  const { m, subgroup } = matrix ?? { m: 8, subgroup: 32 };
  return Math.min(wanted, rows / m, WORKGROUP_THREADS / (across * subgroup));
}

/** Storage formats of weights; the numbers are the WGSL constant WEIGHT_FORMAT of common/weights.wgsl. */
export const FORMATS = { f32: 0, f16: 1, bf16: 2, q8: 3, q4: 4 } as const;
export type WeightFormat = keyof typeof FORMATS;

/** Values along k that a quantised column keeps under one f16 scale. */
export const QUANT_GROUP = 32;

export const is_quantised = (format: number): boolean => format === FORMATS.q8 || format === FORMATS.q4;

/** Lines of eights that a matrix with k rows is stored in: quantised rows go in pairs, behind their scales. */
export function matrix_lines(format: number, k: number): number {
  if (!is_quantised(format)) return k;
  return (k / QUANT_GROUP) * (QUANT_GROUP / 2 + (format === FORMATS.q8 ? 1 : 2));
}

const BITS = { f32: 32, f16: 16, bf16: 16, q8: 8, q4: 4 } as const;
const BYTES = (Object.keys(FORMATS) as WeightFormat[]).map((format) => {
  return BITS[format] / 8 + (is_quantised(FORMATS[format]) ? 2 / QUANT_GROUP : 0);
});

/** With its share of the scale, so a fraction: exact for whole groups. */
export function bytes_per_weight(format: number): number {
  return BYTES[format] as number;
}

/** How a shape class names a storage format. */
export const format_name = (format: unknown): string =>
  Object.entries(FORMATS).find(([, number]) => number === format)?.[0] ?? String(format);

/** The least power of `base` that is not below a count: shapes in between share what was measured. */
export function next_power(count: number, base: number): number {
  let power = 1;
  while (power < count) power *= base;
  return power;
}

export const ceil_div = (a: number, b: number): number => Math.ceil(a / b);
export const round_up = (a: number, b: number): number => Math.ceil(a / b) * b;

const LINE = 16; // values of f32 in a cache line

/**
 * Values from one row of an activation to the next: an odd number of cache lines. With the power of two that most widths
 * are, the rows that a product reads side by side would crowd into a few sets of a software adapter's cache.
 */
export const row_stride = (cols: number): number => LINE * (ceil_div(cols, LINE) | 1);
