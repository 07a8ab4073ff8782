import { describe, expect, test } from 'vitest';
import { type Draws, type Example, format_example } from '../../engine/input/formatter.ts';
import { image_layout } from '../../engine/input/layout.ts';
import { build_prompt, exact_length_text, format_prompt, type PromptFormat } from '../../engine/input/prompt.ts';
import { choose_tiling } from '../../engine/input/tiling.ts';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { golden_data, MOLMO, special_ids, tokenizer_test } from './support.ts';

type Draw = ['randint', number, number, number];
type Processor = PromptFormat & {
  id: string;
  text: string;
  image: string | null;
  formatted_text: string;
  text_ids: number[];
  input_ids: number[];
};
type Formatter = {
  id: string;
  example: Example & { messages?: readonly string[] };
  options: PromptFormat & { prompt_templates: string; system_prompt: string; debug?: boolean };
  for_inference: boolean;
  image: string | null;
  draws: Draw[];
  messages: string[];
  input_tokens: number[];
  option_names?: string[];
};
type Golden = {
  images: Record<string, { width: number; height: number }>;
  processor: Processor[];
  formatter: Formatter[];
};

const golden = golden_data<Golden>('prompts.json');
const bytes = byte_tokenizer(special_ids(500));

const picture_of = (image: string | null) => {
  const size = image === null ? undefined : golden?.images[image];
  return size && { tiling: choose_tiling(size.width, size.height, { max_crops: 12 }, MOLMO), geometry: MOLMO };
};

describe.skipIf(!golden)('prompts.json, processor', () => {
  for (const c of golden?.processor ?? []) {
    test(`${c.id}: text`, () => expect(format_prompt(c.text, c)).toBe(c.formatted_text));
    tokenizer_test(`${c.id}: ids`, (tokenizer) => {
      const prompt = build_prompt(tokenizer, c.text, { ...c, picture: picture_of(c.image), allow_special: true });
      expect(prompt.ids).toEqual(c.input_ids);
      expect(prompt.text_tokens).toBe(c.text_ids.length);
      expect(prompt.formatted_text).toBe(c.formatted_text);
      expect(prompt.image === undefined).toBe(c.image === null);
    });
  }
});

/** Conversations, other system prompts and styles of training are recorded too; evaluations use none of them. */
const is_evaluation = ({ example, options, for_inference }: Formatter): boolean =>
  for_inference &&
  example.messages === undefined &&
  !['long_caption', 'user_qa'].includes(example.style) &&
  options.system_prompt === 'demo_or_style' &&
  options.prompt_templates === 'uber_model' &&
  !options.debug;

describe.skipIf(!golden)('prompts.json, formatter', () => {
  const cases = golden?.formatter.filter(is_evaluation) ?? [];
  test('has evaluations', () => expect(cases.length).toBeGreaterThan(25));
  for (const c of cases) {
    test(`${c.id}: message`, () => {
      const draws = replay(c.draws);
      const got = format_example(c.example, draws, c.options);
      expect([got.message]).toEqual(c.messages);
      expect(got.option_names).toEqual(c.option_names);
      expect(draws.left()).toBe(0);
    });
    tokenizer_test(`${c.id}: ids`, (tokenizer) => {
      const { message } = format_example(c.example, replay(c.draws), c.options);
      const picture = picture_of(c.image);
      const image_ids = picture && image_layout(picture.tiling, tokenizer.special, MOLMO).token_ids;
      // Without a picture the recorded pipeline puts no BOS in front, unlike the processor.
      expect([...(image_ids ? [tokenizer.special.bos, ...image_ids] : []), ...tokenizer.encode(message)]).toEqual(
        c.input_tokens,
      );
    });
  }
});

/** Hands out recorded random numbers and insists that they are asked for as recorded. */
function replay(recorded: readonly Draw[]): Draws & { left(): number } {
  let next = 0;
  return {
    randint(low, high) {
      const draw = recorded[next++];
      expect(draw?.slice(0, 3)).toEqual(['randint', low, high]);
      return draw?.[3] as number;
    },
    left: () => recorded.length - next,
  };
}

test('a style that data sets are evaluated with must be there', () => {
  expect(() => format_example({ style: '', question: 'Why?' }, replay([]))).toThrow(/expected a style/);
  expect(() => format_example({ style: 'pointing' }, replay([]))).toThrow(/found "pointing"/);
});

test('a prompt with a picture: BOS, picture, text, and positions that point at patches', () => {
  const { ids, image } = build_prompt(bytes, 'Hi', { picture: { tiling: { rows: 2, cols: 1 }, geometry: MOLMO } });
  expect(ids[0]).toBe(499);
  expect(ids.length).toBe(1 + 420 + ' User: Hi Assistant:'.length);
  const used = [...(image?.input_idx ?? [])].filter((position) => position >= 0);
  expect(used.length).toBe(384);
  expect(used.every((position) => ids[position] === bytes.special.im_patch)).toBe(true);
  expect(() => build_prompt(bytes, 'look: <im_patch>')).toThrow(/<im_patch> stands for a special token/);
});

const lengths = [5, 6, 7, 19, 20, 33, 64, 128, 500, 1000, 2048];

tokenizer_test('texts of an exact length, published tokenizer', (tokenizer) => {
  for (const n of lengths) {
    const text = exact_length_text(tokenizer, n);
    expect(build_prompt(tokenizer, text).text_tokens).toBe(n);
    expect(exact_length_text(tokenizer, n)).toBe(text);
  }
  for (let n = 5; n < 220; n++) expect(build_prompt(tokenizer, exact_length_text(tokenizer, n)).text_tokens).toBe(n);
  const plain = { message_format: 'none' } as const;
  for (const n of [1, 2, 50]) {
    expect(build_prompt(tokenizer, exact_length_text(tokenizer, n, plain), plain).text_tokens).toBe(n);
  }
  expect(() => exact_length_text(tokenizer, 4)).toThrow(/at least 5 .* found 4/);
});

test('texts of an exact length, byte tokenizer', () => {
  const least = ' User:  Assistant:'.length;
  for (let n = least; n < 400; n++) expect(build_prompt(bytes, exact_length_text(bytes, n)).text_tokens).toBe(n);
  expect(build_prompt(bytes, exact_length_text(bytes, 4000)).text_tokens).toBe(4000);
  expect(() => exact_length_text(bytes, least - 1)).toThrow(/at least 18 .* found 17/);
  for (const bad of [0, -3, 2.5, Number.NaN]) {
    expect(() => exact_length_text(bytes, bad)).toThrow(/whole number of at least 1/);
  }
});
