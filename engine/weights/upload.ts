import { PACK_FAULTS, pack_matrix, pack_rows, SOURCES } from '../../kernels/pack/pack.ts';
import { FORMATS, type Kernel, type WeightFormat } from '../../kernels/spec.ts';
import { InputError } from '../errors.ts';
import type { Buffer } from '../gpu/buffers.ts';
import type { Executor } from '../gpu/executor.ts';
import { make_staging_ring } from '../gpu/staging.ts';
import { amplitude, fill, tensor_hash } from './formula.ts';
import { decode, encode } from './half.ts';
import { dtype_bytes, type StoredDtype, type TensorInfo, type WeightSource } from './source.ts';

/** Rows of one checkpoint tensor and the block of a packed buffer they become. */
export interface PackJob<B = Buffer> {
  readonly tensor: string;
  readonly row0: number;
  readonly rows: number;
  readonly output: B;
  /** Eights: where its matrix or table begins in the buffer, the first of its columns or the first of its rows in it. */
  readonly output_base: number;
  readonly output_group0: number;
  readonly output_groups: number;
  readonly layout: 'matrix' | 'rows';
  readonly format: WeightFormat;
}

export interface LoadReport {
  readonly bytes: number;
  readonly ms: number;
  readonly tensors: number;
}

export type LoadProgress = (done_bytes: number, total_bytes: number) => void;

const STAGING_BYTES = 8 * 2 ** 20;
const STAGING_COUNT = 4;
/** Synthetic dispatches between two waits: enough to keep the GPU busy, few enough to report progress. */
const FORMULA_BATCH_BYTES = 256 * 2 ** 20;
const STORED_CODES: Readonly<Record<StoredDtype, number>> = { F32: 0, F16: 1, BF16: 2 };
const TAG = { stage: 'load', component: 'weights' } as const;

function info_of(source: WeightSource, name: string): TensorInfo {
  const info = source.tensors.get(name);
  if (info === undefined) throw new InputError(`${source.label}: tensor ${name} is missing`);
  return info;
}

const row_length = (info: TensorInfo): number => info.shape[info.shape.length - 1] as number;

/** Reads a small tensor (norm, bias, position table) to the host as f32 and refuses values that are no numbers. */
export async function read_vector(source: WeightSource, name: string): Promise<Float32Array> {
  const info = info_of(source, name);
  let values: Float32Array;
  if (source.kind === 'checkpoint') {
    const bytes = new Uint8Array(info.bytes);
    await source.read(name, 0, bytes);
    values = decode(bytes, info.dtype);
  } else {
    const role = source.tensors.get(name)?.role ?? 'linear';
    values = new Float32Array(info.bytes / dtype_bytes[info.dtype]);
    fill({ name, shape: info.shape, role }, source.seed, 0, values);
    const stored = new Uint8Array(info.bytes);
    encode(values, source.stored, stored);
    values = decode(stored, source.stored);
  }
  const bad = values.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) {
    throw new InputError(
      `${source.label}: tensor ${name}: expected finite numbers, found ${values[bad]} at index ${bad}; the file is damaged or was saved from a failed run`,
    );
  }
  return values;
}

/** Runs all pack jobs, reading the file front to back. Returns what was moved and how long it took. `format` is what was asked for. */
export async function run_pack_jobs(
  executor: Executor,
  source: WeightSource,
  jobs: readonly PackJob[],
  format: WeightFormat,
  on_progress: LoadProgress = () => {},
  signal?: AbortSignal,
): Promise<LoadReport> {
  const started = performance.now();
  const names = [...new Set(jobs.map((job) => job.tensor))];
  const flags = await executor.buffers.guard('load flags', () =>
    executor.buffers.create('load flags', 4 * names.length, 'tables'),
  );
  try {
    executor.write(flags, 0, new Uint32Array(names.length));
    const bytes = await pack_all(executor, source, jobs, names, flags, on_progress, signal);
    const faults = new Uint32Array(await executor.read(flags, 0, 4 * names.length));
    report_faults(source, names, faults, format);
    return { bytes, ms: performance.now() - started, tensors: names.length };
  } finally {
    executor.buffers.destroy(flags);
  }
}

