import { Argument, Command, Option } from 'commander';
import { preset_names } from '../engine/model/presets.ts';
import { add_analyze } from './analyze.ts';
import { version } from './build.ts';
import { completion, SHELLS } from './completion.ts';
import { add_inspect } from './inspect.ts';
import { add_lab } from './lab.ts';
import {
  integer,
  number,
  on_adapter,
  on_model,
  once,
  one_line,
  positive,
  with_knobs,
  with_model,
  with_variants,
} from './options.ts';
import { complain, out } from './print.ts';
import { run_command } from './run.ts';

/** Names, options and help of everything that can be asked; no work is done here. */
export function make_program(): Command {
  const program = new Command('molmoe')
    .description('MolmoE-1B on WebGPU, and where its time goes.')
    .version(version)
    .option('--debug', 'show stack traces and what drivers print')
    .configureOutput({ outputError: (text) => complain(`${one_line(text)} (--help lists the options)`) });

  const debug = (): boolean => program.opts().debug === true;
  const run = (action: () => Promise<number | undefined>) => run_command(action, debug());

  with_knobs(on_model(program.command('generate')))
    .description('look at a picture and answer: tokens to stdout as they come, timings to stderr')
    .option('--image <file>', 'PNG, JPEG, WebP, GIF or TIFF; - reads stdin', once)
    .option(
      '--prompt <text>',
      'question, or - for stdin; with neither this nor --image, a built-in picture is described',
      once,
    )
    .addOption(
      new Option('--resize <mode>', 'letterbox (pad, the default), or cover and crop (fill)').choices(['pad', 'fill']),
    )
    .option('--orient', 'turn the picture as its EXIF orientation says; else only --resize fill does')
    .option('--max-new-tokens <n>', 'tokens to make at most', integer, 64)
    .option('--crops <n>', 'exactly this many crops', positive)
    .option('--tier <name>', 'low, medium or high crop counts')
    .option('--temperature <t>', 'sample instead of taking the likeliest token', number)
    .option('--top-p <p>', 'sample from the likeliest tokens of this mass', number)
    .option('--sample-top-k <k>', 'sample from the k likeliest tokens', integer)
    .option('--seed <n>', 'seed of sampling', integer)
    .option('--stop <text...>', 'end before this text')
    .option('--ignore-eos', 'go on after the end-of-text token')
    .option('--flush <n>', 'tokens made between two readbacks', positive, 1)
    .option('--keep-dead-block', 'run the ViT block whose output nobody reads')
    .addOption(
      new Option('--timing <what>', 'stamp GPU time of each stage or kernel (costs time)').choices(['stage', 'kernel']),
    )
    .option('--trace <file>', 'write a trace for Perfetto or chrome://tracing; implies --timing kernel')
    .option('--json', 'print one JSON object instead of text')
    .option('--quiet', 'say nothing but the answer, warnings and errors')
    .action((options) => run(async () => (await import('./commands/generate.ts')).generate(options, debug())));

  with_knobs(on_model(program.command('ask')))
    .argument('<picture>', 'PNG, JPEG, WebP, GIF or TIFF')
    .description('question after question about one picture, typed or piped, a line each; the picture is computed once')
    .option('--orient', 'turn the picture as its EXIF orientation says')
    .option('--max-new-tokens <n>', 'tokens of an answer at most', positive, 64)
    .option('--quiet', 'say nothing but the answers, warnings and errors')
    .action((picture, options) => run(async () => (await import('./commands/ask.ts')).ask(picture, options, debug())));

  on_adapter(program.command('doctor'))
    .description('what this machine offers: adapter, driver, features, limits, and what is missing')
    .option('--json', 'print one JSON object')
    .action((options) => run(async () => (await import('./commands/doctor.ts')).doctor(options, debug())));

  on_adapter(program.command('ceilings'))
    .description(
      'the most this adapter can do of each thing alone: multiply-adds, reads, writes, launches; what measured it',
    )
    .option('--recalibrate', 'measure them again')
    .option('--json', 'print one JSON object')
    .action((options) => run(async () => (await import('./commands/ceilings.ts')).ceilings(options, debug())));

  with_variants(on_adapter(program.command('verify')))
    .argument('[folder]', 'golden folder; the small goldens of the package when left out')
    .description('run reference cases on this adapter and compare every recorded point')
    .option('--set <name...>', 'only these sets')
    .option('--case <name...>', 'only these cases')
    .option('--checkpoint', "read the sets' checkpoint files instead of making the weights by formula")
    .addOption(
      new Option('--limits <which>', "the adapter's limits or WebGPU's defaults")
        .choices(['adapter', 'default'])
        .default('adapter'),
    )
    .option('--without <feature...>', 'do without subgroups, shader-f16, timestamp-query or immediates')
    .option('--json', 'print only the closing JSON object')
    .action((folder, options) =>
      run(async () => (await import('./commands/verify.ts')).verify(folder, options, debug())),
    );

  with_model(on_adapter(program.command('tune')))
    .description('time the variants of every kernel that has several on this adapter; later runs take the fastest')
    .option('--json', 'print one JSON object')
    .action((options) => run(async () => (await import('./commands/tune.ts')).tune(options, debug())));

  program
    .command('synth')
    .description('write a synthetic checkpoint in the published layout')
    .requiredOption('--preset <name>', preset_names.join(', '))
    .requiredOption('--out <folder>', 'must not exist or be empty')
    .addOption(new Option('--dtype <format>', 'stored type').choices(['f32', 'f16', 'bf16']).default('f32'))
    .option('--seed <n>', 'seed of the weight formula', integer, 1)
    .option('--shard-mb <n>', 'largest shard, in MB of tensors', integer, 5000)
    .action((options) => run(async () => (await import('./commands/synth.ts')).synth(options)));

  program
    .command('shapes')
    .description('write pictures of the built-in data set, with a question and its answer each: nano answers them')
    .requiredOption('--out <folder>', 'where they go')
    .addOption(new Option('--split <name>', 'seen in training, or not').choices(['train', 'test']).default('test'))
    .option('--from <n>', 'place of the first sample', integer, 0)
    .option('--num-samples <n>', 'how many', positive, 10)
    .option('--json', 'print one JSON object')
    .action((options) => run(async () => (await import('./commands/shapes.ts')).shapes(options)));

  program
    .command('serve')
    .description('the live page, for browsers of this machine: nano answers on their GPU, and each millisecond shows')
    .option('--port <n>', 'any free one where 0', integer, 8017)
    .action((options) => run(async () => (await import('./commands/serve.ts')).serve(options)));

  program
    .command('models')
    .description('presets and what comes trained: parameters, and bytes of the weights in each storage format')
    .option('--json', 'print one JSON object')
    .action((options) => run(async () => (await import('./commands/models.ts')).models(options)));

  add_inspect(program, run, debug);
  add_analyze(program, run);
  add_lab(program, run, debug);

  program
    .command('completion')
    .description('print a script that completes commands and options in your shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(SHELLS))
    .action((shell) => run(async () => void out(completion(program, shell))));
  return program;
}
