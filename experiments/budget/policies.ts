import type { ModelConfig } from '../../engine/model/config.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { below, random_numbers, shuffled } from '../lab/random.ts';
import type { Try } from '../lab/schema_budget.ts';
import type { Ask, Option } from './chooser.ts';
import type { Candidate } from './quality_table.ts';
import { type Trial, type Trials, try_of } from './trial.ts';

/** Shares of what everything takes that a request may take, as the study's designs have them. */
export const E4_FRACTIONS = [0.35, 0.5, 0.7, 0.85, 1] as const;
export const M4_FRACTIONS = [0.5, 0.7, 0.85, 1] as const;

/** Ways to choose. The first is this project's; the last chooses once and keeps to it whatever is asked. */
export const POLICIES = ['several knobs', 'crops only', 'depth only', 'width only', 'static'] as const;
export type Policy = (typeof POLICIES)[number];
export const SINGLE_KNOBS = ['crops only', 'depth only', 'width only'] as const satisfies readonly Policy[];

const KNOB_OF = { 'crops only': 'crops', 'depth only': 'blocks', 'width only': 'experts' } as const;

/** Settings that a policy may choose: those that turn nothing but its knob. */
const among = (policy: Policy) => {
  if (policy === 'several knobs' || policy === 'static') return undefined;
  return ({ turned }: Candidate) => turned.every((knob) => knob === KNOB_OF[policy]);
};

/** A prompt of so many tokens about a picture of all the crops that the model takes stands for every request. */
const TYPICAL_TEXT = 12;

/** What was chosen once: the full time and the budget are those of the typical request. */
async function static_option({ chooser, ask, pace }: Trial, config: ModelConfig, fraction: number) {
  const { margin_px, tile_px } = geometry_of(config);
  const rows = Math.max(1, Math.floor(Math.sqrt(config.max_crops)));
  const side = (tiles: number) => margin_px + tiles * tile_px;
  const picture = { width: side(Math.floor(config.max_crops / rows)), height: side(rows) };
  const typical: Ask = { picture, text_tokens: TYPICAL_TEXT };
  const full = await chooser.full(typical, pace);
  const chosen = await chooser.choose(typical, { budget_ms: fraction * full.ms }, pace);
  return chosen && (await chooser.price(chosen.option.candidate, ask, pace));
}

/** Every policy at every fraction of this request's own full time; each setting that is chosen runs once a fraction. */
export function e4_trials(config: ModelConfig, fractions: readonly number[] = E4_FRACTIONS): Trials {
  const random = random_numbers(1);
  return async (trial) => {
    const tries: Try[] = [];
    for (const fraction of shuffled(fractions, random)) {
      const budget_ms = fraction * trial.full_ms;
      const chosen: (Omit<Try, 'runs_ms' | 'answer' | 'score'> & { option: Option })[] = [];
      for (const policy of POLICIES) {
        const started = performance.now();
        const option =
          policy === 'static'
            ? await static_option(trial, config, fraction)
            : (await trial.chooser.choose(trial.ask, { budget_ms }, trial.pace, among(policy)))?.option;
        const choose_ms = [performance.now() - started];
        if (option === undefined) continue; // a table without such a setting
        const fits = option.limit_ms <= budget_ms;
        chosen.push({ ...try_of(policy, option), fraction, budget_ms, fits, choose_ms, option });
      }
      const runs = new Map<Candidate, Awaited<ReturnType<Trial['run']>>>();
      for (const { option } of shuffled(chosen, random)) {
        const { candidate } = option;
        if (!runs.has(candidate)) runs.set(candidate, await trial.run(candidate.knobs));
      }
      for (const { option, ...one } of chosen)
        tries.push({ ...one, ...(runs.get(option.candidate) as Awaited<ReturnType<Trial['run']>>) });
    }
    return tries.sort((a, b) => (a.fraction ?? 0) - (b.fraction ?? 0));
  };
}

/** Settings drawn for each request, kept to or not: what a guard would have said of them. */
export function m4_trials(draws: number): Trials {
  const random = random_numbers(4);
  return async ({ chooser, ask, pace, run }) => {
    const tries: Try[] = [];
    for (let i = 0; i < draws; i++) {
      const { candidates } = chooser.table;
      const option = await chooser.price(candidates[below(candidates.length, random)] as Candidate, ask, pace);
      tries.push({ ...try_of('drawn', option), ...(await run(option.candidate.knobs)) });
    }
    return tries;
  };
}

/** Of the budgets in turn: chooses twice, turns the knobs to what was chosen and runs it three times, and turns them back. */
export function m3_trials(fractions: readonly number[] = M4_FRACTIONS): Trials {
  const lengths = new Set<string>();
  let turn = 0;
  return async ({ chooser, ask, full_ms, pace, run }) => {
    const fraction = fractions[turn++ % fractions.length] as number;
    const budget_ms = fraction * full_ms;
    const key = JSON.stringify([ask.picture, ask.text_tokens, ask.prompt]);
    const known_lengths = lengths.has(key);
    lengths.add(key);
    const choose_ms: number[] = [];
    let option: Option | undefined;
    let fits = false;
    for (let again = 0; again < 2; again++) {
      const started = performance.now();
      const chosen = await chooser.choose(ask, { budget_ms }, pace);
      choose_ms.push(performance.now() - started);
      option = chosen?.option;
      fits = chosen?.fits ?? false;
    }
    if (option === undefined) return [];
    await run(option.candidate.knobs); // what compiles is told apart from what turning takes
    await run({});
    const there = await run(option.candidate.knobs, 3);
    const back = await run({}, 3);
    const full = await chooser.full(ask, pace);
    return [
      { ...try_of('chosen', option), fraction, budget_ms, fits, choose_ms, known_lengths, ...there },
      { ...try_of('full again', full), ...back },
    ];
  };
}
