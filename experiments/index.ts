/** Every experiment, a line each: the command line, the list, the pages and the JSON Schemas are made from this. */
export { e1 } from './core/e1.ts';
export { component_profiling } from './motivation/component_profiling.ts';
export { language_tokens } from './motivation/language_tokens.ts';
export { latency_distribution } from './motivation/latency_distribution.ts';
export { block_mask } from './profiling/block_mask.ts';
export { context } from './profiling/context.ts';
export { context_vision } from './profiling/context_vision.ts';
export { flops_scaling } from './profiling/flops_scaling.ts';
export { moe_topk } from './profiling/moe_topk.ts';
export { output_tokens } from './profiling/output_tokens.ts';
export { topk_layers } from './profiling/topk_layers.ts';
export { topk_vision } from './profiling/topk_vision.ts';
