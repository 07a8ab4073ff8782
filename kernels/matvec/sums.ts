import { is_quantised, type Options } from '../spec.ts';
import lane_columns from './lane_columns.wgsl';
import lanes from './lanes_sum.wgsl';
import lanes_quantised from './lanes_sum_quantised.wgsl';
import slices_add from './slices_add.wgsl';
import slices from './slices_sum.wgsl';
import slices_quantised from './slices_sum_quantised.wgsl';

const quantised = (o: Options): boolean => is_quantised(Number(o.WEIGHT_FORMAT));

/** `lanes_sum`: 16 columns a lane of x * W. Quantised weights are added up unscaled, 32 rows at a time. */
export const lanes_sum = (o: Options): string => lane_columns + (quantised(o) ? lanes_quantised : lanes);

/** `slice_sum` and `add_slices`: the same for workgroups of 256 that share out k. */
export const slices_sum = (o: Options): string => slices_add + (quantised(o) ? slices_quantised : slices);
