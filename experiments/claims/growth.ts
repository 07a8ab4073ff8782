import { LEAST_RUNS, over, plus, through } from '../lab/judge.ts';
import { short_ms } from '../lab/tables.ts';
import type { TimeName } from '../lab/times.ts';
import { as_found, type Claim, exactly, held, type Judged, LINEAR, less, linear, not_tested, way } from './claim.ts';
import { FASTV, PRUMERGE, RIGHT_PROBLEM, study } from './sources.ts';
import {
  context_rows,
  counts_of,
  type E1Row,
  e1_flops,
  e1_stages,
  fewest_runs,
  flops_rows,
  least_by,
  length_rows,
  most_by,
  output_rows,
  picture_rows,
  type Timed,
  time_of,
  vision_rows,
} from './views.ts';

/** How time grows with tokens, crops and steps. */

/** A step counts as longer from a fifth on: what the cache adds in bytes at these lengths is far less. */
const LONGER = 1.2;

type Clocked = Pick<Timed, 'statistics' | 'scaled'>;
/** Rows whose statistics are those that figures rest on already. */
const timed = <R extends Pick<Timed, 'statistics'>>(rows: readonly R[]) =>
  rows.map((row) => ({ ...row, scaled: null }));

type Prompt = Timed & { readonly prompt_length: number };

/** The slope of time over length on logarithmic axes: 1 is a line through nothing, 2 a square. */
function exponent(rows: readonly Prompt[]): Judged {
  const [short, long] = [least_by(rows, (row) => row.prompt_length), most_by(rows, (row) => row.prompt_length)];
  if (!short || !long || long.prompt_length < 2 * short.prompt_length) {
    return not_tested('the longest prompt is less than twice the shortest');
  }
  const tokens = Math.log(long.prompt_length / short.prompt_length);
  const grown = over(time_of(long, 'T_LLM_prefill'), time_of(short, 'T_LLM_prefill'));
  const [flops, flops_before] = [long, short].map((row) => counts_of(row, 'prefill')?.flops ?? 0) as [number, number];
  const exact =
    flops_before > 0 ? `; exact FLOPs by the power ${(Math.log(flops / flops_before) / tokens).toFixed(2)}` : '';
  return held(
    through(grown, (ratio) => Math.log(ratio) / tokens),
    { least: 1.5 },
    '',
    (value) =>
      `from ${short.prompt_length} to ${long.prompt_length} positions prefill grows by the power ${value} of the length${exact}`,
  );
}

/** The same over the vision tokens, beside which the text stays as it is. */
function sublinear(rows: readonly (Clocked & { readonly num_vision_tokens: number })[]): Judged {
  const [few, many] = [least_by(rows, (row) => row.num_vision_tokens), most_by(rows, (row) => row.num_vision_tokens)];
  if (!few || !many || many.num_vision_tokens < 2 * few.num_vision_tokens || few.num_vision_tokens === 0) {
    return not_tested('the largest picture has less than twice the vision tokens of the smallest');
  }
  const tokens = many.num_vision_tokens / few.num_vision_tokens;
  return held(
    through(over(time_of(many, 'T_LLM_prefill'), time_of(few, 'T_LLM_prefill')), (x) => Math.log(x) / Math.log(tokens)),
    { least: 0, most: 1 },
    '',
    (value) =>
      `from ${few.num_vision_tokens} to ${many.num_vision_tokens} vision tokens prefill grows by their power ${value}`,
  );
}

