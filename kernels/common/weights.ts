import { FORMATS, is_quantised, type Options, type Traits } from '../spec.ts';
import eight from './eight.wgsl';
import loop from './lanes_loop.wgsl';
import loop_quantised from './lanes_loop_quantised.wgsl';
import products from './lanes_products.wgsl';
import floats from './weights.wgsl';
import q4 from './weights_q4.wgsl';
import q8 from './weights_q8.wgsl';
import quantised from './weights_quantised.wgsl';

const is_in_groups = (o: Options): boolean => is_quantised(Number(o.WEIGHT_FORMAT));

/** WGSL that declares the binding `weights` and reads it in the format that the options name. */
export function weights(o: Options): string {
  if (!is_in_groups(o)) return eight + floats;
  return eight + quantised + (o.WEIGHT_FORMAT === FORMATS.q8 ? q8 : q4);
}

/** ROWS, 8 or 16, rows times eight columns a lane, for the `lanes` products of many rows. */
export const lanes_products = (o: Options): string => products + (is_in_groups(o) ? loop_quantised : loop);

/** A team hands rows round: eight lanes, or all where a subgroup has fewer. */
export const team_consts = ({ subgroup_size }: Traits) => ({ LANES: subgroup_size, TEAM: Math.min(8, subgroup_size) });
