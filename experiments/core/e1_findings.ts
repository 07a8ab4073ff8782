import type { Configuration, Finding, PartName, StageName } from '../lab/schema.ts';
import { linear_fit, spearman } from '../lab/stats.ts';
import { largest_stage, parts_of, stage_ms, stages_that_ran } from '../lab/typical.ts';

/** R squared of all points together below which FLOPs are said to predict latency weakly. */
const WEAK = 0.5;

const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;

/** What the study expected, held against what was measured. */
export function findings_of(configurations: readonly Configuration[]): Finding[] {
  return [
    dominates(
      'Prefill dominates where there are many vision tokens',
      'prefill',
      configurations.filter(({ settings }) => settings.regime === 'high' && settings.decode === 'short'),
      'the high image regime with a short answer',
    ),
    dominates(
      'Decode dominates long generation',
      'decode',
      configurations.filter(({ settings }) => settings.decode === 'long'),
      'a long answer',
    ),
    attention_in_prefill(configurations),
    experts_in_decode(configurations),
    weak_flops(configurations),
  ];
}

const not_tested = (expectation: string, needs: string): Finding => ({
  expectation,
  outcome: 'not tested',
  because: `no configuration has ${needs}`,
});

function dominates(expectation: string, stage: StageName, some: readonly Configuration[], what: string): Finding {
  if (some.length === 0) return not_tested(expectation, what);
  const won = some.filter((one) => largest_stage(one) === stage).length;
  const shares = (of: StageName) =>
    some.map((one) => {
      const all = stages_that_ran(one).reduce((sum, name) => sum + (stage_ms(one, name) as number), 0);
      return (stage_ms(one, of) ?? 0) / all;
    });
  const range = (values: readonly number[]) => {
    const [least, most] = [percent(Math.min(...values)), percent(Math.max(...values))];
    return least === most ? least : `${least} to ${most}`;
  };
  const rivals = [...new Set(some.map(largest_stage))].filter((name) => name !== stage);
  const against = rivals.map((name) => `${name} ${range(shares(name))}`).join(', ');
  return {
    expectation,
    outcome: won === some.length ? 'confirmed' : 'refuted',
    because: `with ${what}, ${stage} is the largest stage in ${won} of ${some.length} configurations: ${range(shares(stage))} of the time${against === '' ? '' : `; ${against}`}`,
  };
}

function attention_in_prefill(configurations: readonly Configuration[]): Finding {
  const expectation = 'Attention dominates prefill for long sequences';
  const timed = configurations.filter((one) => parts_of(one, 'prefill').length > 0);
  if (timed.length === 0) return not_tested(expectation, 'instrumented runs');
  const longest = timed.reduce((a, b) => (b.tokens.prompt_length > a.tokens.prompt_length ? b : a));
  const parts = parts_of(longest, 'prefill');
  const [first] = parts[0] as [PartName, number];
  return {
    expectation,
    outcome: first === 'attention' ? 'confirmed' : 'refuted',
    because: `at ${longest.tokens.prompt_length} positions, the longest prompt here, ${shares_of(parts)} of prefill's GPU time`,
  };
}

function shares_of(parts: readonly (readonly [PartName, number])[]): string {
  const all = parts.reduce((sum, [, ms]) => sum + ms, 0);
  return parts
    .slice(0, 3)
    .map(([part, ms]) => `${part} takes ${percent(ms / all)}`)
    .join(', ');
}

function experts_in_decode(configurations: readonly Configuration[]): Finding {
  const expectation = 'FFN and MoE dominate decode';
  const timed = configurations.filter((one) => parts_of(one, 'decode').length > 0);
  if (timed.length === 0) return not_tested(expectation, 'instrumented decode steps');
  const is_moe = (part: PartName) => part === 'moe_experts' || part === 'moe_routing' || part === 'mlp';
  const wins = timed.filter((one) => {
    const parts = parts_of(one, 'decode');
    const moe = parts.reduce((sum, [part, ms]) => sum + (is_moe(part) ? ms : 0), 0);
    return parts.every(([part, ms]) => is_moe(part) || ms < moe);
  });
  const longest = timed.reduce((a, b) => (b.tokens.decode_steps > a.tokens.decode_steps ? b : a));
  return {
    expectation,
    outcome: wins.length === timed.length ? 'confirmed' : 'refuted',
    because: `experts and router together are the largest part of decode in ${wins.length} of ${timed.length} configurations; over ${longest.tokens.decode_steps} steps ${shares_of(parts_of(longest, 'decode'))}`,
  };
}

function weak_flops(configurations: readonly Configuration[]): Finding {
  const expectation = 'FLOPs correlate weakly with latency';
  const points = configurations.flatMap((one) =>
    stages_that_ran(one).map((stage) => ({
      stage,
      gflop: (one.flops.exact[stage] ?? 0) / 1e9,
      ms: stage_ms(one, stage) as number,
    })),
  );
  const x = points.map((point) => point.gflop);
  const y = points.map((point) => point.ms);
  if (points.length < 3) return not_tested(expectation, 'three points');
  const r_squared = linear_fit(x, y).r_squared ?? 0;
  const rates = new Map<StageName, number>();
  for (const stage of new Set(points.map((point) => point.stage))) {
    const some = points.filter((point) => point.stage === stage);
    const total = (of: 'ms' | 'gflop') => some.reduce((sum, point) => sum + point[of], 0);
    rates.set(stage, total('ms') / total('gflop'));
  }
  const by_rate = [...rates].sort((a, b) => b[1] - a[1]);
  const [slowest, fastest] = [by_rate[0], by_rate.at(-1)] as [[StageName, number], [StageName, number]];
  return {
    expectation,
    outcome: r_squared < WEAK ? 'confirmed' : 'refuted',
    because: `over all stages R squared is ${r_squared.toFixed(2)} and the rank correlation ${(spearman(x, y) ?? 0).toFixed(2)} (weak: R squared under ${WEAK}); a GFLOP costs ${slowest[1].toPrecision(3)} ms in ${slowest[0]} and ${fastest[1].toPrecision(3)} ms in ${fastest[0]}, ${(slowest[1] / fastest[1]).toFixed(1)} times as much`,
  };
}
