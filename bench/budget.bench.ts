import { Molmoe } from '../engine/node/load.ts';
import { contest_at, type E4Row, e4_row } from '../experiments/accuracy/e4_files.ts';
import { make_session } from '../experiments/budget/instrument.ts';
import { E4_FRACTIONS, e4_trials, POLICIES } from '../experiments/budget/policies.ts';
import { type Session, table_text, try_request } from '../experiments/budget/trial.ts';
import { dataset_info } from '../experiments/datasets/catalogue.ts';
import { shapes_sample } from '../experiments/datasets/shapes.ts';
import { this_site } from '../experiments/estimator/choose.ts';
import type { BudgetRecord } from '../experiments/lab/schema_budget.ts';
import type { Bench } from './bench.ts';
import { aligned } from './table.ts';
import { collector, type Target } from './target.ts';

/** Behind those that any table of answers was made from. */
const FROM = 1000;
const REQUESTS = 100;
const QUICK_REQUESTS = 6;
const FULL_RUNS = 3;
/** Asked before the first that counts: what the session learns of the machine's pace. */
const WARM_REQUESTS = 10;

/** Budgets as shares of each request's own full time, a hundred fresh requests a share: how many are kept, and what answers are worth. */
export async function bench_budget({ say, quick }: Bench) {
  const nano = await Molmoe.load({ model: 'nano', hush: true });
  try {
    const { engine, adapter } = nano;
    const session = await make_session(engine, this_site(engine.executor.device.facts, adapter.backend));
    say(`answers: ${table_text(session.chooser.table)}; times: ${session.estimator}`);
    const requests = quick ? QUICK_REQUESTS : REQUESTS;
    let next = FROM;
    const of_fraction = async (fraction: number, count: number): Promise<BudgetRecord[]> => {
      const trials = e4_trials(engine.facts.config, [fraction]);
      const records: BudgetRecord[] = [];
      while (records.length < count) records.push(await one_request(session, next++, trials));
      return records;
    };
    await of_fraction(1, quick ? 2 : WARM_REQUESTS);
    const targets: Target[] = [];
    const told = collector(say, targets);
    const rows: E4Row[] = [];
    const contests: ReturnType<typeof contest_at> = [];
    const paces: number[] = [];
    for (const fraction of E4_FRACTIONS) {
      const records = await of_fraction(fraction, requests);
      const own = POLICIES.flatMap((policy) => e4_row(records, fraction, policy));
      rows.push(...own);
      const [contest] = contest_at(records, fraction, own);
      if (contest !== undefined) contests.push(contest);
      paces.push(session.pace.factor());
      told(...targets_at(fraction, own, contest));
    }
    for (const line of table_of(rows, contests)) say(line);
    return {
      targets,
      requests,
      from: FROM,
      table: table_text(session.chooser.table),
      estimator: session.estimator,
      paces,
      rows,
      contests,
    };
  } finally {
    nano.close();
  }
}

async function one_request(
  session: Session,
  place: number,
  trials: ReturnType<typeof e4_trials>,
): Promise<BudgetRecord> {
  const { id, question: prompt, answer, picture: image } = shapes_sample('test', place);
  const request = { prompt, image, maxNewTokens: dataset_info('shapes').new_tokens };
  const source = { id, style: 'shapes', answers: [answer], metadata: {} };
  return (await try_request(session, request, source, FULL_RUNS, trials)).record;
}

type Contest = ReturnType<typeof contest_at>[number];

function targets_at(fraction: number, rows: readonly E4Row[], contest: Contest | undefined): Target[] {
  const ours = rows.find(({ policy }) => policy === 'several knobs');
  const at = `at ${(100 * fraction).toFixed(0)} % of the full time`;
  const kept: Target = { what: `budgets kept of those promised, ${at}`, unit: '%', least: 95 };
  const better: Target = { what: `answers in time against the best single knob, ${at}`, unit: 'points', least: 0 };
  return [
    ours === undefined || ours.promised.of === 0
      ? { ...kept, reason: 'no request was promised: the fastest setting may take longer' }
      : { ...kept, value: 100 * ours.promised.share },
    contest === undefined
      ? { ...better, reason: 'no request was promised' }
      : { ...better, value: 100 * contest.comparison.difference },
  ];
}

function table_of(rows: readonly E4Row[], contests: readonly Contest[]): string[] {
  const head = [
    'budget',
    'requests',
    'promised',
    'kept',
    'kept of all',
    'predicted ms',
    'measured ms',
    'worth',
    'in time',
    'best single knob',
    'in time',
    'difference',
  ];
  const percent = (share: number) => (100 * share).toFixed(1);
  return aligned([
    head,
    ...rows
      .filter(({ policy }) => policy === 'several knobs')
      .map((row) => {
        const contest = contests.find(({ fraction }) => fraction === row.fraction);
        const { ci95, difference } = contest?.comparison ?? { ci95: null, difference: 0 };
        const ends = ci95 === null ? '' : ` (${ci95.map((end) => (100 * end).toFixed(1)).join(' to ')})`;
        return [
          ...[
            `${(100 * row.fraction).toFixed(0)} %`,
            String(row.requests),
            String(row.promised.of),
            String(row.promised.held),
          ],
          ...[String(row.all.held), row.predicted_ms.toFixed(1), row.measured_ms.toFixed(1)],
          ...[percent(row.quality), percent(row.in_time_quality), contest?.against ?? '-'],
          ...[contest ? percent(contest.comparison.mean_a) : '-', `${(100 * difference).toFixed(1)}${ends}`],
        ];
      }),
  ]);
}
