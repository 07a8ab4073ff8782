import { CLAIMS } from '../../experiments/claims/index.ts';
import { type PublishedFile, subjects_of } from '../../experiments/claims/subject.ts';
import { type Verdict, verdicts_on } from '../../experiments/claims/verdicts.ts';
import * as registry from '../../experiments/index.ts';
import type { Experiment, FileHead } from '../../experiments/lab/define.ts';
import type { Configuration, Provenance, Run, Sample } from '../../experiments/lab/schema.ts';
import { exp3_file, exp4_file, vision_cell } from './motivation.ts';
import { FAKE_RUN, fake_configuration, PROVENANCE } from './records.ts';

export const EXPERIMENTS: readonly Experiment[] = Object.values(registry);
export const ALL = Object.values(CLAIMS).flat();

export const run_of = (over: Partial<Provenance> = {}, knobs = {}): Run => ({
  ...FAKE_RUN,
  fingerprint: { ...FAKE_RUN.fingerprint, provenance: { ...PROVENANCE, ...over }, knobs },
});

/** Few: a range in place of an interval, which takes long to draw. */
export const RUNS = 3;

/** What an experiment publishes of these cells. */
export function published(
  experiment: Experiment,
  configurations: readonly Configuration[],
  run = run_of(),
): PublishedFile[] {
  const { files } = experiment.derive({ run, configurations: experiment.sorted(configurations), skipped: [] });
  return Object.entries(files).map(([name, body]) => ({
    ...{ experiment: experiment.name, name, path: `${experiment.name}/${name}.json` },
    body: experiment.schemas[name]?.parse(body) as PublishedFile['body'],
  }));
}

/** Cells along an axis: what their runs take, and what was counted. */
export function sweep(
  experiment: Experiment,
  axis: string,
  values: readonly (number | string)[],
  times: (x: number, i: number) => Partial<Sample>,
  counted: (x: number) => object = () => ({}),
): PublishedFile[] {
  const cells = values.map((value, i): Configuration => {
    const one = fake_configuration('low', 'short', 'short', RUNS);
    const x = Number(value);
    const samples = one.clean.samples.map((sample) => ({ ...sample, ...times(x, i) }));
    return {
      ...{ ...one, settings: { [axis]: value }, key: `${axis}=${value}`, ...counted(x) },
      clean: { ...one.clean, samples },
    } as Configuration;
  });
  return published(experiment, cells);
}

export function verdict(id: string, files: readonly PublishedFile[], which = 0): Verdict {
  const subject = subjects_of(files)[which];
  const claims = { one: ALL.filter((claim) => claim.id === id) };
  const [found] = subject ? verdicts_on(subject, files, claims) : [];
  if (found === undefined) throw new Error(`no verdict on ${id}`);
  return found;
}

/** Enough for every claim: three pictures, two lengths of the answer. */
export const CELLS = (['low', 'medium', 'high'] as const).flatMap((regime) =>
  (['short', 'long'] as const).map((decode) => fake_configuration(regime, 'short', decode, RUNS)),
);

export const e1 = (change: (sample: Sample, one: Configuration) => Partial<Sample> = () => ({}), run = run_of()) =>
  published(
    registry.e1,
    CELLS.map((one) => ({
      ...one,
      clean: { ...one.clean, samples: one.clean.samples.map((s) => ({ ...s, ...change(s, one) })) },
    })),
    run,
  );

export const steps = (ms: number): Partial<Sample> => ({ T_decode_per_token: ms });
export const tokens_of = (x: number) => {
  const { tokens } = fake_configuration('low', 'short', 'short', 1);
  return { tokens: { ...tokens, prompt_length: 317 + x, num_output_tokens: x, decode_steps: x - 1 } };
};
export const answers = (ms: (x: number) => number) =>
  sweep(
    registry.output_tokens,
    'max_new_tokens',
    [5, 10, 40],
    (x) => ({ ...steps(ms(x) / (x - 1)), T_LLM_decode: ms(x) }),
    tokens_of,
  );
export const texts = (ms: (length: number) => number) =>
  sweep(registry.context, 'num_input_tokens', [50, 450, 1450], (x) => ({ T_LLM_prefill: ms(317 + x) }), tokens_of);
export const topk = (times: (k: number) => Partial<Sample>) => sweep(registry.moe_topk, 'top_k', [1, 4, 8], times);
export const pictures = (ms: (k: number) => number) =>
  sweep(
    registry.topk_vision,
    'top_k_vision',
    [2, 4, 8],
    (k) => ({ T_LLM_prefill: ms(k) }),
    (k) => {
      const { counters } = fake_configuration('low', 'short', 'short', 1);
      return { counters: { ...counters, prefill: { ...counters.prefill, flops: 1e9 * (2 + k) } } };
    },
  );
export const layers = (ms: readonly number[]) =>
  sweep(
    registry.topk_layers,
    'pattern',
    ['even', 'early', 'late'],
    (_, i) => ({ T_LLM_prefill: ms[i] }),
    () => ({ knobs: { topK: [4, 4] } }),
  );

