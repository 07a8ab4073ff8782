import { InputError } from '../../engine/errors.ts';
import type { Tokenizer } from '../../engine/input/tokenizer.ts';
import type { Dataset } from '../datasets/dataset.ts';
import { Tally, type TallySummary } from './tally.ts';

/** Limits of new tokens that are looked at, and what counts as enough. */
const LIMITS = [8, 16, 32, 64, 128] as const;
/** The study's own limit. */
const USUAL = 16;
const SAFE = 0.99;
const BORDERLINE = 0.95;
const RANGES = [1, 2, 4, 8, 16, 32, 64, 128] as const;
const LONG = [16, 32] as const;
const MOST_EXAMPLES = 5;

export interface AnswerLengths {
  readonly samples: number;
  /** Of them: splits that hide their answers have none. */
  readonly samples_without_answers: number;
  readonly tokens: TallySummary;
  readonly ranges: readonly {
    readonly from: number;
    readonly to: number | null;
    readonly answers: number;
    readonly share: number;
  }[];
  readonly coverage: readonly { readonly new_tokens: number; readonly share: number; readonly cut: number }[];
  readonly longer: readonly {
    readonly than: number;
    readonly answers: number;
    readonly examples: readonly { readonly id: string; readonly answer: string; readonly tokens: number }[];
  }[];
  readonly recommendation: {
    /** Of 16 new tokens. */
    readonly verdict: 'safe' | 'borderline' | 'too few';
    /** The least of the limits that 99 % of the answers fit into; null where none is enough. */
    readonly new_tokens: number | null;
    readonly text: string;
  };
}

/**
 * Tokens of every reference answer of the first samples, each as the model would say it: after a space, and before the
 * token that ends it, which is not counted.
 */
export async function answer_lengths(
  set: Dataset,
  tokenizer: Tokenizer,
  most: number,
  each: (done: number) => void = () => undefined,
): Promise<AnswerLengths> {
  const known = new Map<string, number>();
  const length_of = (answer: string): number => {
    const before = known.get(answer);
    if (before !== undefined) return before;
    const tokens = tokenizer.encode(` ${answer}`, { allow_special: true }).length;
    known.set(answer, tokens);
    return tokens;
  };
  const tally = new Tally();
  const examples = LONG.map(() => [] as { id: string; answer: string; tokens: number }[]);
  let samples = 0;
  let without = 0;
  for await (const { id, answers } of set.samples()) {
    for (const answer of answers ?? []) {
      const tokens = length_of(answer);
      tally.add(tokens);
      for (const [i, than] of LONG.entries()) {
        const list = examples[i] as (typeof examples)[number];
        const is_new = list.every((example) => example.answer !== answer);
        if (tokens > than && list.length < MOST_EXAMPLES && is_new) list.push({ id, answer, tokens });
      }
    }
    samples += 1;
    if (answers === null) without += 1;
    each(samples);
    if (samples >= most) break;
  }
  const tokens = tally.summary();
  if (tokens === null) {
    throw new InputError(
      `${set.name} ${set.split}: expected reference answers, found none; choose a split that has them`,
    );
  }
  const beyond = (limit: number) => tokens.n - tally.up_to(limit);
  return {
    samples,
    samples_without_answers: without,
    tokens,
    ranges: ranges_of(tally, tokens),
    coverage: LIMITS.map((limit) => ({ new_tokens: limit, share: 1 - beyond(limit) / tokens.n, cut: beyond(limit) })),
    longer: LONG.map((than, i) => ({
      than,
      answers: beyond(than),
      examples: examples[i] as (typeof examples)[number],
    })),
    recommendation: recommendation_of(tally, tokens.n),
  };
}

function ranges_of(tally: Tally, { n, min, max }: TallySummary): AnswerLengths['ranges'] {
  const ends = [...RANGES, null];
  return ends
    .map((to, i) => {
      const from = i === 0 ? 0 : (RANGES[i - 1] as number) + 1;
      const answers = (to === null ? n : tally.up_to(to)) - (i === 0 ? 0 : tally.up_to(from - 1));
      return { from, to, answers, share: answers / n };
    })
    .filter(({ from, to }) => from <= max && (to === null || to >= min));
}

function recommendation_of(tally: Tally, n: number): AnswerLengths['recommendation'] {
  const share = (limit: number) => tally.up_to(limit) / n;
  const percent = (limit: number) => `${(100 * share(limit)).toFixed(2)} %`;
  const new_tokens = LIMITS.find((limit) => share(limit) >= SAFE) ?? null;
  const verdict = share(USUAL) >= SAFE ? 'safe' : share(USUAL) >= BORDERLINE ? 'borderline' : 'too few';
  const enough =
    new_tokens === null
      ? `${LIMITS.at(-1)} are not enough for ${100 * SAFE} % of them`
      : `${new_tokens} are enough for ${100 * SAFE} % of them`;
  const eight = `8 would cut ${((100 * (n - tally.up_to(8))) / n).toFixed(2)} %`;
  return {
    verdict,
    new_tokens,
    text: `${USUAL} new tokens are ${verdict}: ${percent(USUAL)} of the answers fit; ${enough}; ${eight}`,
  };
}