/** A step down counts against it only where intervals do not explain it. */
function monotone(rows: readonly Prompt[]): Judged {
  const timed = rows.toSorted((a, b) => a.prompt_length - b.prompt_length);
  const times = timed.flatMap((row) => time_of(row, 'T_LLM_prefill') ?? []);
  if (times.length < 3 || times.length < timed.length)
    return not_tested('fewer than three lengths have three runs or more');
  const steps = times.slice(1).map((time, i) => ({ before: times[i] as (typeof times)[number], time }));
  const falls = steps.filter(({ before, time }) => time.value < before.value);
  const real = falls.filter(({ before, time }) => time.high < before.low);
  const n = Math.min(...times.map((time) => time.n));
  const words = `${steps.length - falls.length} of ${steps.length} steps up in length take longer, ${short_ms(times[0]?.value ?? 0)} to ${short_ms(times.at(-1)?.value ?? 0)}`;
  if (real.length === 0 && falls.length > 0) {
    return { ...not_tested(`${words}; what falls does so within its intervals: more runs would settle it`), n };
  }
  return exactly(steps.length - falls.length, falls.length === 0, `of ${steps.length} steps`, words, n);
}

/** Pictures behind a median. */
const fewest = ({ lengths }: { readonly lengths: readonly { readonly n: number }[] }): number =>
  Math.min(...lengths.map(({ n }) => n));

function timed_at<R extends Clocked>(rows: readonly R[], x_of: (row: R) => number, name: TimeName) {
  return rows.flatMap((row) => {
    const time = time_of(row, name);
    return time === null ? [] : [{ x: x_of(row), ...time }];
  });
}

const encoder_line = (rows: readonly (Clocked & { readonly num_crops: number })[]): Judged =>
  linear(
    timed_at(rows, ({ num_crops }) => num_crops, 'T_vision_encoder'),
    'numbers of crops',
    'crop',
  );

/** The picture's tokens of a small picture behind the encoder of a large one, as a perfect pruning after it would leave them. */
function pruned(rows: readonly E1Row[]): Judged {
  const some = rows.filter((row) => row.num_crops > 0 && row.prompt === 'short');
  const [few, many] = [least_by(some, (row) => row.prompt_length), most_by(some, (row) => row.prompt_length)];
  if (!few || !many || many.prompt_length < 2 * few.prompt_length) {
    return not_tested('no two requests with pictures differ by half of their positions');
  }
  const vision = time_of(many, 'T_vision_total');
  const whole = plus(vision, time_of(many, 'T_LLM_prefill'));
  const left = plus(vision, time_of(few, 'T_LLM_prefill'));
  const fewer = many.prompt_length / few.prompt_length;
  return held(
    over(whole, left),
    { most: 0.8 * fewer },
    'times',
    (value) =>
      `with ${few.prompt_length} instead of ${many.prompt_length} positions, ${fewer.toFixed(1)} times fewer, behind the same encoder a prompt is ${value} as fast`,
  );
}

