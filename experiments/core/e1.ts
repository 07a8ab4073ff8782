import type { z } from 'zod';
import { UsageError } from '../../engine/errors.ts';
import { define } from '../lab/define.ts';
import {
  ANSWERS,
  type Ask,
  LENGTHS,
  type Length,
  PROMPTS,
  REGIME_NAMES,
  REGIMES,
  type Regime,
  rings_of_tiling,
  type Subject,
} from '../lab/inputs.ts';
import { latency } from '../lab/instruments.ts';
import { described, toggle, words } from '../lab/options.ts';
import { type Cell, cell_of } from '../lab/plan.ts';
import type { Skipped } from '../lab/schema.ts';
import { correlation_table, fits_table, method_table, overview_table, stage_table } from '../lab/stage_tables.ts';
import type { Table } from '../lab/tables.ts';
import { e1_figures } from './e1_figures.ts';
import { derive_e1, type E1Files, e1_shapes } from './e1_files.ts';

const options = {
  regime: described(words(REGIME_NAMES).optional(), 'image: low (1x1 crops), medium (2x2), high (3x4), or all'),
  prompt: described(words(LENGTHS).optional(), 'prompt: short (20 tokens), medium (40), long (128), or all'),
  decode: described(words(LENGTHS).optional(), 'answer: short (8 tokens), medium (32), long (128), or all'),
  fullGrid: described(toggle(), 'all 27 cells'),
  portrait: described(toggle(), 'the high regime as 4x3 crops instead of 3x4'),
};
type Options = z.infer<z.ZodObject<typeof options>>;

/**
 * Which cells are measured. Axes that were chosen are crossed in full. Of the others, what the figures need:
 * over several image regimes the cells where prompt or answer is short (the prefill lines need every prompt, the decode lines
 * every answer length, neither needs their product); within one regime the two corners, all short and all long.
 */
export function choose_cells({ regime, prompt, decode, fullGrid }: Omit<Options, 'portrait'>) {
  const wanted = (of_prompt: Length, of_answer: Length): boolean => {
    if (fullGrid || prompt !== undefined || decode !== undefined) return true;
    if (regime?.length === 1) return of_prompt === of_answer && of_prompt !== 'medium';
    return of_prompt === 'short' || of_answer === 'short';
  };
  return (regime ?? REGIME_NAMES).flatMap((of_image) =>
    (prompt ?? LENGTHS).flatMap((of_prompt) =>
      (decode ?? LENGTHS).flatMap((of_answer) =>
        wanted(of_prompt, of_answer) ? [[of_image, of_prompt, of_answer] as const] : [],
      ),
    ),
  );
}

function cell(on: Subject, [regime, prompt, decode]: readonly [Regime, Length, Length], portrait: boolean) {
  const [rows, cols] = REGIMES[regime];
  const turned = portrait && rows !== cols;
  const tiling = turned ? ([cols, rows] as const) : ([rows, cols] as const);
  const ask: Ask = {
    image: rings_of_tiling(on.config, tiling),
    tiling,
    prompt_tokens: PROMPTS[prompt],
    new_tokens: ANSWERS[decode],
  };
  return cell_of(on, { regime, prompt, decode, ...(turned ? { orientation: 'portrait' } : {}) }, ask);
}

/** More cells than this get a line each, and only the last one its table of stages. */
const FEW = 3;

function tables({
  e1_stage_latency_breakdown: stages,
  e1_flops_vs_latency: work,
  e1_attention_ffn_breakdown: parts,
}: E1Files): Table[] {
  const all = stages.configurations;
  const { method } = stages.protocol;
  const { prefill, decode } = stages.scaling;
  return [
    ...(all.length > FEW ? [overview_table(all)] : []),
    ...(all.length > FEW ? all.slice(-1) : all).map((row) =>
      stage_table(
        row,
        work.points,
        parts.configurations.find(({ key }) => key === row.key),
      ),
    ),
    fits_table('scaling', [
      ['prefill', 'prompt position', prefill],
      ['decode', 'step', decode],
    ]),
    correlation_table(work.correlation),
    ...(method === 'direct' ? [] : [method_table(all, method)]),
  ];
}

/**
 * E1: which stage dominates a request, under which input, and why FLOPs do not say so.
 * Regimes go by the tiling that really results, prompts by exact token counts, answers by forced lengths.
 */
export const e1 = define({
  name: 'e1',
  group: 'core',
  title: 'E1: where the time of a request goes',
  question:
    'Which stage of a vision-language model dominates latency, how does that change with image, prompt and answer, and why do FLOPs not say so?',
  options,
  sweeps: ['image', 'prompt', 'answer'],
  instrument: latency,
  quick: { options: { regime: ['low', 'medium'], prompt: ['short'], decode: ['short', 'medium'] } },
  order: { regime: REGIME_NAMES, prompt: LENGTHS, decode: LENGTHS },
  check: ({ fullGrid, regime, prompt, decode }) => {
    if (fullGrid && (regime ?? prompt ?? decode) !== undefined) {
      throw new UsageError('fullGrid: measures all 27 cells; leave regime, prompt and decode out');
    }
  },
  cells: (on, { portrait, ...chosen }): (Cell | Skipped)[] =>
    choose_cells(chosen).map((triple) => cell(on, triple, portrait)),
  files: e1_shapes,
  derive: derive_e1,
  figures: (files) =>
    e1_figures(files.e1_stage_latency_breakdown, files.e1_flops_vs_latency, files.e1_attention_ffn_breakdown),
  tables,
  findings: (files) => files.e1_stage_latency_breakdown.findings,
});
