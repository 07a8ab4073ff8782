import type { Knobs } from '../../engine/model/knobs.ts';
import type { Saved } from '../../experiments/lab/define.ts';
import { key_of } from '../../experiments/lab/plan.ts';
import type { Configuration, Settings } from '../../experiments/lab/schema.ts';
import type { ScoredSample } from '../../experiments/lab/schema_answers.ts';
import { noise } from './noise.ts';
import { FAKE_RUN, fake_configuration, PROVENANCE } from './records.ts';

/** Answers as an experiment would find them saved, of a model that is none. */

export interface FakeCell {
  readonly settings: Settings;
  readonly knobs?: Knobs;
  /** Share of right answers: the first ones are right. */
  readonly accuracy: number;
  /** Of captions, where they are another. */
  readonly captions?: number;
  /** Of a request, without the jitter. */
  readonly ms?: number;
  readonly gflop?: number;
}

const TYPES = ['color', 'shape', 'count', 'caption'] as const;

function sample_of(cell: FakeCell, place: number, samples: number, timed: number): ScoredSample {
  const question_type = TYPES[place % TYPES.length] as string;
  const share = question_type === 'caption' ? (cell.captions ?? cell.accuracy) : cell.accuracy;
  const right = Math.floor(place / TYPES.length) < Math.round(share * (samples / TYPES.length));
  const { ms = 100, gflop = 1 } = cell;
  const [jitter = 0] = noise(1, place + 1);
  const total = ms * (1 + 0.01 * jitter);
  const steps = [0.05 * total, 0.05 * total];
  const alone = {
    ...{ T_vision_encoder: 0.25 * total, T_projector: 0.05 * total, T_LLM_prefill: 0.6 * total },
    ...{ T_LLM_decode: 0.1 * total, T_decode_per_step: steps, T_total: total, num_output_tokens: 2 },
  };
  return {
    ...{ sample_id: `q${place}`, picture: `p${place}`, question: `what is ${place}?`, references: ['red'] },
    ...{ metadata: { question_type }, answer: right ? 'red' : 'blue', finish: 'eos', scores: { em: right ? 1 : 0 } },
    tokens: { num_crops: 2 + (place % 2), inserted_vision_tokens: 288, prompt_length: 320, num_output_tokens: 2 },
    flops: { vision_encoder: 0.4e9 * gflop, prefill: 0.5e9 * gflop, decode: 0.1e9 * gflop },
    ...(place < timed ? { latency: [alone, alone, alone] } : {}),
  };
}

export function fake_answered(cell: FakeCell, samples = 40, timed = 0): Configuration {
  const { settings, knobs = {} } = cell;
  return {
    ...fake_configuration('low', 'short', 'short', 1),
    ...{
      key: key_of(settings),
      settings,
      knobs: { ...knobs } as Configuration['knobs'],
      instrumented: null,
      routing: null,
    },
    clean: { clock: 'not timed', samples: [] },
    answers: {
      metric: 'em',
      samples: Array.from({ length: samples }, (_, place) => sample_of(cell, place, samples, timed)),
      of_all: {},
      workers: [{ shard: '0/1', adapter: 'llvmpipe', host: 'bench', answers: samples }],
    },
  };
}

/** As publishing finds them; `dataset` names the set. */
export function fake_saved(
  cells: readonly FakeCell[],
  {
    samples = 40,
    timed = 0,
    options = {},
    dataset = 'shapes',
  }: { samples?: number; timed?: number; options?: Readonly<Record<string, unknown>>; dataset?: string } = {},
): Saved {
  const { fingerprint } = FAKE_RUN;
  return {
    run: {
      ...FAKE_RUN,
      ceilings: null,
      fingerprint: {
        ...fingerprint,
        provenance: PROVENANCE,
        protocol: { ...fingerprint.protocol, batch: 64, answers: { samples, new_tokens: 16, timed } },
        dataset: { name: dataset, split: 'test', size: 5000, digest: 'beef', source: 'made up', resize: 'pad' },
      },
    },
    configurations: cells.map((cell) => fake_answered(cell, samples, timed)),
    skipped: [],
    options,
  };
}

/** A grid of the real model's depth: accuracy and cost by where the knobs stand. */
export const fake_grid = (
  levels: { readonly crops: readonly number[]; readonly top_k: readonly number[]; readonly blocks: readonly number[] },
  of: (crops: number, top_k: number, blocks: number) => Pick<FakeCell, 'accuracy' | 'captions' | 'ms' | 'gflop'>,
  own = { crops: 12, top_k: 8, blocks: 16 },
): FakeCell[] =>
  levels.crops.flatMap((crops) =>
    levels.top_k.flatMap((top_k) =>
      levels.blocks.map((blocks) => ({
        settings: { max_crops: crops, top_k, num_active_blocks: blocks },
        knobs: {
          ...(crops === own.crops ? {} : { maxCrops: crops }),
          ...(top_k === own.top_k ? {} : { topK: top_k }),
          ...(blocks === own.blocks ? {} : { blocks: Array.from({ length: blocks }, (_, i) => i) }),
        },
        ...of(crops, top_k, blocks),
      })),
    ),
  );
