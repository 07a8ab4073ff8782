import type { Shard } from './shard.ts';
import { in_shard } from './shard.ts';

export interface Key {
  readonly sample: string;
  /** Its hash. */
  readonly configuration: string;
}

/**
 * Every sample with every configuration, numbered in the order of the summary: by configuration, then by the sample's
 * place. What is known of a key lies in arrays at its number: a million keys are a few megabytes.
 */
export interface Grid {
  readonly size: number;
  readonly samples: number;
  /** undefined for a key that the run does not ask. */
  slot(sample: string, configuration: string): number | undefined;
  key(slot: number): Key;
}

export function grid_of(samples: readonly string[], configurations: readonly string[]): Grid {
  const places = new Map(samples.map((sample, place) => [sample, place]));
  const rows = new Map(configurations.map((configuration, row) => [configuration, row]));
  return {
    size: samples.length * configurations.length,
    samples: samples.length,
    slot: (sample, configuration) => {
      const [place, row] = [places.get(sample), rows.get(configuration)];
      return place === undefined || row === undefined ? undefined : row * samples.length + place;
    },
    key: (slot) => ({
      sample: samples[slot % samples.length] as string,
      configuration: configurations[Math.floor(slot / samples.length)] as string,
    }),
  };
}

/** Slots of a shard, in the grid's order. */
export function* slots_of(grid: Grid, shard: Shard): Generator<number> {
  for (let slot = 0; slot < grid.size; slot++) {
    const { sample, configuration } = grid.key(slot);
    if (in_shard(shard, sample, configuration)) yield slot;
  }
}