/** Returns the bytes moved; each tensor's faults are left in its flag. */
async function pack_all(
  executor: Executor,
  source: WeightSource,
  jobs: readonly PackJob[],
  names: readonly string[],
  flags: Buffer,
  on_progress: LoadProgress,
  signal: AbortSignal | undefined,
): Promise<number> {
  const flag_of = new Map(names.map((name, i) => [name, i]));

  const record = (job: PackJob, chunk: Buffer | undefined, source_byte0: number) => {
    const info = info_of(source, job.tensor);
    const is_formula = source.kind === 'synthetic';
    const role = is_formula ? (source.tensors.get(job.tensor)?.role ?? 'linear') : 'linear';
    executor.dispatch(
      (job.layout === 'matrix' ? pack_matrix : pack_rows) as Kernel,
      { source: chunk, output: job.output, flags },
      {
        rows: job.rows,
        k: row_length(info),
        source_byte0,
        formula_row0: job.row0,
        output_base: job.output_base,
        output_group0: job.output_group0,
        output_groups: job.output_groups,
        hash: is_formula ? tensor_hash(job.tensor, source.seed) : 0,
        amplitude: is_formula ? amplitude(role, info.shape) : 0,
        stored: is_formula ? STORED_CODES[source.stored] : 0,
        flag: flag_of.get(job.tensor) as number,
      },
      { SOURCE: is_formula ? SOURCES.formula : SOURCES[info.dtype], WEIGHT_FORMAT: FORMATS[job.format] },
      TAG,
    );
  };
  const job_bytes = (job: PackJob): number => {
    const info = info_of(source, job.tensor);
    return job.rows * row_length(info) * dtype_bytes[info.dtype];
  };
  const total = jobs.reduce((sum, job) => sum + job_bytes(job), 0);
  let done = 0;
  const advance = (bytes: number) => {
    done += bytes;
    on_progress(done, total);
    signal?.throwIfAborted();
  };

  if (source.kind === 'synthetic') {
    let batch = 0;
    for (const job of jobs) {
      record(job, undefined, 0);
      batch += job_bytes(job);
      if (batch < FORMULA_BATCH_BYTES) continue;
      await executor.finish();
      advance(batch);
      batch = 0;
    }
    await executor.finish();
    advance(batch);
  } else {
    const ring = make_staging_ring(executor, STAGING_BYTES, STAGING_COUNT);
    const chunk = executor.buffers.create('upload chunk', STAGING_BYTES, 'staging');
    try {
      for (const load of pack_loads(split_large(jobs, source), job_bytes)) {
        const { buffer, view } = await ring.acquire();
        await Promise.all(
          load.parts.map(({ job, at }) => {
            const row_bytes = job_bytes(job) / job.rows;
            return source.read(job.tensor, job.row0 * row_bytes, view.subarray(at, at + job_bytes(job)));
          }),
        );
        ring.unmap(buffer);
        executor.copy(buffer, 0, chunk, 0, load.bytes);
        for (const { job, at } of load.parts) record(job, chunk, at);
        await executor.flush();
        advance(load.parts.reduce((sum, part) => sum + job_bytes(part.job), 0));
      }
      await executor.finish();
    } finally {
      ring.destroy();
      executor.buffers.destroy(chunk);
    }
  }
  return total;
}

/** Cuts jobs so that each fits one staging buffer; pieces of a matrix start at multiples of 8 rows. */
function split_large(jobs: readonly PackJob[], source: WeightSource): PackJob[] {
  return jobs.flatMap((job) => {
    const info = info_of(source, job.tensor);
    const row_bytes = row_length(info) * dtype_bytes[info.dtype];
    const most = Math.max(8, Math.floor(STAGING_BYTES / row_bytes / 8) * 8);
    const pieces: PackJob[] = [];
    for (let row = 0; row < job.rows; row += most) {
      const step = job.layout === 'matrix' ? row / 8 : row * job.output_groups;
      const rows = Math.min(most, job.rows - row);
      pieces.push({ ...job, row0: job.row0 + row, rows, output_group0: job.output_group0 + step });
    }
    return pieces;
  });
}

interface Load {
  readonly parts: { readonly job: PackJob; readonly at: number }[];
  bytes: number;
}

/** Fills staging buffers with as many neighbouring jobs as fit. */
function pack_loads(jobs: readonly PackJob[], bytes_of: (job: PackJob) => number): Load[] {
  const loads: Load[] = [];
  let open: Load | undefined;
  for (const job of jobs) {
    const bytes = bytes_of(job);
    if (open === undefined || open.bytes + bytes > STAGING_BYTES) {
      open = { parts: [], bytes: 0 };
      loads.push(open);
    }
    open.parts.push({ job, at: open.bytes });
    open.bytes += Math.ceil(bytes / 8) * 8;
  }
  return loads;
}

function report_faults(
  source: WeightSource,
  names: readonly string[],
  faults: Uint32Array,
  format: WeightFormat,
): void {
  const broken = names.filter((_, i) => (faults[i] as number) & PACK_FAULTS.not_finite);
  if (broken.length > 0) {
    throw new InputError(
      `${source.label}: expected finite numbers, found NaN or infinity in ${some(broken)}; the file is damaged or was saved from a failed run`,
    );
  }
  const large = names.filter((_, i) => (faults[i] as number) & PACK_FAULTS.too_large);
  if (large.length > 0) {
    throw new InputError(
      `${source.label}: ${some(large)} hold values above 65504, which dtype ${format} cannot store; use dtype bf16 or f32`,
    );
  }
}

const some = (names: readonly string[]): string =>
  names.length <= 5 ? names.join(', ') : `${names.slice(0, 5).join(', ')} and ${names.length - 5} more`;
