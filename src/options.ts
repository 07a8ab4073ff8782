import { type Command, InvalidArgumentError, Option } from 'commander';

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

export const list =
  <T>(item: (text: string) => T) =>
  (text: string): T[] =>
    text.split(',').map(item);

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
    .addOption(new Option('--variant <name>', 'kernel family').choices(['auto', 'tiled', 'lanes']).default('auto'))
    .option('--validate', "keep WebGPU's validation and bounds checks on (slower)");

/** Ctrl-C asks the work to stop; a second one ends the process. */
export function interruptible(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort());
  return controller.signal;
}
