import { createInterface } from 'node:readline';
import { UsageError } from '../../engine/errors.ts';
import type { Picture } from '../../engine/input/pictures.ts';
import type { Knobs } from '../../engine/model/knobs.ts';
import type { GenerateResult, Look } from '../../engine/molmoe.ts';
import { Molmoe } from '../../engine/node/load.ts';
import { check_request } from '../../engine/request.ts';
import { interruptible } from '../options.ts';
import { be_quiet, bold, complain, dim, ms, note, out, progress } from '../print.ts';
import {
  type AdapterFlags,
  answering,
  in_flags,
  type KnobFlags,
  knobs_of,
  knobs_text,
  load_options,
  type ModelFlags,
} from './flags.ts';
import { orientation_note, read_picture, unknown_words } from './inputs.ts';

export interface AskFlags extends AdapterFlags, ModelFlags, KnobFlags {
  readonly orient?: boolean;
  readonly maxNewTokens: number;
  readonly quiet?: boolean;
}

const HELP = `a question, or
  /top-k 2          experts a token takes (also /top-k-vision, /max-crops); /top-k alone: as at the start
  /blocks 0-3,5     blocks that run
  /knobs            what is turned
  /quit             or an empty line at a terminal`;

/** Question after question about one picture: the picture is computed once for each setting of the knobs. */
export async function ask(picture: string, asked: AskFlags, debug: boolean): Promise<undefined> {
  if (asked.quiet) be_quiet();
  if (picture === '-') throw new UsageError('a picture: expected a file, found -; stdin has the questions');
  const signal = interruptible();
  const image = await read_picture(picture, asked.orient === true);
  const flags = answering(asked);
  for (const line of orientation_note(image, flags.orient === true)) note(line);
  const bar = progress('loading weights');
  const model = await Molmoe.load({
    ...load_options(flags, debug),
    on_model: ({ config, tokenizer }) =>
      check_request({ prompt: '', image, knobs: knobs_of(flags) }, config, tokenizer),
    on_progress: bar.update,
    signal,
  }).finally(bar.end);
  try {
    await converse(model, image, flags, signal);
  } finally {
    model.close();
  }
}

async function converse(model: Molmoe, image: Picture, flags: AskFlags, signal: AbortSignal): Promise<void> {
  const { facts } = model;
  const is_tty = process.stdin.isTTY === true;
  note(dim(`model    ${facts.name}: ${facts.weights}, stored as ${facts.dtype}`));
  note(dim(`image    ${image.width}x${image.height}; /help lists what can be typed`));
  const lines = createInterface({
    input: process.stdin,
    output: is_tty ? process.stderr : undefined,
    terminal: is_tty,
  });
  lines.setPrompt('? ');
  signal.addEventListener('abort', () => lines.close());
  lines.on('SIGINT', () => lines.close());
  let turned: KnobFlags = flags;
  let look = model.look_at({ image, knobs: knobs_of(turned) });
  if (is_tty) lines.prompt();
  try {
    for await (const typed of lines) {
      const line = typed.trim();
      if (line === '/quit' || (line === '' && is_tty)) break;
      try {
        if (line === '/help') note(HELP);
        else if (line === '/knobs') note(knobs_text(knobs_of(turned)) || 'none is turned');
        else if (line.startsWith('/')) {
          const next = turn(turned, flags, line);
          const knobs = knobs_of(next);
          check_request({ prompt: '', image, knobs }, facts.config);
          await look.close();
          look = model.look_at({ image, knobs });
          turned = next;
          note(dim(`knobs    ${knobs_text(knobs) || 'none is turned'}`));
        } else if (line !== '') {
          for (const words of unknown_words(model.engine.tokenizer, line)) note(words);
          note(dim(times_of(await answer(look, line, flags, signal), turned)));
        }
      } catch (error) {
        if (!(error instanceof UsageError)) throw error;
        complain(in_flags(error.message, true).replace(/^--/, '/'));
      }
      if (is_tty) lines.prompt();
    }
    signal.throwIfAborted();
  } finally {
    lines.close();
    if (!signal.aborted) await look.close();
  }
}

async function answer(
  look: Look,
  prompt: string,
  { maxNewTokens }: AskFlags,
  signal: AbortSignal,
): Promise<GenerateResult> {
  const generation = look.ask({ prompt, maxNewTokens, signal });
  for await (const { text } of generation) out(text);
  out('\n');
  return generation.result;
}

const KNOBS: Readonly<Record<string, keyof KnobFlags>> = {
  'top-k': 'topK',
  'top-k-vision': 'topKVision',
  'max-crops': 'maxCrops',
  blocks: 'blocks',
};

/** `/top-k 2`; without a value, as the command was started. */
function turn(now: KnobFlags, started: KnobFlags, line: string): KnobFlags {
  const [name = '', ...rest] = line.slice(1).split(/\s+/);
  const key = KNOBS[name];
  const value = rest.join('');
  if (key === undefined)
    throw new UsageError(`/${name}: expected ${Object.keys(KNOBS).join(', ')}, knobs, help or quit`);
  if (value === '') return { ...now, [key]: started[key] };
  if (key === 'blocks') return { ...now, blocks: value };
  const numbers = value.split(',').map(Number);
  if (!numbers.every(Number.isInteger)) throw new UsageError(`/${name}: expected a whole number, found ${value}`);
  return { ...now, [key]: key === 'maxCrops' ? numbers[0] : numbers };
}

function times_of(result: GenerateResult, knobs: KnobFlags): string {
  const { stages, counts, first_token_ms } = result;
  const parts = stages.map(({ stage, wall_ms }) => `${stage.replace('_', ' ')} ${ms(wall_ms)}`);
  const kept = counts.kept_tokens ? `, ${counts.kept_tokens} of ${counts.prompt_tokens} prompt tokens kept` : '';
  const turned = knobs_text(knobs_of(knobs) as Knobs);
  return `${bold(first_token_ms === undefined ? '' : `first token after ${ms(first_token_ms)}`)}: ${parts.join(', ')}${kept}${turned && `; ${turned}`}`;
}
