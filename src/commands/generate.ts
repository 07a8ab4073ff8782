import type { Timing } from '../../engine/gpu/timeline.ts';
import { formula_picture, type Picture } from '../../engine/input/pictures.ts';
import type { ResizeMode } from '../../engine/input/resize.ts';
import { chrome_trace, type StageSpan, stage_spans } from '../../engine/meter/trace.ts';
import type { GenerateRequest, GenerateResult, Generation } from '../../engine/molmoe.ts';
import { check_place, write_atomic } from '../../engine/node/files.ts';
import { Molmoe } from '../../engine/node/load.ts';
import { check_request } from '../../engine/request.ts';
import { interruptible } from '../options.ts';
import { NO_PROGRESS, note, out, progress, warn } from '../print.ts';
import { type AdapterFlags, answering, type KnobFlags, knobs_of, load_options, type ModelFlags } from './flags.ts';
import { interrupted_report, provenance, report } from './generate_report.ts';
import { interrupted_line, introduction, type Seen, summary } from './generate_text.ts';
import { type InputFlags, orientation_note, read_picture, read_prompt, unknown_words } from './inputs.ts';

export interface GenerateFlags extends AdapterFlags, ModelFlags, KnobFlags, InputFlags {
  readonly orient?: boolean;
  readonly resize?: ResizeMode;
  readonly maxNewTokens: number;
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
  readonly quiet?: boolean;
}

const BUILT_IN_PROMPT = 'Describe this image.';
/** The same in words that nano knows. */
const NANO_PROMPT = 'describe the picture.';
/** Four crops and the overview: the middle one of the study's three image sizes. */
const BUILT_IN_SIDE = 560;

export async function generate(asked: GenerateFlags, debug: boolean): Promise<undefined> {
  const prompt = await read_prompt(asked);
  if (asked.trace !== undefined) await check_place(asked.trace);
  const signal = interruptible();
  const decode_started_ms = performance.now();
  const { image, notes } = await picture_of(asked);
  const flags = asked.image === undefined ? asked : answering(asked);
  const decoded = {
    name: flags.image === undefined ? 'make the built-in picture' : 'decode image',
    started_ms: decode_started_ms,
    wall_ms: performance.now() - decode_started_ms,
  };
  const request = request_of(flags, prompt, image, signal);
  notes.push(...unused_flags(flags, image), ...sampling_note(flags));
  const told = flags.json || flags.quiet ? undefined : note;
  const bar = told ? progress('loading weights') : NO_PROGRESS;
  const model = await Molmoe.load({
    ...load_options(flags, debug),
    on_model: ({ config, tokenizer }) => {
      check_request(request, config, tokenizer);
      notes.push(...unknown_words(tokenizer, request.prompt));
    },
    on_progress: bar.update,
    signal,
  }).finally(bar.end);
  try {
    const generation = model.generate(request);
    if (!flags.json) for (const line of notes) warn(line);
    told?.(introduction(model, request, flags.image));
    const result = await read(model, request, generation, flags);
    if (flags.json) out(`${JSON.stringify(report(model, request, result, notes))}\n`);
    else {
      for (const line of result.warnings) warn(line);
      told?.(summary(result));
    }
    // After the answer: what is wrong with the file loses nothing else.
    if (flags.trace === undefined || result.timeline === undefined) return;
    const host: StageSpan[] = [...(image ? [decoded] : []), ...result.preprocess, ...stage_spans(result.stages)];
    const trace = { ...chrome_trace(host, result.timeline), metadata: provenance(model, request, result.timeline) };
    await write_atomic(flags.trace, JSON.stringify(trace));
    told?.(`trace in ${flags.trace}: open it in Perfetto (ui.perfetto.dev) or chrome://tracing`);
  } finally {
    model.close();
  }
}

