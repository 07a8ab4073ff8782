import { InputError, UsageError } from '../../engine/errors.ts';
import type { Picture } from '../../engine/input/pictures.ts';
import type { Knobs } from '../../engine/model/knobs.ts';
import { type OpenModel, open_model } from '../../engine/node/load.ts';
import { expected_answer } from '../../experiments/budget/answer_length.ts';
import { best_within, fastest, neighbours } from '../../experiments/budget/choose.ts';
import { type Ask, level_of, type Option } from '../../experiments/budget/chooser.ts';
import { chooser_at } from '../../experiments/budget/instrument.ts';
import { find_table, type QualityTable } from '../../experiments/budget/quality_table.ts';
import { text_tokens_of } from '../../experiments/budget/text_tokens.ts';
import { basis_of_choice, type Choice, known_models, this_site } from '../../experiments/estimator/choose.ts';
import { ANOTHER_HOUR, doubts_of } from '../../experiments/estimator/forecast.ts';
import { sizes_of } from '../../experiments/estimator/request_work.ts';
import { kept_ceilings } from '../../experiments/lab/ceilings_cache.ts';
import { rings, text_of_length } from '../../experiments/lab/inputs.ts';
import { measure } from '../../experiments/lab/measure.ts';
import { short_ms } from '../../experiments/lab/tables.ts';
import { commit, dirty, version } from '../build.ts';
import { interruptible } from '../options.ts';
import { bold, dim, note, out, progress, warn } from '../print.ts';
import { type AdapterFlags, answering, knobs_text, load_options, type ModelFlags } from './flags.ts';
import { type InputFlags, parse_size, read_picture, read_prompt, unknown_words } from './inputs.ts';
import { table_text } from './show.ts';

export interface BudgetFlags extends AdapterFlags, ModelFlags, InputFlags {
  readonly ms: number;
  readonly qualityAtLeast?: number;
  readonly imageSize?: string;
  readonly promptTokens?: number;
  readonly newTokens?: number;
  readonly results?: string;
  readonly run?: boolean;
  readonly json?: boolean;
}

/** Of a request whose words are not known, as `predict` has it. */
const USUAL_PROMPT_TOKENS = 20;

/** A latency budget as knobs, for this request: chosen by what answers are worth and by what they are predicted to take. */
export async function budget(asked: BudgetFlags, debug: boolean): Promise<undefined> {
  check_flags(asked);
  const prompt = await read_prompt(asked);
  const image = await picture_of(asked);
  const flags = answering(asked);
  const signal = interruptible();
  let table: QualityTable | undefined;
  let ask: Ask | undefined;
  const model = await open_model({
    ...load_options(flags, debug),
    // What the model cannot take, or has no table, is said before an adapter is opened.
    on_model: async ({ config, tokenizer }) => {
      const text_tokens =
        prompt === undefined ? (flags.promptTokens ?? USUAL_PROMPT_TOKENS) : text_tokens_of(prompt, config, tokenizer);
      ask = {
        picture: image && { width: image.width, height: image.height },
        text_tokens,
        prompt,
        new_tokens: flags.newTokens,
      };
      sizes_of(config, { ...ask, new_tokens: flags.newTokens ?? 1, knobs: {} });
      for (const line of prompt === undefined ? [] : unknown_words(tokenizer, prompt)) warn(line);
      table = await find_table(config, flags.results);
    },
  });
  try {
    const chosen = await choose_for(flags, model, ask as Ask, table as QualityTable);
    if (!flags.json) print(chosen, flags);
    const ran = flags.run ? await run_chosen({ ...chosen, prompt, image }, flags, signal) : null;
    if (flags.json) out(`${JSON.stringify({ ...report_of(chosen, flags), run: ran })}\n`);
    else if (ran !== null) out(`${ran.answer}\n${bold(ran_line(ran))}\n`);
  } finally {
    await model.close();
  }
}

function check_flags({ ms, qualityAtLeast, image, imageSize, prompt, promptTokens }: BudgetFlags): void {
  if (!(ms > 0)) throw new UsageError(`--ms ${ms}: expected milliseconds above 0`);
  if (qualityAtLeast !== undefined && !(qualityAtLeast >= 0 && qualityAtLeast <= 1)) {
    throw new UsageError(`--quality-at-least ${qualityAtLeast}: expected a mean score from 0 to 1, such as 0.9`);
  }
  if (image !== undefined && imageSize !== undefined) {
    throw new UsageError('--image and --image-size: expected one picture, found two; leave one out');
  }
  if (prompt !== undefined && promptTokens !== undefined) {
    throw new UsageError('--prompt and --prompt-tokens: expected one prompt, found two; leave one out');
  }
}

