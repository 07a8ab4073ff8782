import { fuzz_tests } from '../support/fuzz.ts';
import { ROW_OPS } from '../support/fuzz_rows.ts';

fuzz_tests('rows', ROW_OPS);
