/** A file read in pieces. `read` fills the whole view or throws; reads may run side by side. */
export type RangeReader = {
  readonly name: string;
  readonly size: number;
  read(offset: number, into: Uint8Array): Promise<void>;
  close(): Promise<void>;
};

/** Where a model's files are: a directory, or in a browser whatever can list and read files. Names hold no path. */
export type Folder = {
  readonly label: string;
  list(): Promise<string[]>;
  open(name: string): Promise<RangeReader>;
  text(name: string, max_bytes: number): Promise<string>;
};

export type StoredDtype = 'F32' | 'F16' | 'BF16';

export const dtype_bytes: Readonly<Record<StoredDtype, number>> = { F32: 4, F16: 2, BF16: 2 };

/** What a tensor is for; the synthetic weight formula scales by it. */
export type WeightRole = 'linear' | 'token_embedding' | 'pos_embedding' | 'pad_embed' | 'norm' | 'bias';

/** A tensor the model needs. Shapes are row-major; a linear weight is [out, in]. */
export type TensorSpec = {
  readonly name: string;
  readonly shape: readonly number[];
  readonly role: WeightRole;
};

/** A tensor a source has, in the form it is stored in. */
export type TensorInfo = {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly bytes: number;
};

export type CheckpointSource = {
  readonly kind: 'checkpoint';
  readonly label: string;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Fills `into` from the tensor's stored bytes; nothing is copied in between, so `into` may be GPU-mapped memory. */
  read(name: string, byte_offset: number, into: Uint8Array): Promise<void>;
  close(): Promise<void>;
};

/** Values are not read but made from name, role, shape and seed (formula.ts), then rounded to `stored`. */
export type SyntheticSource = {
  readonly kind: 'synthetic';
  readonly label: string;
  readonly seed: number;
  readonly stored: StoredDtype;
  readonly tensors: ReadonlyMap<string, TensorInfo & { readonly role: WeightRole }>;
  close(): Promise<void>;
};

export type WeightSource = CheckpointSource | SyntheticSource;

export function element_count(shape: readonly number[]): number {
  return shape.reduce((count, dim) => count * dim, 1);
}
