import { UsageError } from '../../engine/errors.ts';
import type { StageResult } from '../../engine/generate.ts';
import type { Timing } from '../../engine/gpu/timeline.ts';
import { formula_picture, type Picture } from '../../engine/input/pictures.ts';
import type { ResizeMode } from '../../engine/input/resize.ts';
import { chrome_trace, gpu_time_by, type StageSpan, stage_spans } from '../../engine/meter/trace.ts';
import type { GenerateRequest, GenerateResult } from '../../engine/molmoe.ts';
import { decode_image } from '../../engine/node/decode_image.ts';
import { write_atomic } from '../../engine/node/files.ts';
import { Molmoe } from '../../engine/node/load.ts';
import { commit, dirty, version } from '../build.ts';
import { interruptible } from '../options.ts';
import { bold, dim, ms, note, out, progress, seconds, short_number, table, warn } from '../print.ts';
import { type AdapterFlags, type KnobFlags, knobs_of, load_options, type ModelFlags } from './flags.ts';

export interface GenerateFlags extends AdapterFlags, ModelFlags, KnobFlags {
  readonly image?: string;
  readonly prompt?: string;
  readonly resize: ResizeMode;
  readonly maxNewTokens: number;
  readonly crops?: number;
  readonly tier?: string;
  readonly temperature?: number;
  readonly topP?: number;
  readonly sampleTopK?: number;
  readonly seed?: number;
  readonly stop?: readonly string[];
  readonly ignoreEos?: boolean;
  readonly flush: number;
  readonly keepDeadBlock?: boolean;
  readonly timing?: Timing;
  readonly trace?: string;
  readonly json?: boolean;
}

const BUILT_IN_PROMPT = 'Describe this image.';
/** Four crops and the overview: the middle one of the study's three image sizes. */
const BUILT_IN_SIDE = 560;

export async function generate(flags: GenerateFlags, debug: boolean): Promise<undefined> {
  if (flags.prompt?.trim() === '') throw new UsageError('--prompt: expected some text, found none');
  const signal = interruptible();
  const decode_started_ms = performance.now();
  const image = await picture_of(flags);
  const decoded = {
    name: flags.image === undefined ? 'make the built-in picture' : 'decode image',
    started_ms: decode_started_ms,
    wall_ms: performance.now() - decode_started_ms,
  };
  const request = request_of(flags, image, signal);
  const bar = progress('loading weights');
  const model = await Molmoe.load({
    ...load_options(flags, debug),
    on_progress: bar.update,
    signal,
  }).finally(bar.end);
  try {
    const generation = model.generate(request);
    if (!flags.json) introduce(model, flags, image);
    if (!flags.json) for await (const token of generation) out(token.text);
    const result = await generation.result;
    if (flags.trace !== undefined) await write_trace(flags.trace, result, image === undefined ? [] : [decoded]);
    if (flags.json) out(`${JSON.stringify(report(model, request, result))}\n`);
    else {
      out('\n');
      for (const line of result.warnings) warn(line);
      note(summary(result));
      if (flags.trace !== undefined)
        note(`trace in ${flags.trace}: open it in Perfetto (ui.perfetto.dev) or chrome://tracing`);
    }
  } finally {
    model.close();
  }
}

async function picture_of({ image, prompt, resize }: GenerateFlags): Promise<Picture | undefined> {
  if (image !== undefined) return decode_image(image, { orient: resize === 'fill' });
  return prompt === undefined ? formula_picture('rings', BUILT_IN_SIDE, BUILT_IN_SIDE) : undefined;
}

function request_of(flags: GenerateFlags, image: Picture | undefined, signal: AbortSignal): GenerateRequest {
  const { temperature, topP, sampleTopK, seed } = flags;
  const sampled = [temperature, topP, sampleTopK, seed].some((flag) => flag !== undefined);
  return {
    prompt: flags.prompt ?? BUILT_IN_PROMPT,
    image,
    resize: flags.resize,
    maxNewTokens: flags.maxNewTokens,
    knobs: { ...knobs_of(flags), crops: flags.crops, tier: flags.tier },
    sampling: sampled ? { temperature: temperature ?? 1, topP, topK: sampleTopK, seed } : undefined,
    stop: flags.stop,
    ignoreEos: flags.ignoreEos,
    tokensPerReadback: flags.flush,
    keepDeadBlocks: flags.keepDeadBlock,
    timing: flags.trace === undefined ? flags.timing : 'kernel',
    signal,
  };
}

function introduce(model: Molmoe, flags: GenerateFlags, image: Picture | undefined): void {
  const { facts, engine } = model;
  const { adapter } = engine_facts(model);
  const { report } = engine.weights;
  note(dim(`adapter  ${adapter.description || adapter.device} (${adapter.type})`));
  note(dim(`model    ${facts.name}: ${facts.weights}, stored as ${facts.dtype}, ${facts.tokenizer} tokenizer`));
  note(
    dim(
      `loaded   ${short_number(report.bytes)}B in ${seconds(report.ms)}, ${short_number((1000 * report.bytes) / report.ms)}B/s`,
    ),
  );
  if (image !== undefined) note(dim(`image    ${flags.image ?? 'built-in rings'}, ${image.width}x${image.height}`));
  note(dim(`prompt   ${flags.prompt ?? BUILT_IN_PROMPT}`));
}

