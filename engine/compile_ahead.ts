import type { WeightFormat } from '../kernels/spec.ts';
import { dry_input } from './dry_run.ts';
import { run_model } from './generate.ts';
import { dry_executor } from './gpu/dry.ts';
import type { Executor } from './gpu/executor.ts';
import type { ModelConfig } from './model/config.ts';
import { allocate_weights } from './model/weights.ts';

/** Long enough for the kernels of many rows, with one crop beside the overview. */
const PROMPT_ROWS = 320;
const VIEWS = 2;

/**
 * Starts to compile what a usual request runs (a picture, a prompt, greedy decoding), so that the driver does it while
 * weights are read. What that is, the model itself says: it runs dry, and each of its dispatches is compiled. Other shapes
 * and options are compiled when they are first used.
 */
export async function compile_ahead(executor: Executor, config: ModelConfig, format: WeightFormat): Promise<void> {
  const dry = dry_executor(executor.device, executor.variant, executor.tuning);
  const compiling: Executor = {
    ...dry,
    dispatch: (kernel, bound, params, options, tag) => {
      executor.compile(kernel, params, options);
      dry.dispatch(kernel, bound, params, options, tag);
    },
  };
  const { weights } = await allocate_weights(dry, config, format, 'a dry run');
  const prompt_tokens = Math.min(PROMPT_ROWS, config.max_position_embeddings - 4);
  const input = dry_input(config, { prompt_tokens, views: VIEWS });
  const request = run_model({ executor: compiling, config, weights }, input, { maxNewTokens: 2 });
  while (!(await request.next()).done);
}
