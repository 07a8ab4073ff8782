import { format_example } from '../../engine/input/formatter.ts';
import type { Tokenizer } from '../../engine/input/tokenizer.ts';
import type { DatasetSample } from '../datasets/dataset.ts';
import { type Ask, type NamedRequest, request_of, type Subject } from './inputs.ts';
import { below, random_numbers } from './random.ts';
import type { SampleSource } from './schema.ts';

/** Samples of a data set as requests. */

/** The style that asks without its name, and the one that has no question. */
const PLAIN = 'demo';
const CAPTIONS = 'coco_captioning';

/** Seed of the words in which captions are asked for, as in the study's loaders. */
const WORDING_SEED = 42;

/**
 * The question in the words that the model was trained to answer for this style; without the style's name where that is no
 * word of the model's.
 */
export function prompt_of(sample: DatasetSample, place: number, tokenizer?: Pick<Tokenizer, 'unknown_words'>): string {
  const random = random_numbers(WORDING_SEED + place);
  const draws = { randint: (low: number, high: number) => low + below(high - low, random) };
  const { question, options } = sample;
  const is_told = (tokenizer?.unknown_words?.(sample.style) ?? []).length === 0;
  const style = is_told || sample.style === CAPTIONS ? sample.style : PLAIN;
  return format_example({ style, question, options }, draws, { message_format: 'none', always_start_with_space: false })
    .message;
}

/** What is asked of the sample at this place of those chosen; its picture is opened when it is measured. */
export function sample_request(on: Subject, place: number, ask: Ask): NamedRequest {
  const sample = on.samples?.list[place];
  if (on.samples === undefined || sample === undefined) throw new Error(`sample ${place}: none was chosen`);
  const { picture, id } = sample;
  const { record, sizes, nominal } = on.samples;
  const one = request_of(on, { ...ask, image: null, prompt: prompt_of(sample, place, on.tokenizer) }, {}, id);
  const source = source_of(sample);
  if (picture === null) return { ...one, sample: source };
  // The pipeline that covers and cuts turns pictures as their EXIF orientation says; the published processor does not.
  const orient = record.resize === 'fill';
  return {
    ...one,
    image: picture.name,
    sample: source,
    request: { ...one.request, resize: record.resize },
    later: { open: () => picture.open({ orient }), digest: `${record.digest} ${id}`, size: sizes.get(id), nominal },
  };
}

export const source_of = ({ id, style, answers, options, answer_index, metadata }: DatasetSample): SampleSource => ({
  id,
  style,
  answers: answers && [...answers],
  ...(options ? { options: [...options] } : {}),
  ...(answer_index === undefined ? {} : { answer_index }),
  metadata: { ...metadata },
});
