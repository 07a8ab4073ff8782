import type { Knobs } from '../../engine/model/knobs.ts';
import type { GenerateRequest } from '../../engine/molmoe.ts';
import type { Metric } from '../accuracy/metrics/experiment.ts';
import { scores_of } from '../accuracy/score.ts';
import { ANOTHER_HOUR } from '../estimator/forecast.ts';
import { measure, type Runner } from '../lab/measure.ts';
import type { SampleSource } from '../lab/schema.ts';
import type { BudgetRecord, Try } from '../lab/schema_budget.ts';
import { percentile } from '../lab/stats.ts';
import type { Ask, Chooser, Option } from './chooser.ts';
import { make_pace, type Pace } from './pace.ts';
import type { QualityTable } from './quality_table.ts';
import { text_tokens_of } from './text_tokens.ts';

/** One request under many settings, each run alone and timed. */
export interface Trial {
  readonly chooser: Chooser;
  readonly ask: Ask;
  /** Of the requests before this one. */
  readonly pace: Pace;
  readonly full_ms: number;
  /** As often as said, after one untimed run where this setting meets such a picture for the first time. */
  readonly run: (knobs: Knobs, times?: number, warm?: boolean) => Promise<Ran>;
}
type Ran = Pick<Try, 'runs_ms' | 'answer' | 'score'>;

/** What is tried with a request. */
export type Trials = (trial: Trial) => Promise<Try[]>;

/** A model, what chooses its knobs, and how fast it was lately. */
export interface Session {
  readonly model: Runner;
  readonly chooser: Chooser;
  /** What its times rest on. */
  readonly estimator: string;
  readonly pace: Pace;
  readonly warm: Set<string>;
}
export const new_session = (model: Runner, chooser: Chooser, estimator: string): Session => ({
  ...{ model, chooser, estimator },
  pace: make_pace(),
  warm: new Set(),
});

const median = (values: readonly number[]): number => percentile(values, 50);

export const try_of = (policy: string, option: Option): Omit<Try, keyof Ran> => ({
  ...{ policy, fraction: null, budget_ms: null, fits: null, choose_ms: [], known_lengths: null },
  knobs: { ...option.candidate.knobs },
  quality: option.quality,
  predicted_ms: option.ms,
  limit_ms: option.limit_ms,
});

export const table_text = ({ candidates, what }: QualityTable): string => `${candidates.length} settings, ${what}`;

/** Everything on first, `full_runs` times, then what is tried. The session learns from this request only afterwards. */
export async function try_request(
  session: Session,
  request: GenerateRequest,
  source: SampleSource | undefined,
  full_runs: number,
  trials: Trials,
): Promise<{ readonly record: BudgetRecord; readonly full: Awaited<ReturnType<typeof measure>>[] }> {
  const { model, chooser, pace, warm } = session;
  const { image, prompt } = request;
  const ask: Ask = {
    picture: image ? { width: image.width, height: image.height } : null,
    text_tokens: text_tokens_of(prompt, model.facts.config, model.tokenizer),
    prompt,
  };
  const seen: { knobs: Knobs; new_tokens: number; ms: number }[] = [];
  const once = async (knobs: Knobs) => {
    const one = await measure(model, { ...request, knobs });
    const { decode_step_ms, total_ms } = one.result;
    seen.push({ knobs, new_tokens: decode_step_ms.length + 1, ms: total_ms });
    return one;
  };
  const warm_up = async (knobs: Knobs) => {
    const key = JSON.stringify([knobs, image?.width, image?.height]);
    if (!warm.has(key)) await measure(model, { ...request, knobs });
    warm.add(key);
  };
  const metric = chooser.table.dataset.metric as Metric;
  const ran_of = (runs: readonly Awaited<ReturnType<typeof measure>>[]): Ran => {
    const answer = runs[0]?.result.text.trim() ?? '';
    const score = source === undefined ? null : (scores_of(answer, source, metric)[metric] ?? null);
    return { runs_ms: runs.map(({ result }) => result.total_ms), answer, score };
  };
  const repeated = async (knobs: Knobs, times: number) => {
    const runs: Awaited<ReturnType<typeof measure>>[] = [];
    while (runs.length < times) runs.push(await once(knobs));
    return runs;
  };
  await warm_up({});
  const full = await repeated({}, full_runs);
  const option = await chooser.full(ask, pace);
  const ran = ran_of(full);
  const tries = await trials({
    ...{ chooser, ask, pace, full_ms: median(ran.runs_ms) },
    run: async (knobs, times = 1, warm_first = true) => {
      if (warm_first) await warm_up(knobs);
      return ran_of(await repeated(knobs, times));
    },
  });
  const before = { pace: pace.factor(), pace_runs: pace.runs(), reach: pace.reach() };
  for (const { knobs, new_tokens, ms } of seen) {
    const candidate = { ...option.candidate, knobs };
    const { ms: predicted, high_ms } = await chooser.price(candidate, { ...ask, new_tokens });
    pace.note(predicted, high_ms / ANOTHER_HOUR, ms);
  }
  const by = { table: table_text(chooser.table), estimator: session.estimator };
  return { record: { ...by, full: { ...try_of('full', option), ...ran }, ...before, tries }, full };
}
