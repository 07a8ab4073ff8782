import { run_program } from './run_program.ts';

await run_program(process.argv.slice(2));
