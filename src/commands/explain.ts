import { UsageError } from '../../engine/errors.ts';
import type { Picture } from '../../engine/input/pictures.ts';
import { pass_weight_bytes } from '../../engine/meter/roofline.ts';
import { type Knobs, plan_blocks } from '../../engine/model/knobs.ts';
import type { GenerateRequest, GenerateResult } from '../../engine/molmoe.ts';
import { type OpenModel, open_model } from '../../engine/node/load.ts';
import { check_request } from '../../engine/request.ts';
import type { Predicted } from '../../experiments/lab/dry.ts';
import { REGIMES, type Regime, rings_of_tiling } from '../../experiments/lab/inputs.ts';
import { counters, measure, measure_kernels } from '../../experiments/lab/measure.ts';
import { type Ceilings, STAGES, type StageName } from '../../experiments/lab/schema.ts';
import { commit, dirty, version } from '../build.ts';
import { interruptible } from '../options.ts';
import { bold, dim, ms, note, out, progress, short_number, warn } from '../print.ts';
import { ceilings_of } from './ceilings.ts';
import { bound_sentence, faults, gap_sentence, type StageFacts, stage_facts, stages_table } from './explain_text.ts';
import { type AdapterFlags, type KnobFlags, knobs_of, knobs_text, load_options, type ModelFlags } from './flags.ts';
import { type KnownTimes, known_times } from './foresight.ts';
import { type InputFlags, orientation_note, read_picture, read_prompt } from './inputs.ts';

export interface ExplainFlags extends AdapterFlags, ModelFlags, KnobFlags, InputFlags {
  readonly regime?: Regime;
  readonly orient?: boolean;
  readonly decode: number;
  readonly recalibrate?: boolean;
  readonly json?: boolean;
}

const BUILT_IN_PROMPT = 'Describe this image.';

/** One request, stage by stage: what it asks of the adapter, the least that takes, what it took, and what bounds it. */
export async function explain(flags: ExplainFlags, debug: boolean): Promise<undefined> {
  if (flags.regime !== undefined && flags.image !== undefined)
    throw new UsageError('--regime and --image: expected one picture, found both; leave one out');
  const prompt = await read_prompt(flags);
  const signal = interruptible();
  const { image, notes } = await picture_of(flags);
  let request: GenerateRequest | undefined;
  const model = await open_model({
    ...load_options(flags, debug),
    on_model: ({ config, tokenizer }) => {
      request = {
        prompt: prompt ?? BUILT_IN_PROMPT,
        image: image === 'built-in' ? rings_of_tiling(config, REGIMES[flags.regime ?? 'medium']).picture : image,
        maxNewTokens: flags.decode,
        ignoreEos: true,
        knobs: knobs_of(flags),
        signal,
      };
      check_request(request, config, tokenizer);
    },
  });
  try {
    const ceilings = await ceilings_of(model, flags.recalibrate);
    const measured = await run(model, request as GenerateRequest, ceilings, signal);
    const explained = { ...measured, warnings: [...notes, ...measured.warnings] };
    if (flags.json) out(`${JSON.stringify(explained)}\n`);
    else print(explained, model, request?.image, request as GenerateRequest);
  } finally {
    await model.close();
  }
}

/** The built-in one is made once the model's geometry is known. */
async function picture_of(
  flags: ExplainFlags,
): Promise<{ readonly image: Picture | 'built-in' | undefined; readonly notes: readonly string[] }> {
  const { image: file, regime, orient = false } = flags;
  if (file !== undefined) {
    const image = await read_picture(file, orient);
    return { image, notes: orientation_note(image, orient) };
  }
  if (regime === undefined && flags.prompt !== undefined) {
    const { maxCrops, topKVision } = flags;
    const given = knobs_text({ maxCrops, topKVision });
    const unused = given === '' ? [] : [`${given}: without effect, the request has no picture (--image FILE)`];
    return { image: undefined, notes: unused };
  }
  return { image: 'built-in', notes: [] };
}

interface Explained {
  readonly schema: 'molmoe.explain/1';
  readonly version: string;
  readonly commit: string;
  readonly dirty: boolean;
  readonly adapter: string;
  readonly model: string;
  readonly weights: string;
  readonly dtype: string;
  readonly tokens: Readonly<Record<string, number>>;
  readonly knobs: Knobs;
  readonly clocks: { readonly wall: string; readonly gpu: string };
  readonly ceilings: Ceilings;
  readonly preprocess_ms: number;
  readonly stages: readonly (StageFacts & { readonly explanation: string })[];
  /** What e3's results here say of this request by its counts alone; null where there are none. */
  readonly predicted: PredictedTimes | null;
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
}

type PredictedTimes = { readonly learnt_from: string } & Readonly<Partial<Record<StageName | 'total', Predicted>>>;

