import type { WeightFormat } from '../../kernels/spec.ts';
import { InputError } from '../errors.ts';
import type { Executor } from '../gpu/executor.ts';
import { parse_config } from '../model/config.ts';
import { tensor_specs } from '../model/tensors.ts';
import { load_weights } from '../model/weights.ts';
import { synthetic_source } from '../weights/formula.ts';
import type { StoredDtype } from '../weights/source.ts';
import type { Check } from './check.ts';
import { compare_case } from './compare.ts';
import { type GoldenCase, type GoldenFiles, read_tensors } from './golden.ts';
import { record_case } from './record.ts';

export interface CaseReport {
  readonly set: string;
  readonly case: string;
  readonly passed: boolean;
  readonly checks: readonly Check[];
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
      const seen = await record_case({ executor, config, weights }, described, tensors, index.formula_seed ?? 1);
      const checks = compare_case(config, described, tensors, seen, rounds(executor));
      const passed = checks.every((check) => check.ok);
      const report = { set, case: name, passed, checks, wall_ms: performance.now() - started };
      reports.push(report);
      options.on_case?.(report);
    }
  } finally {
    executor.buffers.sweep(mark, true);
    await source.close();
  }
  return reports;
}

/** Whether matrix units may run, which round what they multiply to f16. */
const rounds = ({ variant, tuning }: Executor): boolean =>
  [variant, ...Object.values(tuning)].some((name) => name.startsWith('matrix'));
