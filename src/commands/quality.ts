import { UsageError } from '../../engine/errors.ts';
import type { Engine } from '../../engine/molmoe.ts';
import { check_place, write_atomic } from '../../engine/node/files.ts';
import { open_model } from '../../engine/node/load.ts';
import { compare_quality, QUALITY_REQUESTS, type Quality, record_reference } from '../../experiments/lab/quality.ts';
import { FORMATS, is_quantised, type WeightFormat } from '../../kernels/spec.ts';
import { commit, dirty, version } from '../build.ts';
import { interruptible } from '../options.ts';
import { dim, note, out, progress, short_number, table } from '../print.ts';
import { type AdapterFlags, load_options, type ModelFlags } from './flags.ts';

export interface QualityFlags extends AdapterFlags, ModelFlags {
  readonly out?: string;
  readonly json?: boolean;
}

const REFERENCE = 'f16';

/** The built-in requests with f16 weights and with quantised ones: how far apart are they, stage by stage? */
export async function quality(flags: QualityFlags, debug: boolean): Promise<undefined> {
  const { dtype: quantised = 'q8' } = flags;
  if (!is_quantised(FORMATS[quantised])) {
    throw new UsageError(`--dtype ${quantised}: expected q8 or q4, which are compared with ${REFERENCE}`);
  }
  if (flags.out !== undefined) await check_place(flags.out);
  const signal = interruptible();
  const with_weights = async <T>(name: string, dtype: WeightFormat, use: (engine: Engine) => Promise<T>) => {
    const model = await open_model(load_options({ ...flags, model: name, dtype }, debug));
    try {
      const moving = progress(`loading ${dtype}`);
      const { engine } = await model.load(moving.update, signal);
      moving.end();
      const result = await use(engine);
      const { description, device } = model.executor.device.facts;
      return {
        result,
        facts: model.facts,
        adapter: description || device,
        variant: model.executor.variant,
        weight_bytes: model.executor.buffers.memory().weights.current,
      };
    } finally {
      await model.close();
    }
  };
  const before = await with_weights(flags.model, REFERENCE, (engine) =>
    record_reference(engine, QUALITY_REQUESTS, signal),
  );
  // By name: `auto` may find room for a larger model in smaller weights.
  const now = await with_weights(before.facts.name, quantised, (engine) =>
    compare_quality(engine, QUALITY_REQUESTS, before.result, signal),
  );
  const { name, weights, weights_kind, seed } = now.facts;
  const report = {
    schema: 'molmoe.quality/1',
    version,
    commit,
    dirty,
    adapter: now.adapter,
    variant: now.variant,
    model: { name, weights, weights_kind, seed: seed ?? null },
    reference: REFERENCE,
    dtype: quantised,
    weight_bytes: { [REFERENCE]: before.weight_bytes, [quantised]: now.weight_bytes },
    requests: QUALITY_REQUESTS.length,
    ...now.result,
  };
  const text = `${JSON.stringify(report)}\n`;
  if (flags.json) out(text);
  else {
    note(dim(`model    ${name}: ${weights}, ${quantised} against ${REFERENCE}, ${now.adapter}`));
    out(`${table(rows_of(now.result, before.weight_bytes, now.weight_bytes))}\n`);
    if (weights_kind === 'synthetic') note('These weights were never trained: the numbers tell about arithmetic only.');
  }
  if (flags.out !== undefined) await write_atomic(flags.out, text); // last: what is wrong with it loses no answer
}

const rows_of = (q: Quality, before_bytes: number, now_bytes: number): string[][] => [
  ['what', 'value'],
  ['weights on the GPU', `${short_number(now_bytes)}B of ${short_number(before_bytes)}B`],
  ['positions compared', String(q.positions)],
  ['KL divergence, mean', `${q.kl_mean.toExponential(2)} nats`],
  ['KL divergence, largest', `${q.kl_max.toExponential(2)} nats`],
  ['same likeliest token', `${(100 * q.top1_agreement).toFixed(1)} %`],
  ['same experts', `${(100 * q.expert_agreement).toFixed(1)} %`],
  ...q.stages.map(({ name, relative_rms }) => [`relative RMS error, ${name}`, relative_rms.toExponential(2)]),
];
