import { over, through } from '../lab/judge.ts';
import type { KernelRow } from '../lab/schema.ts';
import { sum } from '../lab/typical.ts';
import { type Claim, exactly, type Found, held, type Judged, less, not_tested, way } from './claim.ts';
import { FASTMMOE, LEXI, MOE_INFINITY, MOE_SIEVE, OLMOE, RIGHT_PROBLEM, SPLITWISE, study } from './sources.ts';
import {
  bytes_of,
  counts_of,
  e1_parts,
  least_by,
  most_by,
  ratio_rows,
  row_at,
  time_of,
  topk_layers_rows,
  topk_rows,
  topk_vision_rows,
} from './views.ts';

/** What experts cost, and who gets them. */

type Rows = Found<{ readonly summary: readonly TopkRow[] }>;
type TopkRow = Parameters<typeof time_of>[0] & Parameters<typeof counts_of>[0] & { readonly top_k: number };

/** Eight experts over one, in time. */
const eight_over_one = ({ body: { summary } }: Rows, time: 'T_LLM_prefill' | 'T_decode_per_token') =>
  over(time_of(row_at(summary, 'top_k', 8), time), time_of(row_at(summary, 'top_k', 1), time));

const IT_TAKES = 'it takes top-k 1 and 8, of three runs or more';

/** The same in exact counts of a stage; null where one is not there. */
function counted({ body: { summary } }: Rows, stage: 'prefill' | 'decode') {
  const [one, eight] = [1, 8].map((k) => row_at(summary, 'top_k', k)).map((row) => row && counts_of(row, stage));
  return one && eight ? { flops: eight.flops / one.flops, bytes: bytes_of(eight) / bytes_of(one) } : null;
}

/** Points around the half within which stamps of a few runs do not tell. */
const NEAR_HALF = 5;

/** Of a stage's GPU time, the part in kernels whose floor this sets, over all requests that were stamped. */
function bound_share(
  rows: readonly { readonly kernels: readonly KernelRow[]; readonly runs: readonly unknown[] }[],
  stage: string,
  bound: string,
): Judged {
  const kernels = rows.flatMap((row) => row.kernels.filter((kernel) => kernel.stage === stage));
  if (kernels.length === 0) return not_tested(`no ${stage} was stamped`);
  if (kernels.some((kernel) => kernel.bound === null))
    return not_tested('the ceilings of the adapter were not measured');
  const all = sum(kernels.map(({ gpu_ms }) => gpu_ms));
  const share = (100 * sum(kernels.map((kernel) => (kernel.bound === bound ? kernel.gpu_ms : 0)))) / all;
  if (Math.abs(share - 50) < NEAR_HALF) return not_tested(`${share.toFixed(0)} % is too near the half to tell`);
  return exactly(
    share,
    share > 50,
    '%',
    `${share.toFixed(0)} % of the GPU time of ${stage} is in kernels whose least time on this adapter ${bound} sets`,
    Math.min(...rows.map(({ runs }) => runs.length)),
  );
}

type Routed = Found<{
  readonly configurations: readonly {
    readonly routing: {
      readonly layers: readonly { readonly pairs: readonly number[] }[];
      readonly imbalance: number;
    } | null;
  }[];
}>;

/** Routing says something of a model only where somebody taught its router. */
function routed(
  { body, provenance }: Routed,
  judge: (layers: readonly (readonly number[])[], prompts: number) => Judged,
) {
  const some = body.configurations.flatMap(({ routing }) => routing ?? []);
  if (some.length === 0) return not_tested('no request was run with --routing');
  if (provenance.model.weights_kind === 'synthetic') {
    return not_tested('synthetic weights: nobody taught this router, so what it does says nothing of the model');
  }
  return judge(
    some.flatMap(({ layers }) => layers.map(({ pairs }) => pairs)),
    some.length,
  );
}

const mean = (values: readonly number[]): number => sum(values) / values.length;