export const GROWTH_CLAIMS: readonly Claim[] = [
  {
    id: 'decode-linear',
    statement: 'Decode time is linear in the tokens of the answer, at a constant cost a token',
    source: study('docs/MOTIVATION_EXPERIMENTS.md, experiment 4'),
    test: `a line through decode over steps has R squared of ${LINEAR} or more, over three lengths at least`,
    ways: [
      way({ answers: output_rows }, ({ answers: { body } }) =>
        linear(
          timed_at(body.summary, (row) => row.num_output_tokens - 1, 'T_LLM_decode'),
          'numbers of steps',
          'step',
        ),
      ),
      way({ answers: length_rows }, ({ answers: { body } }) => {
        const { decode_fit } = body;
        const n = fewest(body);
        if (decode_fit === null || decode_fit.n < 3 || n < LEAST_RUNS)
          return not_tested(`fewer than three lengths have ${LEAST_RUNS} pictures or more`);
        const r_squared = decode_fit.r_squared ?? 0;
        const sentence = `over ${decode_fit.n} lengths ${short_ms(decode_fit.slope)} a step, R squared ${r_squared.toFixed(4)}, medians over ${n} pictures`;
        return exactly(r_squared, r_squared >= LINEAR, 'R squared', sentence, n);
      }),
    ],
    run: 'molmoe output-tokens',
  },
  {
    id: 'steps-grow-with-cache',
    statement:
      'A decode step takes nearly twice as long in answers of more than 20 tokens as in answers of a few, because the KV cache grows',
    source: study('docs/analysis/decode_latency_vs_output_tokens.md'),
    test: `time a step in the longest answer (21 tokens or more) over that in the shortest (2 to 5): ${LONGER} or more`,
    ways: [
      way({ answers: output_rows }, ({ answers }) => {
        const rows = answers.body.summary;
        const few = least_by(
          rows.filter((row) => row.num_output_tokens >= 2 && row.num_output_tokens <= 5),
          (row) => row.num_output_tokens,
        );
        const many = most_by(
          rows.filter((row) => row.num_output_tokens > 20),
          (row) => row.num_output_tokens,
        );
        if (!few || !many) return not_tested('it takes an answer of 2 to 5 tokens and one of more than 20');
        return held(
          over(time_of(many, 'T_decode_per_token'), time_of(few, 'T_decode_per_token')),
          { least: LONGER },
          'times',
          (value) =>
            `a step takes ${value} as long in an answer of ${many.num_output_tokens} tokens as in one of ${few.num_output_tokens}, divided by steps and not by tokens`,
        );
      }),
    ],
    run: 'molmoe output-tokens',
  },
  {
    id: 'prefill-monotone',
    statement: 'Prefill takes longer with every token that is added to the prompt',
    source: study('docs/MOTIVATION_EXPERIMENTS.md, experiment 3'),
    test: 'medians of prefill rise at every step up in length; a fall counts where the intervals do not meet',
    ways: [way({ texts: context_rows }, ({ texts }) => monotone(texts.body.summary))],
    run: 'molmoe context',
  },
  {
    id: 'prefill-quadratic',
    statement: 'The cost of a multimodal prompt grows quadratically with its tokens',
    source: PRUMERGE,
    test: 'prefill grows by the power 1.5 of the length or more, from the shortest prompt to the longest',
    ways: [
      way({ texts: context_rows }, ({ texts }) => exponent(texts.body.summary)),
      way({ e1: e1_stages }, ({ e1 }) => exponent(e1.body.configurations)),
    ],
    run: 'molmoe context',
  },
  {
    id: 'prefill-free-of-answer',
    statement: 'Prefill does not depend on the length of the answer',
    source: study('docs/core_exp/e1_stage_aware_latency_decomposition.md, scaling curves'),
    test: 'prefill before the longest answer over prefill before the shortest, same picture and prompt: 0.9 to 1.1',
    ways: [
      way({ e1: e1_stages }, ({ e1 }) => {
        const pairs = e1.body.configurations.flatMap((row) => {
          const others = e1.body.configurations.filter((one) => one.regime === row.regime && one.prompt === row.prompt);
          const longest = most_by(others, (one) => one.num_output_tokens);
          const shortest = least_by(others, (one) => one.num_output_tokens);
          if (row !== shortest || longest === undefined || longest === row) return [];
          const ratio = over(time_of(longest, 'T_LLM_prefill'), time_of(row, 'T_LLM_prefill'));
          return ratio === null ? [] : [{ row, longest, ratio }];
        });
        const worst = most_by(pairs, ({ ratio }) => Math.abs(Math.log(ratio.value)));
        if (worst === undefined)
          return not_tested('no picture and prompt have answers of two lengths of three runs or more');
        return held(
          worst.ratio,
          { least: 0.9, most: 1.1 },
          'times',
          (value) =>
            `before ${worst.longest.num_output_tokens} new tokens prefill takes ${value} as long as before ${worst.row.num_output_tokens}, where that differs most (${worst.row.regime}, ${worst.row.prompt})`,
        );
      }),
      way({ answers: length_rows }, ({ answers: { body } }) =>
        as_found(body.findings, 'The prompt costs the same whatever the length of the answer', undefined, fewest(body)),
      ),
    ],
    run: 'molmoe e1',
  },
  {
    id: 'vision-linear',
    statement: 'The vision encoder is linear in the crops of a picture',
    source: study('docs/MOTIVATION_EXPERIMENTS.md, experiment 3'),
    test: `a line through the encoder's time over crops has R squared of ${LINEAR} or more, over three numbers of crops at least`,
    ways: [
      way({ pictures: picture_rows }, ({ pictures }) => encoder_line(pictures.body.summary)),
      way({ vision: vision_rows }, ({ vision }) => encoder_line(timed(vision.body.results))),
      way({ e1: e1_stages }, ({ e1 }) => encoder_line(e1.body.configurations)),
    ],
    run: 'molmoe context-vision',
  },
  {
    id: 'prefill-sublinear-in-pictures',
    statement: 'Prefill grows with the vision tokens, but less than they do',
    source: study('docs/MOTIVATION_EXPERIMENTS.md, experiment 3'),
    test: 'from the smallest picture to the largest prefill grows by a power of the vision tokens between 0 and 1',
    ways: [
      way({ vision: vision_rows }, ({ vision }) => sublinear(timed(vision.body.results))),
      way({ pictures: picture_rows }, ({ pictures }) => sublinear(pictures.body.summary)),
    ],
    run: 'molmoe motivation-exp3',
  },
  {
    id: 'flops-predict-weakly',
    statement: 'FLOPs do not predict the latency of a request',
    source: study(
      'docs/MOTIVATION_EXPERIMENTS.md, experiment 5, and docs/core_exp/e1_stage_aware_latency_decomposition.md',
    ),
    test: 'over all stages of all requests R squared of latency over exact FLOPs is under 0.5; or over prompts and answers of the two series of experiment 5',
    ways: [
      way({ e1: e1_stages, work: e1_flops }, ({ e1, work }) => {
        const pooled = work.body.correlation.find(({ over: of, flops }) => of === 'pooled' && flops === 'exact');
        const number = { value: pooled?.r_squared ?? 0, unit: 'R squared' };
        return as_found(e1.body.findings, 'FLOPs correlate weakly with latency', pooled && number, fewest_runs(e1));
      }),
      way({ series: flops_rows }, ({ series: { body } }) => {
        const r_squared = body.statistics.combined?.r_squared ?? null;
        const number = r_squared === null ? undefined : { value: r_squared, unit: 'R squared' };
        return as_found(
          body.findings,
          'FLOPs do not predict latency',
          number,
          Math.min(...body.inputs.map(({ runs }) => runs)),
        );
      }),
    ],
    run: 'molmoe e1',
  },
  {
    id: 'pruning-not-proportional',
    statement: 'Pruned picture tokens do not make a prompt faster in proportion: FLOPs saved are not time saved',
    source: RIGHT_PROBLEM,
    test: 'with a fraction of the positions behind the same encoder a prompt gains less than 0.8 of that factor',
    ways: [way({ e1: e1_stages }, ({ e1 }) => pruned(e1.body.configurations))],
    run: 'molmoe e1',
  },
  {
    id: 'half-tokens-half-time',
    statement: 'Half of the picture tokens, left out behind block 2, save the language model 45 % of its FLOPs',
    source: FASTV,
    test: 'with half of the positions, a tenth more or less, from the first block on: prefill takes 40 to 60 % less time',
    ways: [
      way({ texts: context_rows }, ({ texts }) => {
        const rows = texts.body.summary;
        const long = most_by(rows, (row) => row.prompt_length);
        const half = long && least_by(rows, (row) => Math.abs(row.prompt_length - long.prompt_length / 2));
        const share = long && half ? half.prompt_length / long.prompt_length : 1;
        if (!long || !half || share < 0.4 || share > 0.6) return not_tested('no prompt is half as long as the longest');
        const saved = through(
          over(time_of(half, 'T_LLM_prefill'), time_of(long, 'T_LLM_prefill')),
          (ratio) => 100 * (1 - ratio),
        );
        return held(
          saved,
          { least: 40, most: 60 },
          '%',
          (value) =>
            `prefill takes ${less(value)} time with ${half.prompt_length} instead of ${long.prompt_length} positions`,
        );
      }),
    ],
    run: 'molmoe context',
  },
];
