import type { Knobs } from '../engine/model/knobs.ts';
import { FORMATS, type WeightFormat } from '../kernels/spec.ts';

export const VIEWS = ['ask', 'kernels', 'knobs', 'experts', 'measure', 'tour', 'device'] as const;
export type ViewName = (typeof VIEWS)[number];
export const MODELS = ['nano', 'molmoe-slice', 'molmoe-1b', 'molmoe-mini', 'molmoe-tiny'] as const;
export const REGIMES = ['low', 'medium', 'high'] as const;
export const LENGTHS = ['short', 'medium', 'long'] as const;

/** All that a link holds. */
export interface Settings {
  readonly view: ViewName;
  readonly model: string;
  readonly dtype: WeightFormat | undefined;
  /** Place of a drawn picture; undefined for none, or one of the visitor's own. */
  readonly picture: number | undefined;
  readonly prompt: string;
  readonly tokens: number;
  readonly knobs: Knobs;
  readonly regime: readonly string[];
  readonly length: readonly string[];
  readonly answer: readonly string[];
  readonly runs: number;
}

export const DEFAULTS: Settings = {
  view: 'ask',
  model: 'nano',
  dtype: undefined,
  picture: 0,
  prompt: '',
  tokens: 16,
  knobs: {},
  regime: ['low', 'medium'],
  length: ['short'],
  answer: ['short', 'medium'],
  runs: 4,
};

const MOST_TEXT = 2000;

/** Anybody may write a link: what it says is taken only where it is one of ours. */
export function from_link(hash: string): Settings {
  const [view = '', query = ''] = hash.replace(/^#/, '').split('?', 2);
  const asked = new URLSearchParams(query);
  const one_of = <T extends string>(name: string, words: readonly T[], usual: T): T =>
    words.find((word) => word === asked.get(name)) ?? usual;
  const some_of = (name: string, words: readonly string[], usual: readonly string[]): readonly string[] => {
    const found = words.filter((word) => asked.get(name)?.split(',').includes(word));
    return found.length > 0 ? found : usual;
  };
  const whole = (name: string, least: number, most: number): number | undefined => {
    const text = asked.get(name);
    const value = text !== null && /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
    return value >= least && value <= most ? value : undefined;
  };
  const wholes = (name: string): number[] | undefined => {
    const text = asked.get(name);
    return text !== null && /^\d{1,3}(,\d{1,3}){0,63}$/.test(text) ? text.split(',').map(Number) : undefined;
  };
  const topK = wholes('topk');
  const maxCrops = whole('crops', 1, 12);
  const topKVision = whole('topkvision', 1, 64);
  const blocks = wholes('blocks');
  const dtype = asked.get('dtype');
  return {
    view: VIEWS.find((name) => name === view) ?? 'ask',
    model: one_of('model', MODELS, 'nano'),
    dtype: dtype !== null && Object.hasOwn(FORMATS, dtype) ? (dtype as WeightFormat) : undefined,
    picture: asked.get('picture') === 'none' ? undefined : (whole('picture', 0, 999_999) ?? 0),
    prompt: (asked.get('prompt') ?? '').slice(0, MOST_TEXT),
    tokens: whole('tokens', 1, 256) ?? DEFAULTS.tokens,
    knobs: {
      ...(maxCrops !== undefined && { maxCrops }),
      ...(topK !== undefined && { topK: topK.length === 1 ? (topK[0] as number) : topK }),
      ...(topKVision !== undefined && { topKVision }),
      ...(blocks !== undefined && { blocks }),
    },
    regime: some_of('regime', REGIMES, DEFAULTS.regime),
    length: some_of('length', LENGTHS, DEFAULTS.length),
    answer: some_of('answer', LENGTHS, DEFAULTS.answer),
    runs: whole('runs', 1, 50) ?? DEFAULTS.runs,
  };
}

export function to_link(settings: Settings): string {
  const { view, model, dtype, picture, prompt, tokens, knobs, regime, length, answer, runs } = settings;
  const query = new URLSearchParams({ model, picture: String(picture ?? 'none'), tokens: String(tokens) });
  if (prompt !== '') query.set('prompt', prompt);
  if (dtype !== undefined) query.set('dtype', dtype);
  if (knobs.maxCrops !== undefined) query.set('crops', String(knobs.maxCrops));
  if (knobs.topK !== undefined) query.set('topk', String(knobs.topK));
  if (knobs.topKVision !== undefined) query.set('topkvision', String(knobs.topKVision));
  if (knobs.blocks !== undefined) query.set('blocks', knobs.blocks.join(','));
  if (view === 'measure') {
    query.set('regime', regime.join(','));
    query.set('length', length.join(','));
    query.set('answer', answer.join(','));
    query.set('runs', String(runs));
  }
  return `#${view}?${query}`;
}
