import { Argument, type Command, InvalidArgumentError, Option } from 'commander';
import type { z } from 'zod';
import { model_names } from '../engine/node/shipped_model.ts';
import { METRICS } from '../experiments/accuracy/metrics/experiment.ts';
import type { Experiment, OnDataset } from '../experiments/lab/define.ts';
import { REGIME_NAMES } from '../experiments/lab/inputs.ts';
import { kind_of, type OptionMeta } from '../experiments/lab/options.ts';
import { WORDS } from './commands/run_choice.ts';
import {
  backend_option,
  integer,
  kebab,
  list,
  number,
  on_model,
  once,
  positive,
  WEIGHT_FORMATS,
  with_dataset,
  with_knobs,
} from './options.ts';
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

  with_knobs(program.command('predict'))
    .description(
      'what a request will take, before anything runs, from what `molmoe e3` learnt on this adapter or another',
    )
    .option(
      '--adapter <name>',
      'a part of the adapter name, its number, auto, or FILE.json: the e3_estimator_model.json of one that need not be here',
      'auto',
    )
    .addOption(backend_option())
    .option('--model <model>', `checkpoint folder, ${model_names.join(', ')}, or auto: what was measured`, 'auto')
    .addOption(new Option('--dtype <format>', 'storage of the weights; as measured').choices(WEIGHT_FORMATS))
    .option('--image-size <size>', 'picture of this size, such as 1008x784, or none', 'none')
    .option('--prompt-tokens <n>', 'text tokens of the prompt, template included', positive, 20)
    .option('--new-tokens <n>', 'tokens of the answer', positive, 16)
    .option('--json', 'print one JSON object')
    .action((flags) => run(async () => (await import('./commands/predict.ts')).predict(flags, debug())));

  on_model(program.command('budget'))
    .description(
      'a latency budget as knobs: of the measured settings the one of the best answers that is predicted to keep to it; --run keeps it',
    )
    .requiredOption('--ms <n>', 'milliseconds from the first stage to the last token', number)
    .option('--quality-at-least <share>', 'mean score of the answers by the table, 0 to 1', number)
    .option('--image <file>', 'PNG, JPEG, WebP, GIF or TIFF; - reads stdin', once)
    .option('--image-size <size>', 'picture of this size, such as 128x96, or none')
    .option('--prompt <text>', 'question, or - for stdin', once)
    .option(
      '--prompt-tokens <n>',
      'text tokens of the prompt, template included, where its words are not known',
      positive,
    )
    .option('--new-tokens <n>', 'tokens of the answer at most; as long as measured answers when left out', positive)
    .option(
      '--results <path>',
      'of exp5: exp5_accuracy_results.json or its folder; those here, or what the program ships',
    )
    .option('--run', 'run the request with these knobs: predicted and measured, held or missed')
    .option('--json', 'print one JSON object')
    .action((options) => run(async () => (await import('./commands/budget.ts')).budget(options, debug())));

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

  const what = new Argument('<what...>', 'all, a group, phase1, phase2, or experiments by name');
  what.argChoices = [...WORDS, ...EXPERIMENTS.map(({ name }) => name)]; // to be completed; others' names are taken too
  with_dataset(on_model(program.command('run')), "each experiment's own number")
    .addArgument(what)
    .description('experiments one after the other, each in a process of its own; goes on where it ended')
    .option('--without <name...>', 'leave these out: experiments or groups')
    .option('--quick', 'few cells and runs: to see that all works, not to publish')
    .option('--dry-run', 'say what would be run and what it costs; measure nothing')
    .option('--out <folder>', 'where results go, a folder an experiment in it', 'results')
    .option('--fresh', 'start anew there')
    .option('--json', 'print one JSON object')
    .option('--quiet', 'say nothing but the results, warnings and errors')
    .action((words, flags, command) =>
      run(async () =>
        (await import('./commands/run.ts')).run_experiments(words, flags, passed_on(command, debug()), debug()),
      ),
    );

  program
    .command('merge')
    .argument('<folder...>', 'results of an accuracy experiment, each with the answers of some workers')
    .description('answers of all workers as one result: complete, each counted once, or what is missing; needs no GPU')
    .option('--out <folder>', 'where results go; the first folder when left out')
    .addOption(new Option('--metric <name>', 'score the answers by this one instead').choices(METRICS))
    .option('--json', 'print one JSON object')
    .action((folders, flags) => run(async () => (await import('./commands/merge.ts')).merge(folders, flags)));

  program
    .command('report')
    .argument('<folder>', 'results of an experiment, or a folder of such folders')
    .description('write files, figures and pages of saved results again, and an index of all; nothing is measured')
    .action((folder) => run(async () => (await import('./commands/report.ts')).report(folder)));

  program
    .command('plot')
    .argument('<folder>', 'where published result files lie, itself or in folders of it')
    .description('draw the figures again from the published JSON files alone, ours or the original study’s')
    .option('--out <folder>', 'where figures go; <folder>/figures when left out')
    .action((folder, flags) => run(async () => (await import('./commands/plot.ts')).plot(folder, flags)));

  program
    .command('export')
    .argument('<folder>', 'results of an experiment, a folder of such folders, or one of published files')
    .description('tables of results as files: for papers (LaTeX, Markdown) and, with every single run, for programs')
    .option('--csv', 'RFC 4180, with csv-metadata.json')
    .option('--latex', 'a table a file, for booktabs')
    .option('--markdown', 'a table a file')
    .option('--parquet', 'a table a file')
    .option('--out <folder>', 'where files go; tables/ in each folder when left out')
    .action((folder, flags) => run(async () => (await import('./commands/export.ts')).export_results(folder, flags)));

  program
    .command('claims')
    .argument('[folder]', 'results of experiments, in it or below', 'results')
    .description(
      'published statements: which hold on this machine, by the results that are there, and what would decide the rest',
    )
    .option('--adapter <name>', 'of results of several adapters those of this one, by a part of its name')
    .option('--model <name>', 'of results of several models those of this one')
    .option('--full', 'also where each was said, what decides it, and which files it rests on')
    .option('--json', 'print one JSON object')
    .action((folder, flags) => run(async () => (await import('./commands/claims.ts')).claims(folder, flags)));

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

