import { dry_input } from './dry_run.ts';
import { run_model } from './generate.ts';
import { dry_executor } from './gpu/dry.ts';
import type { Executor } from './gpu/executor.ts';
import { tune_key } from './gpu/pipelines.ts';
import { exact_length_text } from './input/prompt.ts';
import { allocate_weights } from './model/weights.ts';
import type { Engine, GenerateRequest } from './molmoe.ts';
import { prepare } from './prepare.ts';

/** What is to be timed within a limit, in this order, and all that it is for. */
export interface Foreseen {
  readonly requests: readonly GenerateRequest[];
  /** Of the requests that were asked for: every class of shapes that has more than one variant. */
  readonly classes: ReadonlySet<string>;
}

/**
 * The vision encoder may take so long that no two variants of it can be compared in the time there is, and the decoder with
 * them. So before requests with pictures come texts that are as long: they run the decoder in the same classes of shapes.
 * Nothing runs on the GPU here.
 */
export async function foresee(engine: Engine, requests: readonly GenerateRequest[]): Promise<Foreseen> {
  const { executor, tokenizer, facts } = engine;
  const { config, dtype } = facts;
  const dry = dry_executor(executor.device);
  const classes = new Set<string>();
  const watched: Executor = {
    ...dry,
    dispatch: (kernel, bound, params, options, tag) => {
      if (kernel.shape_class !== undefined) classes.add(tune_key(kernel, params, options));
      dry.dispatch(kernel, bound, params, options, tag);
    },
  };
  const { weights } = await allocate_weights(dry, config, dtype, 'a dry run');
  const texts: GenerateRequest[] = [];
  for (const request of requests) {
    const { ids, crops } = prepare(request, config, tokenizer);
    const input = dry_input(config, { prompt_tokens: ids.length, views: crops?.count ?? 0 });
    const { knobs } = request;
    const run = run_model({ executor: watched, config, weights }, input, { knobs, maxNewTokens: 2 });
    while (!(await run.next()).done);
    if (crops !== undefined) texts.push({ prompt: exact_length_text(tokenizer, ids.length - 1), knobs });
  }
  return { requests: [...texts, ...requests], classes };
}
