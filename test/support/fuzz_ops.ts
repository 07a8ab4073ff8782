import { ATTENTION_OPS } from './fuzz_attention.ts';
import { MOE_OPS } from './fuzz_moe.ts';
import { PRODUCT_OPS } from './fuzz_products.ts';
import { ROW_OPS } from './fuzz_rows.ts';

/** Every operation of kernels/ and how its shapes are made; test files run them family by family, side by side. */
export const FUZZ_OPS = [...PRODUCT_OPS, ...ROW_OPS, ...ATTENTION_OPS, ...MOE_OPS];
