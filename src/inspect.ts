import type { Command } from 'commander';
import { model_names } from '../engine/node/shipped_model.ts';
import { integer, list, on_model, once, positive, with_knobs } from './options.ts';

type Run = (action: () => Promise<number | undefined>) => Promise<void>;
/** Description, options and action of a tool. */
type Make = (command: Command) => Command;

/** Nothing is opened: what files say, at once. */
const on_files: Make = (command) =>
  command.option(
    '--model <model>',
    `checkpoint folder, ${model_names.join(', ')}, or auto: the folder checkpoints/ if it is there, else molmoe-1b`,
    'auto',
  );

const with_picture: Make = (command) =>
  command
    .option('--image <file>', 'PNG, JPEG, WebP, GIF or TIFF; - reads stdin', once)
    .option('--image-size <size>', 'built-in picture of this size, such as 1008x784, or none')
    .option('--orient', 'turn the picture as its EXIF orientation says');

const with_prompt: Make = (command) => command.option('--prompt <text>', 'question, or - for stdin', once);

const with_values: Make = (command) =>
  command.option('--top-k-values <list>', 'experts a token, each in turn (1,2,4,8)', list(integer));

const as_json: Make = (command) => command.option('--json', 'print one JSON object');

/** What looks inside: `molmoe inspect tokens`, and hidden, the study's own name of each. */
export function add_inspect(program: Command, run: Run, debug: () => boolean): void {
  const inspect = program
    .command('inspect')
    .description('looks inside: tokens, configuration, structure, pooling, experts, a forward step by step');

  const tools: Readonly<Record<string, readonly [study: string, make: Make]>> = {
    tokens: [
      'analyze_tokens',
      (command) =>
        with_prompt(with_picture(on_files(command)))
          .description('what becomes of a prompt and a picture: every token, crops, and the three vision counts')
          .option('--tokenizer <folder>', 'folder with tokenizer.json, where the model has none')
          .option('--max-crops <n>', 'high-resolution crops at most', positive)
          .option('--crops <n>', 'exactly this many crops', positive)
          .option('--tier <name>', 'low, medium or high crop counts')
          .action((flags) => run(async () => (await import('./commands/inspect/tokens.ts')).tokens(flags))),
    ],
    config: [
      'check_config_direct',
      (command) =>
        on_files(command)
          .description('every field of the configuration, where it came from, what is ignored, and what follows')
          .action((flags) => run(async () => (await import('./commands/inspect/config.ts')).config(flags))),
    ],
    structure: [
      'quick_inspect_structure',
      (command) =>
        on_files(command)
          .description('the hierarchy with exact parameter counts and bytes; of a checkpoint, what is there of it')
          .action((flags) => run(async () => (await import('./commands/inspect/structure.ts')).structure(flags))),
    ],
    pooling: [
      'inspect_pooling_params',
      (command) =>
        on_files(command)
          .description('pixels, patches, pooled cells and rows of the prompt; the tilings of a picture by --max-crops')
          .option('--image-size <size>', 'size of the picture (2000x2000)')
          .option('--max-crops <n>', "the last limit of crops to show (the model's own)", positive)
          .action((flags) => run(async () => (await import('./commands/inspect/pooling.ts')).pooling(flags))),
    ],
    'moe-layer': [
      'inspect_moe_layer',
      (command) =>
        with_values(on_files(command))
          .description('which blocks have experts, their shapes, the router, and what each k costs a token')
          .action((flags) => run(async () => (await import('./commands/inspect/moe_layer.ts')).moe_layer(flags))),
    ],
    flow: [
      'inspect_molmo_flow',
      (command) =>
        with_knobs(with_prompt(with_picture(on_model(command))))
          .description('shapes and statistics at every step of vision, prompt and the first decode step')
          .option('--block <n>', 'this block of the language model in detail', integer)
          .action((flags) => run(async () => (await import('./commands/inspect/flow.ts')).flow(flags, debug()))),
    ],
    topk: [
      'verify_moe_topk',
      (command) =>
        with_values(with_prompt(with_picture(on_model(command))))
          .description('proves the knob: reads back from the GPU which experts each token really took')
          .option('--blocks <list>', 'blocks that run, such as 0-7,12, or none')
          .option('--new-tokens <n>', 'new tokens, forced', positive, 4)
          .action((flags) => run(async () => (await import('./commands/inspect/topk.ts')).topk(flags, debug()))),
    ],
    sanity: [
      'test_hf_model',
      (command) =>
        with_prompt(with_picture(on_model(command)))
          .description('loads, looks at a picture and answers: finite logits, the same twice, the likeliest tokens')
          .option('--max-new-tokens <n>', 'tokens to make at most', positive, 20)
          .action((flags) => run(async () => (await import('./commands/inspect/sanity.ts')).sanity(flags, debug()))),
    ],
  };
  for (const [name, [study, make]] of Object.entries(tools)) {
    as_json(make(inspect.command(name)));
    for (const parent of [inspect, program]) as_json(make(parent.command(study, { hidden: true })));
  }
}
