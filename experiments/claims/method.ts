import type { Summary } from '../lab/schema.ts';
import { as_found, type Claim, exactly, not_tested, way } from './claim.ts';
import { GPT_FAST, study } from './sources.ts';
import { counts_of, e1_stages, m2_rows, row_at, sample_rows, time_of, vision_rows } from './views.ts';

/** How latencies spread, how to measure them, and what of a time is the machine's. */

/** What pictures as they are found do to latency: made ones say nothing of it. */
const on_pictures = (expectation: string, number: (summary: Summary) => { value: number; unit: string }) =>
  way({ samples: sample_rows }, ({ samples: { body } }) => {
    if (body.dataset.name === 'shapes') return not_tested("its pictures were made: their sizes are no data set's");
    const summary = body.scaled_statistics ?? body.statistics;
    return as_found(body.findings, expectation, summary ? number(summary) : undefined, summary?.n);
  });
const M2 = study('docs/core_exp/m2_latency_repeatability.md, expected findings');
const fewest = ({ configurations }: { readonly configurations: readonly { readonly runs: number }[] }): number =>
  Math.min(...configurations.map(({ runs }) => runs));
const on_a_set = 'molmoe motivation-exp1 --dataset coco_2014_vqa --data-dir DIR';

export const METHOD_CLAIMS: readonly Claim[] = [
  {
    id: 'p99-far-above-p50',
    statement: 'Over real pictures P99 of the prompt latency is much larger than P50',
    source: study('docs/MOTIVATION_EXPERIMENTS.md, experiment 1'),
    test: 'P99 of 100 pictures of a data set or more is at least twice their median',
    ways: [
      on_pictures('P99 of prompt latency is much larger than P50', ({ P99, P50 }) => ({
        value: P99 / P50,
        unit: 'times',
      })),
    ],
    run: on_a_set,
  },
  {
    id: 'pictures-vary-widely',
    statement: 'Prompt latency varies widely over real pictures',
    source: study('docs/MOTIVATION_EXPERIMENTS.md, experiment 1'),
    test: 'its standard deviation over 20 pictures of a data set or more is at least 20 % of the mean',
    ways: [
      on_pictures('Prompt latency varies widely from picture to picture', ({ CoV }) => ({
        value: 100 * (CoV ?? 0),
        unit: '%',
      })),
    ],
    run: on_a_set,
  },
  {
    id: 'runs-vary-under-10',
    statement: 'Latency at fixed settings varies by 5 to 10 % at most',
    source: M2,
    test: 'the standard deviation of total latency is under 10 % of the mean, over 20 runs or more of each settings',
    ways: [
      way({ m2: m2_rows }, ({ m2: { body } }) => {
        const most = Math.max(0, ...body.configurations.map(({ CoV }) => 100 * (CoV.T_total ?? 0)));
        const expectation = 'Runs of one configuration vary by less than 10 %';
        return as_found(body.findings, expectation, { value: most, unit: '%' }, fewest(body));
      }),
    ],
    run: 'molmoe m2',
  },
  {
    id: 'decode-varies-20',
    statement: 'Even at the same settings the time of a decode step varies by 19 to 20 %',
    source: study('docs/controller/archive/decode_latency_analysis.md'),
    test: 'its standard deviation over 20 runs or more is 15 % of the mean or more, in the settings where it is most',
    ways: [
      way({ m2: m2_rows }, ({ m2: { body } }) => {
        const varied = body.configurations.flatMap(({ runs, CoV: { T_decode_per_token: share } }) =>
          runs >= 20 && share != null ? [100 * share] : [],
        );
        if (varied.length === 0) return not_tested('no settings with a decode step were run 20 times');
        const most = Math.max(...varied);
        const said = varied.map((percent) => `${percent.toFixed(1)} %`).join(', ');
        return exactly(most, most >= 15, '%', `by settings, it varies by ${said}`, fewest(body));
      }),
    ],
    run: 'molmoe m2',
  },
  {
    id: 'twenty-runs-enough',
    statement: '10 to 20 runs are enough for a stable mean',
    source: M2,
    test: 'the 95 % interval of the mean of the first 20 runs reaches 5 % to each side at most',
    ways: [
      way({ m2: m2_rows }, ({ m2: { body } }) => {
        const widths = body.configurations.flatMap(({ precision }) => row_at(precision, 'n', 20)?.half_width ?? []);
        const number = { value: 100 * Math.max(0, ...widths), unit: '%' };
        return as_found(body.findings, '10 to 20 runs are enough', number, fewest(body));
      }),
    ],
    run: 'molmoe m2',
  },
  {
    id: 'subtraction-inverts-prefill',
    statement: 'Timed by subtraction, prefill falls while vision tokens rise',
    source: study('docs/EXP3_ANALYSIS.md, in its history'),
    test: 'from one size of picture to the next prefill by subtraction falls at least once',
    ways: [
      way({ vision: vision_rows }, ({ vision }) => {
        const rows = vision.body.results.filter(({ by_method }) => by_method?.method === 'subtraction');
        const times = rows
          .toSorted((a, b) => a.num_vision_tokens - b.num_vision_tokens)
          .flatMap(({ by_method }) => by_method?.T_LLM_prefill ?? []);
        if (times.length < 3) return not_tested('fewer than three sizes of picture were timed by subtraction too');
        const falls = times.slice(1).filter((ms, i) => ms < (times[i] as number)).length;
        const sentence = `${falls} of ${times.length - 1} steps up in vision tokens take less prefill by subtraction, medians`;
        const n = Math.min(...rows.map(({ statistics }) => statistics.T_LLM_prefill?.n ?? 0));
        return exactly(falls, falls > 0, `of ${times.length - 1} steps`, sentence, n);
      }),
    ],
    run: 'molmoe motivation-exp3 --method subtraction',
  },
  {
    id: 'subtraction-is-robust',
    statement: 'Stages can be timed by subtracting whole passes, with negative differences set to zero',
    source: study('docs/MOTIVATION_EXPERIMENTS.md, implementation notes'),
    test: 'of the differences that make projector, prefill and decode none is negative',
    ways: [
      way({ e1: e1_stages }, ({ e1 }) => {
        const samples = e1.body.configurations.flatMap(({ methods }) =>
          methods.filter(({ method }) => method === 'subtraction'),
        );
        if (samples.length === 0) return not_tested('no run was timed by subtraction too');
        const differences = samples.flatMap(({ T_projector, T_LLM_prefill, T_LLM_decode }) =>
          [T_projector, T_LLM_prefill, T_LLM_decode].filter((ms) => ms !== null),
        );
        const negative = differences.filter((ms) => ms < 0).length;
        const percent = (100 * negative) / differences.length;
        const sentence = `${negative} of ${differences.length} differences are negative (the study reports 22.85 % of its decode times)`;
        return exactly(percent, negative === 0, '%', sentence, samples.length);
      }),
    ],
    run: 'molmoe e1 --method subtraction',
  },
  {
    id: 'decode-launch-bound',
    statement: 'Decoding one sequence is bound by what it takes to launch kernels, not by the GPU',
    source: GPT_FAST,
    test: 'launches, counted exactly, take at the measured rate of empty ones more than half of the time of decode, where that is most',
    ways: [
      way({ e1: e1_stages }, ({ e1 }) => {
        if (e1.ceilings === null) return not_tested('the ceilings of the adapter were not measured');
        const { dispatch_ms } = e1.ceilings;
        const shares = e1.body.configurations.flatMap((row) => {
          const [time, counts] = [time_of(row, 'T_LLM_decode'), counts_of(row, 'decode')];
          return time && counts ? [{ n: time.n, share: (100 * counts.dispatches * dispatch_ms) / time.value }] : [];
        });
        if (shares.length === 0) return not_tested('no decode step has three runs or more');
        const most = Math.max(...shares.map(({ share }) => share));
        const us = (1000 * dispatch_ms).toPrecision(3);
        const sentence = `launches of ${us} us each are ${most.toPrecision(2)} % of decode at most, in ${shares.length} requests`;
        return exactly(most, most > 50, '%', sentence, Math.min(...shares.map(({ n }) => n)));
      }),
    ],
    run: 'molmoe e1',
  },
];
