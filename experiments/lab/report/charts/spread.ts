import type { Distribution } from '../../charts.ts';

export const ascending = (values: readonly number[]) => [...values].sort((a, b) => a - b);

/** Linear between neighbours, as all percentiles of results are. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] as number;
  const high = sorted[Math.ceil(at)] as number;
  return low + (at - Math.floor(at)) * (high - low);
}

export interface Bin {
  readonly from: number;
  readonly to: number;
  readonly counts: readonly number[];
}

/** Bins of equal width over all groups; on a logarithmic axis of equal ratio. Sturges' rule where no number is given. */
export function bins_of({ groups, bins, value }: Distribution): Bin[] {
  const log = value.scale === 'log';
  const on = (x: number) => (log ? Math.log(x) : x);
  const lists = groups.map((one) => one.values.filter((x) => !log || x > 0).map(on));
  const all = lists.flat();
  if (all.length === 0) return [];
  const least = all.reduce((a, b) => Math.min(a, b));
  const most = all.reduce((a, b) => Math.max(a, b));
  const largest = Math.max(...lists.map((list) => list.length));
  const n = least === most ? 1 : (bins ?? Math.ceil(Math.log2(largest)) + 1);
  const step = (most - least) / n || Math.abs(least) / 10 || 1;
  const start = least === most ? least - step / 2 : least;
  const back = (x: number) => (log ? Math.exp(x) : x);
  return Array.from({ length: n }, (_, i) => ({
    from: back(start + i * step),
    to: back(start + (i + 1) * step),
    counts: lists.map((list) => list.filter((x) => Math.min(n - 1, Math.floor((x - start) / step)) === i).length),
  }));
}
