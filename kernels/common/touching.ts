import { format_name, next_power, type Options, type Variant } from '../spec.ts';

/** A `lanes` variant without and with a touch of each cache line before lanes gather from it: see lane_columns.wgsl. */
export const touching = <P extends string>(
  variant: (name: Variant<P>['name'], consts: () => { readonly TOUCH: boolean }) => Variant<P>,
): readonly Variant<P>[] => [
  variant('lanes', () => ({ TOUCH: false })),
  variant('lanes_touch', () => ({ TOUCH: true })),
];

/** Whether touching helps hangs on the driver, hardly on the sizes. */
export const few_rows_class = (p: { readonly rows: number }, o: Options): string =>
  `rows<=${next_power(p.rows, 4)} ${format_name(o.WEIGHT_FORMAT)}`;
