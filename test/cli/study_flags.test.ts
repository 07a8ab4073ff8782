import { CommanderError } from 'commander';
import { expect, it } from 'vitest';
import { make_program } from '../../src/program.ts';

/** What a command makes of flags as the study's scripts write them. */
function opts(name: string, ...args: string[]): Record<string, unknown> {
  const command = make_program().commands.find((one) => one.name() === name || one.aliases().includes(name));
  if (command === undefined) throw new Error(`no command ${name}`);
  command.exitOverride().configureOutput({ outputError: () => undefined });
  const { operands, unknown } = command.parseOptions(args);
  expect([...operands, ...unknown]).toEqual([]);
  return command.opts();
}

it('lists are words, and each flag of a list of lists begins another', () => {
  expect(opts('exp3_transformer_blocks_mask', '--num_active_blocks', '1', '-2', '4')).toMatchObject({
    numActiveBlocks: [1, -2, 4],
  });
  const lists = ['--active_block_indices', '0', '1', '2', '--active_block_indices', '4,8', '12', '--quick'];
  expect(opts('block-mask', ...lists)).toMatchObject({
    activeBlockIndices: [
      [0, 1, 2],
      [4, 8, 12],
    ],
    quick: true,
  });
  const ours = ['--active-block-indices', '0,1', '--active-block-indices', '3'];
  expect(opts('block-mask', ...ours).activeBlockIndices).toEqual([[0, 1], [3]]);
  expect(opts('exp2_moe_topk', '--top_k_values', '1', '2', '4').topK).toEqual([1, 2, 4]);
  expect(() => opts('moe-topk', '--top_k_values', '--quick')).toThrow(CommanderError);
});

it('samples of a cell are timed runs, folders and models are what ours are', () => {
  const args = ['--num_samples', '50', '--output_dir', 'here', '--model_path', 'checkpoints'];
  expect(opts('exp4_output_tokens', ...args, '--max_new_tokens', '1', '5')).toMatchObject({
    ...{ runs: 50, out: 'here', model: 'checkpoints', newTokens: [1, 5] },
  });
  expect(opts('profiling-exp1', '--max_length', '900', '--step_size', '200')).toMatchObject({
    maxLength: 900,
    stepSize: 200,
  });
  expect(opts('exp_context_scaling', '--max_grid_size', '3').maxGridSize).toBe(3);
  expect(() => opts('context', '--num_samples', '0')).toThrow(/expected at least 1/);
  // Defaults stay those of our own flags.
  expect(opts('measure_flops_scaling')).toMatchObject({ out: 'results/profiling/flops-scaling', model: 'auto' });
});

it('grids of knobs are asked for as the study asks', () => {
  const lists = ['--max_crops', '2', '6', '--top_k', '4', '8', '--num_active_blocks', '12', '16'];
  const rest = ['--sampling_strategy', 'lhs', '--num_samples', '50', '--batch_size', '8', '--max_new_tokens', '16'];
  expect(opts('exp5_accuracy', ...lists, ...rest, '--dataset_name', 'text_vqa', '--split', 'train')).toMatchObject({
    ...{ maxCrops: [2, 6], topK: [4, 8], numActiveBlocks: [12, 16], sampling: 'lhs', batchSize: 8, newTokens: 16 },
    ...{ num_samples: 50, dataset: 'text_vqa', split: 'train' },
  });
  expect(opts('exp6_latency', ...lists, '--latency_metric', 'P95')).toMatchObject({ latencyMetric: 'P95' });
  const core = ['--tier_list', 'low', 'high', '--top_k_list', '5', '7', '--num_active_blocks_list', '13', '15'];
  expect(opts('core_exp', ...core, '--num_runs_per_sample', '1', '--importance_scores_file', 'a.json')).toMatchObject({
    ...{ tierList: ['low', 'high'], topK: [5, 7], numActiveBlocks: [13, 15], runs: 1, importanceScoresFile: 'a.json' },
  });
});
