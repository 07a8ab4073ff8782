import { existsSync } from 'node:fs';
import type { DryMachine } from '../../engine/dry_run.ts';
import { InputError, UsageError } from '../../engine/errors.ts';
import { adapter_facts } from '../../engine/gpu/device.ts';
import type { VariantChoice } from '../../engine/gpu/pipelines.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import { config_of, default_presets, type Found, resolve_model } from '../../engine/node/choose_model.ts';
import { open_adapter } from '../../engine/node/gpu.ts';
import { open_executor } from '../../engine/node/load.ts';
import { model_names } from '../../engine/node/shipped_model.ts';
import {
  type Choice,
  choose_estimator,
  is_own,
  known_models,
  type Site,
  site_of,
  this_site,
  under,
} from '../../experiments/estimator/choose.ts';
import { type Estimator, fit_estimator, prior_of } from '../../experiments/estimator/estimator.ts';
import { type Forecast, forecast, left_out_error } from '../../experiments/estimator/forecast.ts';
import { LEVEL } from '../../experiments/estimator/interval.ts';
import { estimator_in, type Known, label_of, read_model, same_probes } from '../../experiments/estimator/model_file.ts';
import { type Counted, count_request, type Sizes, sizes_of } from '../../experiments/estimator/request_work.ts';
import { kept_ceilings } from '../../experiments/lab/ceilings_cache.ts';
import { device_of } from '../../experiments/lab/machine.ts';
import type { Ceilings, Provenance } from '../../experiments/lab/schema.ts';
import { FORMATS, type WeightFormat } from '../../kernels/spec.ts';
import { commit, dirty, version } from '../build.ts';
import { bold, dim, note, out, warn } from '../print.ts';
import { type AdapterFlags, device_choice, type KnobFlags, knobs_of } from './flags.ts';
import { table_text } from './show.ts';

export interface PredictFlags extends Pick<AdapterFlags, 'adapter' | 'backend'>, KnobFlags {
  readonly model: string;
  readonly dtype?: WeightFormat;
  readonly imageSize: string;
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly json?: boolean;
}

/** What a prediction is made with. */
interface Basis {
  readonly here: string;
  readonly estimator: Estimator;
  /** undefined: of no adapter like this one. */
  readonly choice: Choice | undefined;
  readonly rough: boolean;
  readonly machine: DryMachine;
  readonly model: { readonly name: string; readonly config: ModelConfig; readonly dtype: WeightFormat };
}

/** What a request will take, before anything runs. With results of another adapter, what it would take there: then no GPU is looked for. */
export async function predict(flags: PredictFlags, debug: boolean): Promise<undefined> {
  const sizes: Sizes = {
    picture: picture_of(flags.imageSize),
    text_tokens: flags.promptTokens,
    new_tokens: flags.newTokens,
    knobs: knobs_of(flags),
  };
  const asked = flags.model === 'auto' && !resolve_model('auto') ? undefined : resolve_model(flags.model);
  // What the model cannot take is said before an adapter is looked for.
  if (asked !== undefined) sizes_of(await config_of(asked), sizes);
  const basis = await (flags.adapter.endsWith('.json') ? of_file(flags, asked) : of_adapter(flags, asked, debug));
  const counted = await count_request(basis.model.config, basis.model.dtype, basis.machine, sizes);
  const said = forecast(basis.estimator, counted, basis.choice, basis.rough);
  if (flags.json) out(`${JSON.stringify(report_of(said, basis, counted, sizes))}\n`);
  else print(said, basis, counted, sizes);
}

function picture_of(size: string): Sizes['picture'] {
  if (size === 'none') return null;
  const [, width = '0', height = '0'] = /^(\d{1,5})x(\d{1,5})$/.exec(size) ?? [];
  if (Number(width) === 0 || Number(height) === 0) {
    throw new UsageError(`--image-size ${size}: expected width x height such as 1008x784, or none`);
  }
  return { width: Number(width), height: Number(height) };
}

