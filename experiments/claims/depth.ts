import type { z } from 'zod';
import { type DepthRow, depth_ms } from '../lab/depth.ts';
import { estimate_of, LEAST_RUNS, over, through } from '../lab/judge.ts';
import type { TimeName } from '../lab/times.ts';
import { as_found, type Claim, exactly, held, type Judged, LINEAR, less, linear, not_tested, way } from './claim.ts';
import { SHORTENED_LLAMA, study } from './sources.ts';
import { block_rows, least_by, most_by } from './views.ts';

/** What blocks of the language model cost. */

type Blocks = z.infer<typeof block_rows.shape>;

const IT_TAKES = `it takes all blocks and that share of them, of ${LEAST_RUNS} runs or more`;

/** A time with a share of the blocks over that with all, as measured. A slice has cells of its own depth, which are no share of the whole. */
function measured({ summary, depth }: Blocks, share: number, time: TimeName) {
  const total = depth?.num_total_blocks;
  const with_blocks = (blocks: number) =>
    summary.find((row) => row.num_total_blocks === total && row.num_active_blocks === blocks);
  const [some, all] = [share, 1].map((part) => with_blocks(part * (total ?? 0))?.statistics[time]);
  return over(estimate_of(some), estimate_of(all));
}

/** The same where a depth was not measured: on the line that the stamps of the deepest cell give. */
function by_stamps({ depth }: Blocks, share: number, ms: (row: DepthRow) => number | null): number | null {
  const [some, all] = [share, 1].map((part) => depth?.rows[part * depth.num_total_blocks - 1]);
  if (some?.measured && all?.measured) return null;
  const [few, many] = [some, all].map((row) => row && ms(row));
  return few && many ? few / many : null;
}

const step_ms = (row: DepthRow) => depth_ms(row, 'decode_step_ms');

/** Vision, prefill and all steps. */
function request_ms({ depth, summary }: Blocks): (row: DepthRow) => number | null {
  const steps = (summary[0]?.num_output_tokens ?? 1) - 1;
  return (row) => {
    const [prefill, step, vision] = [depth_ms(row, 'prefill_ms'), step_ms(row), depth?.vision_ms ?? null];
    return prefill === null || step === null || vision === null ? null : vision + prefill + steps * step;
  };
}

/** Runs of the deepest cell, which a line rests on. */
const runs_of = ({ summary }: Blocks): number =>
  most_by(summary, (row) => row.num_active_blocks)?.statistics.T_LLM_prefill?.n ?? 0;

interface Shared {
  readonly share: number;
  readonly time: TimeName;
  readonly ms: (blocks: Blocks) => (row: DepthRow) => number | null;
  readonly least?: number;
  readonly most?: number;
  readonly unit: string;
  readonly as: (ratio: number) => number;
  readonly words: (value: string) => string;
}

/** By cells of such depths; where there are none, by stamps. */
const share_ways = ({ share, time, ms, unit, as, words, ...bounds }: Shared): Claim['ways'] => [
  way({ blocks: block_rows }, ({ blocks: { body } }) => {
    const ratio = measured(body, share, time);
    return ratio === null ? not_tested(IT_TAKES) : held(through(ratio, as), bounds, unit, words);
  }),
  way({ blocks: block_rows }, ({ blocks: { body } }) => {
    const ratio = by_stamps(body, share, ms(body));
    if (ratio === null || runs_of(body) < LEAST_RUNS) return not_tested(IT_TAKES);
    const value = as(ratio);
    const { least = value, most = value } = bounds;
    const sentence = `${words(`${value.toPrecision(3)} ${unit}`)}, on the line that the stamps of ${body.depth?.from_blocks} blocks give`;
    return exactly(value, value >= least && value <= most, unit, sentence, runs_of(body));
  }),
];

/** As measured, whatever was scaled: of a slice too, whose blocks are the whole's. */
function lines({ summary }: Blocks): Judged {
  const judged = (['T_LLM_prefill', 'T_decode_per_token'] as const).map((name) =>
    linear(
      summary.flatMap(({ num_active_blocks, statistics }) => {
        const time = estimate_of(statistics[name]);
        return time === null ? [] : [{ x: num_active_blocks, ...time }];
      }),
      'depths',
      'block',
    ),
  );
  const [prefill, step] = judged as [Judged, Judged];
  const worse = ['refuted', 'not tested', 'confirmed'].flatMap(
    (outcome) => judged.find((one) => one.outcome === outcome) ?? [],
  );
  const sentence = `prefill ${prefill.sentence}; a decode step ${step.sentence}`;
  return { ...(worse[0] as Judged), ...(prefill.number && step.number ? { sentence } : {}) };
}

