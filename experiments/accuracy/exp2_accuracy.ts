import { described, wholes } from '../lab/options.ts';
import { costs_answers, type SweepRow } from './sweep.ts';
import { accuracy_sweep } from './sweep_experiment.ts';

/** Experts a token: each one fewer is fewer weights read. What do the answers lose? */
export const exp2_accuracy = accuracy_sweep({
  name: 'exp2_accuracy',
  aliases: ['exp2-accuracy', 'accuracy-topk'],
  title: 'Experts a token: what they cost in answers',
  question: 'How do answers change with the experts that each token takes?',
  ...{ axis: 'top_k', label: 'Experts a token', figure: 'exp2_accuracy_vs_top_k' },
  ...{ file: 'exp2_accuracy_results', cell_file: 'top_k' },
  options: {
    topK: described(wholes(1, 64).optional(), 'experts a token takes; from one to all of a block when left out', {
      aliases: ['top_k_values'],
    }),
  },
  sweeps: ['topK'],
  quick: { topK: [1, 8] },
  points: ({ config: { n_experts, top_k } }, { topK }) => {
    const usual = [1, 2, 4, ...Array.from({ length: n_experts / 4 }, (_, i) => 4 * (i + 1)), top_k];
    const values = topK ?? [...new Set(usual)].filter((k) => k <= n_experts);
    return values
      .toSorted((a, b) => a - b)
      .map((value) => ({
        value,
        knobs: value === top_k ? {} : { topK: value },
        ...(value > n_experts
          ? { reason: `expected at most ${n_experts} experts, all of a block, found ${value}` }
          : {}),
      }));
  },
  findings: (summary) => [
    costs_answers('With a single expert answers are worse', 'top_k', summary, (rows) =>
      rows.find((row) => row.top_k === 1),
    ),
    costs_answers('More experts than the model was trained with make answers worse', 'top_k', summary, (rows) =>
      rows.findLast((row) => Number(row.top_k) > full_value(rows)),
    ),
  ],
});

const full_value = (rows: readonly SweepRow[]): number =>
  Number(
    rows.find((row) => row.against_full === null && row.percent_of_full !== null)?.top_k ?? Number.POSITIVE_INFINITY,
  );
