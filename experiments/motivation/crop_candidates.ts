import { choose_tiling } from '../../engine/input/tiling.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { crop_choice } from '../../engine/request.ts';
import { unpainted_sample } from '../datasets/shapes.ts';
import { picture_of } from '../datasets/shapes_picture.ts';
import { pictures_for } from '../datasets/shapes_scene.ts';
import type { NamedPicture, Subject } from '../lab/inputs.ts';

/** A picture that may be looked at: painted only if it is. */
export interface Candidate {
  readonly id: string;
  readonly width: number;
  readonly height: number;
  readonly crops: number;
  readonly paint: () => NamedPicture;
}

/** Of the built-in set's test split, in its order. */
export function built_in({ config, asked }: Subject, count: number): Candidate[] {
  const geometry = geometry_of(config);
  const sizes = pictures_for(geometry);
  return Array.from({ length: count }, (_, n) => {
    const { id, scene } = unpainted_sample('test', n, sizes);
    const { width, height } = scene;
    const { rows, cols } = choose_tiling(width, height, crop_choice(asked.knobs ?? {}, config), geometry);
    return { id, width, height, crops: rows * cols, paint: () => ({ name: id, picture: picture_of(scene) }) };
  });
}

export const smallest = (found: readonly Candidate[], count: number): Candidate[] =>
  found.toSorted((a, b) => a.width * a.height - b.width * b.height).slice(0, count);

/** One picture for each number of crops; of many numbers some that lie evenly, and always the one nearest to the target. */
export function one_of_each_count(found: readonly Candidate[], count: number, target: number): Candidate[] {
  const firsts = found.filter((one, i) => found.findIndex(({ crops }) => crops === one.crops) === i);
  const ascending = firsts.sort((a, b) => a.crops - b.crops);
  if (ascending.length <= count) return ascending;
  const nearest = ascending.reduce((a, b) => (Math.abs(b.crops - target) < Math.abs(a.crops - target) ? b : a));
  const others = ascending.filter((one) => one !== nearest);
  const picks = Array.from(
    { length: count - 1 },
    (_, i) => others[Math.floor(((i + 0.5) * others.length) / (count - 1))],
  );
  return ascending.filter((one) => one === nearest || picks.includes(one));
}