const engine_facts = (model: Molmoe) => ({ adapter: model.engine.executor.device.facts });

function summary(result: GenerateResult): string {
  const { counts, stages, preprocess_ms } = result;
  const total = stages.reduce((sum, stage) => sum + stage.wall_ms, preprocess_ms);
  const row = (name: string, wall_ms: number, stage?: StageResult): string[] => [
    name,
    ms(wall_ms),
    `${((100 * wall_ms) / total).toFixed(1)} %`,
    stage ? short_number(stage.flops) : '',
    stage ? short_number(stage.weight_bytes) : '',
    stage ? String(stage.dispatches) : '',
  ];
  const rows = [
    ['stage', 'wall', 'share', 'FLOPs', 'weight bytes', 'dispatches'],
    row('preprocess', preprocess_ms),
    ...stages.map((stage) => row(stage.stage, stage.wall_ms, stage)),
  ];
  const steps = result.decode_step_ms.length;
  const decode_ms = result.decode_step_ms.reduce((sum, x) => sum + x, 0);
  const rate = steps > 0 ? `, ${((1000 * steps) / decode_ms).toFixed(1)} tokens/s in decode` : '';
  const vision = counts.crops > 0 ? `${counts.views} views, ${counts.inserted_cells} image cells in ` : '';
  const stamped = result.timeline === undefined ? '' : `\n${gpu_summary(result)}`;
  return `${bold(`${counts.new_tokens} tokens`)} (ended by ${result.finish}) after ${vision}${counts.prompt_tokens} prompt tokens; ${seconds(total)}${rate}\n${table(rows)}${stamped}`;
}

/** Where the GPU's own time went; without stamps, the host's time around each pass, submitted and awaited by itself. Stamping each pass slows a run: these are not its plain times. */
function gpu_summary({ timeline, stages }: GenerateResult): string {
  if (timeline === undefined) return '';
  const { timing, clock, sum_ns, span_ns, faults, self_test } = timeline;
  const name_of = (span: (typeof timeline.spans)[number]) =>
    timing === 'kernel' ? `${span.first.tag.stage} ${span.first.tag.component}` : span.first.tag.stage;
  const sums = gpu_time_by(timeline, name_of);
  const rows = [
    [clock === 'gpu' ? 'GPU time of' : 'fenced time of', 'sum', 'share', 'passes'],
    ...sums.map(({ name, gpu_ms, passes }) => [
      name,
      ms(gpu_ms),
      `${((1e8 * gpu_ms) / sum_ns).toFixed(1)} %`,
      String(passes),
    ]),
  ];
  const wrong = [
    ...(faults.negative > 0 ? [`${faults.negative} passes end before they begin`] : []),
    ...(faults.zero > 0 ? [`${faults.zero} passes take no time`] : []),
    ...(faults.quantised ? ['stamps are rounded'] : []),
    ...(self_test?.passed === false
      ? [`a kernel of four times the work took ${self_test.ratio.toFixed(2)} times as long`]
      : []),
  ];
  const notes = wrong.length > 0 ? `; stamps are doubtful: ${wrong.join(', ')}` : '';
  const of_stages = stages.reduce((sum, stage) => sum + stage.wall_ms, 0);
  return `${table(rows)}\nsum of ${timing} passes ${ms(sum_ns / 1e6)}, first to last stamp ${ms(span_ns / 1e6)}, wall of all stages ${ms(of_stages)}${notes}`;
}

async function write_trace(file: string, result: GenerateResult, before: readonly StageSpan[]): Promise<void> {
  if (result.timeline === undefined) return;
  const host: StageSpan[] = [...before, ...result.preprocess, ...stage_spans(result.stages)];
  await write_atomic(file, JSON.stringify(chrome_trace(host, result.timeline)));
}

/** Everything a reader needs to judge the numbers. Times are wall times between fences. */
function report(model: Molmoe, request: GenerateRequest, result: GenerateResult) {
  const { executor, weights } = model.engine;
  const { config, ...facts } = model.facts;
  const { ledger, timeline, ...rest } = result;
  return {
    schema: 'molmoe.generate/1',
    version,
    commit,
    dirty,
    adapter: executor.device.facts,
    backend: model.adapter.backend,
    toggles: model.adapter.toggles,
    mode: executor.device.mode,
    variant: executor.variant,
    tuning: model.tuning,
    chosen: model.chosen,
    model: { ...facts, layers: config.n_layers, experts: config.n_experts, load: weights.report },
    request: {
      ...request,
      image: request.image && { width: request.image.width, height: request.image.height },
      signal: undefined,
    },
    clock: 'wall time between fences',
    timing: timeline?.timing ?? 'off',
    ...rest,
    timeline: timeline && {
      ...timeline,
      spans: timeline.spans.map(({ first, ...times }) => ({ ...first.tag, kernel: first.kernel.name, ...times })),
    },
    ledger: ledger.rows(),
  };
}
