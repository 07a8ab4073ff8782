/** How long an answer will be, before it is given: as long as those to questions that began so. */

/** So many words say what kind of question it is: "what color", "how many", "describe the". */
const FIRST_WORDS = 2;
/** Fewer answers say nothing of their longest. */
const LEAST_ANSWERS = 10;
/** Of a hundred such answers so many are no longer. */
const UPPER = 95;

/** Any question. */
export const ANY = '*';

/** Tokens of an answer by how its question begins. */
export type AnswerTokens = Readonly<Record<string, number>>;

export const beginning_of = (question: string): string =>
  (question.toLowerCase().match(/[\p{L}\p{N}'-]+/gu) ?? []).slice(0, FIRST_WORDS).join(' ');

/** Upper ends, without the token that ends an answer: of all questions, and of each beginning that enough of them have. */
export function answer_tokens(
  answers: readonly { readonly question: string; readonly tokens: number }[],
): AnswerTokens {
  const by_beginning = new Map<string, number[]>([[ANY, []]]);
  for (const { question, tokens } of answers) {
    by_beginning.get(ANY)?.push(tokens);
    const beginning = beginning_of(question);
    const some = by_beginning.get(beginning);
    if (some) some.push(tokens);
    else by_beginning.set(beginning, [tokens]);
  }
  return Object.fromEntries(
    [...by_beginning]
      .filter(([name, { length }]) => length > 0 && (name === ANY || length >= LEAST_ANSWERS))
      .map(([name, some]) => [name, upper_end(some)]),
  );
}

/** Nearest rank: one of the values, never between two. */
const upper_end = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil((UPPER / 100) * sorted.length) - 1] as number;
};

export interface ExpectedAnswer {
  /** Made tokens, the one that ends the answer among them. */
  readonly new_tokens: number;
  /** In words. */
  readonly because: string;
}

export function expected_answer(known: AnswerTokens, prompt: string | undefined): ExpectedAnswer {
  const beginning = prompt === undefined ? ANY : beginning_of(prompt);
  const name = known[beginning] === undefined ? ANY : beginning;
  const of = name === ANY ? 'answers' : `answers to "${name} ..."`;
  return { new_tokens: (known[name] as number) + 1, because: `${UPPER} of 100 measured ${of} are no longer` };
}
