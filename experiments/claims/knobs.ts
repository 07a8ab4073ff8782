import { as_found, type Claim, exactly, type Judged, not_tested, way, way_across } from './claim.ts';
import { study } from './sources.ts';
import { e2_coupling, e2_grid, type GridRow, m1_rows, most_by, time_of } from './views.ts';

/** Knobs together, and workloads that they serve. */

const E2 = study('docs/core_exp/e2_knob_coupling_pareto.md, expected findings');
const M1 = study('docs/core_exp/m1_prefill_decode_contrast.md, expected findings');

/** Fewer pairs say nothing of an order. */
const LEAST_PAIRS = 10;

/** Of a slice the cells with blocks left out are not scaled: together with the others they are the times of no model. */
const of_one_model = (rows: readonly { readonly scaled: unknown }[]): boolean =>
  rows.every(({ scaled }) => scaled === null) || rows.every(({ scaled }) => scaled !== null);
const A_SLICE = 'a slice ran, and its cells with blocks left out stand for no whole model';

interface Pairs {
  readonly same: number;
  readonly reversed: number;
  readonly n: number;
}

/** Pairs of cells that both adapters tell apart, and in which order. */
function ordered(own: readonly GridRow[], other: readonly GridRow[]): Pairs {
  const cells = own.flatMap((row) => {
    const twin = other.find(({ key }) => key === row.key);
    const asks_the_same = twin?.prompt_length === row.prompt_length && twin.num_output_tokens === row.num_output_tokens;
    const [here, there] = [time_of(row, 'T_total'), asks_the_same ? time_of(twin, 'T_total') : null];
    return here && there ? [{ here, there }] : [];
  });
  let [same, reversed] = [0, 0];
  for (const [i, a] of cells.entries()) {
    for (const b of cells.slice(0, i)) {
      const slower = [a.here.low > b.here.high, a.there.low > b.there.high];
      const faster = [a.here.high < b.here.low, a.there.high < b.there.low];
      if (slower.every(Boolean) || faster.every(Boolean)) same++;
      else if ((slower[0] && faster[1]) || (faster[0] && slower[1])) reversed++;
    }
  }
  return { same, reversed, n: Math.min(...cells.flatMap(({ here, there }) => [here.n, there.n])) };
}

function same_order(own: readonly GridRow[], others: readonly (readonly GridRow[])[]): Judged {
  if (others.length === 0) return not_tested('it takes results of e2 on a second adapter, with the same model');
  if (![own, ...others].every(of_one_model)) return not_tested(A_SLICE);
  const all = others.map((rows) => ordered(own, rows));
  const same = all.reduce((sum, pairs) => sum + pairs.same, 0);
  const reversed = all.reduce((sum, pairs) => sum + pairs.reversed, 0);
  if (same + reversed < LEAST_PAIRS) return not_tested(`${same + reversed} pairs of settings are told apart on both`);
  const percent = (100 * same) / (same + reversed);
  const sentence = `of ${same + reversed} pairs of settings that both adapters tell apart ${reversed} are in another order, over ${others.length + 1} adapters`;
  return exactly(percent, reversed === 0, '%', sentence, Math.min(...all.map(({ n }) => n)));
}

const runs_of = (rows: readonly Pick<GridRow, 'statistics'>[]): number =>
  Math.min(...rows.map(({ statistics }) => statistics.T_total?.n ?? 0));

/** What M1 found of a workload, with the share of its time that decode takes. */
const workload_way = (expectation: string, workload: string, share: (decode: number) => number) =>
  way({ m1: m1_rows }, ({ m1: { body } }) => {
    const row = body.workloads.find((one) => one.workload === workload);
    const number = row && { value: 100 * share(row.shares.decode ?? 0), unit: '%' };
    return as_found(body.findings, expectation, number, runs_of(body.configurations));
  });

export const KNOB_CLAIMS: readonly Claim[] = [
  {
    id: 'knobs-coupled',
    statement: 'Crops, experts a token and blocks are coupled: what one costs depends on where the others stand',
    source: E2,
    test: 'two knobs turned up together add 5 % of the latency or more beyond what each adds alone, with an interval that leaves out 0',
    ways: [
      way({ grid: e2_grid, coupling: e2_coupling }, ({ grid, coupling }) => {
        if (!of_one_model(grid.body.configurations)) return not_tested(A_SLICE);
        const pairs = coupling.body.interactions.filter(({ time }) => time === 'T_total');
        const most = most_by(pairs, ({ share }) => Math.abs(share));
        const expectation = 'Knobs are coupled: what one costs depends on where the others stand';
        const number = most && { value: 100 * most.share, unit: '%' };
        return as_found(coupling.body.findings, expectation, number, runs_of(grid.body.configurations));
      }),
    ],
    run: 'molmoe e2',
  },
  {
    id: 'same-order-on-devices',
    statement:
      'Pareto fronts of settings are identical on a server and on an edge device, 15 of 15: hardware does not matter',
    source: study('docs/profiling/pareto_frontier_analysis.md'),
    test: 'settings have the same order by latency on two adapters, without which fronts with the same answers differ: of pairs that both tell apart none is reversed',
    ways: [
      way_across({ grid: e2_grid }, ({ grid }, others) =>
        same_order(
          grid.body.configurations,
          others.map((one) => one.grid.body.configurations),
        ),
      ),
    ],
    run: 'molmoe e2 on a second adapter',
  },
  {
    id: 'answers-prefill-sensitive',
    statement: 'Answers to questions are prefill-sensitive: what comes before the first token dominates',
    source: M1,
    test: 'encoder, projector and prefill take more than half of every request with 1 to 10 new tokens',
    ways: [workload_way('Short answers are prefill-heavy', 'qa', (decode) => 1 - decode)],
    run: 'molmoe m1',
  },
  {
    id: 'captions-decode-sensitive',
    statement: 'Captions are decode-sensitive: decode dominates',
    source: M1,
    test: 'decode is the largest stage of every request with 20 to 100 new tokens',
    ways: [workload_way('Long answers are decode-heavy', 'captions', (decode) => decode)],
    run: 'molmoe m1',
  },
  {
    id: 'other-knobs-for-captions',
    statement: 'Answers and captions are sensitive to different knobs',
    source: M1,
    test: 'of crops, experts, blocks and new tokens, each halved, another one saves answers the most than captions',
    ways: [
      way({ m1: m1_rows }, ({ m1: { body } }) => {
        if (new Set(body.sensitivity.map(({ basis }) => basis)).size > 1) return not_tested(A_SLICE);
        const expectation = 'The knob that helps most is another one for short answers than for long ones';
        return as_found(body.findings, expectation, undefined, runs_of(body.configurations));
      }),
    ],
    run: 'molmoe m1',
  },
];
