import { randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, rmdir, statfs } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { InputError, UsageError } from '../engine/errors.ts';
import { config_to_json, type ModelConfig } from '../engine/model/config.ts';
import { tensor_specs } from '../engine/model/tensors.ts';
import { file_error, make_folders, write_atomic } from '../engine/node/files.ts';
import { fill, synthetic_source } from '../engine/weights/formula.ts';
import { encode } from '../engine/weights/half.ts';
import { safetensors_header } from '../engine/weights/safetensors.ts';
import { dtype_bytes, element_count, type StoredDtype, type TensorSpec } from '../engine/weights/source.ts';

// Values made and written at a time: 8 MiB as f32, and two encoded buffers of up to as much.
const slice_values = 2 * 2 ** 20;

export type SyntheticCheckpoint = {
  config: ModelConfig;
  seed: number;
  dtype: StoredDtype;
  /** Folder to create; it may exist if it is empty. */
  out: string;
  shard_bytes: number;
  on_progress?: (written_bytes: number, total_bytes: number) => void;
  signal?: AbortSignal;
};

type Shard = { file_name: string; specs: TensorSpec[] };

/** Writes a Hugging Face style checkpoint folder of synthetic weights. The folder appears whole or not at all. */
export async function write_synthetic_checkpoint(request: SyntheticCheckpoint): Promise<void> {
  const { config, seed, dtype, shard_bytes } = request;
  const out = resolve(request.out);
  if (!(shard_bytes > 0)) {
    throw new UsageError(`shard size: expected a positive number of bytes, found ${shard_bytes}; choose another`);
  }
  const specs = tensor_specs(config);
  synthetic_source(specs, seed, dtype); // refuses a bad seed before anything is written
  const shards = split(specs, dtype, shard_bytes);
  const total_bytes = sum_bytes(specs, dtype);
  await check_empty(out);

  const partial = `${out}${partial_mark()}${process.pid}-${randomBytes(4).toString('hex')}`;
  try {
    await make_folders(resolve(dirname(out)));
    await remove_abandoned(out);
    await check_room(dirname(out), total_bytes);
    await mkdir(partial);
    let written_bytes = 0;
    for (const shard of shards) {
      await write_shard(join(partial, shard.file_name), shard.specs, request, (bytes) => {
        written_bytes += bytes;
        request.on_progress?.(written_bytes, total_bytes);
      });
    }
    if (shards.length > 1) {
      const weight_map = Object.fromEntries(shards.flatMap((s) => s.specs.map((spec) => [spec.name, s.file_name])));
      const index = { metadata: { total_size: total_bytes }, weight_map };
      await write_atomic(join(partial, 'model.safetensors.index.json'), `${JSON.stringify(index, null, 1)}\n`);
    }
    await write_atomic(join(partial, 'config.json'), `${JSON.stringify(config_to_json(config), null, 2)}\n`);
    await rmdir(out).catch(() => {}); // an empty folder in its place
    await rename(partial, out);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    throw file_error(error, out, 'a folder that can be written');
  }
}

/** Names this machine: on a shared disk the process of another may have a number that is free here. */
const partial_mark = (): string => `.partial-${hostname().replace(/[^A-Za-z0-9]/g, '_')}-`;

/** What runs that were killed here left of this folder. */
async function remove_abandoned(out: string): Promise<void> {
  const start = `${basename(out)}${partial_mark()}`;
  for (const name of await readdir(dirname(out))) {
    const pid = name.startsWith(start) ? /^(\d+)-[0-9a-f]{8}$/.exec(name.slice(start.length))?.[1] : undefined;
    if (pid === undefined || is_running(Number(pid))) continue;
    await rm(join(dirname(out), name), { recursive: true, force: true });
  }
}

function is_running(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

/** Tensors in order, a new shard wherever the next one would not fit. A tensor is never cut. */
function split(specs: readonly TensorSpec[], dtype: StoredDtype, shard_bytes: number): Shard[] {
  const groups: TensorSpec[][] = [];
  let bytes = 0;
  for (const spec of specs) {
    const size = sum_bytes([spec], dtype);
    const last = groups.at(-1);
    if (last && bytes + size <= shard_bytes) {
      last.push(spec);
      bytes += size;
    } else {
      groups.push([spec]);
      bytes = size;
    }
  }
  const digits = (n: number) => String(n).padStart(5, '0');
  const file_name = (i: number) =>
    groups.length === 1 ? 'model.safetensors' : `model-${digits(i + 1)}-of-${digits(groups.length)}.safetensors`;
  return groups.map((group, i) => ({ file_name: file_name(i), specs: group }));
}

function sum_bytes(specs: readonly TensorSpec[], dtype: StoredDtype): number {
  return specs.reduce((bytes, spec) => bytes + element_count(spec.shape) * dtype_bytes[dtype], 0);
}

async function write_shard(
  path: string,
  specs: readonly TensorSpec[],
  { seed, dtype, signal }: SyntheticCheckpoint,
  on_bytes: (bytes: number) => void,
): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    const metadata = { format: 'pt', generator: 'molmoe-lab synthetic weights', seed: String(seed) };
    await write_all(
      handle,
      safetensors_header(
        specs.map((spec) => ({ ...spec, dtype })),
        metadata,
      ),
    );
    const values = new Float32Array(slice_values);
    const buffers = [
      new Uint8Array(slice_values * dtype_bytes[dtype]),
      new Uint8Array(slice_values * dtype_bytes[dtype]),
    ];
    // One slice is on its way to the disk while the next is made.
    let writing: Promise<void> = Promise.resolve();
    try {
      for (const [slice, { spec, start, count }] of slices(specs).entries()) {
        signal?.throwIfAborted();
        const made = values.subarray(0, count);
        const encoded = (buffers[slice % 2] as Uint8Array).subarray(0, count * dtype_bytes[dtype]);
        fill(spec, seed, start, made);
        encode(made, dtype, encoded);
        await writing;
        writing = write_all(handle, encoded);
        on_bytes(encoded.length);
      }
    } finally {
      await writing;
    }
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function slices(specs: readonly TensorSpec[]): { spec: TensorSpec; start: number; count: number }[] {
  return specs.flatMap((spec) => {
    const size = element_count(spec.shape);
    const starts = Array.from({ length: Math.ceil(size / slice_values) }, (_, i) => i * slice_values);
    return starts.map((start) => ({ spec, start, count: Math.min(slice_values, size - start) }));
  });
}

async function write_all(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done)).bytesWritten;
}

async function check_empty(out: string): Promise<void> {
  try {
    const files = await readdir(out);
    if (files.length === 0) return;
    throw new UsageError(
      `${out}: expected a new or empty folder, found ${files.length} files; choose another or empty it`,
    );
  } catch (error) {
    if ((error as { code?: string }).code === 'ENOENT') return;
    if ((error as { code?: string }).code === 'ENOTDIR') {
      throw new UsageError(`${out}: expected a new or empty folder, found a file; choose another name`);
    }
    throw file_error(error, out, 'a new or empty folder');
  }
}

async function check_room(folder: string, needed_bytes: number): Promise<void> {
  const { bavail, bsize, blocks } = await statfs(folder);
  const free_bytes = bavail * bsize;
  // Some network file systems report no size at all.
  if (blocks > 0 && free_bytes < needed_bytes) {
    throw new InputError(
      `${folder}: expected ${needed_bytes} bytes of free disk, found ${free_bytes}; free some or choose F16`,
    );
  }
}