/** Pictures of one row of crops that grows; what the encoder and prefill take with so many. */
export const rows_of_crops = (times: (crops: number) => Partial<Sample>) =>
  sweep(registry.context_vision, 'num_crops', [2, 5, 13], times, (crops) => {
    const { tokens } = fake_configuration('low', 'short', 'short', 1);
    const inserted = 144 + 96 * crops;
    return { tokens: { ...tokens, num_crops: crops, inserted_vision_tokens: inserted, prompt_length: 40 + inserted } };
  });

export const sixteen = run_of({ model: { ...PROVENANCE.model, name: 'molmoe-1b', layers: 16 } });
type Body<T> = Omit<PublishedFile, 'body'> & { body: PublishedFile['body'] & T };
/** Cells with these blocks, what each takes, and nothing stamped. */
export const masks = (lists: readonly (readonly number[])[], times: (blocks: number, i: number) => Partial<Sample>) =>
  published(
    registry.block_mask,
    lists.map((blocks, i): Configuration => {
      const one = fake_configuration('low', 'short', 'short', RUNS);
      const samples = one.clean.samples.map((sample) => ({ ...sample, ...times(blocks.length, i) }));
      return {
        ...{ ...one, knobs: { blocks: [...blocks] }, instrumented: null, key: `blocks=${blocks.join('-')}` },
        settings: { num_active_blocks: blocks.length, active_block_indices: blocks.join('-') },
        clean: { ...one.clean, samples },
      };
    }),
    sixteen,
  );
export const firsts = (...counts: number[]) => counts.map((count) => Array.from({ length: count }, (_, i) => i));
export const depths = (times: (blocks: number) => Partial<Sample>) => masks(firsts(4, 8, 12, 16), times);
/** One depth alone, and a line from its stamps. */
export function one_depth(step: (blocks: number) => number): PublishedFile[] {
  const [file] = masks(firsts(16), () => ({})) as unknown as [
    Body<{ depth: { rows: { num_active_blocks: number }[] } }>,
  ];
  const rows = file.body.depth.rows.map((row) => {
    const ms = step(row.num_active_blocks);
    return { ...row, measured: null, decode_step_ms: ms, prefill_ms: 10 * ms };
  });
  const depth = { ...file.body.depth, rows, vision_ms: 1 };
  return [{ ...file, body: { ...file.body, depth } as PublishedFile['body'] }];
}
export const forwards = (whole: readonly [number, number]) =>
  published(
    registry.flops_scaling,
    [1, 8].map((k, i): Configuration => {
      const one = fake_configuration('low', 'short', 'short', RUNS);
      const prefill = { ...(one.counters.prefill as NonNullable<typeof one.counters.prefill>), flops: whole[i] };
      const counters = { ...one.counters, prefill } as Configuration['counters'];
      return { ...one, settings: { top_k: k }, key: `top_k=${k}`, counters };
    }),
  );

export const set = (name: string): Run => ({
  ...FAKE_RUN,
  fingerprint: {
    ...FAKE_RUN.fingerprint,
    dataset: { name, split: 'validation', size: 200, digest: 'd', source: 's', resize: 'fill' },
  },
});
/** A sample each, run once. */
export const samples = (experiment: Experiment, times: readonly Partial<Sample>[], of = set('coco_2014_vqa')) =>
  published(
    experiment,
    times.map((time, i): Configuration => {
      const one = fake_configuration('low', 'short', 'short', 1);
      const [run] = one.clean.samples as [Sample];
      const source = { id: `q${i}`, style: 'vqa2', answers: null, metadata: {} };
      const settings = { sample: i, query_id: i, max_new_tokens: 8 };
      return {
        ...one,
        key: `sample=${i}`,
        settings,
        sample: source,
        clean: { ...one.clean, samples: [{ ...run, ...time }] },
      };
    }),
    of,
  );
export const totals = (slow: number) =>
  Array.from({ length: 100 }, (_, i) => ({ T_total: i % 50 === 0 ? slow : 1000 }));
/** Answers of these lengths to a few pictures: what the prompt and decode take. */
export const lengths = (tokens: readonly number[], times: (tokens: number) => Partial<Sample>, pictures = 3) =>
  published(
    registry.language_tokens,
    tokens.flatMap((x) =>
      [0, 1, 2].slice(0, pictures).map((query_id): Configuration => {
        const one = fake_configuration('low', 'short', 'short', 1);
        const [run] = one.clean.samples as [Sample];
        const clean = { ...one.clean, samples: [{ ...run, T_vision_total: 100, ...times(x) }] };
        const settings = { max_new_tokens: x, query_id };
        return { ...one, ...tokens_of(x), key: `n=${x}_q=${query_id}`, settings, clean };
      }),
    ),
    set('coco_2014_vqa'),
  );

