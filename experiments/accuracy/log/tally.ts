import type { AnswerLine, AnswersSummary } from './schema.ts';

const GROUPS = ['scores', 'tokens', 'flops', 'latency'] as const;
type Group = (typeof GROUPS)[number];
type Tallied = Pick<AnswersSummary['configurations'][number], 'n' | Group>;

/** Mean and population deviation of every number that answers hold, by Welford: in one order, one result. */
export function tally(): { add(answer: AnswerLine): void; result(): Tallied } {
  const groups: Record<Group, Map<string, Moments>> = {
    ...{ scores: new Map(), tokens: new Map(), flops: new Map(), latency: new Map() },
  };
  let n = 0;
  return {
    add: (answer) => {
      n += 1;
      for (const group of GROUPS) {
        // Of a request that was timed several times, each run.
        for (const numbers of [answer[group] ?? []].flat()) {
          // A stage that did not run has no time, and a list of single steps no mean of its own here.
          for (const name in numbers) add_to(groups[group], name, numbers[name as keyof typeof numbers]);
        }
      }
    },
    result: () => {
      const of = (group: Group) =>
        Object.fromEntries(
          [...groups[group]]
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([name, { n, mean, squares }]) => [name, { n, mean, std: Math.sqrt(squares / n) }]),
        );
      return { n, scores: of('scores'), tokens: of('tokens'), flops: of('flops'), latency: of('latency') };
    },
  };
}

interface Moments {
  n: number;
  mean: number;
  /** Sum of squared distances from the mean. */
  squares: number;
}

function add_to(all: Map<string, Moments>, name: string, value: unknown): void {
  if (typeof value !== 'number') return;
  let one = all.get(name);
  if (one === undefined) {
    one = { n: 0, mean: 0, squares: 0 };
    all.set(name, one);
  }
  one.n += 1;
  const away = value - one.mean;
  one.mean += away / one.n;
  one.squares += away * (value - one.mean);
}