export const EXPERT_CLAIMS: readonly Claim[] = [
  {
    id: 'eight-experts-eight-times',
    statement: 'Latency is linear in top-k: eight experts a token cost eight times as much as one',
    source: study('measure_flops_scaling and the knob documents'),
    test: 'a decode step with top-k 8 takes at least 6 times as long as with top-k 1',
    ways: [
      way({ topk: topk_rows }, ({ topk }) => {
        const ratio = eight_over_one(topk, 'T_decode_per_token');
        if (ratio === null) return not_tested(IT_TAKES);
        return held(
          ratio,
          { least: 6 },
          'times',
          (value) => `with top-k 8 a decode step takes ${value} as long as with top-k 1`,
        );
      }),
    ],
    run: 'molmoe moe-topk',
  },
  {
    id: 'topk-far-from-linear',
    statement: 'Latency grows with top-k, but far from linearly',
    source: study('docs/EXP_MOE_TOPK_ANALYSIS.md, in its history'),
    test: 'from top-k 1 to 8 prefill grows, by less than 4 times',
    ways: [
      way({ topk: topk_rows }, ({ topk }) => {
        const ratio = eight_over_one(topk, 'T_LLM_prefill');
        if (ratio === null) return not_tested(IT_TAKES);
        return held(
          ratio,
          { least: 1, most: 4 },
          'times',
          (value) => `with top-k 8 prefill takes ${value} as long as with top-k 1`,
        );
      }),
    ],
    run: 'molmoe moe-topk',
  },
  {
    id: 'decode-follows-bytes',
    statement: 'Generating tokens is bound by memory: a step takes as long as the bytes that it reads',
    source: SPLITWISE,
    test: 'from top-k 1 to 8 a decode step grows by the factor of its exact bytes, within 15 %',
    ways: [
      way({ topk: topk_rows }, ({ topk }) => {
        const [ratio, exact] = [eight_over_one(topk, 'T_decode_per_token'), counted(topk, 'decode')];
        if (ratio === null || exact === null) return not_tested(IT_TAKES);
        return held(
          ratio,
          { least: exact.bytes / 1.15, most: exact.bytes * 1.15 },
          'times',
          (value) =>
            `with top-k 8 a decode step takes ${value} as long as with top-k 1; it moves ${exact.bytes.toFixed(2)} times the bytes for ${exact.flops.toFixed(2)} times the FLOPs`,
        );
      }),
    ],
    run: 'molmoe moe-topk',
  },
  {
    id: 'decode-memory-bound',
    statement: 'Token generation is bound by memory, not by compute',
    source: SPLITWISE,
    test: 'more than half of the GPU time of decode is in kernels whose least time the memory ceiling sets',
    ways: [way({ e1: e1_parts }, ({ e1 }) => bound_share(e1.body.configurations, 'decode', 'memory'))],
    run: 'molmoe e1',
  },
  {
    id: 'prefill-compute-bound',
    statement: 'Prompt computation is bound by compute',
    source: SPLITWISE,
    test: 'more than half of the GPU time of prefill is in kernels whose least time the arithmetic ceiling sets',
    ways: [way({ e1: e1_parts }, ({ e1 }) => bound_share(e1.body.configurations, 'prefill', 'compute'))],
    run: 'molmoe e1',
  },
  {
    id: 'forward-ratio-tells-bound',
    statement:
      'A forward pass that takes less than 1.5 times as long with eight experts as with one is not bound by compute',
    source: study('measure_flops_scaling'),
    test: 'its exact FLOPs, encoder included, grow by 1.65 or more, a tenth above: else the threshold does not tell, even where compute alone binds',
    ways: [
      way({ ratios: ratio_rows }, ({ ratios }) => {
        const row = ratios.body.ratios.find(({ of }) => of === 'whole_forward');
        if (!row || row.flops_ratio === null) return not_tested('one expert, or eight, was not counted');
        const { flops_ratio, n } = row;
        const times = flops_ratio.toFixed(2);
        const sentence = `its exact FLOPs grow by ${times}: a machine that does nothing but compute would take ${times} times as long`;
        return exactly(flops_ratio, flops_ratio >= 1.65, 'times', sentence, Math.min(...n));
      }),
    ],
    run: 'molmoe flops-scaling',
  },
  {
    id: 'topk-saves-10-30',
    statement: 'Fewer experts a token save 10 to 30 % of the latency',
    source: study('docs/controller/design.md, targets'),
    test: 'from top-k 8 to 4 the whole request takes 10 to 30 % less time',
    ways: [
      way({ topk: topk_rows }, ({ topk }) => {
        const [four, eight] = [4, 8].map((k) => row_at(topk.body.summary, 'top_k', k));
        const ratio = over(time_of(four, 'T_total'), time_of(eight, 'T_total'));
        if (ratio === null) return not_tested('it takes top-k 4 and 8, of three runs or more');
        return held(
          through(ratio, (x) => 100 * (1 - x)),
          { least: 10, most: 30 },
          '%',
          (value) => `with top-k 4 a request takes ${less(value)} time than with top-k 8`,
        );
      }),
    ],
    run: 'molmoe moe-topk',
  },
  {
    id: 'fewer-experts-for-pictures',
    statement: 'Fewer experts for picture tokens alone make a prompt cheaper',
    source: FASTMMOE,
    test: 'with half of the experts a picture token prefill takes at least 10 % less time',
    ways: [
      way({ pictures: topk_vision_rows }, ({ pictures }) => {
        const rows = pictures.body.summary;
        const all = most_by(rows, (row) => row.top_k_vision);
        const half = all && row_at(rows, 'top_k_vision', all.top_k_vision / 2);
        const ratio = over(time_of(half, 'T_LLM_prefill'), time_of(all, 'T_LLM_prefill'));
        if (!all || !half || ratio === null)
          return not_tested('it takes a number of experts and half of it, of three runs or more');
        const [few, many] = [half, all].map((row) => counts_of(row, 'prefill')?.flops ?? 0) as [number, number];
        return held(
          through(ratio, (x) => 100 * (1 - x)),
          { least: 10 },
          '%',
          (value) =>
            `with ${half.top_k_vision} instead of ${all.top_k_vision} experts a picture token prefill takes ${less(value)} time, for ${(100 * (1 - few / many)).toFixed(1)} % fewer FLOPs`,
        );
      }),
    ],
    run: 'molmoe topk-vision',
  },
  {
    id: 'expert-flops-are-time',
    statement: 'FLOPs that are saved on picture tokens do not come back as time',
    source: RIGHT_PROBLEM,
    test: 'with the fewest experts a picture token the share of time saved is under 0.8 of the share of FLOPs saved',
    ways: [
      way({ pictures: topk_vision_rows }, ({ pictures }) => {
        const rows = pictures.body.summary;
        const [few, all] = [least_by(rows, (row) => row.top_k_vision), most_by(rows, (row) => row.top_k_vision)];
        const ratio = over(time_of(few, 'T_LLM_prefill'), time_of(all, 'T_LLM_prefill'));
        const saving = pictures.body.savings.find((one) => one.top_k_vision === few?.top_k_vision);
        if (ratio === null || !saving?.flops_share || few === all)
          return not_tested('fewer than two values have three runs or more');
        const { flops_share } = saving;
        return held(
          through(ratio, (x) => (1 - x) / flops_share),
          { most: 0.8 },
          '',
          (value) =>
            `${value} of the share of FLOPs that is saved, ${(100 * flops_share).toFixed(1)} %, is saved in time`,
        );
      }),
    ],
    run: 'molmoe topk-vision',
  },
  {
    id: 'experts-by-block-cost-alike',
    statement:
      'How many experts a layer takes may differ from layer to layer: throughput goes by how many there are in all',
    source: LEXI,
    test: 'equally many experts in other blocks: prefill takes 0.95 to 1.05 times as long as with the same number in all',
    ways: [
      way({ blocks: topk_layers_rows }, ({ blocks }) => {
        const rows = blocks.body.summary;
        const even = row_at(rows, 'pattern', 'even');
        const time = (row: (typeof rows)[number] | undefined) =>
          row && time_of({ statistics: row.statistics, scaled: null }, 'T_LLM_prefill');
        const ratios = rows.flatMap((row) => {
          const ratio = row === even ? null : over(time(row) ?? null, time(even) ?? null);
          return ratio === null ? [] : [{ row, ratio }];
        });
        const worst = most_by(ratios, ({ ratio }) => Math.abs(Math.log(ratio.value)));
        if (worst === undefined) return not_tested('fewer than two patterns have three runs or more');
        return held(
          worst.ratio,
          { least: 0.95, most: 1.05 },
          'times',
          (value) =>
            `with more experts in ${worst.row.pattern} blocks prefill takes ${value} as long as with the same number in each (${worst.row.experts_in_all} in all)`,
        );
      }),
    ],
    run: 'molmoe topk-layers',
  },
  {
    id: 'routing-half-cold',
    statement: 'On a prompt many experts of a layer are cold: about half hardly get a token',
    source: MOE_SIEVE,
    test: 'at least half of the experts of a layer get less than half of an even share, the mean over layers and prompts',
    ways: [
      way({ e1: e1_parts }, ({ e1 }) =>
        routed(e1, (layers, prompts) => {
          const cold = layers.map((pairs) => pairs.filter((n) => n < mean(pairs) / 2).length / pairs.length);
          const share = 100 * mean(cold);
          const sentence = `${share.toFixed(0)} % of the experts of a layer get less than half of an even share, over ${prompts} prompts`;
          return exactly(share, share >= 50, '%', sentence, prompts);
        }),
      ),
    ],
    run: 'molmoe e1 --routing, with a checkpoint',
  },
  {
    id: 'routing-skewed-reuse',
    statement: 'Within a request a few experts are used again and again',
    source: MOE_INFINITY,
    test: 'the busiest quarter of the experts of a layer gets at least half of its tokens, the mean over layers and prompts',
    ways: [
      way({ e1: e1_parts }, ({ e1 }) =>
        routed(e1, (layers, prompts) => {
          const top = layers.map((pairs) => {
            const sorted = pairs.toSorted((a, b) => b - a);
            return sum(sorted.slice(0, Math.ceil(pairs.length / 4))) / sum(pairs);
          });
          const share = 100 * mean(top);
          const sentence = `the busiest quarter gets ${share.toFixed(0)} % of a layer's tokens, over ${prompts} prompts`;
          return exactly(share, share >= 50, '%', sentence, prompts);
        }),
      ),
    ],
    run: 'molmoe e1 --routing, with a checkpoint',
  },
  {
    id: 'routing-balanced',
    statement: 'Trained with a load-balancing loss, experts get about as many tokens each',
    source: OLMOE,
    test: 'the busiest expert of a layer gets less than twice an even share, the mean over layers and prompts',
    ways: [
      way({ e1: e1_parts }, ({ e1 }) =>
        routed(e1, (layers, prompts) => {
          const ratio = mean(layers.map((pairs) => Math.max(...pairs) / mean(pairs)));
          const sentence = `the busiest expert gets ${ratio.toFixed(2)} times an even share, over ${prompts} prompts`;
          return exactly(ratio, ratio < 2, 'times', sentence, prompts);
        }),
      ),
    ],
    run: 'molmoe e1 --routing, with a checkpoint',
  },
];
