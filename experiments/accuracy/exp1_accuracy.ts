import { described, whole, wholes } from '../lab/options.ts';
import { costs_answers } from './sweep.ts';
import { accuracy_sweep } from './sweep_experiment.ts';

/** Crops of a picture: fewer are fewer views to encode and fewer tokens to read. What do the answers lose? */
export const exp1_accuracy = accuracy_sweep({
  name: 'exp1_accuracy',
  aliases: ['exp1-accuracy', 'accuracy-crops'],
  title: 'Crops at most: what they cost in answers',
  question: 'How do answers change with the crops that a picture may be cut into?',
  ...{ axis: 'max_crops', label: 'Crops at most', figure: 'exp1_accuracy_vs_max_crops' },
  ...{ file: 'exp1_accuracy_results', cell_file: 'max_crops' },
  options: {
    maxCrops: described(wholes(1, 100).optional(), 'crops at most; from one to those of the model when left out', {
      aliases: ['max_crops_list'],
    }),
    startFrom: described(whole(1, 100).default(1), 'leave out fewer crops than this', {
      aliases: ['start_from_max_crops'],
    }),
  },
  sweeps: ['maxCrops'],
  quick: { maxCrops: [1, 6] },
  points: ({ config: { max_crops } }, { maxCrops, startFrom }) =>
    (maxCrops ?? Array.from({ length: max_crops }, (_, i) => i + 1))
      .filter((value) => value >= startFrom)
      .toSorted((a, b) => a - b)
      .map((value) => ({ value, knobs: value === max_crops ? {} : { maxCrops: value } })),
  findings: (summary) => [
    costs_answers('With a single crop answers are worse', 'max_crops', summary, (rows) =>
      rows.find((row) => row.max_crops === 1),
    ),
    costs_answers('Answers have not saturated one crop before the most', 'max_crops', summary, (rows) =>
      rows.length > 2 ? rows.at(-2) : undefined,
    ),
  ],
});
