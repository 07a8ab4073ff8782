import { constants } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { preset_names } from '../engine/model/presets.ts';
import { DATASET_NAMES } from '../experiments/datasets/catalogue.ts';
import { FORMATS } from '../kernels/spec.ts';

export const WEIGHT_FORMATS = Object.keys(FORMATS);

export function integer(text: string): number {
  if (!/^\d{1,15}$/.test(text.trim())) throw new InvalidArgumentError('expected a whole number.');
  return Number(text);
}

export function positive(text: string): number {
  const value = integer(text);
  if (value === 0) throw new InvalidArgumentError('expected at least 1.');
  return value;
}

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('expected a number.');
  return value;
}

/** Of an option that is given twice only the last would count: most likely not what was meant. */
export function once(text: string, before: string | undefined): string {
  if (before !== undefined) throw new InvalidArgumentError('expected it once, found it twice.');
  return text;
}

export const list =
  <T>(item: (text: string) => T) =>
  (text: string): T[] =>
    text.split(',').map(item);

/** maxCrops -> max-crops. */
export const kebab = (key: string): string => key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

export const one_line = (text: string): string => text.trim().replace(/\s*\n\s*/g, ' ');

export const backend_option = (): Option =>
  new Option('--backend <name>', 'graphics API').choices(['vulkan', 'metal', 'd3d12', 'd3d11', 'opengl', 'opengles']);

/** The options of every command that opens an adapter. */
export const on_adapter = (command: Command): Command =>
  command
    .option('--adapter <name>', 'a part of the adapter name, its number, or auto', 'auto')
    .addOption(backend_option())
    .addOption(new Option('--power <preference>', 'which GPU of several').choices(['high-performance', 'low-power']))
    .option('--validate', "keep WebGPU's validation and bounds checks on (slower)");

/** The options of every command that runs the model's kernels. */
export const with_variants = (command: Command): Command =>
  command
    .addOption(
      new Option('--variant <name>', 'kernel family').choices(['auto', 'tiled', 'lanes', 'matrix']).default('auto'),
    )
    .addOption(
      new Option(
        '--tuning <which>',
        'variants that were measured to be fastest here or on such an adapter (auto: experiments measure for up to 20 s where nothing is known; kept: never), or the first ones (off)',
      )
        .choices(['auto', 'kept', 'off'])
        .default('auto'),
    );

/** The options of every command that loads a model. */
export const with_model = (command: Command): Command =>
  command
    .option(
      '--model <model>',
      `checkpoint folder, ${preset_names.join(', ')} (synthetic weights), nano (trained), or auto`,
      'auto',
    )
    .addOption(
      new Option('--dtype <format>', 'storage of the weights: f16, or with --model auto the largest that fits').choices(
        WEIGHT_FORMATS,
      ),
    )
    .option('--weights-seed <n>', 'seed of synthetic weights', integer, 1)
    .option('--tokenizer <folder>', 'folder with tokenizer.json, where the model has none');

export const on_model = (command: Command): Command => with_model(with_variants(on_adapter(command)));

/** Which samples of which data set; `samples` says how many where that is not asked. */
export const with_dataset = (command: Command, samples: string): Command =>
  command
    .option('--dataset <name>', `built-in: shapes, the default; from files: ${DATASET_NAMES.slice(1).join(', ')}`, once)
    .option('--split <name>', "of the data set, or several as a+b (the set's usual one)", once)
    .option('--data-dir <folder>', 'where its files lie', once)
    .option('--num-samples <n>', `samples from its beginning (${samples})`, positive);

/** The knobs of a request. */
export const with_knobs = (command: Command): Command =>
  command
    .option('--max-crops <n>', 'high-resolution crops at most', positive)
    .option('--top-k <k>', 'experts a token takes; one number, or one a block (8,8,4,...)', list(integer))
    .option('--top-k-vision <k>', 'experts that picture tokens take instead, in the same forms', list(integer))
    .option('--blocks <list>', 'blocks that run, such as 0-7,12, or none');

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;
let ended_by: (typeof SIGNALS)[number] = 'SIGINT';

/** The exit code of work that a signal asked to stop, as shells count it. */
export const interrupted_code = (): number => 128 + constants.signals[ended_by];

/**
 * Ctrl-C, or a polite kill, asks the work to stop and to clean up; a second one ends the process. So does the end of the
 * runner that started it: nothing goes on measuring that nobody waits for.
 */
export function interruptible(): AbortSignal {
  const controller = new AbortController();
  const stop = (name: typeof ended_by) => {
    ended_by = name;
    controller.abort();
  };
  for (const name of SIGNALS) process.once(name, () => stop(name));
  if (process.channel) {
    process.once('disconnect', () => stop('SIGTERM'));
    process.channel.unref();
  }
  return controller.signal;
}

/** Every Ctrl-C and polite kill until `end`: for what has to pass them on. */
export function on_interrupts(act: (name: NodeJS.Signals) => void): { readonly end: () => void } {
  const listeners = SIGNALS.map((name) => {
    const listener = () => {
      ended_by = name;
      act(name);
    };
    process.on(name, listener);
    return () => process.off(name, listener);
  });
  return { end: () => listeners.forEach((remove) => void remove()) };
}
