import { constants } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { preset_names } from '../engine/model/presets.ts';
import { FORMATS } from '../kernels/spec.ts';

const WEIGHT_FORMATS = Object.keys(FORMATS);

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

/** The options of every command that opens an adapter. */
export const on_adapter = (command: Command): Command =>
  command
    .option('--adapter <name>', 'a part of the adapter name, its number, or auto', 'auto')
    .addOption(
      new Option('--backend <name>', 'graphics API').choices([
        'vulkan',
        'metal',
        'd3d12',
        'd3d11',
        'opengl',
        'opengles',
      ]),
    )
    .addOption(new Option('--power <preference>', 'which GPU of several').choices(['high-performance', 'low-power']))
    .option('--validate', "keep WebGPU's validation and bounds checks on (slower)");

/** The options of every command that runs the model's kernels. */
export const with_variants = (command: Command): Command =>
  command
    .addOption(
      new Option('--variant <name>', 'kernel family').choices(['auto', 'tiled', 'lanes', 'matrix']).default('auto'),
    )
    .addOption(
      new Option('--tuning <which>', 'use what `molmoe tune` measured or the program ships, or only the first variants')
        .choices(['auto', 'off'])
        .default('auto'),
    );

/** The options of every command that loads a model. */
export const with_model = (command: Command): Command =>
  command
    .option('--model <model>', `checkpoint folder, ${preset_names.join(', ')} (synthetic weights), or auto`, 'auto')
    .addOption(
      new Option('--dtype <format>', 'storage of the weights: f16, or with --model auto the largest that fits').choices(
        WEIGHT_FORMATS,
      ),
    )
    .option('--weights-seed <n>', 'seed of synthetic weights', integer, 1)
    .option('--tokenizer <folder>', 'folder with tokenizer.json, where the model has none');

export const on_model = (command: Command): Command => with_model(with_variants(on_adapter(command)));

/** The knobs of a request. */
export const with_knobs = (command: Command): Command =>
  command
    .option('--max-crops <n>', 'high-resolution crops at most', positive)
    .option('--top-k <k>', 'experts a token takes; one number, or one a block (8,8,4,...)', list(integer))
    .option('--top-k-vision <k>', 'experts that picture tokens take instead, in the same forms', list(integer))
    .option('--blocks <list>', 'blocks that run, such as 0-7,12, or none');

let ended_by: 'SIGINT' | 'SIGTERM' = 'SIGINT';

/** The exit code of work that a signal asked to stop, as shells count it. */
export const interrupted_code = (): number => 128 + constants.signals[ended_by];

/** Ctrl-C, or a polite kill, asks the work to stop and to clean up; a second one ends the process. */
export function interruptible(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      ended_by = name;
      controller.abort();
    });
  }
  return controller.signal;
}
