import type { OpenModel } from '../../engine/node/load.ts';
import { is_shipped } from '../../engine/node/shipped_model.ts';

/** Where to write, how to tell and what to throw away: nothing that a result depends on. */
const SILENT = ['--json', '--quiet', '--fresh', '--recalibrate', '--dry-run', '--debug'];

/** The words that ask for the same again, by the experiment's own name. */
export function own_words(name: string, given: readonly string[]): string[] {
  const words = [...given];
  const kept: string[] = [];
  while (words.length > 0) {
    const word = words.shift() as string;
    if (word === '--out') words.shift();
    else if (!word.startsWith('--out=') && !SILENT.includes(word)) kept.push(word);
  }
  return [name, ...kept.slice(1)]; // the first is the command, perhaps by another name
}

/** Those that measure the same again: also with the model and storage that were chosen here where that was left open. */
export function own_command(name: string, given: readonly string[], { facts }: Pick<OpenModel, 'facts'>): string[] {
  const kept = own_words(name, given);
  const names = (flag: string) => kept.some((word) => word === flag || word.startsWith(`${flag}=`));
  const by_name = facts.weights_kind === 'synthetic' || is_shipped(facts.name);
  return [
    ...kept,
    ...(by_name && !names('--model') ? ['--model', facts.name] : []),
    ...(names('--dtype') ? [] : ['--dtype', facts.dtype]),
  ];
}
