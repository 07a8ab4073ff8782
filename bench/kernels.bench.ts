import type { VariantChoice } from '../engine/gpu/pipelines.ts';
import type { Span } from '../engine/gpu/timeline.ts';
import { formula_picture } from '../engine/input/pictures.ts';
import { exact_length_text } from '../engine/input/prompt.ts';
import { byte_tokenizer } from '../engine/input/tokenizer.ts';
import { type Counts, make_ledger } from '../engine/meter/ledger.ts';
import { floor_of } from '../engine/meter/roofline.ts';
import { config_to_json, merge_config, parse_config } from '../engine/model/config.ts';
import { preset_config } from '../engine/model/presets.ts';
import { tensor_specs } from '../engine/model/tensors.ts';
import { Engine, type GenerateRequest } from '../engine/molmoe.ts';
import { open_executor } from '../engine/node/load.ts';
import { synthetic_source } from '../engine/weights/formula.ts';
import { ceilings_for } from '../experiments/lab/ceilings_cache.ts';
import type { Ceilings } from '../experiments/lab/schema.ts';
import type { Bench } from './main.ts';

/** One block of the language model and two of the ViT at the real sizes: every kernel on the shapes it really has. */
const ONE_BLOCK = { n_layers: 1, vit_layers: [-1, -2], vision_backbone: { image_num_layers: 2 } };
const PROMPTS = [18, 128, 512, 1215, 2048];
const QUICK_PROMPTS = [18, 512];
const RUNS = 3;

export interface KernelRow {
  readonly kernel: string;
  readonly variant: string;
  readonly stage: string;
  readonly shape: string;
  readonly launches: number;
  /** GPU time of one launch: the best run's mean. */
  readonly ms: number;
  readonly gflops: number;
  readonly gbytes: number;
  /** Share of the floor of this adapter; above 1 the floor is wrong. */
  readonly efficiency: number;
}

/** Every kernel of the model at the real sizes, each variant, against the ceilings measured on this adapter. */
export async function bench_kernels({ say, quick, filter }: Bench) {
  const rows: KernelRow[] = [];
  let ceilings: Ceilings | undefined;
  let tokens: readonly number[] | undefined;
  for (const variant of ['lanes', 'tiled'] as const satisfies VariantChoice[]) {
    const { executor, adapter } = await open_executor({ variant, hush: true });
    try {
      ceilings ??= await ceilings_for(executor, {
        build: typeof __BUILD__ === 'string' ? __BUILD__ : 'source',
        backend: adapter.backend,
      });
      const config = parse_config(
        merge_config(config_to_json(preset_config('molmoe-1b')), ONE_BLOCK as never),
        'bench',
      );
      const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
      const source = synthetic_source(tensor_specs(config), 1, 'F32');
      const engine = await Engine.create({ name: 'one block', executor, config, source, tokenizer, dtype: 'f16' });
      const requests: GenerateRequest[] = [
        { prompt: ' ', image: formula_picture('rings', 336, 336), maxNewTokens: 4 },
        ...(quick ? QUICK_PROMPTS : PROMPTS).map((n) => ({ prompt: exact_length_text(tokenizer, n), maxNewTokens: 4 })),
      ];
      const made: number[] = [];
      const best = new Map<string, KernelRow>();
      for (const request of requests) {
        for (let run = -1; run < (variant === 'tiled' && executor.device.traits.software ? 1 : RUNS); run++) {
          const result = await engine.generate({ ...request, ignoreEos: true, timing: 'kernel' }).result;
          if (run < 0)
            made.push(...result.tokens); // compiles
          else for (const row of rows_of(result.timeline?.spans ?? [], ceilings)) keep_best(best, row);
        }
      }
      for (const row of best.values()) if (filter === undefined || row.kernel.includes(filter)) rows.push(row);
      // Times of kernels that compute something else are worth nothing: both variants must choose the same tokens.
      if (tokens !== undefined && tokens.join() !== made.join()) say('warning: the variants chose different tokens');
      tokens ??= made;
    } finally {
      executor.destroy();
    }
  }
  report(say, rows, ceilings as Ceilings);
  return { rows, ceilings };
}

/** Launches of one kernel, stage and shape, together. */
function rows_of(spans: readonly Span[], ceilings: Ceilings): KernelRow[] {
  const groups = new Map<string, Span[]>();
  for (const span of spans) {
    const { kernel, tag, params, pipeline } = span.first;
    const shape = shape_of(params);
    const key = `${kernel.name} ${pipeline.variant.name} ${tag.stage} ${shape}`;
    groups.set(key, [...(groups.get(key) ?? []), span]);
  }
  return [...groups.values()].map((group) => {
    const { kernel, tag, params, pipeline } = (group[0] as Span).first;
    const ms = group.reduce((sum, span) => sum + span.own_ns, 0) / 1e6;
    const counts = counts_of(group);
    const moved = counts.weight_bytes + counts.read_bytes + counts.written_bytes + counts.kv_bytes;
    const { floor_ms } = floor_of(counts, ceilings);
    return {
      kernel: kernel.name,
      variant: pipeline.variant.name,
      stage: tag.stage,
      shape: shape_of(params),
      launches: group.length,
      ms: ms / group.length,
      gflops: counts.flops / ms / 1e6,
      gbytes: moved / ms / 1e6,
      efficiency: floor_ms / ms,
    };
  });
}

/** Costs are summed: of the slices of one product only the first carries them. */
function counts_of(group: readonly Span[]): Counts {
  const ledger = make_ledger();
  for (const span of group) ledger.record(span.first);
  return ledger.sum();
}

/** What tells shapes apart; not the keys of a decode step, which grow by one each. */
const SHAPE = ['groups', 'rows', 'max_tiles', 'k', 'cols', 'hidden', 'heads', 'experts', 'cells', 'pairs'];

const shape_of = (params: Readonly<Record<string, number>>): string =>
  SHAPE.flatMap((name) => (params[name] === undefined ? [] : [`${name} ${params[name]}`])).join(' ');

function keep_best(best: Map<string, KernelRow>, row: KernelRow): void {
  const key = `${row.kernel} ${row.stage} ${row.shape}`;
  const known = best.get(key);
  if (known === undefined || row.ms < known.ms) best.set(key, row);
}

function report(say: Bench['say'], rows: readonly KernelRow[], ceilings: Ceilings): void {
  const g = (x: number) => (x / 1e9).toFixed(1);
  say(
    `ceilings: ${g(ceilings.fma_f32_flops)} GFLOP/s f32, reads ${g(ceilings.stream_read_bytes)} GB/s, ${(1000 * ceilings.dispatch_ms).toFixed(1)} us a launch`,
  );
  for (const row of [...rows].sort(
    (a, b) => a.kernel.localeCompare(b.kernel) || a.shape.localeCompare(b.shape, 'en', { numeric: true }),
  )) {
    const { kernel, variant, stage, shape, ms, gflops, gbytes, efficiency } = row;
    say(
      `${kernel.padEnd(24)} ${variant.padEnd(6)} ${stage.padEnd(14)} ${ms.toFixed(3).padStart(10)} ms ${gflops.toFixed(1).padStart(7)} GFLOP/s ${gbytes.toFixed(2).padStart(7)} GB/s ${(100 * efficiency).toFixed(0).padStart(4)} %  ${shape}`,
    );
  }
}
