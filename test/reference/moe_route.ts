/** Softmax over one row of finite logits in double precision, then the k largest, ties to the lower id. */
export function moe_route(logits: ArrayLike<number>, k: number): { experts: number[]; weights: number[] } {
  const row = Array.from(logits);
  const top = row.reduce((a, b) => Math.max(a, b));
  const sum = row.reduce((s, x) => s + Math.exp(x - top), 0);
  const order = row.map((_, e) => e).sort((a, b) => (row[b] as number) - (row[a] as number) || a - b);
  const experts = order.slice(0, k);
  return { experts, weights: experts.map((e) => Math.exp((row[e] as number) - top) / sum) };
}
