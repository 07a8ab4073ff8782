import { type AnswerLengths, answer_lengths } from '../../../experiments/analysis/answer_lengths.ts';
import type { Dataset } from '../../../experiments/datasets/dataset.ts';
import { read_subject } from '../../../tools/inspect/subject.ts';
import { interruptible } from '../../options.ts';
import { note, out, progress } from '../../print.ts';
import { print_json } from '../inspect/show.ts';
import { table_text } from '../show.ts';
import { about, open_set, type SetFlags } from './set.ts';
import { summary_table } from './summary.ts';

export interface AnswerLengthFlags extends SetFlags {
  readonly model: string;
  readonly tokenizer?: string;
  readonly tokenizer_path?: string;
  readonly json?: boolean;
}

export async function tell_answer_lengths(flags: AnswerLengthFlags): Promise<undefined> {
  const signal = interruptible();
  const subject = await read_subject(flags.model, flags.tokenizer ?? flags.tokenizer_path);
  const { set, samples } = await open_set(flags, subject);
  const bar = progress('reading answers');
  const found = await answer_lengths(set, subject.tokenizer, samples, (done) => {
    signal.throwIfAborted();
    bar.update(done, samples);
  });
  bar.end();
  const { kind } = subject.tokenizer;
  if (flags.json) print_json('answer_lengths', { ...about(set), tokenizer: kind, ...found });
  else out(`${text_of(set, TOKENS[kind], found)}\n`);
  if (kind === 'bytes') {
    note('no tokenizer was found, so each byte counts as a token: --tokenizer FOLDER takes the published one');
  }
}

function text_of({ name, split }: Dataset, what: string, found: AnswerLengths): string {
  const tables = [
    summary_table(`${what} of the reference answers of ${name} ${split}`, 'answers', found.tokens),
    {
      title: `how many ${what}`,
      columns: [text(what), count('answers'), share('share')],
      rows: found.ranges.map(({ from, to, answers, share }) => [
        to === null ? `${from} and more` : from === to ? `${from}` : `${from} to ${to}`,
        answers,
        share,
      ]),
    },
    {
      title: 'which fit into so many new tokens',
      columns: [count('new tokens'), share('fit'), count('cut')],
      rows: found.coverage.map(({ new_tokens, share, cut }) => [new_tokens, share, cut]),
      note: 'The token that ends an answer is not counted: a limit that it does not fit into cuts nothing off.',
    },
  ];
  const examples = found.longer
    .filter(({ answers }) => answers > 0)
    .map(({ than, answers, examples }) => {
      const lines = examples.map(({ id, answer, tokens }) => `  ${tokens}: ${JSON.stringify(answer)} (${id})`);
      return [`${answers} are longer than ${than}, such as`, ...lines].join('\n');
    });
  return [...tables.map(table_text), ...examples, found.recommendation.text].join('\n\n');
}

/** What a token is. */
const TOKENS = { bpe: 'tokens', words: 'words', bytes: 'bytes' } as const;

const text = (name: string) => ({ name, unit: 'text' }) as const;
const count = (name: string) => ({ name, unit: 'count' }) as const;
const share = (name: string) => ({ name, unit: 'share' }) as const;
