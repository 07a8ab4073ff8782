import type { WeightFormat } from '../kernels/spec.ts';
import { InputError } from './errors.ts';
import { type ModelInput, type RunResult, run_model } from './generate.ts';
import type { Executor } from './gpu/executor.ts';
import { parse_config } from './model/config.ts';
import type { Context, Probe, View } from './model/context.ts';
import { tensor_specs } from './model/tensors.ts';
import { load_weights } from './model/weights.ts';
import { compare_case, type Finding } from './verify_compare.ts';
import { fill_uniform, synthetic_source } from './weights/formula.ts';
import type { StoredDtype, WeightSource } from './weights/source.ts';

/** Reads files of a golden folder by their path inside it. */
export interface GoldenFiles {
  readonly label: string;
  readonly bytes: (path: string) => Promise<Uint8Array>;
  /** Undefined where the set holds no checkpoint of its own. */
  readonly checkpoint: (set: string, specs: ReturnType<typeof tensor_specs>) => Promise<WeightSource>;
}

/** A case file, as far as it is read. */
export interface GoldenCase {
  readonly case: string;
  readonly settings: { readonly top_k_per_block: readonly number[]; readonly active_blocks: readonly number[] };
  readonly prompt: { readonly length: number };
  readonly images?: {
    readonly shape: readonly [number, number, number];
    readonly formula_name: string;
    readonly scale: number;
    readonly overrides: readonly { readonly crop: number; readonly value: number }[];
  };
  readonly generation?: { readonly count: number };
  readonly samples: Readonly<Record<string, unknown>>;
  readonly flops: unknown;
  readonly file: string;
}

export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly values: Float32Array | Int32Array;
}

/** Everything the model let us see of one request. */
export interface Recording {
  /** By `point` or `point.layer`: the rows of the prompt pass, in order. */
  readonly prompt: ReadonlyMap<string, Rows>;
  /** The same of each decode step. */
  readonly steps: readonly ReadonlyMap<string, Rows>[];
  readonly tokens: readonly number[];
  readonly result: RunResult;
}

export interface Rows {
  readonly cols: number;
  readonly values: Float32Array;
  readonly words: Uint32Array;
}

export interface CaseReport {
  readonly set: string;
  readonly case: string;
  readonly passed: boolean;
  readonly findings: readonly Finding[];
  readonly wall_ms: number;
}

const FORMAT_OF: Readonly<Record<StoredDtype, WeightFormat>> = { F32: 'f32', F16: 'f16', BF16: 'bf16' };

interface SetIndex {
  readonly formula_seed?: number;
  readonly stored_dtype: StoredDtype;
  readonly cases: readonly { readonly case: string }[];
}

export interface VerifyOptions {
  readonly cases?: readonly string[];
  /** Reads the set's checkpoint files although its weights are also known by formula. */
  readonly checkpoint?: boolean;
  readonly on_case?: (report: CaseReport) => void;
}

/** Runs every case of a set on this adapter and compares all that was recorded. */
export async function verify_set(
  executor: Executor,
  files: GoldenFiles,
  set: string,
  options: VerifyOptions = {},
): Promise<CaseReport[]> {
  const json = async <T>(path: string): Promise<T> => {
    try {
      return JSON.parse(new TextDecoder().decode(await files.bytes(path))) as T;
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw new InputError(`${files.label}/${path}: expected JSON, found a fault: ${error.message}`);
    }
  };
  const index = await json<SetIndex>(`${set}/index.json`);
  const format = FORMAT_OF[index.stored_dtype];
  if (format === undefined || !Array.isArray(index.cases)) {
    throw new InputError(
      `${files.label}/${set}/index.json: expected stored_dtype F32, F16 or BF16 and a list of cases`,
    );
  }
  const config = parse_config(await json(`${set}/config.json`), `${files.label}/${set}/config.json`);
  const specs = tensor_specs(config);
  const source =
    index.formula_seed === undefined || options.checkpoint
      ? await files.checkpoint(set, specs)
      : synthetic_source(specs, index.formula_seed, index.stored_dtype);
  const mark = executor.buffers.mark();
  const reports: CaseReport[] = [];
  try {
    const weights = await load_weights(executor, config, source, format);
    for (const { case: name } of index.cases) {
      if (options.cases !== undefined && !options.cases.includes(name)) continue;
      const started = performance.now();
      const described = await json<GoldenCase>(`${set}/cases/${name}.json`);
      const tensors = read_tensors(await files.bytes(`${set}/cases/${described.file}`), described.file);
      const recording = await record_case({ executor, config, weights }, described, tensors, index.formula_seed ?? 1);
      const findings = compare_case(config, described, tensors, recording);
      const passed = findings.every((finding) => finding.ok);
      const report = { set, case: name, passed, findings, wall_ms: performance.now() - started };
      reports.push(report);
      options.on_case?.(report);
    }
  } finally {
    executor.buffers.sweep(mark, true);
    await source.close();
  }
  return reports;
}

