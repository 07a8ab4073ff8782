import type { Summary } from '../lab/schema.ts';
import { as_found, type Claim, exactly, not_tested, way } from './claim.ts';
import { GPT_FAST, study } from './sources.ts';
import { counts_of, e1_stages, sample_rows, time_of } from './views.ts';

/** How latencies spread, how to measure them, and what of a time is the machine's. */

/** What pictures as they are found do to latency: made ones say nothing of it. */
const on_pictures = (expectation: string, number: (summary: Summary) => { value: number; unit: string }) =>
  way({ samples: sample_rows }, ({ samples: { body } }) => {
    if (body.dataset.name === 'shapes') return not_tested("its pictures were made: their sizes are no data set's");
    const summary = body.scaled_statistics ?? body.statistics;
    return as_found(body.findings, expectation, summary ? number(summary) : undefined, summary?.n);
  });
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
        if (shares.length === 0) return not_tested('no decode step has several runs');
        const most = Math.max(...shares.map(({ share }) => share));
        const us = (1000 * dispatch_ms).toPrecision(3);
        const sentence = `launches of ${us} us each are ${most.toPrecision(2)} % of decode at most, in ${shares.length} requests`;
        return exactly(most, most > 50, '%', sentence, Math.min(...shares.map(({ n }) => n)));
      }),
    ],
    run: 'molmoe e1',
  },
];
