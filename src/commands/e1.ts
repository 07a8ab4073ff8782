import { resolve } from 'node:path';
import { UsageError } from '../../engine/errors.ts';
import { legacy_flops } from '../../engine/meter/legacy.ts';
import { floor_of, pass_weight_bytes } from '../../engine/meter/roofline.ts';
import { chrome_trace, stage_spans } from '../../engine/meter/trace.ts';
import { plan_blocks } from '../../engine/model/knobs.ts';
import type { GenerateResult } from '../../engine/molmoe.ts';
import { type OpenModel, open_model } from '../../engine/node/load.ts';
import { type E1Options, plan_e1 } from '../../experiments/core/e1.ts';
import { publish_e1 } from '../../experiments/core/e1_publish.ts';
import { type Cell, run_cells } from '../../experiments/lab/experiment.ts';
import { ordered } from '../../experiments/lab/plan.ts';
import { provenance_of } from '../../experiments/lab/provenance.ts';
import { open_results, type Results } from '../../experiments/lab/record.ts';
import { type Configuration, type Protocol, STAGES } from '../../experiments/lab/schema.ts';
import { build } from '../build.ts';
import { interruptible } from '../options.ts';
import { dim, note, progress } from '../print.ts';
import { ceilings_of } from './ceilings.ts';
import { type AdapterFlags, type KnobFlags, knobs_of, load_options, type ModelFlags } from './flags.ts';
import { tell } from './report.ts';

export interface E1Flags extends AdapterFlags, ModelFlags, KnobFlags {
  readonly regime?: E1Options['regimes'];
  readonly prompt?: E1Options['prompts'];
  readonly decode?: E1Options['decodes'];
  readonly fullGrid?: boolean;
  readonly portrait?: boolean;
  readonly runs: number;
  readonly warmup: number;
  readonly instrumented: number;
  readonly method: Protocol['method'];
  readonly shuffle?: number;
  readonly flush: number;
  readonly routing?: boolean;
  readonly trace?: boolean;
  readonly out: string;
  readonly fresh?: boolean;
  readonly recalibrate?: boolean;
}

export async function e1(flags: E1Flags, debug: boolean): Promise<undefined> {
  const signal = interruptible();
  const protocol = protocol_of(flags);
  const model = await open_model(load_options(flags, debug));
  let results: Results | undefined;
  try {
    const options = options_of(flags);
    const { knobs } = options;
    const cells = ordered(
      plan_e1({ config: model.facts.config, tokenizer: model.tokenizer }, options),
      protocol.order,
      protocol.order_seed ?? 0,
    );
    const adapter = model.executor.device.facts;
    note(dim(`adapter  ${adapter.description || adapter.device} (${adapter.type})`));
    note(dim(`model    ${model.facts.name}: ${model.facts.weights}, stored as ${model.facts.dtype}`));
    const provenance = await provenance_of(model, build);
    const ceilings = await ceilings_of(model, flags.recalibrate);
    results = await open_results(flags.out, {
      experiment: 'e1',
      fingerprint: { provenance, protocol, knobs: { ...knobs, portrait: flags.portrait === true } },
      fresh: flags.fresh,
      ceilings,
    });
    if (flags.recalibrate && results.run.ceilings?.date !== ceilings.date) {
      note('the results here keep the ceilings they were begun with (--fresh begins anew)');
    }
    await measure_cells(model, cells, results, protocol, flags, signal);
    tell(results, await publish_e1(results));
  } finally {
    await results?.close();
    await model.close();
  }
}

function protocol_of(flags: E1Flags): Protocol {
  if (flags.trace && flags.instrumented === 0) {
    throw new UsageError('--trace: expected an instrumented run to write, found --instrumented 0; ask for at least 1');
  }
  return {
    batch: 1,
    warmup: flags.warmup,
    runs: flags.runs,
    instrumented: flags.instrumented,
    order: flags.shuffle === undefined ? 'fixed' : 'shuffled',
    order_seed: flags.shuffle ?? null,
    method: flags.method,
    tokens_per_readback: flags.flush,
  };
}

function options_of(flags: E1Flags): E1Options {
  if (flags.fullGrid && (flags.regime ?? flags.prompt ?? flags.decode) !== undefined) {
    throw new UsageError('--full-grid measures all 27 cells: leave --regime, --prompt and --decode out');
  }
  return {
    regimes: flags.regime,
    prompts: flags.prompt,
    decodes: flags.decode,
    full_grid: flags.fullGrid,
    portrait: flags.portrait,
    tokens_per_readback: flags.flush,
    knobs: knobs_of(flags),
  };
}

async function measure_cells(
  model: OpenModel,
  cells: readonly Cell[],
  results: Results,
  protocol: Protocol,
  flags: E1Flags,
  signal: AbortSignal,
): Promise<void> {
  const known = cells.filter((cell) => results.finished().has(cell.key)).length;
  const folder = resolve(flags.out);
  if (known > 0) {
    const extras = flags.trace || flags.routing ? ', nor traced or counted' : '';
    note(
      `${known} of ${cells.length} configurations are already in ${folder}: not measured again${extras} (--fresh does)`,
    );
  }
  const bar = progress('measuring');
  const { ceilings } = results.run;
  const { config, dtype } = model.facts;
  const weight_bytes = pass_weight_bytes(config, dtype, plan_blocks(config, knobs_of(flags)));
  try {
    await run_cells(cells, {
      results,
      protocol,
      signal,
      floor_of: ceilings === null ? undefined : (row) => floor_of(row, ceilings, weight_bytes[row.stage]),
      load: () => model.load(undefined, signal).then((loaded) => loaded.engine),
      complete: async (cell, measured, engine) => ({
        flops: {
          exact: Object.fromEntries(
            STAGES.flatMap((stage) => {
              const counts = measured.counters[stage];
              return counts ? [[stage, counts.flops]] : [];
            }),
          ),
          legacy: legacy_flops(config, {
            views: measured.tokens.num_crops,
            prompt_tokens: measured.tokens.prompt_length,
            new_tokens: measured.tokens.num_output_tokens,
          }),
        },
        routing: flags.routing ? await count_experts(cell, engine) : null,
      }),
      on_instrumented: async (cell, result) => {
        if (flags.trace) await results.write(`traces/${cell.key}.json`, trace_of(result));
      },
      on_cell: (cell, index, count) => note(`configuration ${index + 1} of ${count}: ${cell.key}`),
      on_progress: bar.update,
    });
  } finally {
    bar.end();
  }
}

/** One more run of the prompt, with every router's choice read back. */
async function count_experts(
  cell: Cell,
  engine: Parameters<Parameters<typeof run_cells>[1]['complete']>[2],
): Promise<Configuration['routing']> {
  const { routing } = await engine.generate({ ...cell.request, maxNewTokens: 0, routing: true }).result;
  if (routing?.imbalance.prefill === undefined) return null;
  return {
    layers: routing.layers.map(({ layer, prefill }) => ({ layer, pairs: [...prefill] })),
    imbalance: routing.imbalance.prefill,
  };
}

function trace_of(result: GenerateResult): string {
  if (result.timeline === undefined) throw new Error('an instrumented run without a timeline');
  return JSON.stringify(chrome_trace([...result.preprocess, ...stage_spans(result.stages)], result.timeline));
}
