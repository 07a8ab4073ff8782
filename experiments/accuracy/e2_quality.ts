import { define } from '../lab/define.ts';
import { answers } from '../lab/instruments.ts';
import { coupling_levels } from '../lab/knob_levels.ts';
import { e2_quality_figures, e2_quality_tables } from './e2_quality_figures.ts';
import { e2_cases, e2_coupling, e2_findings, e2_quality_shapes } from './e2_quality_files.ts';
import { FRONT_RULES } from './knob_fronts.ts';
import * as grid from './knob_grid.ts';
import { ON_SAMPLES } from './sweep_experiment.ts';
import { both_fronts, workload_body, works_of } from './workloads.ts';

/** E2, the side of answers: fronts of quality and cost, and whether the best place of a knob depends on the others. */
export const e2_quality = define({
  name: 'e2_quality',
  aliases: ['e2-pareto', 'e2-quality'],
  group: 'accuracy',
  title: 'E2: fronts of quality and cost',
  question:
    'Which settings of the three knobs does no other beat, and does the best place of one depend on the others?',
  options: grid.grid_options({ strategy: 'balanced', blocks: 'prefix' }),
  sweeps: grid.KNOB_SWEEPS,
  instrument: answers,
  dataset: ON_SAMPLES,
  timed: 40,
  quick: { options: { maxCrops: [1, 3, 6], topK: [2, 8], numActiveBlocks: [5, 7, 8], sampling: 'full' } },
  repeats: { runs: 3, warmup: 2, instrumented: 0 },
  check: grid.check_grid,
  cells: (on, options) => grid.grid_cells(on, options, coupling_levels),
  files: e2_quality_shapes,
  derive: (saved, options) => {
    const works = works_of(saved);
    const { cost, all } = works;
    const coupling = e2_coupling(saved, works);
    const config = grid.grid_config_of(saved, options);
    return {
      e2_pareto_frontiers: {
        ...{ rules: FRONT_RULES, cost, config },
        workloads: all.map((work) => ({ ...workload_body(work), ...both_fronts(work) })),
        findings: e2_findings(saved, works, coupling),
      },
      e2_quality_coupling: { cost, ...coupling },
      e2_quality_cases: e2_cases(saved),
    };
  },
  figures: e2_quality_figures,
  tables: e2_quality_tables,
  findings: ({ e2_pareto_frontiers: { findings } }) => findings,
});
