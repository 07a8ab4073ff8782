import { type Command, Option } from 'commander';
import { model_names } from '../engine/node/shipped_model.ts';
import { LATENCY_METRICS } from '../experiments/lab/pareto.ts';
import { once, positive, with_dataset } from './options.ts';

type Run = (action: () => Promise<number | undefined>) => Promise<void>;
/** Description, options and action of a tool. */
type Make = (command: Command) => Command;

/** The study's name of an option: accepted, and not shown. */
const also = <T>(command: Command, flag: string, main: string, parse: (text: string, before: T) => T): Command =>
  command.addOption(new Option(flag).argParser(parse).conflicts(main).hideHelp());

const on_dataset: Make = (command) => {
  with_dataset(command, 'all');
  also(command, '--dataset_name <name>', 'dataset', once);
  return also(command, '--sample_size <n>', 'numSamples', positive);
};

const with_model: Make = (command) =>
  command.option(
    '--model <model>',
    `checkpoint folder, ${model_names.join(', ')}, or auto: the folder checkpoints/ if it is there, else molmoe-1b`,
    'auto',
  );

/** What looks at data sets and results without running a model: `molmoe analyze pareto`, and hidden, the study's own name. */
export function add_analyze(program: Command, run: Run): void {
  const analyze = program
    .command('analyze')
    .description('looks at data sets and results: lengths of answers, crops that pictures want, Pareto fronts');

  const tools: Readonly<Record<string, readonly [study: string, make: Make]>> = {
    'answer-lengths': [
      'analyze_vqa_answer_lengths',
      (command) => {
        with_model(on_dataset(command))
          .description('how many tokens reference answers take, and how many new tokens are enough for them')
          .option('--tokenizer <folder>', 'folder with tokenizer.json, where the model has none', once);
        return also(command, '--tokenizer_path <folder>', 'tokenizer', once).action((flags) =>
          run(async () => (await import('./commands/analyze/answer_lengths.ts')).tell_answer_lengths(flags)),
        );
      },
    ],
    'crops-needed': [
      'analyze_vqa_max_crops',
      (command) => {
        with_model(on_dataset(command))
          .description('how many crops pictures would be cut into if nothing capped them, from their sizes alone')
          .option('--max-crops <n>', 'the largest cap to recommend (100)', positive)
          .option('--workers <n>', 'headers of pictures read at once (4)', positive)
          .option('--orient', 'turn pictures as their EXIF orientation says');
        also(command, '--model_path <folder>', 'model', once);
        also(command, '--max_crops <n>', 'maxCrops', positive);
        return also(command, '--num_workers <n>', 'workers', positive).action((flags) =>
          run(async () => (await import('./commands/analyze/crops_needed.ts')).tell_crops_needed(flags)),
        );
      },
    ],
    pareto: [
      'compare_pareto_frontiers',
      (command) => {
        command
          .description(
            'fronts of accuracy against total, prefill and decode time, and which configurations are on them',
          )
          .option('--accuracy <place>', 'exp5_accuracy_results.json, or the folder that has it', once)
          .option('--latency <place>', 'exp6_latency_results.json, or the folder that has it', once)
          .addOption(new Option('--metric <name>', 'of the latencies (mean)').choices(LATENCY_METRICS))
          .option('--out <file>', 'write the text there too', once);
        also(command, '--exp5_dir <folder>', 'accuracy', once);
        also(command, '--exp6_file <file>', 'latency', once);
        also(command, '--output_file <file>', 'out', once);
        return command
          .addOption(new Option('--latency_metric <name>').choices(LATENCY_METRICS).conflicts('metric').hideHelp())
          .action((flags) => run(async () => (await import('./commands/analyze/pareto.ts')).tell_pareto(flags)));
      },
    ],
  };
  for (const [name, [study, make]] of Object.entries(tools)) {
    const as_json: Make = (command) => make(command).option('--json', 'print one JSON object');
    as_json(analyze.command(name));
    for (const parent of [analyze, program]) as_json(parent.command(study, { hidden: true }));
  }
}
