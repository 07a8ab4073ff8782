import { UsageError } from '../../engine/errors.ts';
import { shown } from '../../engine/weights/text.ts';
import { type Experiment, GROUPS } from '../../experiments/lab/define.ts';

type Named = Pick<Experiment, 'name' | 'aliases' | 'group'>;

const motivation = (...numbers: number[]): string[] => numbers.map((number) => `motivation-exp${number}`);

/** What the study's scripts ran together: run_all_experiments.sh, run_phase1.sh, run_phase2.sh, run_exp1.sh ... */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  phase1: motivation(1, 2),
  phase2: motivation(3, 4, 5),
  all_experiments: motivation(1, 2, 3, 4, 5),
  ...Object.fromEntries([1, 2, 3, 4, 5].map((number) => [`exp${number}`, motivation(number)])),
};

/** What `run` can be asked for by one word, apart from single experiments; shown in help. */
export const WORDS: readonly string[] = ['all', ...GROUPS, 'phase1', 'phase2'];

/** The experiments that words name, each once, in the order of the list, whichever way they were named. */
export function chosen<E extends Named>(
  words: readonly string[],
  without: readonly string[],
  experiments: readonly E[],
): E[] {
  const left_out = without.flatMap((word) => named(word, experiments));
  const wanted = words.flatMap((word) => named(word, experiments)).filter((one) => !left_out.includes(one));
  if (wanted.length === 0) {
    throw new UsageError(
      `--without ${without.join(' ')}: expected an experiment to be left, found none; leave fewer out`,
    );
  }
  return experiments.filter((one) => wanted.includes(one));
}

function named<E extends Named>(word: string, experiments: readonly E[]): readonly E[] {
  const plain = word.replace(/^run_/, '').replace(/\.(sh|py)$/, '');
  const is_called = ({ name, aliases }: Named) => [word, plain].some((one) => one === name || aliases.includes(one));
  const found =
    word === 'all'
      ? experiments
      : (GROUPS as readonly string[]).includes(word)
        ? experiments.filter(({ group }) => group === word)
        : experiments.filter((one) => is_called(one) || (PARTS[plain] ?? []).includes(one.name));
  if (found.length > 0) return found;
  const names = experiments.map(({ name }) => name).join(', ');
  throw new UsageError(
    WORDS.includes(word)
      ? `${word}: expected an experiment of this name, found none yet; name others (${names})`
      : `${shown(word)}: expected ${WORDS.join(', ')} or experiments (${names}); molmoe list tells of each`,
  );
}
