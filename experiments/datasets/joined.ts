import { createHash } from 'node:crypto';
import type { Dataset } from './dataset.ts';

/** Splits one after the other, as one set. */
export function joined(sets: readonly Dataset[]): Dataset {
  const [first] = sets as [Dataset];
  if (sets.length === 1) return first;
  const list = (what: (set: Dataset) => string) => sets.map(what);
  return {
    name: first.name,
    split: list(({ split }) => split).join('+'),
    size: sets.reduce((sum, { size }) => sum + size, 0),
    digest: createHash('sha256')
      .update(list(({ digest }) => digest).join())
      .digest('hex'),
    source: [...new Set(list(({ source }) => source))].join('; '),
    async *samples(from = 0) {
      let before = 0;
      for (const set of sets) {
        const start = from - before;
        before += set.size;
        if (start < set.size) yield* set.samples(Math.max(0, start));
      }
    },
  };
}
