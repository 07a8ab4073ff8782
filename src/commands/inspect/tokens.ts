import { read_subject } from '../../../tools/inspect/subject.ts';
import { inspect_tokens, runs_of, type SeenToken, type TokensReport } from '../../../tools/inspect/tokens.ts';
import { bold, out, table, warn } from '../../print.ts';
import { type KnobFlags, knobs_of } from '../flags.ts';
import { type PictureFlags, read_input } from './input.ts';
import { print_json } from './show.ts';

export interface TokensFlags extends PictureFlags, KnobFlags {
  readonly model: string;
  readonly tokenizer?: string;
  readonly json?: boolean;
}

/** The study's picture, plain red: of a built-in one, tokens depend on its size alone. */
const SIDE = 2000;

export async function tokens(flags: TokensFlags): Promise<undefined> {
  const { prompt, picture, notes } = await read_input(flags, 'plain red', SIDE);
  const subject = await read_subject(flags.model, flags.tokenizer);
  const size = picture && { name: picture.name, width: picture.width, height: picture.height };
  const report = inspect_tokens(subject, { prompt, picture: size, knobs: knobs_of(flags) });
  const warnings = [...notes, ...report.warnings];
  if (flags.json) print_json('inspect_tokens', { ...report, warnings });
  else {
    out(`${text_of(report)}\n`);
    for (const line of warnings) warn(line);
  }
}

function text_of(report: TokensReport): string {
  const { sequence, vision_tokens: vision, picture, shapes, padding, views } = report;
  const facts = [
    ['model', `${report.model}, tokenizer of ${TOKENIZERS[report.tokenizer]}`],
    ['prompt', `${JSON.stringify(report.formatted_text)}`],
    ['picture', picture === null ? 'none' : `${picture.name}, ${picture.width}x${picture.height}`],
    ...(picture === null || vision === null
      ? []
      : [
          [
            'tiling',
            `${picture.tiling.rows} x ${picture.tiling.cols} on ${picture.canvas.width}x${picture.canvas.height}`,
          ],
          ['crops', `${views}: ${views - 1} of the tiling and the overview`],
          ['ViT patches', `${vision.vit_patches}, and a class token a crop`],
          ['pooled cells', String(vision.pooled_cells)],
          ['inserted cells', `${vision.inserted_cells}: the vision tokens of the prompt`],
          ['marks', `${vision.marks}: starts, ends and row ends`],
        ]),
    ['sequence', `${sequence.length} = ${sequence.begin} begin + ${sequence.image} image + ${sequence.text} text`],
    ['padding', `none; its id would be ${padding.id}`],
    [
      'tensors',
      Object.entries(shapes)
        .map(([name, shape]) => `${name} [${shape.join(', ')}]`)
        .join(', '),
    ],
  ];
  const rows = runs_of(report.tokens).map(({ first, last, tokens: some, times }) => [
    first.position === last ? String(last) : `${first.position}-${last}`,
    first.part,
    some.map(({ token: { id } }) => id).join(', '),
    some.map(({ token, times: n }) => `${shown(token)}${n > 1 ? ` x ${n}` : ''}`).join(', ') +
      (times > 1 ? `, ${times} times` : ''),
    some.some(({ token }) => token.special !== null) ? 'special' : '',
  ]);
  const frequent = report.most_frequent.map((one) => [String(one.id), shown(one), String(one.times)]);
  return [
    table(facts),
    '',
    bold('tokens, equal ones in a row as one line'),
    table([['position', 'part', 'id', 'token', ''], ...rows]),
    '',
    bold('most frequent ids'),
    table([['id', 'token', 'times'], ...frequent]),
  ].join('\n');
}

const TOKENIZERS = {
  bpe: 'the published kind',
  words: 'whole words',
  bytes: 'bytes (a stand-in: --tokenizer FOLDER for the published one)',
} as const;

const shown = ({ text }: Pick<SeenToken, 'text'>): string =>
  text === null ? 'part of a character' : JSON.stringify(text);
