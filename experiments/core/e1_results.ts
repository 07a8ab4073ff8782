import {
  type Configuration,
  type E1Flops,
  type E1Parts,
  type E1Stages,
  type Run,
  STAGES,
  type StageName,
  type Summary,
} from '../lab/schema.ts';
import { linear_fit, spearman, summarise } from '../lab/stats.ts';
import { TIMES, type TimeName } from '../lab/times.ts';
import { largest, largest_stage, line_over, parts_of, stage_ms, stages_that_ran } from '../lab/typical.ts';
import { findings_of } from './e1_findings.ts';

function head(run: Run, configurations: readonly Configuration[]) {
  const { provenance, protocol, knobs } = run.fingerprint;
  const ended = configurations.reduce((last, { ended: at }) => (at > last ? at : last), run.started);
  return {
    experiment: 'e1' as const,
    provenance,
    protocol,
    knobs,
    ceilings: run.ceilings,
    started: run.started,
    ended,
  };
}

const key_fields = ({ key, settings, tokens }: Configuration) => ({
  key,
  regime: String(settings.regime),
  prompt: String(settings.prompt),
  decode: String(settings.decode),
  ...tokens,
});

/** e1_stage_latency_breakdown.json: plain latencies by stage, findings, scaling fits. */
export function stages_file(run: Run, configurations: readonly Configuration[]): E1Stages {
  return {
    schema: 'molmoe.e1.stage_latency_breakdown/1',
    ...head(run, configurations),
    configurations: configurations.map((configuration) => {
      const { samples, clock } = configuration.clean;
      const ran = stages_that_ran(configuration);
      const all_ms = sum(ran.map((stage) => stage_ms(configuration, stage) as number));
      const of = (name: TimeName) => summarise(samples.flatMap((sample) => sample[name] ?? []));
      return {
        ...key_fields(configuration),
        clock,
        statistics: Object.fromEntries(TIMES.map((name) => [name, of(name)])),
        samples,
        methods: configuration.methods,
        shares: Object.fromEntries(ran.map((stage) => [stage, (stage_ms(configuration, stage) as number) / all_ms])),
        largest_stage: largest_stage(configuration),
        flops: configuration.flops,
        counters: configuration.counters,
        warnings: configuration.warnings,
      };
    }),
    findings: findings_of(configurations),
    scaling: {
      prefill: line_over(configurations, 'prefill', ({ prompt_length }) => prompt_length),
      decode: line_over(configurations, 'decode', ({ decode_steps }) => decode_steps),
    },
  };
}

/** e1_flops_vs_latency.json: a point a configuration and stage, and how well FLOPs order and predict them. */
export function flops_file(run: Run, configurations: readonly Configuration[]): E1Flops {
  const points = configurations.flatMap((configuration) =>
    stages_that_ran(configuration).map((stage) => {
      const counts = configuration.counters[stage];
      const { exact, legacy } = configuration.flops;
      const rows = configuration.instrumented?.kernels.filter((row) => row.stage === stage) ?? [];
      const floors = rows.map((row) => row.floor_ms);
      return {
        key: configuration.key,
        stage,
        flops: exact[stage] ?? 0,
        legacy_S1: legacy.S1[stage] ?? 0,
        legacy_S4: legacy.S4[stage] ?? 0,
        latency_ms: stage_ms(configuration, stage) as number,
        bytes: counts ? counts.weight_bytes + counts.read_bytes + counts.written_bytes + counts.kv_bytes : 0,
        dispatches: counts?.dispatches ?? 0,
        floor_ms: floors.length > 0 && floors.every((ms) => ms !== null) ? sum(floors as number[]) : null,
      };
    }),
  );
  const over = [...STAGES.filter((stage) => points.some((point) => point.stage === stage)), 'pooled'] as const;
  return {
    schema: 'molmoe.e1.flops_vs_latency/1',
    ...head(run, configurations),
    points,
    correlation: over.flatMap((name) =>
      (['exact', 'S1', 'S4'] as const).map((which) => {
        const some = points.filter((point) => name === 'pooled' || point.stage === name);
        return { over: name, flops: which, n: some.length, ...correlation(some, which) };
      }),
    ),
  };
}

const sum = (values: readonly number[]): number => values.reduce((total, x) => total + x, 0);

type Point = E1Flops['points'][number];

function correlation(points: readonly Point[], which: 'exact' | 'S1' | 'S4') {
  const x = points.map((point) => ({ exact: point.flops, S1: point.legacy_S1, S4: point.legacy_S4 })[which]);
  const y = points.map((point) => point.latency_ms);
  const varied = new Set(x).size > 1;
  const rates = points.map((_, i) => (1e9 * (y[i] as number)) / (x[i] as number)).filter(Number.isFinite);
  return {
    spearman: varied ? spearman(x, y) : null,
    r_squared: varied ? linear_fit(x, y).r_squared : null,
    ms_per_gflop: rates.length > 0 ? ([Math.min(...rates), Math.max(...rates)] as [number, number]) : null,
  };
}

/** e1_attention_ffn_breakdown.json: GPU time of the parts of each stage, from the instrumented runs. */
export function parts_file(run: Run, configurations: readonly Configuration[]): E1Parts {
  return {
    schema: 'molmoe.e1.attention_ffn_breakdown/1',
    ...head(run, configurations),
    configurations: configurations.flatMap((configuration) => {
      const { instrumented } = configuration;
      if (instrumented === null) return [];
      const ran = STAGES.filter((stage) => parts_of(configuration, stage).length > 0);
      return {
        ...key_fields(configuration),
        clock: instrumented.clock,
        parts: ran.flatMap((stage) => parts_rows(configuration, stage)),
        largest_part: Object.fromEntries(ran.map((stage) => [stage, largest(parts_of(configuration, stage))])),
        kernels: instrumented.kernels,
        routing: configuration.routing,
        runs: instrumented.runs,
      };
    }),
  };
}

function parts_rows(configuration: Configuration, stage: StageName): E1Parts['configurations'][number]['parts'] {
  const parts = parts_of(configuration, stage);
  const of_stage = sum(parts.map(([, ms]) => ms));
  const { runs = [], kernels = [] } = configuration.instrumented ?? {};
  return parts.map(([part, ms]) => {
    const times = runs.flatMap((run) => run.parts.filter((row) => row.stage === stage && row.part === part));
    const rows = kernels.filter((row) => row.stage === stage && row.part === part);
    const total = (name: (typeof COUNTS)[number]) => sum(rows.map((row) => row[name]));
    const floors = rows.map((row) => row.floor_ms);
    return {
      stage,
      part,
      statistics: summarise(times.map((row) => row.gpu_ms)) as Summary,
      share_of_stage: of_stage > 0 ? ms / of_stage : 0,
      dispatches: total('dispatches'),
      flops: total('flops'),
      executed_flops: total('executed_flops'),
      other_ops: total('other_ops'),
      weight_bytes: total('weight_bytes'),
      read_bytes: total('read_bytes'),
      written_bytes: total('written_bytes'),
      kv_bytes: total('kv_bytes'),
      floor_ms: floors.every((floor) => floor !== null) ? sum(floors as number[]) : null,
    };
  });
}

const COUNTS = [
  'dispatches',
  'flops',
  'executed_flops',
  'other_ops',
  'weight_bytes',
  'read_bytes',
  'written_bytes',
  'kv_bytes',
] as const;