/** Results of e3 on some adapter, which need not be here. */
async function of_file(flags: PredictFlags, asked: Found | undefined): Promise<Basis> {
  if (!existsSync(flags.adapter)) {
    throw new InputError(
      `${flags.adapter}: expected the e3_estimator_model.json of an adapter, found no such file; check the path, or name an adapter`,
    );
  }
  const known = await read_model(flags.adapter);
  const here = site_of(known.file.provenance);
  const model = await model_for([known], here, asked, flags.dtype);
  const choice = choose_estimator([known], here, model.config, model.dtype);
  if (choice === undefined) {
    throw new InputError(`${flags.adapter}: expected an estimator, found one without samples; let e3 run to its end`);
  }
  return from_choice(choice, choice.estimator, here, model, !is_own(choice));
}

async function of_adapter(flags: PredictFlags, asked: Found | undefined, debug: boolean): Promise<Basis> {
  const opened = await open_adapter({ ...device_choice({ ...flags }, debug), mode: 'release' });
  const here = this_site(adapter_facts(opened.adapter), opened.backend);
  const all = await known_models(warn);
  const model = await model_for(all, here, asked, flags.dtype);
  const choice = choose_estimator(all, here, model.config, model.dtype);
  if (choice !== undefined && !choice.other_host) {
    return from_choice(choice, choice.estimator, here, model, !is_own(choice));
  }
  return on_ceilings(flags, debug, all, here, choice, model);
}

/** Never measured here: what other adapters, or this one in another host, taught, under the ceilings of this one. */
async function on_ceilings(
  flags: PredictFlags,
  debug: boolean,
  all: readonly Known[],
  here: Site,
  choice: Choice | undefined,
  model: Basis['model'],
): Promise<Basis> {
  const { executor, adapter } = await open_executor(device_choice({ ...flags }, debug));
  try {
    const ceilings = await kept_ceilings(executor, adapter.backend);
    if (ceilings === undefined) {
      throw new InputError(
        `predict: expected an estimator or ceilings of ${here.adapter}, found neither; run \`molmoe e3\` here, or any experiment for a rough guess, or name --adapter FILE.json`,
      );
    }
    const machine = { device: executor.device, variant: executor.variant, tuning: executor.tuning };
    const common = { here: here.adapter, choice, rough: true, machine, model };
    return { ...common, estimator: choice ? under(choice, ceilings) : untrained(all, ceilings) };
  } finally {
    executor.destroy();
  }
}

function untrained(all: readonly Known[], ceilings: Ceilings): Estimator {
  const alike = all.filter((known) => same_probes(known, ceilings));
  const others = alike.flatMap(({ file }) => estimator_in(file)?.full.stages ?? []);
  return fit_estimator([], ceilings, prior_of(others));
}

function from_choice(choice: Choice, estimator: Estimator, here: Site, model: Basis['model'], rough: boolean): Basis {
  const { provenance } = choice.known.file;
  return { here: here.adapter, estimator, choice, rough, machine: machine_of_results(provenance), model };
}

function machine_of_results({ adapter, variant, tuning }: Provenance): DryMachine {
  if (adapter.machine === undefined) {
    throw new InputError(
      'predict: expected results that say what their adapter is like, found older ones; measure them anew',
    );
  }
  const device = device_of(adapter.machine, adapter.type === 'software');
  return { device, variant: variant as VariantChoice, tuning: tuning?.choices ?? {} };
}

/** The model asked for; else the one that experiments take here, if it was measured, or the one that was. */
async function model_for(
  all: readonly Known[],
  here: Site,
  asked: Found | undefined,
  dtype: WeightFormat | undefined,
): Promise<Basis['model']> {
  const measured = all.flatMap(({ file: { provenance } }): Found[] => {
    const { adapter, backend } = site_of(provenance);
    const name = provenance.model.name;
    if (adapter !== here.adapter || backend !== here.backend) return [];
    const known = model_names.includes(name) || existsSync(name) ? resolve_model(name) : undefined;
    return known ? [known] : [];
  });
  const usual = default_presets({ type: here.software ? 'software' : 'hardware' });
  const wanted =
    asked ?? usual.find(({ name }) => measured.some((one) => one.name === name)) ?? measured[0] ?? usual[0];
  const found = wanted as Found;
  const config = await config_of(found);
  const choice = choose_estimator(all, here, config, dtype);
  const stored = choice?.known.file.provenance.model.dtype;
  return { name: found.name, config, dtype: dtype ?? (stored && stored in FORMATS ? (stored as WeightFormat) : 'f16') };
}

