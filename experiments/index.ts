/** Every experiment, a line each: the command line, the list, the pages and the JSON Schemas are made from this. */
export { e1 } from './core/e1.ts';
export { moe_topk } from './profiling/moe_topk.ts';