export const CORNERS = { crops: [1, 12], top_k: [1, 8], num_active_blocks: [8, 16] };
/** The corners of the knobs, as an adapter runs them. */
export const grid = (ms: (crops: number, k: number, blocks: number) => number, run = run_of()) =>
  published(
    registry.e2,
    CORNERS.crops.flatMap((crops) =>
      CORNERS.top_k.flatMap((top_k) =>
        CORNERS.num_active_blocks.map((num_active_blocks): Configuration => {
          const one = fake_configuration('low', 'short', 'short', 6);
          const T_total = ms(crops, top_k, num_active_blocks);
          const samples = one.clean.samples.map((run, i) => ({ ...run, T_total: T_total * (1 + 1e-4 * i) }));
          const settings = { crops, top_k, num_active_blocks };
          const clean = { ...one.clean, samples };
          return { ...one, key: `crops=${crops}_top_k=${top_k}_blocks=${num_active_blocks}`, settings, clean };
        }),
      ),
    ),
    run,
  );
export const two_adapters = (ms: (crops: number, k: number, blocks: number) => number) => [
  ...grid((crops, k, blocks) => 100 * crops + 10 * k + blocks),
  ...grid(ms, run_of({ adapter: { ...PROVENANCE.adapter, description: 'Some GPU' } })),
];
/** Requests of two workloads, and each with one thing halved: what they take. */
export const workloads = (decode: number, halved: (workload: string, knob: string) => number) =>
  published(
    registry.m1,
    ['qa', 'captions'].flatMap((workload) =>
      ['nothing', 'crops', 'blocks'].map((knob): Configuration => {
        const one = fake_configuration('low', 'short', 'short', 6);
        const T_total = knob === 'nothing' ? 1000 : halved(workload, knob);
        const samples = one.clean.samples.map((run) => ({ ...run, T_total, T_LLM_decode: decode }));
        const settings = { workload, halved: knob, new_tokens: 8, from: 2, to: 1 };
        return { ...one, key: `${workload}_${knob}`, settings, clean: { ...one.clean, samples } };
      }),
    ),
  );
export const repeats = (spread: number) => {
  const one = fake_configuration('low', 'short', 'short', 40);
  const samples = one.clean.samples.map((run, i) => ({
    ...run,
    T_total: 100 * (1 + (i % 2 ? spread : -spread)),
    T_decode_per_token: 100 * (1 + (i % 2 ? spread : -spread)),
  }));
  const settings = { configuration: 'low', top_k: 4, num_active_blocks: 12 };
  return published(registry.m2, [{ ...one, settings, clean: { ...one.clean, samples } }]);
};
/** By subtraction prefill takes this long. */
export const subtracted = (ms: (k: number) => number) =>
  published(
    registry.motivation_exp3,
    [1, 2, 3, 4].map((k) => {
      const one = vision_cell(k, RUNS);
      const times = { T_vision_encoder: 1, T_vision_total: 1, T_projector: 0, T_LLM_decode: 0, T_total: 1 };
      return { ...one, methods: [{ method: 'subtraction' as const, ...times, T_LLM_prefill: ms(k) }] };
    }),
  );
export const series = (): PublishedFile[] => {
  const inputs = { exp3Results: exp3_file() as FileHead, exp4Results: exp4_file() as FileHead };
  const saved = { run: run_of(), configurations: [], skipped: [], inputs };
  const { files } = registry.motivation_exp5.derive(saved);
  const name = 'exp5_flops_vs_latency';
  const body = files[name] as unknown as PublishedFile['body'];
  return [{ experiment: 'motivation-exp5', name, path: `motivation-exp5/${name}.json`, body }];
};

/** What E3 came to: mean errors of each method, and of a line a stage for what another adapter taught, by samples. */
export function predicted(
  errors: Readonly<Record<string, Readonly<Record<string, number>>>>,
  transfer: Readonly<Record<number, number>> = {},
): PublishedFile[] {
  const scores = (of: Readonly<Record<string, number>>) =>
    Object.fromEntries(
      Object.entries(of).map(([phase, MAPE]) => [
        phase,
        { n: 60, MAPE, P90: MAPE, P95: MAPE, MAE_ms: 1, spearman: null },
      ]),
    );
  const held_out = Object.fromEntries(Object.entries(errors).map(([method, of]) => [method, scores(of)]));
  const curves = Object.entries(transfer).map(([N, total]) => ({
    ...{ N: Number(N), method: 'network A', choice: 'D-optimal', repeats: 3, scores: scores({ total }) },
  }));
  const other = { from: 'Some GPU', other_adapter: true, samples: 60, curves, not_tested: [] };
  const over: Readonly<Record<string, object>> = {
    e3_calibration_results: { held_out },
    e3_transfer_curves: { adapters: curves.length > 0 ? [other] : [] },
  };
  return published(registry.e3, []).map((file) => ({
    ...file,
    body: registry.e3.schemas[file.name]?.parse({ ...file.body, ...over[file.name] }) as PublishedFile['body'],
  }));
}