/** What `run` was given that its experiments are given too, each what it knows. */
function passed_on(command: Command, debug: boolean): (name: string) => string[] {
  const own = ['without', 'dryRun', 'out', 'fresh', 'json', 'quiet'];
  const given = command.options.filter((option) => {
    const name = option.attributeName();
    return !own.includes(name) && command.getOptionValueSource(name) === 'cli';
  });
  return (name) => {
    const experiment = command.parent?.commands.find((one) => one.name() === name);
    const known = given.filter(({ long }) => experiment?.options.some((option) => option.long === long));
    const args = known.map((option) => {
      const value = command.getOptionValue(option.attributeName());
      return value === true ? (option.long as string) : `${option.long}=${value}`;
    });
    return debug ? [...args, '--debug'] : args;
  };
}

const QUICK = 'few cells and runs: to see that all works, not to publish';

/** How questions are asked, scored and shared out. */
function add_answers(command: Command, { timed, repeats }: Experiment): void {
  command
    .option('--batch-size <n>', 'questions that are answered together, to begin with', positive, 64)
    .option('--fixed-batch', 'exactly so many, whatever would fit the adapter')
    .addOption(
      new Option('--metric <name>', "how answers are scored (the data set's own)")
        .choices(METRICS)
        .conflicts('predictOnly'),
    )
    .option('--predict-only', 'keep the answers, score them later: molmoe merge')
    .option('--shard <i/n>', 'answer this part of n, from 0; else what the launcher says, else all', once)
    .option('--timed <n>', `samples that are timed alone besides, never in a batch (${timed})`, integer)
    .option('--runs <n>', `timed runs of each of these (${repeats.runs})`, positive)
    .option('--warmup <n>', `runs before them that do not count (${repeats.warmup})`, integer)
    .option('--quick', QUICK);
  for (const name of ['batch_size', 'num_runs_per_sample'] as const) {
    add_other_name(command, name, name === 'batch_size' ? '--batch-size' : '--runs');
  }
  command.addOption(new Option('--no_auto_adjust_batch_size').hideHelp());
  command.addOption(new Option('--auto_adjust_batch_size').conflicts('fixedBatch').hideHelp());
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
  lists_together(command, experiment);
  const free = (what: (typeof sweeps)[number]) => !sweeps.includes(what);
  if (free('image')) {
    command.option('--image <file>', 'PNG, JPEG, WebP, GIF or TIFF instead of the built-in picture', once);
    command.option('--image-size <size>', 'built-in picture of this size, such as 1008x784, or none');
  }
  if (free('prompt')) {
    command.option('--prompt <text>', 'question', once);
    command.option('--prompt-tokens <n>', 'built-in question of exactly so many tokens', positive);
  }
  const answers = experiment.instrument.name === 'answers';
  if (free('answer')) {
    command.option(
      '--new-tokens <n>',
      answers ? "tokens of an answer at most (the set's room for answers)" : 'new tokens, forced',
      positive,
    );
  }
  if (free('maxCrops')) command.option('--max-crops <n>', 'high-resolution crops at most', positive);
  if (free('topK')) {
    command.option('--top-k <k>', 'experts a token takes; one number, or one a block (8,8,4,...)', list(integer));
  }
  if (free('topKVision')) {
    command.option('--top-k-vision <k>', 'experts that picture tokens take instead, in the same forms', list(integer));
  }
  if (free('blocks')) command.option('--blocks <list>', 'blocks that run, such as 0-7,12, or none');
  const answered = answers || experiment.instrument.name === 'budget';
  if (experiment.dataset !== undefined) add_dataset(command, experiment.dataset, answered);
  if (experiment.instrument.name === 'latency') {
    const { runs, warmup, instrumented } = repeats;
    const once = experiment.once_for === 'shape' ? ', once for each shape of request' : '';
    command
      .option('--runs <n>', `timed runs of each cell (${runs})`, positive)
      .option('--warmup <n>', `runs before them that do not count (${warmup}${once})`, integer)
      .option('--instrumented <n>', `further runs with every kernel stamped (${instrumented}${once})`, integer)
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
  if (answers) add_answers(command, experiment);
  if (runs && !answers) {
    command
      .option('--shuffle <seed>', 'run the cells in an order drawn with this seed', integer)
      .option('--quick', QUICK);
  }
  command
    .option('--dry-run', runs ? 'say what would be run and what it costs; measure nothing' : 'say what would be read')
    .option(
      '--out <folder>',
      `where results go${runs ? '; what is there is continued' : ''}`,
      `results/${experiment.group}/${name}`,
    )
    .option('--fresh', 'start anew there')
    .option('--json', 'print one JSON object')
    .option('--quiet', 'say nothing but the results, warnings and errors');
  for (const [name, flag] of Object.entries(OF_THE_STUDY)) add_other_name(command, name, flag);
  return command;
}

/** Flags of the study's scripts that mean what one of ours means. Its samples of a cell are repetitions: our timed runs. */
const OF_THE_STUDY: Readonly<Record<string, string>> = {
  model_path: '--model',
  output_dir: '--out',
  num_samples: '--runs',
  num_runs: '--runs',
  max_new_tokens: '--new-tokens',
  dataset_name: '--dataset',
};

/** Another name of a flag that the command has: what it is given goes where that flag's value goes. */
class OtherName extends Option {
  readonly of: Option;
  constructor(flags: string, of: Option) {
    super(flags);
    this.of = of;
    this.hideHelp();
    if (of.parseArg !== undefined) this.argParser(of.parseArg);
  }
  override attributeName(): string {
    return this.of.attributeName();
  }
}

/** Unless the command gives the name a meaning of its own, or has no such flag. */
function add_other_name(command: Command, name: string, flag: string): void {
  const of = command.options.find(({ long }) => long === flag);
  const taken = command.options.some(({ long }) => long === `--${name}`);
  if (of !== undefined && !taken) command.addOption(new OtherName(`--${name} <value>`, of));
}

/** Its samples, under the study's flag too. */
function add_dataset(command: Command, { samples, built_in }: OnDataset, letterboxed: boolean): void {
  with_dataset(command, `${samples}; ${built_in} of the built-in set`)
    .addOption(new Option('--num_samples <n>').argParser(positive).conflicts('numSamples').hideHelp())
    .addOption(
      new Option(
        '--resize <how>',
        'how pictures become crops: covering them and cut, as the study does, or letterboxed, as the published model does',
      )
        .choices(['fill', 'pad'])
        .default(letterboxed ? 'pad' : 'fill'),
    );
}

/** The flag of an option, and the study's own names for it, which help does not show. */
function options_of(key: string, type: z.ZodType): Option[] {
  const { kind, many, nested, fallback } = kind_of(type);
  const { description = '', aliases = [], value } = (type.meta() ?? {}) as OptionMeta;
  if (kind === 'toggle') {
    const others = aliases.map((alias) => new Option(`--${alias}`).hideHelp());
    return [new Option(`--${kebab(key)}`, description), ...others];
  }
  const shape = value ?? (many ? '<list>' : kind === 'number' ? '<n>' : `<${kind}>`);
  const shown = fallback === undefined ? '' : ` (${[fallback].flat().join(',')})`;
  const parser = (text: string, before: unknown): unknown =>
    nested ? [...((before as unknown[] | undefined) ?? []), ...(parsed(type, text) as unknown[])] : parsed(type, text);
  const main = new Option(`--${kebab(key)} ${shape}`, `${description}${shown}`).argParser(parser);
  return [main, ...aliases.map((alias) => new OtherName(`--${alias} <value>`, main))];
}

/** The study writes lists as words: `--top_k_values 1 2 4`. Commander would not say where a second list begins. */
function lists_together(command: Command, { options }: Experiment): void {
  const flags = Object.values(options).flatMap((type) =>
    kind_of(type).many ? (((type.meta() ?? {}) as OptionMeta).aliases ?? []).map((alias) => `--${alias}`) : [],
  );
  const parse = command.parseOptions.bind(command);
  command.parseOptions = (args) => parse(joined(args, flags));
}

/** The values that follow each of these flags as one: `1 2 4` as `1,2,4`. */
function joined(args: readonly string[], flags: readonly string[]): string[] {
  const result: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    result.push(arg);
    if (!flags.includes(arg)) continue;
    const values: string[] = [];
    while (i + 1 < args.length && !/^-\D/.test(args[i + 1] as string)) values.push(args[++i] as string);
    if (values.length > 0) result.push(values.join(','));
  }
  return result;
}

/** Text of a flag as the option's type wants it; what the type refuses is refused in its words. */
function parsed(type: z.ZodType, text: string): unknown {
  const { kind, many, nested, choices } = kind_of(type);
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
  const checked = type.safeParse(nested ? [value] : value);
  if (checked.success) return checked.data;
  const { message, path } = checked.error.issues[0] as z.core.$ZodIssue;
  const place = path.at(-1);
  const at = typeof place === 'number' ? ` at place ${place + 1}` : '';
  throw new InvalidArgumentError(`${message.replace(/^Invalid input: /, '')}${at}.`);
}
