import { UsageError } from '../errors.ts';
import { format_prompt, type PromptFormat } from './prompt.ts';

/** One entry of a data set, as far as a question is made of it. */
export type Example = {
  style: string;
  question?: string;
  prompt?: string; // a finished question
  options?: readonly string[]; // answers to choose from, shown with letters
  unlabelled_options?: readonly string[]; // shown as they are
};

/** The random numbers of the formatter, in the order they are drawn. */
export type Draws = {
  /** A whole number, low <= n < high. */
  randint(low: number, high: number): number;
};

export type FormattedExample = {
  message: string;
  option_names?: string[]; // how an answer names an option
};

/** The wordings the model was trained with, slips included: two captions run together, "Look and this image". */
const caption_prompts = [
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

const shown_style = new Map([
  ['eval_short_answer', 'vqa2'],
  ['eval_multiple_choice', 'a_okvqa_mc'],
]);
const styles_without_prefix = new Set(['demo', 'android_control']);
/** Styles whose wordings or prefixes the model saw at random in training: no evaluation uses them. */
const training_styles = new Set(['long_caption', 'pointing', 'point_count', 'user_qa']);

/** A data set's entry as the message the model was trained to answer: the style tells it which kind of answer is wanted. */
export function format_example(example: Example, draws: Draws, format: PromptFormat = {}): FormattedExample {
  const { style } = example;
  if (!style || training_styles.has(style)) {
    throw new UsageError(`example: expected a style that data sets are evaluated with, found "${style}"`);
  }
  const { text, option_names } = question_of(example, draws);
  const prefix = styles_without_prefix.has(style) ? '' : `${shown_style.get(style) ?? style}:`;
  const message = format_prompt(prefix && text ? `${prefix} ${text}` : prefix + text, format);
  return option_names ? { message, option_names } : { message };
}

function question_of(example: Example, draws: Draws): { text: string; option_names?: string[] } {
  if (example.prompt !== undefined) return { text: example.prompt };
  if (example.style === 'coco_captioning') {
    return { text: caption_prompts[draws.randint(0, caption_prompts.length)] as string };
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
