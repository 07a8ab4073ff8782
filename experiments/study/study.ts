import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { file_error } from '../../engine/node/files.ts';
import type { Figure } from '../lab/charts.ts';
import { schema_of } from '../lab/checked.ts';
import { read_own_text } from '../lab/own_files.ts';
import { CORE_FILE, core_figure } from './core.ts';
import { crop_overlap } from './crops.ts';
import type { StudyFile } from './file.ts';
import { component_profiling, latency_distribution } from './motivation_data.ts';
import { flops_vs_latency } from './motivation_flops.ts';
import { language_tokens, vision_tokens } from './motivation_scaling.ts';
import { block_mask, flops_scaling, layer_skipping, moe_topk } from './profiling_knobs.ts';
import { context_scaling, output_tokens } from './profiling_tokens.ts';
import { parse_python_json } from './python_json.ts';

type Draw = (file: StudyFile) => Figure[];

/** Files as the study's programs name them, and what is drawn of each. */
const FILES: readonly (readonly [name: string, draw: Draw])[] = [
  ['exp1_latency_distribution', latency_distribution],
  ['exp2_component_profiling', component_profiling],
  ['exp3_vision_tokens_vs_latency', vision_tokens],
  ['exp4_language_tokens_vs_latency', language_tokens],
  ['exp4_language_tokens_vs_latency_no_eos', language_tokens],
  ['exp4_language_tokens_vs_latency_with_eos', language_tokens],
  ['exp5_flops_vs_latency', flops_vs_latency],
  ['exp6_crop_overlap_analysis', crop_overlap],
  ['exp1_context_scaling_results', context_scaling],
  ['exp2_moe_topk_results', moe_topk],
  ['exp3_transformer_blocks_mask_results', block_mask],
  ['exp_layer_skipping_results', layer_skipping],
  ['exp4_output_tokens_scaling_results', output_tokens],
  ['flops_scaling_analysis', flops_scaling],
];

export const STUDY_NAMES: readonly string[] = FILES.map(([name]) => `${name}.json`);

export interface StudyFound {
  /** Names of the files, without their ending. */
  readonly stems: readonly string[];
  readonly figures: readonly Figure[];
}

/** Files of the original study in a folder: by their names, and by having no schema of ours. */
export async function study_files(folder: string): Promise<StudyFile[]> {
  const names = await readdir(folder).catch((error) => Promise.reject(file_error(error, folder, 'a readable folder')));
  const there = names.flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -'.json'.length)] : []));
  const known = FILES.map(([name]) => name).filter((name) => there.includes(name));
  const found: StudyFile[] = [];
  for (const stem of [...known, ...there.filter((name) => CORE_FILE.test(name)).sort()]) {
    const path = join(folder, `${stem}.json`);
    const text = await read_own_text(path).catch((error) => Promise.reject(file_error(error, path, 'a readable file')));
    const value = parse_python_json(text, path);
    if (schema_of(value) === undefined) found.push({ path, stem, value, told: new Map() });
  }
  return found;
}

/** What can be drawn of the study's files in a folder. */
export async function find_study(folder: string): Promise<StudyFound> {
  const files = await study_files(folder);
  const sets = new Map<string, StudyFile[]>();
  const figures = files.flatMap((file) => {
    const [, dataset] = CORE_FILE.exec(file.stem) ?? [];
    if (dataset !== undefined) sets.set(dataset, [...(sets.get(dataset) ?? []), file]);
    return FILES.find(([name]) => name === file.stem)?.[1](file) ?? [];
  });
  figures.push(...[...sets].map(([dataset, some]) => core_figure(dataset, some)));
  return { stems: files.map(({ stem }) => stem), figures };
}