/** Streams the answer. An interruption says how far it came, with times, before it ends the command. */
async function read(
  model: Molmoe,
  request: GenerateRequest,
  generation: Generation,
  flags: GenerateFlags,
): Promise<GenerateResult> {
  const started_ms = performance.now();
  const seen: Seen = { ids: [], text: '', first_ms: undefined, elapsed_ms: 0 };
  try {
    for await (const token of generation) {
      if (!flags.json) out(token.text);
      seen.ids[token.index] = token.id;
      seen.text += token.text;
      seen.elapsed_ms = performance.now() - started_ms;
      seen.first_ms ??= seen.elapsed_ms;
    }
    if (!flags.json) out('\n');
    return await generation.result;
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error;
    if (seen.first_ms === undefined) seen.elapsed_ms = performance.now() - started_ms;
    if (flags.json) out(`${JSON.stringify(interrupted_report(model, request, seen))}\n`);
    else {
      if (seen.text !== '') out('\n');
      if (!flags.quiet) note(interrupted_line(seen));
    }
    throw error;
  }
}

async function picture_of(
  flags: GenerateFlags,
): Promise<{ readonly image: Picture | undefined; readonly notes: string[] }> {
  if (flags.image === undefined) {
    const built_in = flags.prompt === undefined;
    return { image: built_in ? formula_picture('rings', BUILT_IN_SIDE, BUILT_IN_SIDE) : undefined, notes: [] };
  }
  const oriented = flags.orient === true || flags.resize === 'fill';
  const image = await read_picture(flags.image, oriented);
  return { image, notes: orientation_note(image, oriented) };
}

function request_of(
  flags: GenerateFlags,
  prompt: string | undefined,
  image: Picture | undefined,
  signal: AbortSignal,
): GenerateRequest {
  const { temperature, topP, sampleTopK, seed } = flags;
  return {
    prompt: prompt ?? (flags.model === 'nano' ? NANO_PROMPT : BUILT_IN_PROMPT),
    image,
    resize: flags.resize,
    maxNewTokens: flags.maxNewTokens,
    knobs: knobs_of(flags),
    sampling: is_sampled(flags) ? { temperature: temperature ?? 1, topP, topK: sampleTopK, seed } : undefined,
    stop: flags.stop,
    ignoreEos: flags.ignoreEos,
    tokensPerReadback: flags.flush,
    keepDeadBlocks: flags.keepDeadBlock,
    timing: flags.trace === undefined ? flags.timing : 'kernel',
    signal,
  };
}

const is_sampled = ({ temperature, topP, sampleTopK, seed }: GenerateFlags): boolean =>
  [temperature, topP, sampleTopK, seed].some((flag) => flag !== undefined);

/** A seed alone turns the likeliest token into a drawn one. */
function sampling_note(flags: GenerateFlags): string[] {
  if (!is_sampled(flags) || flags.temperature !== undefined) return [];
  const given = used([
    ['--seed', flags.seed],
    ['--top-p', flags.topP],
    ['--sample-top-k', flags.sampleTopK],
  ]);
  return [`${given}: tokens are sampled, at temperature 1 (--temperature); without it the likeliest is taken`];
}

const used = (flags: readonly (readonly [flag: string, value: unknown])[]): string =>
  flags
    .filter(([, value]) => value !== undefined)
    .map(([flag]) => flag)
    .join(', ');

/** Flags of a picture that is not there: most likely it was forgotten. */
function unused_flags(flags: GenerateFlags, image: Picture | undefined): string[] {
  if (image !== undefined) return [];
  const given = used([
    ['--max-crops', flags.maxCrops],
    ['--crops', flags.crops],
    ['--tier', flags.tier],
    ['--top-k-vision', flags.topKVision],
    ['--resize', flags.resize],
    ['--orient', flags.orient],
    ['--keep-dead-block', flags.keepDeadBlock],
  ]);
  return given === '' ? [] : [`${given}: without effect, the request has no picture (--image FILE)`];
}
