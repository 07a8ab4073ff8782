/** Every experiment, a line each: the command line, the list, the pages and the JSON Schemas are made from this. */
export { e1 } from './core/e1.ts';
export { e2 } from './core/e2.ts';
export { m1 } from './core/m1.ts';
export { m2 } from './core/m2.ts';
export { crop_overlap } from './motivation/crop_overlap.ts';
export { motivation_exp5 } from './motivation/flops_latency.ts';
export { motivation_exp3 } from './motivation/vision_tokens.ts';
export { context } from './profiling/context.ts';
export { moe_topk } from './profiling/moe_topk.ts';
export { output_tokens } from './profiling/output_tokens.ts';
