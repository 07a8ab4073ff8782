import { fuzz_tests } from '../support/fuzz.ts';
import { MOE_OPS } from '../support/fuzz_moe.ts';

fuzz_tests('moe', MOE_OPS);
