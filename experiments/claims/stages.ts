import { LONG_PROMPT } from '../lab/findings.ts';
import { estimate_of, over, plus, through } from '../lab/judge.ts';
import type { PartName, StageName } from '../lab/schema.ts';
import { summarise } from '../lab/stats.ts';
import { sum } from '../lab/typical.ts';
import { as_found, type Claim, exactly, held, type Judged, not_tested, way } from './claim.ts';
import { FASTVLM, GSOP, study } from './sources.ts';
import {
  component_rows,
  type E1Row,
  e1_parts,
  e1_stages,
  fewest_runs,
  least_by,
  length_rows,
  most_by,
  row_at,
  type SampleTimes,
  time_of,
} from './views.ts';

/** Which stage takes the time. */

const run = 'molmoe e1';
const E1_DOCUMENT = study('docs/core_exp/e1_stage_aware_latency_decomposition.md, expected findings');

const e1_expects = (id: string, statement: string, test: string, ways: Claim['ways']): Claim => ({
  ...{ id, statement, source: E1_DOCUMENT, test, ways },
  run,
});

/** What E1 found of a stage, with its least share among the requests that are meant. */
const stage_way = (expectation: string, stage: StageName, meant: (row: E1Row) => boolean) =>
  way({ e1: e1_stages }, ({ e1 }) => {
    const shares = e1.body.configurations.filter(meant).map(({ shares: of }) => 100 * (of[stage] ?? 0));
    const number = shares.length > 0 ? { value: Math.min(...shares), unit: '%' } : undefined;
    return as_found(e1.body.findings, expectation, number, fewest_runs(e1));
  });

/** The same of parts of a stage's GPU time. */
const parts_way = (
  expectation: string,
  stage: 'prefill' | 'decode',
  parts: readonly PartName[],
  meant: (row: { readonly prompt_length: number }) => boolean,
) =>
  way({ e1: e1_stages, stamped: e1_parts }, ({ e1, stamped }) => {
    const rows = stamped.body.configurations.filter(meant);
    const shares = rows.map((row) =>
      sum(
        row.parts
          .filter((part) => part.stage === stage && parts.includes(part.part))
          .map(({ share_of_stage }) => 100 * share_of_stage),
      ),
    );
    const number = shares.length > 0 ? { value: Math.min(...shares), unit: '%' } : undefined;
    // Stamps of one run are hundreds of launches.
    const n = Math.min(...rows.map(({ runs }) => runs.length));
    return { ...as_found(e1.body.findings, expectation, number), ...(rows.length > 0 ? { n } : {}) };
  });

const with_picture = (rows: readonly E1Row[]) => rows.filter((row) => row.num_crops > 0);

/** Of all requests with a picture, the one where the language model's prefill weighs least beside the vision stages. */
function prefill_over_vision(rows: readonly E1Row[], least: number): Judged {
  const ratios = with_picture(rows).flatMap((row) => {
    const ratio = over(time_of(row, 'T_LLM_prefill'), time_of(row, 'T_vision_total'));
    return ratio === null ? [] : [{ row, ratio }];
  });
  const worst = least_by(ratios, ({ ratio }) => ratio.value);
  if (worst === undefined) return not_tested('no request with a picture has three runs or more');
  const won = ratios.filter(({ ratio }) => ratio.value >= least).length;
  return held(
    worst.ratio,
    { least },
    'times',
    (value) =>
      `prefill takes ${value} as long as encoder and projector with ${worst.row.num_crops} crops, where it weighs least; at least ${least} times in ${won} of ${ratios.length} requests`,
  );
}

/** The same of pictures that were run once each: over them all. */
function prefill_over_samples(results: readonly SampleTimes[]): Judged {
  const shares = results
    .map((one) => one.scaled ?? one)
    .flatMap(({ T_LLM_prefill, T_vision_total }) =>
      T_LLM_prefill === null || T_vision_total === null
        ? []
        : [(100 * T_LLM_prefill) / (T_LLM_prefill + T_vision_total)],
    );
  return held(
    estimate_of(summarise(shares)),
    { least: 50 },
    '%',
    (value) => `prefill takes ${value} of encoder, projector and prefill, the median over ${shares.length} pictures`,
  );
}

/** A stage's part of a request's time, from the medians of all its stages. */
const TIMES: Readonly<Record<StageName, 'T_vision_encoder' | 'T_projector' | 'T_LLM_prefill' | 'T_LLM_decode'>> = {
  vision_encoder: 'T_vision_encoder',
  projector: 'T_projector',
  prefill: 'T_LLM_prefill',
  decode: 'T_LLM_decode',
};
function share_of(row: E1Row, stage: StageName, of: readonly StageName[]) {
  const part = time_of(row, TIMES[stage]);
  const rest = of
    .filter((name) => name !== stage)
    .map((name) => time_of(row, TIMES[name]))
    .reduce(plus);
  return through(over(rest, part), (ratio) => 100 / (1 + ratio));
}

