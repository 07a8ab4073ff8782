import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { file_error } from '../../engine/node/files.ts';
import type { Figure } from '../lab/charts.ts';
import { read_own_text } from '../lab/own_files.ts';
import { schema_of } from '../lab/read.ts';
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
export async function find_study(folder: string): Promise<StudyFound> {
  const names = await readdir(folder).catch((error) => Promise.reject(file_error(error, folder, 'a readable folder')));
  const there = names.flatMap((name) => (name.endsWith('.json') ? [name.slice(0, -'.json'.length)] : []));
  const stems: string[] = [];
  const figures: Figure[] = [];
  for (const [stem, draw] of FILES.filter(([name]) => there.includes(name))) {
    const file = await study_file(folder, stem);
    if (file === undefined) continue;
    stems.push(stem);
    figures.push(...draw(file));
  }
  const sets = new Map<string, StudyFile[]>();
  for (const stem of there.filter((name) => CORE_FILE.test(name)).sort()) {
    const file = await study_file(folder, stem);
    const dataset = CORE_FILE.exec(stem)?.[1] as string;
    if (file !== undefined) sets.set(dataset, [...(sets.get(dataset) ?? []), file]);
  }
  figures.push(...[...sets].map(([dataset, files]) => core_figure(dataset, files)));
  return { stems, figures };
}

/** undefined where it is one of ours. */
async function study_file(folder: string, stem: string): Promise<StudyFile | undefined> {
  const path = join(folder, `${stem}.json`);
  const text = await read_own_text(path).catch((error) => Promise.reject(file_error(error, path, 'a readable file')));
  const value = parse_python_json(text, path);
  return schema_of(value) === undefined ? { path, stem, value, told: new Map() } : undefined;
}