async function record_case(
  base: Omit<Context, 'probe'>,
  described: GoldenCase,
  tensors: ReadonlyMap<string, GoldenTensor>,
  seed: number,
): Promise<Recording> {
  const prompt = new Map<string, Rows>();
  const steps: Map<string, Rows>[] = [];
  const probe: Probe = async (point, layer, view) => {
    const into = steps.at(-1) ?? prompt;
    const key = /^(vit|llm\.hidden|router)/.test(point) ? `${point}.${layer}` : point;
    into.set(key, append(into.get(key), await read_rows(base.executor, view)));
  };
  const run = run_model({ ...base, probe }, case_input(described, tensors, seed), {
    maxNewTokens: described.generation?.count ?? 0,
    knobs: { topK: described.settings.top_k_per_block, blocks: described.settings.active_blocks },
    allLogits: true,
  });
  const tokens: number[] = [];
  for (;;) {
    const next = await run.next();
    if (next.done) return { prompt, steps: steps.slice(0, Math.max(0, tokens.length - 1)), tokens, result: next.value };
    tokens.push(next.value.id);
    steps.push(new Map()); // what is seen from here on belongs to the next step
  }
}

function case_input(described: GoldenCase, tensors: ReadonlyMap<string, GoldenTensor>, seed: number): ModelInput {
  const get = (name: string): Float32Array | Int32Array => {
    const tensor = tensors.get(name);
    if (tensor === undefined) throw new InputError(`${described.file}: expected tensor ${name}, found none`);
    return tensor.values;
  };
  const ids = [...get('input.ids')];
  if (described.images === undefined) return { ids };
  const { shape, formula_name, scale, overrides } = described.images;
  const size = shape[1] * shape[2];
  const images = new Float32Array(shape[0] * size);
  fill_uniform(formula_name, seed, 0, scale, 0, images);
  for (const { crop, value } of overrides) images.fill(value, crop * size, (crop + 1) * size);
  const masks = Float32Array.from(get('input.image_masks'));
  const index = Int32Array.from(get('input.image_input_idx'));
  return { ids, crops: { count: shape[0], images, masks, index } };
}

async function read_rows(executor: Executor, { buffer, rows, cols, stride }: View): Promise<Rows> {
  const words = new Uint32Array(await executor.read(buffer, 0, 4 * rows * stride));
  const dense = new Uint32Array(rows * cols);
  for (let row = 0; row < rows; row++) dense.set(words.subarray(row * stride, row * stride + cols), row * cols);
  return { cols, words: dense, values: new Float32Array(dense.buffer) };
}

function append(before: Rows | undefined, more: Rows): Rows {
  if (before === undefined) return more;
  const words = new Uint32Array(before.words.length + more.words.length);
  words.set(before.words);
  words.set(more.words, before.words.length);
  return { cols: more.cols, words, values: new Float32Array(words.buffer) };
}

/** A small safetensors file of F32 and I32, held whole. */
export function read_tensors(bytes: Uint8Array, name: string): Map<string, GoldenTensor> {
  const fail = (what: string): never => {
    throw new InputError(`${name}: expected a golden safetensors file, found ${what}`);
  };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < 10) fail(`${bytes.byteLength} bytes`);
  const length = Number(view.getBigUint64(0, true));
  if (8 + length > bytes.byteLength) fail('a truncated header');
  let header: Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
  try {
    header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  } catch {
    return fail('a header that is no JSON');
  }
  const tensors = new Map<string, GoldenTensor>();
  for (const [key, { dtype, shape, data_offsets }] of Object.entries(header)) {
    if (key === '__metadata__') continue;
    const [begin, end] = data_offsets;
    const data = Uint8Array.from(bytes.subarray(8 + length + begin, 8 + length + end)); // a Node buffer's slice would be a view
    if ((dtype !== 'F32' && dtype !== 'I32') || data.byteLength !== 4 * shape.reduce((a, b) => a * b, 1)) {
      fail(`tensor ${key} as ${dtype} [${shape}] in ${data.byteLength} bytes`);
    }
    tensors.set(key, { shape, values: dtype === 'F32' ? new Float32Array(data.buffer) : new Int32Array(data.buffer) });
  }
  return tensors;
}