/** A run that compiles every shape, a plain one for wall times, one with every kernel stamped. */
async function run(
  open: OpenModel,
  request: GenerateRequest,
  ceilings: Ceilings,
  signal: AbortSignal,
): Promise<Explained> {
  const bar = progress('loading weights');
  const { engine } = await open.load(bar.update, signal).finally(bar.end);
  await measure(engine, request);
  const { result } = await measure(engine, request);
  const { kernels, clock } = await measure_kernels(engine, request);
  const { config, dtype, name, weights } = open.facts;
  const pass = pass_weight_bytes(config, dtype, plan_blocks(config, request.knobs ?? {}));
  const counts = counters(result);
  const stages = result.stages.map(({ stage, wall_ms }) => {
    const of_stage = kernels.filter((row) => row.stage === stage);
    const exact = counts[stage];
    if (exact === undefined) throw new Error(`${stage}: ran without counts`);
    const measured = { stage, counts: exact, wall_ms, kernels: of_stage };
    const facts = stage_facts(measured, result.counts, result.decode_step_ms.length, ceilings, pass[stage]);
    return { ...facts, explanation: `${bound_sentence(facts, ceilings, dtype)} ${gap_sentence(facts)}` };
  });
  return {
    schema: 'molmoe.explain/1',
    version,
    commit,
    dirty,
    adapter: ceilings.adapter,
    model: name,
    weights,
    dtype,
    tokens: { ...result.counts },
    knobs: request.knobs ?? {},
    clocks: {
      wall: 'host wall time between fences, a plain run after a warm-up',
      gpu:
        clock === 'gpu'
          ? 'sum of GPU time stamps, a pass a kernel, of another run: stamping slows it'
          : "sum of the host's times around each kernel, submitted and awaited by itself, of another run",
    },
    ceilings,
    preprocess_ms: result.preprocess_ms,
    stages,
    predicted: predicted_of(await known_times(open), result),
    faults: faults(stages),
    warnings: result.warnings,
  };
}

function predicted_of(known: KnownTimes | undefined, result: GenerateResult): PredictedTimes | null {
  if (known === undefined) return null;
  const { times, interval } = known.stages(result);
  const phases = [...STAGES, 'total'] as const;
  const said = phases.flatMap((phase) => {
    const ms = times[phase];
    const [low_ms, high_ms] = interval(phase) ?? [null, null];
    return ms === undefined ? [] : [[phase, { ms, low_ms, high_ms }] as const];
  });
  return { learnt_from: known.basis, ...Object.fromEntries(said) };
}

/** Beside what it took, what it should have taken. */
function predicted_line({ learnt_from, ...times }: PredictedTimes, stages: Explained['stages']): string {
  const said = (Object.entries(times) as [StageName | 'total', Predicted][]).map(([phase, one]) => {
    const ends = one.low_ms === null || one.high_ms === null ? '' : ` (${ms(one.low_ms)} to ${ms(one.high_ms)})`;
    const stage = stages.find((row) => row.stage === phase);
    return `${phase.replace('_', ' ')} ${ms(one.ms)}${ends}${stage ? `, took ${ms(stage.wall_ms)}` : ''}`;
  });
  return `${bold('predicted')}: by its counts alone, from ${learnt_from}: ${said.join('; ')}\n`;
}

function print(
  { ceilings, stages, clocks, preprocess_ms, ...rest }: Explained,
  model: OpenModel,
  image: Picture | undefined,
  request: GenerateRequest,
): void {
  const { facts } = model.executor.device;
  const rate = (value: number, unit: string) => `${short_number(value)}${unit}/s`;
  note(dim(`adapter  ${facts.description || facts.device} (${facts.type})`));
  note(dim(`model    ${rest.model}: ${rest.weights}, stored as ${rest.dtype}`));
  note(
    dim(
      `ceilings ${rate(ceilings.fma_f32_flops, 'FLOP')} f32, reads ${rate(ceilings.stream_read_bytes, 'B')} (${rate(ceilings.cache_read_bytes, 'B')} within ${short_number(ceilings.cache_bytes)}B), writes ${rate(ceilings.stream_write_bytes, 'B')}, ${(1000 * ceilings.dispatch_ms).toPrecision(3)} us a launch; measured ${ceilings.date}`,
    ),
  );
  const { text_tokens, prompt_tokens, inserted_cells = 0, image_tokens = 0, new_tokens, views } = rest.tokens;
  const picture =
    image === undefined
      ? 'no picture'
      : `a picture of ${image.width}x${image.height} as ${views} views (${inserted_cells} cells and ${image_tokens - inserted_cells} marks in the prompt)`;
  const turned = knobs_text(rest.knobs);
  out(
    `${bold('request')}: ${picture}, "${request.prompt}" (${text_tokens} tokens), ${prompt_tokens} prompt positions, ${new_tokens} new tokens${turned === '' ? '' : `, ${turned}`}; ${ms(preprocess_ms)} of host preparation\n\n`,
  );
  out(`${stages_table(stages)}\n\n`);
  for (const { stage, explanation } of stages) out(`${bold(stage)}: ${explanation}\n`);
  if (rest.predicted !== null) out(predicted_line(rest.predicted, stages));
  out(
    dim(
      `\nfloor: least time the ceilings allow, kernel by kernel; efficiency: floor / wall\nwall: ${clocks.wall}\nGPU sum: ${clocks.gpu}\n`,
    ),
  );
  for (const line of [...rest.warnings, ...rest.faults]) warn(line);
}
