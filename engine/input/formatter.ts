import { UsageError } from '../errors.ts';
import { format_prompt, type PromptFormat } from './prompt.ts';
import type { Tokenizer } from './tokenizer.ts';

/** One entry of a data set, as far as a question is made of it. */
export type Example = {
  style?: string;
  question?: string;
  prompt?: string; // a finished question
  options?: readonly string[]; // answers to choose from, shown with letters
  unlabelled_options?: readonly string[]; // shown as they are
  messages?: readonly string[]; // a conversation: question, answer, question ...
};

export type FormatterOptions = PromptFormat & {
  /** uber_model: captions get one of many wordings. none: the question as it is. */
  prompt_templates?: 'uber_model' | 'none';
  /** What tells the model which answer style is wanted. The published model knows demo_or_style. */
  system_prompt?: 'demo_or_style' | 'style' | 'style_and_length' | 'none';
  /** Takes the first wording and always names the style. */
  debug?: boolean;
};

/** The random numbers of the formatter, in the order they are drawn. */
export type Draws = {
  /** A whole number, low <= n < high. */
  randint(low: number, high: number): number;
  /** 0 <= u < 1. */
  random(): number;
};

export type FormattedExample = {
  messages: string[];
  option_names?: string[]; // how an answer names an option
};

/** The wordings the model was trained with, slips included: two captions run together, "Look and this image". */
const short_caption_prompts = [
  'Caption the image with 1 or two sentences',
  'Write a very short description of this image.',
  'Briefly describe the image.',
  'Look and this image, and then summarize it in a sentence or two.',
  'Write a brief caption describing the image',
  'Brief Caption:A short image caption:',
  'A short image description',
  'Briefly describe the content of the image.',
  'Can you give me one sentence summary of the picture?',
  'How would you describe this image in a sentence or two?',
];
const long_caption_prompts = [
  'Describe this image.',
  'Describe this image',
  'describe the image',
  'Write a long description of this image.',
  'caption the picture',
  'Caption',
  'caption',
  'Construct a long caption for this image',
  'Generate a caption',
  'Create a detailed caption',
  'Write a long caption',
  'Describe this image in detail',
  'Describe this',
  'describe this',
  'Caption this',
  'What can be seen in this image?',
  'What do you see in the image?',
  'Look at this photo carefully and then tell me about it in detail',
  'Write a long description of this image',
  'Tell me about this picture.',
  'Write a paragraph about this image.',
  'Look at this image carefully and then describe it in detail',
  'Generate a long caption about this image.',
];
const caption_prompts = new Map([
  ['coco_captioning', short_caption_prompts],
  ['long_caption', long_caption_prompts],
]);

const shown_style = new Map([
  ['eval_short_answer', 'vqa2'],
  ['eval_multiple_choice', 'a_okvqa_mc'],
]);
const styles_without_prefix = new Set(['demo', 'android_control']);
const pointing_styles = new Set(['point_count', 'pointing']);
const styles_with_rare_prefix = new Set([...pointing_styles, 'user_qa', 'long_caption']);
const prefix_share = 0.1;
const length_hint = 65;

/** A data set's entry as the messages the model was trained to see. Every second message is an answer. */
export function format_example(example: Example, draws: Draws, options: FormatterOptions = {}): FormattedExample {
  const { text, option_names } = example.messages
    ? { text: example.messages[0] ?? '', option_names: undefined }
    : question_of(example, draws, options);
  const prefix = system_prefix(example.style, draws, options);
  const first = prefix && text ? `${prefix} ${text}` : prefix + text;
  const all = [first, ...(example.messages ?? []).slice(1)];
  const messages = all.map((message, i) =>
    format_prompt(message, {
      message_format: i % 2 === 0 ? options.message_format : 'none',
      // Only the first message may go without its space: later ones must not run into the text before.
      always_start_with_space: i > 0 || options.always_start_with_space,
    }),
  );
  return option_names ? { messages, option_names } : { messages };
}

/**
 * Ids of formatted messages, each tokenised by itself, answers closed by the end token. With a picture they follow BOS
 * and its tokens; without one the data pipeline puts no BOS in front, unlike the processor.
 */
export function message_ids(
  tokenizer: Tokenizer,
  messages: readonly string[],
  image_ids?: readonly number[],
): number[] {
  const ids = image_ids ? [tokenizer.special.bos, ...image_ids] : [];
  messages.forEach((message, i) => {
    ids.push(...tokenizer.encode(message));
    if (i % 2 === 1) ids.push(tokenizer.special.eos);
  });
  return ids;
}

function question_of(
  example: Example,
  draws: Draws,
  { prompt_templates = 'uber_model', debug = false }: FormatterOptions,
): { text: string; option_names?: string[] } {
  if (example.prompt !== undefined) return { text: example.prompt };
  const captions = prompt_templates === 'none' ? undefined : caption_prompts.get(example.style ?? '');
  if (captions) {
    return { text: captions[debug ? 0 : draws.randint(0, captions.length)] as string };
  }
  if (prompt_templates !== 'none' && pointing_styles.has(example.style ?? '')) {
    throw new UsageError(
      `example: the wordings of style "${example.style}" are not known here; give a finished prompt`,
    );
  }
  const question = example.question ?? '';
  if (example.options) {
    const option_names = example.options.map((_, i) => String.fromCharCode(65 + i));
    const lines = example.options.map((option, i) => `${option_names[i]}: ${option}\n`);
    return { text: `${question}\n${lines.join('')}`, option_names };
  }
  if (example.unlabelled_options) {
    const lines = example.unlabelled_options.map((option) => `${option}\n`);
    return { text: `${question}\n${lines.join('')}`, option_names: [...example.unlabelled_options] };
  }
  return { text: question };
}

function system_prefix(
  style: string | undefined,
  draws: Draws,
  { system_prompt = 'demo_or_style', debug = false }: FormatterOptions,
): string {
  if (system_prompt === 'none') return '';
  if (!style) {
    throw new UsageError(`example: expected a style for the system prompt "${system_prompt}", found none`);
  }
  if (system_prompt === 'style') return `${style}:`;
  if (system_prompt === 'style_and_length') return `${style} ${length_hint}:`;
  if (styles_without_prefix.has(style)) return '';
  // The number is drawn even where debug ignores it: later draws must not move.
  if (styles_with_rare_prefix.has(style) && draws.random() > prefix_share && !debug) return '';
  return `${shown_style.get(style) ?? style}:`;
}
