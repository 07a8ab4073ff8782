import type { ModelConfig } from '../../engine/model/config.ts';
import { attention_cases } from './attention.ts';
import type { Maker } from './case.ts';
import { expert_cases } from './experts.ts';
import { product_cases } from './products.ts';
import { row_cases } from './rows.ts';

/** Every kernel of the model on the shapes it has there, prompts of these lengths, and some odd ones. */
export const kernel_cases = (config: ModelConfig, prompts: readonly number[]): Maker[] => [
  ...product_cases(config, prompts),
  ...attention_cases(config, prompts),
  ...expert_cases(config, prompts),
  ...row_cases(config, prompts),
];
