import { grows_linearly, not_tested } from '../lab/findings.ts';
import type { Finding, FitRecord } from '../lab/schema.ts';
import { short_ms } from '../lab/tables.ts';

/** What the study expected of answers of growing length, held against medians over the pictures. */

interface Length {
  readonly num_output_tokens: number;
  readonly decode_steps: number;
  readonly prompt_ms: number;
  readonly decode_ms: number | null;
  readonly step_ms: number | null;
}

const outcome = (holds: boolean): Finding['outcome'] => (holds ? 'confirmed' : 'refuted');
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

/** Medians of prompts that differ by less are called equal; so are steps. */
const SAME = 0.1;
/** What the study read off its decode shares: about 70 % at 8 tokens, nearly all at 4096. */
const SHARES = { short: { tokens: 8, least: 0.6, most: 0.8 }, long: { tokens: 4096, least: 0.95 } } as const;

export function answer_findings(lengths: readonly Length[], decode_fit: FitRecord | null): Finding[] {
  return [
    grows_linearly('Decode grows linearly with the tokens of the answer', decode_fit, 'step'),
    prompt_is_constant(lengths),
    same_step(lengths),
    decode_shares(lengths),
  ];
}

/** The largest over the smallest, less one. */
const spread_of = (values: readonly number[]): number => Math.max(...values) / Math.min(...values) - 1;

function prompt_is_constant(lengths: readonly Length[]): Finding {
  const expectation = 'The prompt costs the same whatever the length of the answer';
  if (lengths.length < 2) return not_tested(expectation, 'fewer than two lengths ran');
  const prompts = lengths.map(({ prompt_ms }) => prompt_ms);
  const spread = spread_of(prompts);
  return {
    expectation,
    outcome: outcome(spread < SAME),
    because: `over ${lengths.length} lengths vision and prefill together take ${short_ms(Math.min(...prompts))} to ${short_ms(Math.max(...prompts))}, ${percent(spread)} apart (the same: under ${percent(SAME)})`,
  };
}

function same_step(lengths: readonly Length[]): Finding {
  const expectation = 'A token costs the same in a long answer as in a short one';
  const timed = lengths.filter(({ step_ms }) => step_ms !== null);
  const [first, last] = [timed[0], timed.at(-1)];
  if (!first || !last || last.decode_steps < 2 * first.decode_steps) {
    return not_tested(expectation, 'the lengths are less than twice apart');
  }
  const times = (last.step_ms as number) / (first.step_ms as number);
  return {
    expectation,
    outcome: outcome(Math.abs(times - 1) < SAME),
    because: `a step takes ${short_ms(first.step_ms as number)} over ${first.decode_steps} steps and ${short_ms(last.step_ms as number)} over ${last.decode_steps}, ${times.toFixed(2)} times as long (the same: within ${percent(SAME)})`,
  };
}

function decode_shares(lengths: readonly Length[]): Finding {
  const { short, long } = SHARES;
  const expectation = `Decode takes about 70 % of a request with ${short.tokens} output tokens and nearly all with ${long.tokens}`;
  const share_at = (tokens: number): number | undefined => {
    const row = lengths.find(({ num_output_tokens }) => num_output_tokens === tokens);
    return row && row.decode_ms !== null ? row.decode_ms / (row.decode_ms + row.prompt_ms) : undefined;
  };
  const [at_short, at_long] = [share_at(short.tokens), share_at(long.tokens)];
  const found = [
    ...(at_short === undefined ? [] : [`${percent(at_short)} with ${short.tokens}`]),
    ...(at_long === undefined ? [] : [`${percent(at_long)} with ${long.tokens}`]),
  ].join(' and ');
  if (at_short === undefined || at_long === undefined) {
    return not_tested(expectation, `both lengths are needed${found === '' ? '' : `; decode takes ${found}`}`);
  }
  return {
    expectation,
    outcome: outcome(at_short >= short.least && at_short <= short.most && at_long >= long.least),
    because: `decode takes ${found} (about 70 %: ${percent(short.least)} to ${percent(short.most)}; nearly all: ${percent(long.least)} or more)`,
  };
}