const percent_less = (ratio: number): number => 100 * (1 - ratio);
const half = { share: 0.5, time: 'T_decode_per_token', ms: () => step_ms } as const;
const run = 'molmoe block-mask';

export const DEPTH_CLAIMS: readonly Claim[] = [
  {
    id: 'depth-linear',
    statement: 'Prefill and a decode step grow linearly with the blocks that run',
    source: study('docs/EXP3_TRANSFORMER_BLOCKS_MASK.md'),
    test: `lines through both have R squared of ${LINEAR} or more, over three depths at least; of two depths: the stamps of one foretell prefill of the other within 10 %`,
    ways: [
      way({ blocks: block_rows }, ({ blocks: { body } }) => lines(body)),
      way({ blocks: block_rows }, ({ blocks: { body } }) =>
        as_found(body.findings, 'A block takes as long in prefill however many run', undefined, runs_of(body)),
      ),
    ],
    run,
  },
  {
    id: 'depth-proportional',
    statement: '75, 50 and 25 % of the blocks take 75, 50 and 25 % of the time of a decode step',
    source: study('docs/EXP3_TRANSFORMER_BLOCKS_MASK.md'),
    test: 'with half of the blocks a decode step takes 47.5 to 52.5 % of the time with all',
    ways: share_ways({
      ...{ ...half, least: 47.5, most: 52.5, unit: '%', as: (ratio) => 100 * ratio },
      words: (value) => `with half of the blocks a decode step takes ${value} of the time with all`,
    }),
    run,
  },
  {
    id: 'depth-pruning-speeds-up',
    statement: 'Leaving out blocks speeds up generation even of small batches, where narrower layers do not',
    source: SHORTENED_LLAMA,
    test: 'with half of the blocks a decode step of one sequence is at least 1.5 times as fast',
    ways: share_ways({
      ...{ ...half, least: 1.5, unit: 'times', as: (ratio) => 1 / ratio },
      words: (value) => `with half of the blocks a decode step is ${value} as fast`,
    }),
    run,
  },
  {
    id: 'blocks-save-10-25',
    statement: 'Fewer blocks save 10 to 25 % of the latency',
    source: study('docs/controller/design.md, targets'),
    test: 'with three quarters of the blocks the whole request takes 10 to 25 % less time',
    ways: share_ways({
      ...{ share: 0.75, time: 'T_total', ms: request_ms, least: 10, most: 25, unit: '%', as: percent_less },
      words: (value) => `with three quarters of the blocks a request takes ${less(value)} time`,
    }),
    run,
  },
  {
    id: 'which-blocks-cost-alike',
    statement: 'The same number of blocks has a similar latency, whichever they are',
    source: study('docs/core_exp/m5_depth_mask_policy.md'),
    test: 'with equally many other blocks prefill takes 0.95 to 1.05 times as long, where it differs most',
    ways: [
      way({ blocks: block_rows }, ({ blocks: { body } }) => {
        const pairs = body.summary.flatMap((row, i) => {
          const other = body.summary.slice(0, i).find((one) => one.num_active_blocks === row.num_active_blocks);
          const [a, b] = [row, other].map((one) => estimate_of(one?.statistics.T_LLM_prefill));
          const ratio = over(a ?? null, b ?? null);
          return other === undefined || ratio === null ? [] : [{ row, other, ratio }];
        });
        const worst = least_by(pairs, ({ ratio }) => -Math.abs(Math.log(ratio.value)));
        if (worst === undefined) return not_tested('no two cells of three runs or more have equally many blocks');
        const [a, b] = [worst.row, worst.other].map((row) => row.active_block_indices.join(', '));
        return held(
          worst.ratio,
          { least: 0.95, most: 1.05 },
          'times',
          (value) => `prefill takes ${value} as long in blocks ${a} as in blocks ${b}`,
        );
      }),
    ],
    run: 'molmoe block-mask --active-block-indices 0,1,2,3 --active-block-indices 0,5,10,15',
  },
];
