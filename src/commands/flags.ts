import type { Knobs } from '../../engine/model/knobs.ts';
import { parse_blocks } from '../../engine/model/knobs.ts';
import { resolve_model } from '../../engine/node/choose_model.ts';
import type { DeviceChoice, LoadOptions } from '../../engine/node/load.ts';
import type { Experiment } from '../../experiments/lab/define.ts';
import type { WeightFormat } from '../../kernels/spec.ts';
import { dim, note } from '../print.ts';

/** What src/options.ts parses, as commands read it. */
export interface AdapterFlags {
  readonly adapter: string;
  readonly backend?: DeviceChoice['backend'];
  readonly power?: DeviceChoice['power'];
  readonly validate?: boolean;
  /** Of commands that run the model's kernels. */
  readonly variant?: DeviceChoice['variant'];
  readonly tuning?: DeviceChoice['tuning'];
}

export interface ModelFlags {
  readonly model: string;
  readonly dtype?: WeightFormat;
  readonly weightsSeed: number;
  readonly tokenizer?: string;
}

export interface KnobFlags {
  readonly maxCrops?: number;
  /** Of commands that cut a picture of the user's own. */
  readonly crops?: number;
  readonly tier?: string;
  readonly topK?: readonly number[];
  readonly topKVision?: readonly number[];
  readonly blocks?: string;
}

export const device_choice = (flags: AdapterFlags, debug: boolean): DeviceChoice => ({
  adapter: flags.adapter,
  backend: flags.backend,
  power: flags.power,
  variant: flags.variant,
  tuning: flags.tuning,
  mode: flags.validate ? 'validated' : 'release',
  hush: !debug,
});

/**
 * Who brings a picture wants an answer: where no checkpoint lies about, the small trained model that comes with the
 * program gives one. Experiments, which want true times, take a model of the real proportions instead.
 */
export function answering<F extends ModelFlags>(flags: F): F {
  if (flags.model !== 'auto' || resolve_model('auto') !== undefined) return flags;
  note(
    dim(
      'auto     nano, the small trained model that comes with the program: it knows drawn shapes (docs/08-accuracy-and-knobs.md)',
    ),
  );
  return { ...flags, model: 'nano' };
}

/** Its cells are about answers, which only trained weights give. */
export const wants_answers = ({ instrument }: Pick<Experiment, 'instrument'>): boolean =>
  instrument.name === 'answers' || instrument.name === 'budget';

export const load_options = (flags: AdapterFlags & ModelFlags, debug: boolean): LoadOptions => ({
  ...device_choice(flags, debug),
  model: flags.model,
  dtype: flags.dtype,
  seed: flags.weightsSeed,
  tokenizer: flags.tokenizer,
  on_choice: (model, dtype, { by, why }) => {
    if (by !== 'given') note(dim(`auto     ${model} stored as ${dtype}: ${why}`));
  },
});

/** Which of the picture's knobs fit together, the engine checks. */
export const knobs_of = ({ maxCrops, crops, tier, topK, topKVision, blocks }: KnobFlags): Knobs =>
  ({
    maxCrops,
    crops,
    tier,
    topK: one_or_list(topK),
    topKVision: one_or_list(topKVision),
    blocks: blocks === undefined ? undefined : parse_blocks(blocks),
  }) as Knobs;

const one_or_list = (k: readonly number[] | undefined) => (k?.length === 1 ? k[0] : k);

/** Options of the engine by the flags that set them. */
const FLAG_OF: Readonly<Record<string, string>> = {
  maxNewTokens: '--max-new-tokens',
  tokensPerReadback: '--flush',
  maxCrops: '--max-crops',
  crops: '--crops',
  tier: '--tier',
  topK: '--top-k',
  topKValues: '--top-k-values',
  topKVision: '--top-k-vision',
  blocks: '--blocks',
  temperature: '--temperature',
  topP: '--top-p',
  prompt: '--prompt',
  stop: '--stop',
  timing: '--timing',
  resize: '--resize',
  model: '--model',
  dtype: '--dtype',
  adapter: '--adapter',
  shard: '--shard',
  variant: '--variant',
  preset: '--preset',
  dataset: '--dataset',
  split: '--split',
  folder: '--data-dir',
  'sampling.topK': '--sample-top-k',
  'sampling.seed': '--seed',
};

const flag_of = (key: string): string | undefined => FLAG_OF[key] ?? FLAG_OF[key.split('.').at(-1) as string];

/** Those that were turned, as they were given. */
export const knobs_text = (knobs: Knobs): string =>
  Object.entries(knobs)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${flag_of(key)} ${[value].flat().join(',') || 'none'}`)
    .join(' ');

/** The engine's message with the flag's name where it says an option's: at its head, and where only an option is so spelled. */
export function in_flags(message: string, is_usage: boolean): string {
  const [head = '', ...rest] = message.split(':');
  const keys = is_usage ? head.split(', ') : [];
  const flags = keys.map(flag_of);
  let tail = rest.join(':').replace(/(?<![-\w])dtype(?= \w)/g, '--dtype');
  if (rest.length === 0 || keys.length === 0 || flags.includes(undefined))
    return rest.length === 0 ? head : `${head}:${tail}`;
  if (keys.length > 1)
    for (const key of keys) tail = tail.replaceAll(new RegExp(`\\b${key}\\b`, 'g'), flag_of(key) as string);
  return `${flags.join(', ')}:${tail}`;
}
