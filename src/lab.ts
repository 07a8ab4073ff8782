import { type Command, Option } from 'commander';
import { DECODES, PROMPTS, REGIMES } from '../experiments/core/e1.ts';
import { integer, number, on_model, once, positive, some_of, with_knobs } from './options.ts';

type Run = (action: () => Promise<number | undefined>) => Promise<void>;
const words = <T extends object>(of: T) => Object.keys(of) as (keyof T & string)[];

/** The commands of the laboratory: experiments, and what reads their results. */
export function add_lab(program: Command, run: Run, debug: () => boolean): void {
  with_knobs(on_model(program.command('e1')))
    .description('where the time of a request goes, stage by stage and kernel by kernel, and why FLOPs do not say so')
    .option(
      '--regime <names>',
      'image: low (336x336), medium (560x560), high (1008x784), or all',
      some_of(words(REGIMES)),
    )
    .option('--prompt <names>', 'prompt: short (20 tokens), medium (40), long (128), or all', some_of(words(PROMPTS)))
    .option('--decode <names>', 'answer: short (8 tokens), medium (32), long (128), or all', some_of(words(DECODES)))
    .option('--full-grid', 'all 27 cells')
    .option('--portrait', 'read 1008x784 as height x width')
    .option('--runs <n>', 'timed runs of each configuration', positive, 10)
    .option('--warmup <n>', 'runs before them that do not count', integer, 3)
    .option('--instrumented <n>', 'further runs with every kernel stamped', integer, 1)
    .addOption(
      new Option('--method <name>', 'time stages directly, or also as older profiles did, to show their error')
        .choices(['direct', 'subtraction', 'hook'])
        .default('direct'),
    )
    .option('--shuffle <seed>', 'run the configurations in an order drawn with this seed', integer)
    .option('--flush <n>', 'tokens made between two readbacks', positive, 1)
    .option('--routing', 'count which experts the prompt went to (one more run each)')
    .option('--trace', 'write a trace of each configuration for Perfetto')
    .option('--out <folder>', 'where results go; what is there is continued', 'results/core/e1')
    .option('--fresh', 'start anew there')
    .option('--recalibrate', 'measure the ceilings of the adapter again')
    .action((options) => run(async () => (await import('./commands/e1.ts')).e1(options, debug())));

  with_knobs(on_model(program.command('explain')))
    .description(
      'one request stage by stage: what it asks of the adapter, the least that takes, what it took, what bounds it',
    )
    .addOption(
      new Option('--regime <name>', 'built-in picture: low (336x336), medium (560x560), high (1008x784)').choices(
        words(REGIMES),
      ),
    )
    .option('--image <file>', 'PNG, JPEG, WebP, GIF or TIFF; - reads stdin', once)
    .option('--prompt <text>', 'question, or - for stdin; alone, without a picture', once)
    .option('--orient', 'turn the picture as its EXIF orientation says')
    .option('--decode <n>', 'new tokens', positive, 16)
    .option('--recalibrate', 'measure the ceilings of the adapter again')
    .option('--json', 'print one JSON object')
    .action((options) => run(async () => (await import('./commands/explain.ts')).explain(options, debug())));

  on_model(program.command('quality'))
    .description('what --dtype q8 (by default) or q4 changes: built-in requests against the same with f16 weights')
    .option('--out <file>', 'write the JSON object there too')
    .option('--json', 'print one JSON object')
    .action((options) => run(async () => (await import('./commands/quality.ts')).quality(options, debug())));

  program
    .command('report')
    .argument('<folder>', 'where an experiment left its results')
    .description(
      'write the files, figures and page of saved results again, and print their summary; nothing is measured',
    )
    .action((folder) => run(async () => (await import('./commands/report.ts')).report(folder)));

  program
    .command('compare')
    .argument('<a>', 'results folder, its e1_stage_latency_breakdown.json, or one configuration')
    .argument('<b>', 'the same of another run')
    .description(
      'ratio B/A of every stage; significant: its 95 % interval leaves out 1 and Mann-Whitney gives p < 0.05',
    )
    .option('--fail-above <ratio>', 'exit with 1 where a significant ratio is larger, such as 1.10', number)
    .option('--json', 'print one JSON object')
    .action((a, b, options) => run(async () => (await import('./commands/compare.ts')).compare(a, b, options)));
}
