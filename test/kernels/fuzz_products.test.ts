import { fuzz_tests } from '../support/fuzz.ts';
import { PRODUCT_OPS } from '../support/fuzz_products.ts';

fuzz_tests('products and packing', PRODUCT_OPS);
