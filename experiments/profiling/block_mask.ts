import { z } from 'zod';
import { define } from '../lab/define.ts';
import { blocks_of, depth_of_cells, depth_schema, line_over_blocks, stamped_blocks } from '../lab/depth.ts';
import { grows_linearly } from '../lab/findings.ts';
import { latency } from '../lab/instruments.ts';
import { count, finding_schema, fit_schema } from '../lab/schema.ts';
import { sweep_rows, sweep_shape } from '../lab/sweep.ts';
import { block_mask_figures } from './block_mask_figures.ts';
import { in_proportion, line_meets, masked_run_nothing } from './block_mask_findings.ts';
import { cells_of, check_mask_options, mask_options, READINGS, reading_of } from './block_mask_grid.ts';
import { block_mask_tables } from './block_mask_tables.ts';

/** Blocks that do not run pass what they get on, own no cache and launch nothing. */
export const block_mask = define({
  name: 'block-mask',
  aliases: ['exp3_transformer_blocks_mask', 'profiling-exp3'],
  group: 'profiling',
  title: 'Blocks: what each one costs',
  question: 'How do prefill and a decode step shrink when blocks of the language model are left out?',
  options: mask_options,
  sweeps: ['blocks'],
  instrument: latency,
  quick: { options: { fractions: true }, repeats: { runs: 2 } },
  check: check_mask_options,
  cells: cells_of,
  files: {
    exp3_transformer_blocks_mask_results: {
      ...sweep_shape(
        'num_active_blocks',
        { num_total_blocks: count, active_block_indices: z.array(count) },
        { stamped_blocks: z.array(count).nullable() },
      ),
      reading: z.enum(READINGS),
      /** ms over active blocks, as measured. */
      prefill_fit: fit_schema.nullable(),
      decode_step_fit: fit_schema.nullable(),
      depth: depth_schema.nullable(),
      findings: z.array(finding_schema),
    },
  },
  derive: ({ run, configurations }) => {
    const { name, layers } = run.fingerprint.provenance.model;
    const rows = sweep_rows(
      'num_active_blocks',
      configurations,
      (one) => ({ num_total_blocks: layers, active_block_indices: [...blocks_of(one)] }),
      (one) => ({ stamped_blocks: stamped_blocks(one) }),
    );
    const prefill_fit = line_over_blocks(configurations, 'prefill');
    const decode_step_fit = line_over_blocks(configurations, 'decode_step');
    const depth = depth_of_cells(configurations, { name, layers });
    return {
      exp3_transformer_blocks_mask_results: {
        ...rows,
        ...{ reading: reading_of(configurations, layers), prefill_fit, decode_step_fit, depth },
        findings: [
          masked_run_nothing('A masked block launches nothing', configurations),
          grows_linearly('Prefill grows linearly with the blocks that run', prefill_fit, 'block', 'depths'),
          grows_linearly('A decode step grows linearly with the blocks that run', decode_step_fit, 'block', 'depths'),
          line_meets('A block takes as long in prefill however many run', depth, 'prefill_ms'),
          line_meets('A block takes as long in a decode step however many run', depth, 'decode_step_ms'),
          in_proportion('Prefill takes 75, 50 and 25 % with such shares of the blocks', depth, 'prefill_ms'),
          in_proportion('A decode step takes 75, 50 and 25 % with such shares', depth, 'decode_step_ms'),
        ],
      },
    };
  },
  figures: ({ exp3_transformer_blocks_mask_results: { summary, depth } }) => block_mask_figures(summary, depth),
  tables: ({ exp3_transformer_blocks_mask_results: { summary, depth } }) => block_mask_tables(summary, depth),
  findings: ({ exp3_transformer_blocks_mask_results: { findings } }) => findings,
});
