import { NO_EXPERT } from '../../kernels/moe_route/moe_route.ts';

/** What a router showed of some tokens, and what was chosen for them. */
export interface Routed {
  readonly n_experts: number;
  /** Experts that each row is to take: of its slots the first so many. */
  readonly takes: readonly number[];
  readonly slots: number;
  readonly logits: Float32Array; // [rows, n_experts]
  readonly experts: Uint32Array; // [rows, slots]
  readonly weights: Float32Array; // [rows, slots]
}

/** Weights are f32, of an f32 exponential: their largest honest difference to the same in f64. */
export const WEIGHT_LIMIT = 1e-5;

/** Rows where something is not as it must be, and what was found of weights. */
export interface RoutingFacts {
  readonly rows: number;
  /** Slots that hold an expert, and how many should. */
  readonly pairs: number;
  readonly wanted_pairs: number;
  /** Rows by what is wrong with them. */
  readonly faults: Readonly<Record<Fault, number>>;
  /** Largest difference of a weight to its share of the softmax over all experts. */
  readonly weight_difference: number;
  /** Of a row's weights: below 1 unless all experts were chosen, since they are not scaled. */
  readonly weight_sum: { readonly min: number; readonly mean: number; readonly max: number };
  /** Experts that some row chose. */
  readonly used: ReadonlySet<number>;
}

export const FAULTS = {
  outside: 'an id that is no expert',
  repeated: 'an expert twice',
  not_largest: 'an expert passed over for one with a smaller logit',
  out_of_order: 'not the largest first, ties to the lower id',
  wrong_weight: 'a weight that is not its share of the softmax over all experts',
  not_numbers: 'a logit or a weight that is no number',
  not_empty: 'an expert in a slot that the token leaves over',
} as const;
export type Fault = keyof typeof FAULTS;

export function check_routing({ n_experts, takes, slots, logits, experts, weights }: Routed): RoutingFacts {
  const rows = takes.length;
  const sizes = [logits.length, experts.length, weights.length];
  if (sizes.join() !== [rows * n_experts, rows * slots, rows * slots].join()) {
    throw new Error(`${rows} rows of ${n_experts} logits and ${slots} slots: found ${sizes.join(', ')} values`);
  }
  const faults = Object.fromEntries(Object.keys(FAULTS).map((key) => [key, 0])) as Record<Fault, number>;
  const used = new Set<number>();
  let weight_difference = 0;
  const sums: number[] = [];
  for (const [row, wanted_k] of takes.entries()) {
    const k = Math.min(wanted_k, slots); // fewer slots than that are missed as pairs
    const own_logits = logits.subarray(row * n_experts, (row + 1) * n_experts);
    const own_weights = weights.subarray(row * slots, row * slots + k);
    const ids = [...experts.subarray(row * slots, row * slots + k)];
    const left_over = experts.subarray(row * slots + k, (row + 1) * slots);
    if (left_over.some((id) => id !== NO_EXPERT)) faults.not_empty += 1;
    for (const id of ids) used.add(id);
    sums.push(own_weights.reduce((sum, x) => sum + x, 0));
    if (![...own_logits, ...own_weights].every(Number.isFinite)) {
      faults.not_numbers += 1;
      continue;
    }
    const wanted = largest(own_logits, k);
    const distinct = new Set(ids).size === ids.length;
    const inside = ids.every((id) => id < n_experts);
    const same_set = wanted.every((id) => ids.includes(id));
    if (!inside) faults.outside += 1;
    if (!distinct) faults.repeated += 1;
    if (!same_set) faults.not_largest += 1;
    else if (wanted.some((id, place) => id !== ids[place])) faults.out_of_order += 1;
    const shares = softmax(own_logits);
    const worst = Math.max(...ids.map((id, place) => Math.abs((shares[id] ?? 0) - (own_weights[place] as number))));
    weight_difference = Math.max(weight_difference, worst);
    if (worst > WEIGHT_LIMIT) faults.wrong_weight += 1;
  }
  return {
    rows,
    pairs: experts.reduce((count, id) => count + (id === NO_EXPERT ? 0 : 1), 0),
    wanted_pairs: takes.reduce((sum, k) => sum + k, 0),
    faults,
    weight_difference,
    weight_sum: {
      min: sums.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY),
      mean: sums.reduce((a, b) => a + b, 0) / rows,
      max: sums.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY),
    },
    used,
  };
}

/** Of the same block in parts: chunks of a prompt, or decode steps. */
export function together(parts: readonly RoutingFacts[]): RoutingFacts {
  const sum = (of: (part: RoutingFacts) => number) => parts.reduce((total, part) => total + of(part), 0);
  const rows = sum((part) => part.rows);
  const faults = Object.keys(FAULTS).map((fault) => [fault, sum((part) => part.faults[fault as Fault])]);
  return {
    rows,
    pairs: sum((part) => part.pairs),
    wanted_pairs: sum((part) => part.wanted_pairs),
    faults: Object.fromEntries(faults) as RoutingFacts['faults'],
    weight_difference: Math.max(...parts.map((part) => part.weight_difference)),
    weight_sum: {
      min: Math.min(...parts.map(({ weight_sum }) => weight_sum.min)),
      mean: sum((part) => part.weight_sum.mean * part.rows) / rows,
      max: Math.max(...parts.map(({ weight_sum }) => weight_sum.max)),
    },
    used: new Set(parts.flatMap((part) => [...part.used])),
  };
}

/** The k largest, largest first, ties to the lower id. */
function largest(logits: Float32Array, k: number): number[] {
  const at = (id: number) => logits[id] as number;
  return [...logits.keys()].sort((a, b) => at(b) - at(a) || a - b).slice(0, k);
}

function softmax(logits: Float32Array): Float64Array {
  const top = logits.reduce((a, b) => Math.max(a, b));
  const powers = Float64Array.from(logits, (x) => Math.exp(x - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((x) => x / sum);
}
