export interface SampleDims {
  temperature: number;
  top_p: number;
  /** 0: all. */
  top_k: number;
  seed: number;
  step: number;
}

export interface Sampled {
  readonly token: number;
  /** Kept columns in index order and their probabilities, which sum to 1. */
  readonly kept: number[];
  readonly shares: number[];
  /** How near the draw or the edge of the nucleus came to a boundary, as a share of 1: below rounding either side is right. */
  readonly margin: number;
}

function pcg(v: number): number {
  const s = (Math.imul(v, 747796405) + 2891336453) >>> 0;
  const w = Math.imul((s >>> ((s >>> 28) + 4)) ^ s, 277803737) >>> 0;
  return ((w >>> 22) ^ w) >>> 0;
}

export const uniform = (seed: number, step: number): number => (pcg((pcg(step) + seed) >>> 0) >>> 8) * 2 ** -24;

export function sample(logits: Float32Array, d: SampleDims): Sampled {
  const peak = logits.reduce((a, b) => Math.max(a, b));
  const mass = Array.from(logits, (v) => Math.exp((v - peak) / d.temperature));
  const at = (c: number): number => mass[c] as number;
  // Array.sort is stable: equals stay in index order.
  let kept = [...mass.keys()].sort((a, b) => (logits[b] as number) - (logits[a] as number) || 0);
  if (d.top_k > 0) kept = kept.slice(0, d.top_k);
  let margin = 1;
  if (d.top_p < 1) {
    const total = kept.reduce((sum, c) => sum + at(c), 0);
    let share = 0;
    const enough = kept.findIndex((c) => {
      share += at(c) / total;
      margin = Math.min(margin, Math.abs(share - d.top_p));
      return share >= d.top_p;
    });
    if (enough >= 0) kept = kept.slice(0, enough + 1);
  }
  kept.sort((a, b) => a - b);
  const total = kept.reduce((sum, c) => sum + at(c), 0);
  const shares = kept.map((c) => at(c) / total);
  const u = uniform(d.seed, d.step);
  let running = 0;
  let token = -1;
  kept.forEach((c, i) => {
    running += shares[i] as number;
    if (i < kept.length - 1) margin = Math.min(margin, Math.abs(running - u));
    if (token < 0 && running > u) token = c;
  });
  return { token: token < 0 ? (kept[kept.length - 1] as number) : token, kept, shares, margin };
}
