import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { write_synthetic_checkpoint } from '../../tools/synth_checkpoint.ts';
import { SEED } from './onnx_weights.ts';
import type { Answer, Request, RequestRunner } from './request.ts';
import script from './torch_request.py';

const SLOW_GFLOPS = 10; // a thread
const PYTHONS = ['python3', '/usr/bin/python3'];
/** Where Debian keeps the threaded builds of OpenBLAS: a libblas.so.3 each, which takes the place of the chosen one. */
const LIBRARIES = '/usr/lib';
const BUILDS = ['openblas-openmp', 'openblas-pthread'];

interface Facts {
  readonly torch: string;
  readonly threads: number;
  /** Of a dense product of 1024: below ten a thread, its BLAS is the reference one. */
  readonly product_gflops: number;
  readonly blas: readonly string[];
}

/** Folders of the builds of OpenBLAS that are installed, or nothing: whatever there is. */
export function blas_folders(): readonly (string | undefined)[] {
  const machines = existsSync(LIBRARIES) ? readdirSync(LIBRARIES) : [];
  const folders = machines.flatMap((machine) => BUILDS.map((build) => join(LIBRARIES, machine, build)));
  const found = folders.filter((folder) => existsSync(join(folder, 'libblas.so.3')));
  return found.length > 0 ? found : [undefined];
}

/** Libraries by the folder that tells their builds apart, else by their own names. */
export function blas_name(paths: readonly string[]): string {
  const folders = paths.map((path) => basename(dirname(path)));
  return BUILDS.find((build) => folders.includes(build)) ?? paths.map((path) => basename(path)).join(' and ');
}

export type TorchFiles = Awaited<ReturnType<typeof write_torch_files>>;

/** A checkpoint and inputs that every process of torch reads. */
export async function write_torch_files({ config, ids, images, masks, index }: Request) {
  const folder = mkdtempSync(join(tmpdir(), 'molmoe-torch-'));
  const checkpoint = join(folder, 'model');
  await write_synthetic_checkpoint({ config, seed: SEED, dtype: 'F32', out: checkpoint, shard_bytes: 8e9 });
  writeFileSync(join(folder, 'ids.u32'), Uint32Array.from(ids));
  writeFileSync(join(folder, 'images.f32'), images);
  writeFileSync(join(folder, 'masks.f32'), masks);
  writeFileSync(join(folder, 'index.i32'), index);
  const program = join(folder, 'torch_request.py');
  writeFileSync(program, script);
  return { folder, checkpoint, program, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** The request in plain PyTorch on the CPU, in a process of its own that sleeps between requests. */
export async function open_torch_request(
  { program, checkpoint, folder }: TorchFiles,
  new_tokens: number,
  blas: string | undefined,
): Promise<RequestRunner & { readonly name: string; readonly warning?: string }> {
  const python = PYTHONS.find((name) => spawnSync(name, ['-c', 'import torch'], { stdio: 'ignore' }).status === 0);
  if (python === undefined) throw new Error('python3 finds no torch (Debian: apt-get install python3-torch)');
  const kept = join(folder, `${blas === undefined ? 'logits' : basename(blas)}.f32`);
  const env = blas === undefined ? process.env : { ...process.env, LD_LIBRARY_PATH: blas };
  const child = spawn(python, [program, checkpoint, folder, String(new_tokens), kept], { env });
  let told = '';
  child.stderr.on('data', (text) => {
    told = `${told}${text}`.slice(-2000);
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async <T>(): Promise<T> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(told.trim().split('\n').at(-1) || 'torch_request.py: expected an answer, found its end');
    return JSON.parse(value as string) as T;
  };
  const facts = await next<Facts>();
  const library = blas_name(facts.blas) || 'a BLAS that it does not name';
  const speed = `a product of 1024 at ${facts.product_gflops.toFixed(0)} GFLOP/s`;
  const slow = facts.product_gflops < SLOW_GFLOPS * facts.threads;
  return {
    name: `PyTorch ${facts.torch} (CPU library, not WebGPU), ${library}, ${facts.threads} threads, ${speed}`,
    warning: slow ? 'a reference BLAS: it says little (Debian: apt-get install libopenblas0-openmp)' : undefined,
    async run() {
      child.stdin.write('\n');
      return await next<Answer>();
    },
    async logits() {
      const { buffer, byteOffset, byteLength } = readFileSync(kept);
      return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
    },
    async close() {
      child.stdin.end();
    },
  };
}
