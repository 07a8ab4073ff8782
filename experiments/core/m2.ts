import { define } from '../lab/define.ts';
import { rings_of_tiling, type Subject } from '../lab/inputs.ts';
import { latency } from '../lab/instruments.ts';
import { described, words } from '../lab/options.ts';
import { cell_of } from '../lab/plan.ts';
import { m2_figures, m2_tables } from './m2_figures.ts';
import { m2_shapes, repeat_findings, repeat_row } from './m2_files.ts';

/** The study's low, middle and high settings of the knobs: 4, 6 and 8 experts and 12, 14 and 16 blocks of the real model. */
const CONFIGURATIONS = {
  low: { tiling: [1, 1], experts: 1 / 2, blocks: 3 / 4 },
  mid: { tiling: [2, 3], experts: 3 / 4, blocks: 7 / 8 },
  high: { tiling: [3, 4], experts: 1, blocks: 1 },
} as const;
const NAMES = ['low', 'mid', 'high'] as const;
type Name = (typeof NAMES)[number];

/** How far can one trust a latency: how much do runs of the same request differ, and how many does a mean need? */
export const m2 = define({
  name: 'm2',
  aliases: ['m2_repeatability', 'repeatability'],
  group: 'core',
  title: 'M2: how repeatable latencies are',
  question: 'How much do runs of one request differ, and how many are enough?',
  options: { config: described(words(NAMES).default([...NAMES]), 'settings of the knobs: low, mid, high, or all') },
  sweeps: ['image', 'maxCrops', 'topK', 'blocks'],
  instrument: latency,
  basis: 'measured',
  repeats: { runs: 50, warmup: 5 },
  quick: { options: { config: ['low'] }, repeats: { runs: 8, instrumented: 0 } },
  order: { configuration: NAMES },
  cells: (on, { config }) => config.map((name) => cell(on, name)),
  files: m2_shapes,
  derive: ({ run, configurations }) => {
    const rows = configurations.map((one) => repeat_row(one, run.fingerprint.protocol.warmup));
    return { m2_repeatability_results: { configurations: rows, findings: repeat_findings(rows) } };
  },
  figures: ({ m2_repeatability_results: file }) => m2_figures(file),
  tables: ({ m2_repeatability_results: file }) => m2_tables(file),
  findings: ({ m2_repeatability_results: { findings } }) => findings,
});

function cell(on: Subject, configuration: Name) {
  const { tiling, experts, blocks: share } = CONFIGURATIONS[configuration];
  const { top_k: usual, n_layers } = on.config;
  const top_k = Math.max(1, Math.round(experts * usual));
  const num_active_blocks = Math.max(1, Math.round(share * n_layers));
  const mask = num_active_blocks < n_layers ? { blocks: Array.from({ length: num_active_blocks }, (_, i) => i) } : {};
  return cell_of(
    on,
    { configuration, top_k, num_active_blocks },
    { image: rings_of_tiling(on.config, tiling), tiling, knobs: { topK: top_k, ...mask } },
    { prompt_tokens: 20, new_tokens: 16 },
  );
}