/** The built-in picture in the size that is asked, where none of the user's own is. */
async function picture_of({ image, imageSize }: BudgetFlags): Promise<Picture | null> {
  if (image !== undefined) return read_picture(image, false);
  const size = imageSize === undefined ? null : parse_size(imageSize);
  return size && rings(size.width, size.height).picture;
}

interface Chosen {
  readonly model: OpenModel;
  readonly ask: Ask;
  readonly table: QualityTable;
  readonly choice: Choice;
  readonly options: readonly Option[];
  readonly option: Option;
  readonly less?: Option;
  readonly more?: Option;
  readonly warnings: readonly string[];
}

async function choose_for(flags: BudgetFlags, model: OpenModel, ask: Ask, table: QualityTable): Promise<Chosen> {
  const { facts, executor, adapter } = model;
  const { config, dtype } = facts;
  const { device, variant, tuning } = executor;
  const site = this_site(device.facts, adapter.backend);
  const ceilings = await kept_ceilings(executor, adapter.backend);
  const place = { config, dtype, machine: { device, variant, tuning }, site, ceilings };
  const { chooser, choice } = await chooser_at(place, await known_models(warn), table);
  const options = await chooser.options(ask);
  const option = best_within(options, { budget_ms: flags.ms, quality_at_least: flags.qualityAtLeast });
  if (option === undefined) throw nothing_fits(flags, options);
  const { quantities } = sizes_of(config, { ...ask, new_tokens: option.new_tokens, knobs: option.candidate.knobs });
  const warnings = doubts_of(choice, quantities);
  return { ...{ model, ask, table, choice, options, option, warnings }, ...neighbours(options, option) };
}

function nothing_fits({ ms, qualityAtLeast }: BudgetFlags, options: readonly Option[]): InputError {
  const wanted = qualityAtLeast === undefined ? '' : ` with answers worth ${qualityAtLeast} or more`;
  const soonest = fastest(options, qualityAtLeast);
  if (soonest === undefined) {
    const most = Math.max(...options.map(({ quality }) => quality));
    return new InputError(
      `budget: expected a setting${wanted}, found none: the best of ${options.length} is worth ${most.toFixed(3)}; ask for that or less`,
    );
  }
  const { quality, ms: likely, high_ms, candidate } = soonest;
  return new InputError(
    `budget: expected a setting${wanted} that keeps to ${short_ms(ms)}, found none of ${options.length}: the fastest takes up to ${short_ms(high_ms)} (${short_ms(likely)} likely), with ${shown_knobs(candidate.knobs)}, worth ${quality.toFixed(3)}; allow ${Math.ceil(high_ms)} ms${qualityAtLeast === undefined ? '' : ', or answers worth less'}`,
  );
}

/** Blocks as ranges: 0-5,7. */
function shown_knobs({ blocks, ...rest }: Knobs): string {
  const parts = [knobs_text(rest), ...(blocks === undefined ? [] : [`--blocks ${ranges_of(blocks)}`])];
  return parts.filter((part) => part !== '').join(' ') || 'everything on';
}

export function ranges_of(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(',') || 'none';
}

/** How long the answer is taken to be, and why. */
const length_text = ({ ask, option }: Chosen): string =>
  ask.new_tokens === undefined
    ? `${option.new_tokens} new tokens assumed: ${expected_answer(option.candidate.answer_tokens, ask.prompt).because}`
    : `${ask.new_tokens} new tokens at most`;

