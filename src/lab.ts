import { type Command, InvalidArgumentError, Option } from 'commander';
import type { z } from 'zod';
import type { Experiment } from '../experiments/lab/define.ts';
import { REGIME_NAMES } from '../experiments/lab/inputs.ts';
import { kind_of, type OptionMeta } from '../experiments/lab/options.ts';
import { integer, kebab, list, number, on_model, once, positive, with_knobs } from './options.ts';
import { EXPERIMENTS } from './registry.ts';

type Run = (action: () => Promise<number | undefined>) => Promise<void>;

/** The commands of the laboratory: a command an experiment, and what reads their results. */
export function add_lab(program: Command, run: Run, debug: () => boolean): void {
  for (const experiment of EXPERIMENTS) {
    add_experiment(program, experiment).action((flags) =>
      run(async () => (await import('./commands/experiment.ts')).conduct_experiment(experiment, flags, debug())),
    );
  }

  with_knobs(on_model(program.command('explain')))
    .description(
      'one request stage by stage: what it asks of the adapter, the least that takes, what it took, what bounds it',
    )
    .addOption(
      new Option('--regime <name>', 'built-in picture: low (1x1 crops), medium (2x2), high (3x4)').choices(
        REGIME_NAMES,
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

  on_model(program.command('list'))
    .description(
      'the experiments: what each asks, its cells, about how long it takes here, and what is there of its results',
    )
    .option('--results <folder>', 'where experiments leave their results', 'results')
    .option('--json', 'print one JSON object')
    .action((flags) => run(async () => (await import('./commands/list.ts')).list_experiments(flags, debug())));

  program
    .command('report')
    .argument('<folder>', 'results of an experiment, or a folder of such folders')
    .description('write files, figures and pages of saved results again, and an index of all; nothing is measured')
    .action((folder) => run(async () => (await import('./commands/report.ts')).report(folder)));

  program
    .command('plot')
    .argument('<folder>', 'where published result files lie')
    .description('draw the figures again from the published JSON files alone')
    .option('--out <folder>', 'where figures go; <folder>/figures when left out')
    .action((folder, flags) => run(async () => (await import('./commands/report.ts')).plot(folder, flags)));

  program
    .command('compare')
    .argument('<a>', 'results folder, or one file of its configurations/')
    .argument('<b>', 'the same of another run')
    .description(
      'ratio B/A of every stage; significant: its 95 % interval leaves out 1 and Mann-Whitney gives p < 0.05',
    )
    .option(
      '--fail-above <ratio>',
      'exit with 1 where a significant ratio is larger, such as 1.10, or B lacks what A has; needs 4 runs a side',
      number,
    )
    .option('--json', 'print one JSON object')
    .action((a, b, options) => run(async () => (await import('./commands/compare.ts')).compare(a, b, options)));
}

/** Its own options come from its definition; the rest is the same for all. */
function add_experiment(program: Command, experiment: Experiment): Command {
  const { name, aliases, question, sweeps, repeats, reads } = experiment;
  const runs = Object.keys(reads).length === 0;
  const plain = program.command(name);
  const command = (runs ? on_model(plain) : plain).aliases([...aliases]).description(question);
  for (const [key, type] of Object.entries(experiment.options)) {
    for (const option of options_of(key, type)) command.addOption(option);
  }
  const free = (what: (typeof sweeps)[number]) => !sweeps.includes(what);
  if (free('image')) {
    command.option('--image <file>', 'PNG, JPEG, WebP, GIF or TIFF instead of the built-in picture', once);
    command.option('--image-size <size>', 'built-in picture of this size, such as 1008x784, or none');
  }
  if (free('prompt')) {
    command.option('--prompt <text>', 'question', once);
    command.option('--prompt-tokens <n>', 'built-in question of exactly so many tokens', positive);
  }
  if (free('answer')) command.option('--new-tokens <n>', 'new tokens, forced', positive);
  if (free('maxCrops')) command.option('--max-crops <n>', 'high-resolution crops at most', positive);
  if (free('topK')) {
    command.option('--top-k <k>', 'experts a token takes; one number, or one a block (8,8,4,...)', list(integer));
  }
  if (free('topKVision')) {
    command.option('--top-k-vision <k>', 'experts that picture tokens take instead, in the same forms', list(integer));
  }
  if (free('blocks')) command.option('--blocks <list>', 'blocks that run, such as 0-7,12, or none');
  if (experiment.instrument.name === 'latency') {
    const { runs, warmup, instrumented } = repeats;
    command
      .option('--runs <n>', `timed runs of each cell (${runs})`, positive)
      .option('--warmup <n>', `runs before them that do not count (${warmup})`, integer)
      .option('--instrumented <n>', `further runs with every kernel stamped (${instrumented})`, integer)
      .addOption(
        new Option('--method <name>', 'time stages directly, or also as older profiles did, to show their error')
          .choices(['direct', 'subtraction', 'hook'])
          .default('direct'),
      )
      .option('--flush <n>', 'tokens made between two readbacks', positive, 1)
      .option('--routing', 'count which experts each prompt goes to (one more run a cell)')
      .option('--trace', 'write a trace of each cell for Perfetto')
      .option('--recalibrate', 'measure the ceilings of the adapter again');
  }
  if (runs) {
    command
      .option('--shuffle <seed>', 'run the cells in an order drawn with this seed', integer)
      .option('--quick', 'few cells and runs: to see that all works, not to publish');
  }
  return command
    .option('--dry-run', runs ? 'say what would be run and what it costs; measure nothing' : 'say what would be read')
    .option(
      '--out <folder>',
      `where results go${runs ? '; what is there is continued' : ''}`,
      `results/${experiment.group}/${name}`,
    )
    .option('--fresh', 'start anew there')
    .option('--json', 'print one JSON object')
    .option('--quiet', 'say nothing but the results, warnings and errors');
}

/** The flag of an option, and the study's own names for it, which help does not show. */
function options_of(key: string, type: z.ZodType): Option[] {
  const { kind, many, fallback } = kind_of(type);
  const { description = '', aliases = [], value } = (type.meta() ?? {}) as OptionMeta;
  if (kind === 'toggle') return [new Option(`--${kebab(key)}`, description)];
  const shape = value ?? (many ? '<list>' : kind === 'number' ? '<n>' : `<${kind}>`);
  const shown = fallback === undefined ? '' : ` (${[fallback].flat().join(',')})`;
  const main = new Option(`--${kebab(key)} ${shape}`, `${description}${shown}`).argParser((text) => parsed(type, text));
  const others = aliases.map((alias) =>
    new Option(`--${alias} ${many ? '<values...>' : '<value>'}`)
      .argParser((text, before) =>
        many ? [...((before as unknown[]) ?? []), ...(parsed(type, text) as unknown[])] : parsed(type, text),
      )
      .hideHelp(),
  );
  return [main, ...others];
}

/** Text of a flag as the option's type wants it; what the type refuses is refused in its words. */
function parsed(type: z.ZodType, text: string): unknown {
  const { kind, many, choices } = kind_of(type);
  const one = (part: string): unknown => (kind === 'number' ? number(part) : part);
  const items = text.split(',').map((part) => part.trim());
  const value = many && kind === 'word' && text.trim() === 'all' ? [...choices] : many ? items.map(one) : one(text);
  if (kind === 'word') {
    const unknown = [value].flat().find((word) => !choices.includes(word as string));
    if (unknown !== undefined) {
      throw new InvalidArgumentError(
        `expected ${many ? 'some' : 'one'} of ${choices.join(', ')}${many ? ', or all' : ''}.`,
      );
    }
    return many ? choices.filter((word) => (value as string[]).includes(word)) : value;
  }
  const checked = type.safeParse(value);
  if (checked.success) return checked.data;
  const { message, path } = checked.error.issues[0] as z.core.$ZodIssue;
  const at = typeof path[0] === 'number' ? ` at place ${path[0] + 1}` : '';
  throw new InvalidArgumentError(`${message.replace(/^Invalid input: /, '')}${at}.`);
}
