import { FORMATS, is_quantised, type Options } from '../spec.ts';
import eight from './eight.wgsl';
import floats from './weights.wgsl';
import q4 from './weights_q4.wgsl';
import q8 from './weights_q8.wgsl';
import quantised from './weights_quantised.wgsl';

/** WGSL that declares the binding `weights` and reads it in the format that the options name. */
export function weights({ WEIGHT_FORMAT }: Options): string {
  if (!is_quantised(Number(WEIGHT_FORMAT))) return eight + floats;
  return eight + quantised + (WEIGHT_FORMAT === FORMATS.q8 ? q8 : q4);
}