function print(chosen: Chosen, flags: BudgetFlags): void {
  const { model, ask, table, choice, options, option, less, more, warnings } = chosen;
  const { facts } = model.executor.device;
  note(dim(`adapter  ${facts.description || facts.device}`));
  note(dim(`model    ${model.facts.name}, stored as ${model.facts.dtype}`));
  const picture = ask.picture === null ? 'no picture' : `a picture of ${ask.picture.width}x${ask.picture.height}`;
  out(`${bold('request')}: ${picture}, ${ask.text_tokens} text tokens, ${length_text(chosen)}\n\n`);
  const row = (name: string, one: Option | undefined) =>
    one === undefined
      ? []
      : [
          [
            ...[name, shown_knobs(one.candidate.knobs), one.ms, one.low_ms, one.high_ms, one.quality],
            ...(one.candidate.quality_ci95 ?? [null, null]),
          ],
        ];
  const level = `${Number((100 * level_of(choice.estimator)).toFixed(1))} %`;
  out(
    `${table_text({
      title: `within ${short_ms(flags.ms)}: predicted, nothing was run`,
      columns: [
        { name: '', unit: 'text' },
        { name: 'knobs', unit: 'text' },
        ...['time', 'from', 'to'].map((name) => ({ name, unit: 'ms' as const })),
        ...['worth', 'from', 'to'].map((name) => ({ name, unit: 'share' as const })),
      ],
      rows: [...row('faster', less), ...row('chosen', option), ...row('better', more)],
      note: `Of ${options.length} settings the best answers whose time "to" keeps to the budget: the upper end of ${level} intervals, ${Math.round(100 * (ANOTHER_HOUR - 1))} % wider for another hour. Times rest on ${basis_of_choice(choice)}; worth: mean score on ${table.what}, 95 % intervals.`,
    })}\n`,
  );
  for (const line of warnings) warn(line);
}

interface Ran {
  readonly answer: string;
  readonly finish: string;
  readonly new_tokens: number;
  readonly budget_ms: number;
  readonly predicted_ms: number;
  readonly low_ms: number;
  readonly high_ms: number;
  readonly measured_ms: number;
  readonly preprocess_ms: number;
  readonly held: boolean;
}

/** Once untimed, which compiles what these knobs need, then by the stopwatch. */
async function run_chosen(
  {
    model,
    ask,
    option,
    prompt,
    image,
  }: Chosen & { readonly prompt: string | undefined; readonly image: Picture | null },
  flags: BudgetFlags,
  signal: AbortSignal,
): Promise<Ran> {
  const bar = progress('loading weights');
  const loaded = await model.load(bar.update, signal).finally(bar.end);
  const { config } = model.facts;
  const request = {
    prompt: prompt ?? text_of_length({ config, tokenizer: model.tokenizer }, ask.text_tokens),
    ...(image && { image }),
    ...(flags.newTokens !== undefined && { maxNewTokens: flags.newTokens }),
    knobs: option.candidate.knobs,
    signal,
  };
  await measure(loaded.engine, request);
  const { result } = await measure(loaded.engine, request);
  return {
    answer: result.text.trim(),
    finish: result.finish,
    new_tokens: result.decode_step_ms.length + 1,
    budget_ms: flags.ms,
    predicted_ms: option.ms,
    low_ms: option.low_ms,
    high_ms: option.high_ms,
    measured_ms: result.total_ms,
    preprocess_ms: result.preprocess_ms,
    held: result.total_ms <= flags.ms,
  };
}

const ran_line = ({
  predicted_ms,
  low_ms,
  high_ms,
  measured_ms,
  preprocess_ms,
  budget_ms,
  held,
  new_tokens,
}: Ran): string =>
  `predicted ${short_ms(predicted_ms)} (${short_ms(low_ms)} to ${short_ms(high_ms)}), measured ${short_ms(measured_ms)} with ${new_tokens} new tokens, budget ${short_ms(budget_ms)}: ${held ? 'held' : 'missed'} (one run, after one that compiles; preparing the input before it took ${short_ms(preprocess_ms)})`;

function report_of({ model, ask, table, choice, options, option, less, more, warnings }: Chosen, flags: BudgetFlags) {
  const { facts } = model.executor.device;
  const { known, estimator } = choice;
  const said = (one: Option) => ({
    knobs: one.candidate.knobs,
    predicted_ms: one.ms,
    low_ms: one.low_ms,
    high_ms: one.high_ms,
    new_tokens: one.new_tokens,
    quality: one.quality,
    quality_ci95: one.candidate.quality_ci95,
  });
  return {
    ...{ schema: 'molmoe.budget/1', version, commit, dirty, adapter: facts.description || facts.device },
    ...{ model: model.facts.name, dtype: model.facts.dtype },
    request: {
      image_size: ask.picture && `${ask.picture.width}x${ask.picture.height}`,
      text_tokens: ask.text_tokens,
      new_tokens: ask.new_tokens ?? null,
    },
    budget_ms: flags.ms,
    quality_at_least: flags.qualityAtLeast ?? null,
    rule: { what: 'upper end', level: level_of(estimator), widened_by: ANOTHER_HOUR },
    chosen: said(option),
    faster: less ? said(less) : null,
    better: more ? said(more) : null,
    settings: options.length,
    rests_on: { times: known.source, what: basis_of_choice(choice), quality: table.source, samples: table.what },
    warnings,
  };
}
