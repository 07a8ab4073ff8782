import type { Basis, Experiment, Saved } from './define.ts';
import { basis_of } from './derive.ts';
import type { Configuration } from './schema.ts';
import { scaled_of } from './typical.ts';

/** As the experiment sees what is saved: its cells in their order, with the times that its numbers rest on. */
export const seen_by = (experiment: Experiment, saved: Saved): Saved => ({
  ...saved,
  configurations: on_basis(experiment.sorted(saved.configurations), experiment.basis),
});

/** What its numbers are where they are not simply measured. */
export const basis_for = ({ basis }: Experiment, { configurations }: Saved): string | undefined =>
  basis === 'beside' ? undefined : basis_of(configurations);

function on_basis(cells: readonly Configuration[], basis: Basis): readonly Configuration[] {
  const unscaled = cells.find((one) => scaled_of(one) === null);
  if (basis === 'each' || basis === 'beside' || (basis === 'one' && unscaled === undefined)) return cells;
  const why_not =
    basis === 'measured'
      ? 'this experiment is about the times that were measured'
      : `${unscaled?.key} has no scaled times, and the cells are held against each other`;
  return cells.map((one) => (one.scaled === null ? one : { ...one, scaled: { why_not } }));
}
