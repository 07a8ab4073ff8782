import { InputError } from '../../engine/errors.ts';
import { formula_picture } from '../../engine/input/pictures.ts';
import type { Dataset } from '../../experiments/datasets/dataset.ts';

/** A small data set for tests: it counts what it opens, and its pictures can be broken. */
export interface ToyDataset extends Dataset {
  /** Ids of samples whose picture cannot be opened. */
  readonly broken: Set<string>;
  readonly opened: string[];
}

export function toy_dataset(sizes: readonly (readonly [number, number])[], wait_ms = 0): ToyDataset {
  const broken = new Set<string>();
  const opened: string[] = [];
  return {
    ...{ name: 'toy', split: 'test', size: sizes.length, digest: 'toy-1', source: 'made for tests' },
    broken,
    opened,
    async *samples(from = 0) {
      for (const [n, [width, height]] of sizes.entries()) {
        if (n < from) continue;
        const id = `q${n}`;
        const sound = () => {
          if (broken.has(id)) throw new InputError(`${id}.jpg: cannot be decoded: cut off`);
        };
        yield {
          id,
          picture: {
            name: `${id}.jpg`,
            size: async () => {
              sound();
              return { width, height };
            },
            open: async () => {
              opened.push(id);
              sound();
              await new Promise((resolve) => setTimeout(resolve, wait_ms));
              return formula_picture('ramp', width, height);
            },
          },
          question: 'What is this?',
          style: 'vqa2',
          answers: ['a ramp'],
          metadata: { image_id: n, example_id: 10 * n, question_type: 'what' },
        };
      }
    },
  };
}
