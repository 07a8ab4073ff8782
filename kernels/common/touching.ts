import type { Variant } from '../spec.ts';

/** A `lanes` variant without and with a touch of each cache line before lanes gather from it: see lane_columns.wgsl. */
export const touching = <P extends string>(
  variant: (name: Variant<P>['name'], consts: () => { readonly TOUCH: boolean }) => Variant<P>,
): readonly Variant<P>[] => [
  variant('lanes', () => ({ TOUCH: false })),
  variant('lanes_touch', () => ({ TOUCH: true })),
];