export const STAGE_CLAIMS: readonly Claim[] = [
  {
    id: 'llm-dominates-prompt',
    statement: 'The language model dominates the latency of a prompt, as it dominates the parameters',
    source: study('docs/MOTIVATION_EXPERIMENTS.md, experiment 2'),
    test: 'prefill takes longer than vision encoder and projector together in every request with a picture; of pictures of a data set, the median of its share of these is over half',
    ways: [
      way({ e1: e1_stages }, ({ e1 }) => prefill_over_vision(e1.body.configurations, 1)),
      way({ samples: component_rows }, ({ samples }) => prefill_over_samples(samples.body.results)),
    ],
    run,
  },
  {
    id: 'decoder-outweighs-encoder',
    statement: 'The cost of a vision-language model lies in its language decoder, which far outweighs the encoder',
    source: GSOP,
    test: 'prefill takes at least twice as long as vision encoder and projector in every request with a picture',
    ways: [way({ e1: e1_stages }, ({ e1 }) => prefill_over_vision(e1.body.configurations, 2))],
    run,
  },
  {
    id: 'encoder-grows-dominant',
    statement:
      'At high resolution a ViT encoder becomes inefficient: its own latency weighs, not only the tokens it makes',
    source: FASTVLM,
    test: 'with the most crops the encoder takes at least half of the time before the first token',
    ways: [
      way({ e1: e1_stages }, ({ e1 }) => {
        const row = most_by(with_picture(e1.body.configurations), ({ num_crops }) => num_crops);
        if (row === undefined) return not_tested('no request has a picture');
        const share = share_of(row, 'vision_encoder', ['vision_encoder', 'projector', 'prefill']);
        return held(
          share,
          { least: 50 },
          '%',
          (value) => `the encoder takes ${value} of encoder, projector and prefill with ${row.num_crops} crops`,
        );
      }),
    ],
    run,
  },
  e1_expects(
    'prefill-dominates-pictures',
    'Prefill dominates where there are many vision tokens',
    'prefill is the largest stage in every request with the largest picture and a short answer',
    [
      stage_way(
        'Prefill dominates where there are many vision tokens',
        'prefill',
        ({ regime, decode }) => regime === 'high' && decode === 'short',
      ),
    ],
  ),
  e1_expects(
    'decode-dominates-long',
    'Decode dominates long generation',
    'decode is the largest stage in every request with 128 new tokens',
    [stage_way('Decode dominates long generation', 'decode', ({ decode }) => decode === 'long')],
  ),
  e1_expects(
    'attention-dominates-prefill',
    'Attention dominates prefill for long sequences',
    'attention is the largest part of the GPU time of prefill in every request of 1000 positions or more',
    [
      parts_way(
        'Attention dominates prefill for long sequences',
        'prefill',
        ['attention'],
        (row) => row.prompt_length >= LONG_PROMPT,
      ),
    ],
  ),
  e1_expects(
    'experts-dominate-decode',
    'FFN and MoE dominate decode',
    'experts and router are the largest part of the GPU time of decode in every request',
    [parts_way('FFN and MoE dominate decode', 'decode', ['moe_experts', 'moe_routing', 'mlp'], () => true)],
  ),
  {
    id: 'decode-share-8',
    statement: 'With eight new tokens decode takes about 70 % of the time',
    source: study('docs/EXP4_ANALYSIS.md (in its history) and docs/MOTIVATION_EXPERIMENTS.md, experiment 4'),
    test: 'decode takes 60 to 80 % of a request with 8 new tokens, in the one where it takes most',
    ways: [
      way({ e1: e1_stages }, ({ e1 }) => {
        const rows = with_picture(e1.body.configurations).filter((row) => row.num_output_tokens === 8);
        const all = ['vision_encoder', 'projector', 'prefill', 'decode'] as const;
        const shares = rows.flatMap((row) => {
          const share = share_of(row, 'decode', all);
          return share === null ? [] : [{ row, share }];
        });
        const top = most_by(shares, ({ share }) => share.value);
        if (top === undefined) return not_tested('no request with a picture has 8 new tokens and three runs or more');
        return held(
          top.share,
          { least: 60, most: 80 },
          '%',
          (value) => `decode takes ${value} with ${top.row.num_crops} crops, where it takes most`,
        );
      }),
    ],
    run: 'molmoe e1 --decode short',
  },
  {
    id: 'decode-share-4096',
    statement: 'With 4096 new tokens decode takes nearly all of the time',
    source: study('docs/MOTIVATION_EXPERIMENTS.md, experiment 4'),
    test: 'decode takes 95 % or more of medians of vision, prefill and decode',
    ways: [
      way({ answers: length_rows }, ({ answers }) => {
        const row = row_at(answers.body.lengths, 'num_output_tokens', 4096);
        if (!row || row.decode_ms === null) return not_tested('no answer had 4096 tokens');
        const share = (100 * row.decode_ms) / (row.prompt_ms + row.decode_ms);
        const sentence = `decode takes ${share.toFixed(1)} %, medians over ${row.n} pictures`;
        return exactly(share, share >= 95, '%', sentence, row.n);
      }),
    ],
    run: 'molmoe motivation-exp4',
  },
];
