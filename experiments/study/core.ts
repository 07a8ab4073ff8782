import { compact } from '../lab/captions.ts';
import type { Bar, Figure } from '../lab/charts.ts';
import { amount_at, is_object, notes_of, nothing_in, object_of, type StudyFile, time_at } from './file.ts';

/** Names of the core program's files: {dataset}_imgsizetier-{tier}_crops{n}_topk{k}_blocks{b}[_rank{r}].json. */
export const CORE_FILE = /^([\w-]+?)_imgsizetier-[a-z]+_crops\d+_topk\d+_blocks\d+$/;

const STAGES = [
  ['vision_encoder', 'vision encoder and projector', 'T_vision_total_mean'],
  ['prefill', 'prefill', 'T_LLM_prefill_mean'],
  ['decode', 'decode', 'T_LLM_decode_mean'],
] as const;

/** All configurations of one data set in one picture, with the means that their `latency_stats` hold. */
export function core_figure(dataset: string, files: readonly StudyFile[]): Figure {
  const bars = files.map(core_bar).toSorted((a, b) => (order_of(a) < order_of(b) ? -1 : 1));
  return {
    name: `stage_latency_stack_all_configs_${dataset}`,
    title: `Stages of every configuration: ${dataset}`,
    notes: [...new Set(files.flatMap((file) => notes_of(file, 'means of the samples of each')))].slice(0, 4),
    panels: [{ kind: 'stack', categories: 'Configuration', bars, value: { label: 'Latency (ms)' } }],
  };
}

function core_bar(file: StudyFile): Bar {
  const whole = object_of(file);
  const stats = { at: 'latency_stats', value: is_object(whole.latency_stats) ? whole.latency_stats : {} };
  const segments = STAGES.flatMap(([look, name, key]) => {
    const value = time_at(file, stats, key);
    return value ? [{ look, name, value }] : [];
  });
  const total = segments.reduce((sum, { value }) => sum + value, 0);
  if (total === 0) throw nothing_in(file, 'latency_stats with means of stages');
  const [k, blocks] = ['top_k', 'num_active_blocks'].map((key) =>
    amount_at(file, { at: 'the file', value: whole }, key),
  );
  const tier = typeof whole.tier === 'string' ? whole.tier.slice(0, 12) : '?';
  return {
    label: [tier, `top-k ${k ?? '?'}`, `${blocks ?? '?'} blocks`],
    segments,
    total: { value: total, label: compact(total) },
  };
}

const TIERS = ['low', 'medium', 'high'];
const order_of = ({ label }: Bar): string =>
  [TIERS.indexOf(label[0] as string), ...label.slice(1).map((text) => text.replace(/\D/g, '').padStart(3, '0'))].join(
    ' ',
  );