function report_of(said: Forecast, basis: Basis, counted: Counted, sizes: Sizes) {
  const time = ({ ms, interval }: Forecast['total']) => ({
    predicted_ms: ms,
    low_ms: interval?.[0] ?? null,
    high_ms: interval?.[1] ?? null,
  });
  const { choice, estimator, model, here } = basis;
  const file = choice?.known.file;
  return {
    schema: 'molmoe.prediction/1',
    version,
    commit,
    dirty,
    adapter: here,
    model: model.name,
    dtype: model.dtype,
    request: {
      image_size: sizes.picture && `${sizes.picture.width}x${sizes.picture.height}`,
      tiling: counted.tiling,
      vision_tokens: counted.vision_tokens,
      text_tokens: sizes.text_tokens,
      new_tokens: sizes.new_tokens,
      ...counted.quantities,
      knobs: sizes.knobs,
    },
    level: LEVEL,
    stages: Object.fromEntries(said.stages.map((one) => [one.stage, time(one)])),
    decode_per_token: said.decode_per_token && time(said.decode_per_token),
    total: time(said.total),
    rough: said.rough,
    rests_on: file
      ? {
          source: choice?.known.source,
          what: label_of(file.provenance),
          samples: file.samples.length,
          date: file.started,
          mean_error_total: left_out_error(estimator),
        }
      : null,
    beyond: said.beyond,
    warnings: said.warnings,
  };
}

function print(said: Forecast, basis: Basis, counted: Counted, sizes: Sizes): void {
  const { choice, estimator, model, here } = basis;
  const { quantities, tiling, vision_tokens } = counted;
  note(dim(`adapter  ${here}`));
  note(dim(`model    ${model.name}, stored as ${model.dtype}`));
  const picture =
    sizes.picture === null || tiling === null
      ? 'no picture'
      : `a picture of ${sizes.picture.width}x${sizes.picture.height} in ${tiling.join('x')} crops (${vision_tokens} tokens)`;
  out(
    `${bold('request')}: ${picture}, ${sizes.text_tokens} text tokens, ${quantities.positions} prompt positions, ${sizes.new_tokens} new tokens; ${quantities.blocks} of ${model.config.n_layers} blocks, ${Number(quantities.top_k.toFixed(2))} experts a token\n\n`,
  );
  const time = (name: string, { ms, interval }: Forecast['total'], share: number | null) => [
    name,
    ms,
    interval?.[0] ?? null,
    interval?.[1] ?? null,
    share,
  ];
  const ms = (name: string) => ({ name, unit: 'ms' as const });
  out(
    `${table_text({
      title: `predicted, nothing was run${said.rough ? '; a rough guess' : ''}`,
      columns: [{ name: 'stage', unit: 'text' }, ms('time'), ms('from'), ms('to'), { name: 'share', unit: 'share' }],
      rows: [
        ...said.stages.map((one) => time(one.stage.replace('_', ' '), one, one.ms / said.total.ms)),
        time('total', said.total, null),
        ...(said.decode_per_token ? [time('decode, a token', said.decode_per_token, null)] : []),
      ],
      note: basis_note(choice, estimator, said.rough),
    })}\n`,
  );
  for (const line of said.warnings) warn(line);
}

function basis_note(choice: Choice | undefined, estimator: Estimator, rough: boolean): string {
  if (choice === undefined) {
    return 'Never measured on this adapter: kernels at the usual share of its ceilings. `molmoe e3` measures.';
  }
  const { file, source } = choice.known;
  const error = left_out_error(estimator);
  const missed = error === null ? '' : `; each left out, their totals were missed by ${(100 * error).toFixed(1)} %`;
  const ends = rough ? '' : ' From and to: nine of ten such requests lie between.';
  return `Rests on ${file.samples.length} configurations of ${label_of(file.provenance)}, ${file.started.slice(0, 10)} (${source})${missed}.${ends}`;
}
