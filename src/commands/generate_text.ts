import type { StageResult } from '../../engine/generate.ts';
import { gpu_time_by } from '../../engine/meter/trace.ts';
import type { GenerateRequest, GenerateResult } from '../../engine/molmoe.ts';
import type { Molmoe } from '../../engine/node/load.ts';
import { bold, dim, ms, seconds, short_number, table } from '../print.ts';
import { knobs_text } from './flags.ts';

/** How far an answer came: what was read of it, and when. */
export interface Seen {
  readonly ids: number[];
  text: string;
  first_ms: number | undefined;
  elapsed_ms: number;
}

/** What runs, before it runs. */
export function introduction(
  model: Molmoe,
  { image, prompt, knobs = {} }: GenerateRequest,
  file: string | undefined,
): string {
  const { facts, engine } = model;
  const adapter = engine.executor.device.facts;
  const { bytes, ms: load_ms } = engine.weights.report;
  const lines = [
    `adapter  ${adapter.description || adapter.device} (${adapter.type})`,
    `model    ${facts.name}: ${facts.weights}, stored as ${facts.dtype}, ${facts.tokenizer} tokenizer`,
    `loaded   ${short_number(bytes)}B in ${seconds(load_ms)}, ${short_number((1000 * bytes) / load_ms)}B/s`,
    ...(image
      ? [`image    ${file === '-' ? 'stdin' : (file ?? 'built-in rings')}, ${image.width}x${image.height}`]
      : []),
    `prompt   ${prompt}`,
    ...(knobs_text(knobs) === '' ? [] : [`knobs    ${knobs_text(knobs)}`]),
  ];
  return lines.map(dim).join('\n');
}

/** Rates as other tools name them; null where that part did not run. */
export function rates({ counts, stages, decode_step_ms, first_token_ms, memory }: GenerateResult) {
  const prefill_ms = stages.find(({ stage }) => stage === 'prefill')?.wall_ms;
  const decode_ms = decode_step_ms.reduce((sum, x) => sum + x, 0);
  return {
    first_token_ms: first_token_ms ?? null,
    prefill_tokens_per_s: prefill_ms === undefined ? null : (1000 * counts.prompt_tokens) / prefill_ms,
    decode_tokens_per_s: decode_ms > 0 ? (1000 * decode_step_ms.length) / decode_ms : null,
    peak_memory_bytes: memory.total.peak,
  };
}

export function summary(result: GenerateResult): string {
  const { counts, stages, preprocess_ms, timeline } = result;
  const total = stages.reduce((sum, stage) => sum + stage.wall_ms, preprocess_ms);
  const row = (name: string, wall_ms: number, stage?: StageResult): string[] => [
    name,
    ms(wall_ms),
    `${((100 * wall_ms) / total).toFixed(1)} %`,
    stage ? short_number(stage.flops) : '',
    stage ? `${short_number(stage.weight_bytes)}B` : '',
    stage ? String(stage.dispatches) : '',
  ];
  const rows = [
    ['stage', timeline === undefined ? 'wall' : 'stamped wall', 'share', 'FLOPs', 'weight bytes', 'launches'],
    row('preprocess', preprocess_ms),
    ...stages.map((stage) => row(stage.stage, stage.wall_ms, stage)),
  ];
  const vision = counts.crops > 0 ? `${counts.views} views, ${counts.inserted_cells} image cells in ` : '';
  const ended = `${bold(`${counts.new_tokens} tokens`)} (ended by ${result.finish}) after ${vision}${counts.prompt_tokens} prompt tokens; ${seconds(total)}`;
  return [ended, rates_line(result), table(rows), ...(timeline === undefined ? [] : [gpu_summary(result)])].join('\n');
}

function rates_line(result: GenerateResult): string {
  const { first_token_ms, prefill_tokens_per_s, decode_tokens_per_s, peak_memory_bytes } = rates(result);
  const rate = (what: string, value: number | null) =>
    value === null ? [] : [`${what} ${short_number(Number(value.toPrecision(3)))} tokens/s`];
  const parts = [
    ...(first_token_ms === null ? [] : [`first token after ${ms(first_token_ms)}`]),
    ...rate('prefill', prefill_tokens_per_s),
    ...rate('decode', decode_tokens_per_s),
    `peak GPU memory ${short_number(peak_memory_bytes)}B`,
  ];
  const stamped = result.timeline === undefined ? '' : ' (times of a stamped run, slower than a plain one)';
  return `${parts.join(', ')}${stamped}`;
}

export function interrupted_line({ ids, first_ms, elapsed_ms }: Seen): string {
  if (first_ms === undefined) return `no token after ${seconds(elapsed_ms)}`;
  const steps = ids.length - 1;
  const rate = steps > 0 ? `, then ${((1000 * steps) / (elapsed_ms - first_ms)).toFixed(1)} tokens/s` : '';
  return `${ids.length} tokens in ${seconds(elapsed_ms)}: first after ${ms(first_ms)}${rate}`;
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
