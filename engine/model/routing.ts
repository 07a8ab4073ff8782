import type { Executor } from '../gpu/executor.ts';
import type { ModelConfig } from './config.ts';
import type { Probe } from './context.ts';

/** How many token-expert pairs each expert got. */
export interface LayerRouting {
  readonly layer: number;
  readonly prefill: readonly number[];
  /** Of those of prefill: the pairs of picture tokens. */
  readonly pictures: readonly number[];
  readonly decode: readonly number[];
}

export interface Routing {
  readonly layers: readonly LayerRouting[];
  /** Pairs of the busiest expert over the mean of all, averaged over layers: 1 is a perfect balance. */
  readonly imbalance: { readonly prefill: number | undefined; readonly decode: number | undefined };
}

/** Reads every router's choice back and counts it. Each readback is a fence: times of such a request are not plain ones. */
export function count_routing(
  executor: Executor,
  config: ModelConfig,
  prompt_rows: number,
  /** Rows of the prompt that the picture speaks in. */
  picture_rows: ReadonlySet<number> = new Set(),
): { readonly probe: Probe; readonly result: () => Routing } {
  const layers = new Map<number, { seen: number; prefill: number[]; pictures: number[]; decode: number[] }>();
  const none = () => new Array<number>(config.n_experts).fill(0);
  return {
    async probe(point, layer, view) {
      if (point !== 'router.experts') return;
      const counts = layers.get(layer) ?? { seen: 0, prefill: none(), pictures: none(), decode: none() };
      layers.set(layer, counts);
      const chosen = new Uint32Array(await executor.read(view.buffer, 0, 4 * view.rows * view.stride));
      const pairs = counts.seen < prompt_rows ? counts.prefill : counts.decode;
      // A row that takes fewer experts than another of its chunk leaves slots empty.
      for (const [i, expert] of chosen.entries()) {
        if (expert >= pairs.length) continue;
        pairs[expert] = (pairs[expert] as number) + 1;
        const of_picture = picture_rows.has(counts.seen + Math.floor(i / view.stride));
        if (of_picture) counts.pictures[expert] = (counts.pictures[expert] as number) + 1;
      }
      counts.seen += view.rows;
    },
    result() {
      const ran = [...layers]
        .sort(([a], [b]) => a - b)
        .map(([layer, { prefill, pictures, decode }]) => ({ layer, prefill, pictures, decode }));
      return {
        layers: ran,
        imbalance: {
          prefill: imbalance(ran.map((layer) => layer.prefill)),
          decode: imbalance(ran.map((layer) => layer.decode)),
        },
      };
    },
  };
}

/** Busiest over mean, averaged over layers; undefined where nothing was routed. */
export function imbalance(layers: readonly (readonly number[])[]): number | undefined {
  const ratios = layers.flatMap((pairs) => {
    const total = pairs.reduce((sum, n) => sum + n, 0);
    return total === 0 ? [] : [(Math.max(...pairs) * pairs.length) / total];
  });
  return ratios.length === 0 ? undefined : ratios.reduce((sum, x) => sum + x, 0) / ratios.length;
}
