import { format_prompt } from '../../engine/input/prompt.ts';
import type { Tokenizer } from '../../engine/input/tokenizer.ts';
import type { ModelConfig } from '../../engine/model/config.ts';

/** Text tokens of a prompt, the model's own template included. */
export function text_tokens_of(prompt: string, config: ModelConfig, tokenizer: Pick<Tokenizer, 'encode'>): number {
  const { message_formatting, always_start_with_space } = config;
  return tokenizer.encode(format_prompt(prompt, { message_format: message_formatting, always_start_with_space }))
    .length;
}
