import { measure_ceilings } from '../engine/meter/ceilings.ts';
import { preset_config } from '../engine/model/presets.ts';
import { open_executor } from '../engine/node/load.ts';
import type { Bench } from './bench.ts';
import { attention, type BenchCase, combine, expert_sizes, grouped, linear, norm, route } from './cases.ts';
import { decode_costs, waiting_share } from './host.ts';
import { ceilings_line } from './table.ts';
import { collector, type Target } from './target.ts';
import { type Contestant, judged, open_contestant, record_case, type Timed, time_case } from './timed.ts';

/** The numbers that the engine was held to, kernel by kernel, with the variants that it would choose itself. */
export async function bench_targets({ say, quick }: Bench) {
  const { executor } = await open_executor({ hush: true });
  try {
    const ceilings = await measure_ceilings(executor);
    say(ceilings_line(ceilings));
    const auto = await open_contestant(executor, 'auto');
    const targets: Target[] = [];
    const add = collector(say, targets);
    const kernel = async (made: BenchCase, target: Target, value: (timed: Timed) => number) =>
      add(await judged(auto, made, target, value));
    const of_fma = ({ ms, counts }: Timed) => (1e5 * counts.flops) / ms / ceilings.fma_f32_flops;
    const of_stream = ({ ms, counts }: Timed) =>
      (1e5 * (counts.weight_bytes + counts.read_bytes + counts.written_bytes)) / ms / ceilings.stream_read_bytes;
    const gflops = ({ ms, counts }: Timed) => counts.flops / ms / 1e6;

    for (const [rows, k, cols] of MATMULS) {
      const made = linear({ stage: 'prefill', rows, k, cols });
      await kernel(made, { what: `matmul ${rows}x${k}x${cols} f16`, unit: '% of multiply-adds', goal: 65 }, of_fma);
    }
    for (const cols of quick ? [2048] : [2048, 50304]) {
      const { max_binding_bytes } = executor.device;
      const made = linear({ stage: 'decode', rows: 1, k: 2048, cols, max_binding_bytes });
      await kernel(made, { what: `matvec 1x2048x${cols} f16`, unit: '% of stream', goal: 70 }, of_stream);
    }
    const vit = attention({ rows: 577, heads: 16, head_dim: 64 });
    const causal = attention({ rows: 512, heads: 16, head_dim: 128, first_position: 0 });
    await kernel(vit, { what: 'attention 577 tokens, 16x64', unit: 'GFLOP/s' }, gflops);
    await kernel(causal, { what: 'causal attention 512 tokens, 16x128', unit: 'GFLOP/s' }, gflops);
    await kernel(norm(512, 2048, false), { what: 'RMS norm 512x2048', unit: '% of stream' }, of_stream);
    await kernel(route(512, EXPERTS), { what: 'router 512x64, top 8', unit: '% of stream' }, of_stream);
    await kernel(combine(512, EXPERTS), { what: 'combine 512x2048, 8 a row', unit: '% of stream' }, of_stream);
    if (!quick) add(await grouped_experts(auto));

    const { dispatches_a_token, encode_us } = await decode_costs(quick ? 8 : 128);
    const launches = { what: 'launches a decode token, 16 layers', unit: '', least: 170, goal: 130, fewer: true };
    add({ ...launches, value: dispatches_a_token });
    add({ what: 'JavaScript a launch', unit: 'us', value: encode_us, least: 6, goal: 3, fewer: true });
    add(await waiting_cpu(auto, quick ? 512 : 2048));
    return { targets, ceilings };
  } finally {
    executor.destroy();
  }
}

const MATMULS = [
  [577, 1024, 1024],
  [512, 2048, 2048],
] as const;
const EXPERTS = expert_sizes(preset_config('molmoe-1b'));
const TOKENS = 512;

/** Both products of the experts against dense products of the same sizes, one after the other in one run. */
async function grouped_experts(auto: Contestant): Promise<Target> {
  const target = { what: 'experts, 512 tokens, 8 of 64', unit: '% of dense matmul', least: 70, goal: 90 };
  const { d, hidden, top_k } = EXPERTS;
  const rows = TOKENS * top_k;
  const pairs = [
    [grouped(TOKENS, EXPERTS, auto.setting, 'gate up'), d, 2 * hidden],
    [grouped(TOKENS, EXPERTS, auto.setting, 'down'), hidden, d],
  ] as const;
  let [experts_ms, dense_ms] = [0, 0];
  for (const [made, k, cols] of pairs) {
    const experts = await time_case(auto, made);
    const dense = await time_case(auto, linear({ stage: 'prefill', rows, k, cols }));
    if (typeof experts === 'string') return { ...target, reason: experts };
    if (typeof dense === 'string') return { ...target, reason: dense };
    experts_ms += experts.ms;
    dense_ms += dense.ms;
  }
  return { ...target, value: (100 * dense_ms) / experts_ms };
}

/** What the main thread does while a product of seconds is pending. */
async function waiting_cpu(auto: Contestant, size: number): Promise<Target> {
  const target = { what: 'host CPU while work is pending', unit: '% of a core', least: 10, goal: 3, fewer: true };
  const made = linear({ stage: 'prefill', rows: 2 * size, k: size, cols: size });
  const share = await record_case(auto, made, async (record) => {
    record();
    await auto.executor.finish(); // compiles
    return waiting_share(auto.executor, () => {
      for (let i = 0; i < REPEATS; i++) record();
    });
  });
  return share === undefined ? { ...target, reason: 'no /proc here' } : { ...target, value: 100 * share };
}

const REPEATS = 4;
