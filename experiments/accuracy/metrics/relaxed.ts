import { read_number } from './numbers.ts';

/** Numbers may be off by so much of the target. */
const TOLERANCE = 0.05;

/** "10%" and "10%%" are 0.1. */
function value_of(text: string): number | null {
  if (!text.endsWith('%')) return read_number(text);
  const value = read_number(text.replace(/%+$/, ''));
  return value === null ? null : value / 100;
}

/** Numbers within 5 %; everything else, and a target of 0, must be the same text but for its case. */
export function relaxed_correctness(target: string, prediction: string): boolean {
  const [found, want] = [value_of(prediction), value_of(target)];
  if (found === null || want === null || want === 0) return prediction.toLowerCase() === target.toLowerCase();
  return Math.abs(found - want) / Math.abs(want) <= TOLERANCE;
}
