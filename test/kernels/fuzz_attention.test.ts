import { fuzz_tests } from '../support/fuzz.ts';
import { ATTENTION_OPS } from '../support/fuzz_attention.ts';

fuzz_tests('attention', ATTENTION_OPS);
