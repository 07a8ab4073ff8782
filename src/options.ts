import { InvalidArgumentError } from 'commander';

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

/** Ctrl-C asks the work to stop; a second one ends the process. */
export function interruptible(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort());
  return controller.signal;
}
