import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { InputError, UsageError } from '../../engine/errors.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import { type Knobs, plan_blocks } from '../../engine/model/knobs.ts';
import { file_error } from '../../engine/node/files.ts';
import { nearness } from '../estimator/choose.ts';
import { checked } from '../lab/checked.ts';
import { read_json } from '../lab/read.ts';
import { count, finite, head_shape } from '../lab/schema.ts';
import { ANY, type AnswerTokens, answer_tokens } from './answer_length.ts';

/** What answers are worth under each setting of the knobs, measured once: a budget chooses by it. */

const SCHEMA = 'molmoe.exp5.accuracy_results/2';
const CELL_SCHEMA = 'molmoe.exp5.accuracy_results_configuration/2';
const FILE = 'exp5_accuracy_results';
const OWN_TABLE = join('results', 'accuracy', 'exp5');
const REMEDY = `name the ${FILE}.json of an exp5 run, or its folder`;

const share = finite.min(0).max(1);

/** What is read of a row of the file; the rest of it is for people. */
const row_schema = z.object({
  max_crops: count.positive(),
  top_k: count.positive(),
  num_active_blocks: count,
  active_block_indices: z.array(count),
  accuracy: share,
  accuracy_ci95: z.tuple([share, share]).nullable(),
  num_samples: count.positive(),
  mean_num_output_tokens: finite.nonnegative(),
  /** Of tables that ship: in others the files of single settings say it. */
  answer_tokens: z.record(z.string(), count).optional(),
});

export const table_schema = z.object({
  schema: z.literal(SCHEMA),
  provenance: head_shape.provenance,
  ended: head_shape.ended,
  config: z.object({ dataset_name: z.string(), split: z.string(), metric: z.string() }),
  summary: z.array(row_schema).min(1),
});
type TableFile = z.infer<typeof table_schema>;

/** One setting of the knobs, and what answers under it are worth. */
export interface Candidate {
  readonly knobs: Knobs;
  /** Which knobs it turns. */
  readonly turned: readonly ('crops' | 'experts' | 'blocks')[];
  readonly quality: number;
  readonly quality_ci95: readonly [number, number] | null;
  readonly answer_tokens: AnswerTokens;
}

export interface QualityTable {
  readonly source: string;
  readonly model: string;
  /** "200 samples of shapes test, em, 2026-11-27". */
  readonly what: string;
  readonly dataset: TableFile['config'];
  readonly samples: number;
  readonly candidates: readonly Candidate[];
}

/** A file, or the folder it lies in; `source` as errors and notes call it. */
export async function read_table_file(path: string): Promise<{ readonly source: string; readonly file: TableFile }> {
  const is_folder = await stat(path).then(
    (found) => found.isDirectory(),
    (error) => Promise.reject(file_error(error, path, 'a quality table')),
  );
  const source = is_folder ? join(path, `${FILE}.json`) : path;
  const file = checked(table_schema, await read_json(source, 'a quality table', REMEDY), source, SCHEMA, REMEDY);
  if (!is_folder) return { source, file };
  const summary = await Promise.all(file.summary.map((row) => with_answer_tokens(path, row)));
  return { source, file: { ...file, summary } };
}

const cell_schema = z.object({
  schema: z.literal(CELL_SCHEMA),
  all_samples: z.array(z.object({ question: z.string(), tokens: z.object({ num_output_tokens: count }) })).min(1),
});

/** From the file of this setting's own answers, where it is there. */
async function with_answer_tokens(folder: string, row: TableFile['summary'][number]): Promise<typeof row> {
  const { max_crops, top_k, num_active_blocks } = row;
  const path = join(folder, `${FILE}_crops${max_crops}_topk${top_k}_blocks${num_active_blocks}.json`);
  if (row.answer_tokens !== undefined || !existsSync(path)) return row;
  const value = await read_json(path, 'answers of a setting', REMEDY);
  const { all_samples } = checked(cell_schema, value, path, CELL_SCHEMA, REMEDY);
  const answers = all_samples.map(({ question, tokens }) => ({ question, tokens: tokens.num_output_tokens }));
  return { ...row, answer_tokens: answer_tokens(answers) };
}

/** Its settings as this model takes them; refuses a table of another model. */
export function table_for(
  { source, file }: { readonly source: string; readonly file: TableFile },
  config: ModelConfig,
): QualityTable {
  const { provenance, summary, config: dataset, ended } = file;
  if (nearness(config, provenance.model) !== 'same') {
    throw new InputError(
      `${source}: expected settings of the model that is asked, found those of ${provenance.model.name}; run \`molmoe exp5\` with this model, or name its results with --results`,
    );
  }
  const candidates = summary.map((row) => candidate_of(row, config, source));
  const names = candidates.map(({ knobs }) => JSON.stringify(knobs));
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw new InputError(`${source}: expected each setting once, found ${twice} twice; restore it`);
  }
  const samples = Math.min(...summary.map(({ num_samples }) => num_samples));
  return {
    ...{ source, model: provenance.model.name, dataset, samples, candidates },
    what: `${samples} samples of ${dataset.dataset_name} ${dataset.split}, ${dataset.metric}, ${ended.slice(0, 10)}`,
  };
}

function candidate_of(row: TableFile['summary'][number], config: ModelConfig, source: string): Candidate {
  const { max_crops, top_k, active_block_indices: blocks, accuracy, accuracy_ci95, mean_num_output_tokens } = row;
  const all = blocks.length === config.n_layers;
  const crops = max_crops < config.max_crops;
  const knobs: Knobs = {
    ...(crops && { maxCrops: max_crops }),
    ...(top_k !== config.top_k && { topK: top_k }),
    ...(!all && { blocks }),
  };
  try {
    plan_blocks(config, knobs);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new InputError(`${source}: ${error.message}; ${REMEDY}`);
  }
  return {
    knobs,
    turned: [
      ...(crops ? ['crops' as const] : []),
      ...(top_k !== config.top_k ? ['experts' as const] : []),
      ...(all ? [] : ['blocks' as const]),
    ],
    quality: accuracy,
    quality_ci95: accuracy_ci95,
    answer_tokens: row.answer_tokens ?? { [ANY]: Math.ceil(mean_num_output_tokens) },
  };
}

/** Beside this source, or beside the bundle that it is part of. */
const SHIPPED = ['./shipped/', '../experiments/budget/shipped/'].map((folder) =>
  fileURLToPath(new URL(folder, import.meta.url)),
);

async function shipped_tables(): Promise<string[]> {
  for (const folder of SHIPPED) {
    const names = await readdir(folder).catch(() => []);
    const files = names.filter((name) => name.endsWith('.json')).sort();
    if (files.length > 0) return files.map((name) => join(folder, name));
  }
  return [];
}

/** As named, else this machine's own exp5, else one that comes with the program: the first that is of this model. */
export async function find_table(config: ModelConfig, named: string | undefined): Promise<QualityTable> {
  if (named !== undefined) return table_for(await read_table_file(named), config);
  const own = existsSync(join(OWN_TABLE, `${FILE}.json`)) ? [OWN_TABLE] : [];
  for (const path of [...own, ...(await shipped_tables())]) {
    const found = await read_table_file(path);
    if (nearness(config, found.file.provenance.model) === 'same') return table_for(found, config);
  }
  throw new InputError(
    'budget: expected a table of what answers are worth under each setting, found none of this model; run `molmoe exp5` with it, or name its results with --results',
  );
}
