import { InvalidArgumentError } from 'commander';

export function integer(text: string): number {
  if (!/^\d{1,15}$/.test(text.trim())) throw new InvalidArgumentError('expected a whole number.');
  return Number(text);
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

/** Ctrl-C asks the work to stop; a second one ends the process. */
export function interruptible(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort());
  return controller.signal;
}
