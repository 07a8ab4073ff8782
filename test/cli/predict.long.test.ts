import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PROBES_VERSION } from '../../engine/meter/ceilings.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { parameter_counts } from '../../engine/model/tensors.ts';
import { e3 } from '../../experiments/core/e3.ts';
import { machine_of } from '../../experiments/lab/machine.ts';
import { cli } from '../support/cli.ts';
import { dry_device } from '../support/dry.ts';
import { e3_configurations, e3_run, LLVMPIPE, settings_of } from '../support/e3_records.ts';

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-predict-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const env = { XDG_CACHE_HOME: join(scratch, 'cache') };
const molmoe = (...args: string[]) => cli(args, { env, cwd: scratch, timeout_ms: 110_000 });

/** Results of an adapter that is not here; of the probes of now, or its coefficients would say nothing here. */
const there = join(scratch, 'there.json');
const other_probes = join(scratch, 'other_probes.json');
const empty = join(scratch, 'empty.json');
function write_there(): void {
  const run = e3_run('Some GPU 1.2');
  const { provenance } = run.fingerprint;
  const adapter = {
    ...provenance.adapter,
    type: 'hardware',
    machine: machine_of(dry_device({ subgroup_size: 32, software: false }, 2 ** 30)),
  };
  const model = { ...provenance.model, parameters: parameter_counts(preset_config('molmoe-mini')) };
  const fingerprint = { ...run.fingerprint, provenance: { ...provenance, adapter, model } };
  const { files } = e3.derive({
    run: { ...run, fingerprint, ceilings: { ...run.ceilings, probes: PROBES_VERSION } } as typeof run,
    configurations: e3_configurations(settings_of(24, 1), LLVMPIPE),
    skipped: [],
  });
  const model_file = files.e3_estimator_model as { ceilings: object };
  writeFileSync(there, JSON.stringify(model_file));
  writeFileSync(other_probes, JSON.stringify({ ...model_file, ceilings: { ...model_file.ceilings, probes: 1 } }));
  writeFileSync(empty, JSON.stringify({ ...model_file, estimator: null }));
}
beforeAll(write_there);

describe('molmoe predict --adapter FILE.json', () => {
  it('says what a request will take on an adapter that is not here, and opens none', async () => {
    const { code, stdout, errors } = await cli(
      ['predict', '--adapter', there, '--image-size', '560x560', '--prompt-tokens', '40', '--new-tokens', '8'],
      { env: { ...env, VK_ICD_FILENAMES: '/none.json', VK_DRIVER_FILES: '/none.json' }, cwd: scratch },
    );
    expect([code, errors.filter((line) => line.startsWith('error'))]).toEqual([0, []]);
    expect(stdout).toMatch(/560x560 in 2x2 crops \(544 tokens\), 40 text tokens, 621 prompt positions, 8 new tokens/);
    for (const row of ['vision encoder', 'projector', 'prefill', 'decode', 'total', 'decode, a token']) {
      expect(stdout).toMatch(new RegExp(`^${row} +[\\d.]+ m?s +[\\d.]+ m?s +[\\d.]+ m?s`, 'm'));
    }
    expect(stdout).toMatch(/Rests on 24 configurations of molmoe-mini f16 on Some GPU 1.2/);
  });

  it('and as one JSON object, with knobs turned', async () => {
    const asked = ['predict', '--adapter', there, '--image-size', '336x336', '--json'];
    const whole = JSON.parse((await molmoe(...asked)).stdout);
    const { stdout, errors } = await molmoe(...asked, '--top-k', '1', '--blocks', '0-3', '--max-crops', '1');
    const less = JSON.parse(stdout);
    expect(errors).toEqual([]);
    expect(whole).toMatchObject({
      schema: 'molmoe.prediction/1',
      model: 'molmoe-mini',
      dtype: 'f16',
      rough: false,
      level: 0.9,
    });
    expect(whole.request).toMatchObject({ tiling: [1, 1], views: 2, positions: 337, top_k: 8, blocks: 16, steps: 15 });
    expect(less.request).toMatchObject({ top_k: 1, blocks: 4 });
    expect(less.total.predicted_ms).toBeLessThan(0.8 * whole.total.predicted_ms);
    expect(less.stages.vision_encoder).toEqual(whole.stages.vision_encoder);
    expect(whole.rests_on).toMatchObject({ source: there, samples: 24 });
    const { low_ms, predicted_ms, high_ms } = whole.total;
    expect([low_ms < predicted_ms, predicted_ms < high_ms]).toEqual([true, true]);
  });

  it('warns of what lies beyond, and calls another model rough', async () => {
    const far = await molmoe('predict', '--adapter', there, '--prompt-tokens', '3000');
    expect(far.errors.join('\n')).toMatch(/warning: prompt positions: 3001 is beyond what was measured/);
    const { stdout } = await molmoe('predict', '--adapter', there, '--model', 'molmoe-1b', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ rough: true, total: { low_ms: null, high_ms: null } });
  });

  const broken = join(scratch, 'broken.json');
  it.each([
    [2, ['--image-size', '0x5'], /--image-size 0x5: expected width x height/],
    [2, ['--new-tokens', '0'], /expected at least 1/],
    [2, ['--model', 'molmoe-2b'], /--model: expected a checkpoint folder or one of/],
    [2, ['--model', 'molmoe-mini', '--top-k', '65'], /--top-k: expected a whole number from 1 to 64/],
    [2, ['--model', 'molmoe-mini', '--blocks', '16'], /--blocks: expected numbers from 0 to 15/],
    [
      2,
      ['--model', 'molmoe-mini', '--prompt-tokens', '99999'],
      /the request needs 100016 positions .*, the model has 32768/,
    ],
    [
      1,
      ['--adapter', join(scratch, 'none.json')],
      /none.json: expected the e3_estimator_model.json of an adapter, found no such file/,
    ],
    [1, ['--adapter', broken], /broken.json: expected an estimator, found JSON that is cut off or broken/],
  ])('%i: %j', async (code, args, message) => {
    writeFileSync(broken, readFileSync(there, 'utf8').slice(0, 500));
    const ended = await molmoe('predict', '--adapter', there, ...args);
    expect([ended.code, ended.stdout]).toEqual([code, '']);
    expect(ended.errors.filter((line) => line.startsWith('error: '))).toHaveLength(1);
    expect(ended.errors.at(-1)).toMatch(message);
  });
});

describe('what e3 learnt here', () => {
  it('before it ran there is what the program ships for such an adapter, or nothing', async () => {
    const { code, errors, stdout } = await molmoe('predict', '--model', 'molmoe-tiny', '--json');
    if (code === 0) expect(JSON.parse(stdout).rests_on.source).toMatch(/estimator[\\/]shipped[\\/]\w+\.json$/);
    else expect(errors.at(-1)).toMatch(/expected an estimator or ceilings of .*, found neither; run `molmoe e3` here/);
  });

  it('is measured, published, and used by predict, --dry-run and explain', async () => {
    const tiny = ['--model', 'molmoe-tiny'];
    const text = ['--images', 'none', '--prompt-tokens', '20,40', '--new-tokens', '2,4', '--with', there];
    const ran = await molmoe('e3', ...tiny, ...text, '--configurations', '9', '--runs', '1', '--warmup', '0', '--json');
    expect([ran.code, ran.errors.filter((line) => line.startsWith('error'))]).toEqual([0, []]);
    expect(JSON.parse(ran.stdout).cells).toHaveLength(9);
    const folder = join(scratch, 'results/core/e3');
    const model = JSON.parse(readFileSync(join(folder, 'e3_estimator_model.json'), 'utf8'));
    expect(model.drawn_towards).toEqual([expect.stringContaining('Some GPU 1.2')]);
    expect(model.provenance.adapter.machine).toMatchObject({ subgroup_size: expect.any(Number) });
    expect(model.samples).toHaveLength(9);

    const said = JSON.parse(
      (await molmoe('predict', ...tiny, '--prompt-tokens', '30', '--new-tokens', '3', '--json')).stdout,
    );
    expect(said).toMatchObject({
      rough: false,
      rests_on: { samples: 9, source: 'results/core/e3/e3_estimator_model.json' },
    });
    expect(said.total.high_ms).toBeGreaterThan(said.total.predicted_ms);

    const dry = await molmoe('output-tokens', ...tiny, '--new-tokens', '2,3', '--image-size', 'none', '--dry-run');
    expect(dry.stdout).toMatch(
      /about .* to run \(.* to .*; by what e3 learnt here from 9 configurations of molmoe-tiny f16/,
    );
    const explained = JSON.parse(
      (await molmoe('explain', ...tiny, '--prompt', 'Hello', '--decode', '3', '--json')).stdout,
    );
    expect(explained.predicted).toMatchObject({
      learnt_from: expect.stringMatching(/^9 configurations/),
      total: { ms: expect.any(Number) },
    });

    const again = await molmoe('report', folder);
    expect([again.code, JSON.parse(readFileSync(join(folder, 'e3_estimator_model.json'), 'utf8'))]).toEqual([0, model]);
    writeFileSync(join(folder, 'e3_estimator_model.json'), '{');
    const passed = await molmoe('output-tokens', ...tiny, '--new-tokens', '2', '--image-size', 'none', '--dry-run');
    expect([passed.code, passed.errors.some((line) => /warning: .*cut off or broken/.test(line))]).toEqual([0, true]);
  });

  it.each([
    [2, ['--configurations', '1'], /expected number to be >=2/],
    [2, ['--top-k', '2,2'], /--top-k: expected each value once, found 2 twice/],
    [2, ['--active-blocks', ''], /expected a number/],
    [2, ['--active-blocks', '9'], /e3: expected a cell to run, found none/],
    [1, ['--with', 'none.json'], /none.json: expected an estimator, found no such file/],
    [
      1,
      ['--with', other_probes],
      /other_probes.json: expected .* probes \d+, found probes 1, .* `molmoe e3` there again/,
    ],
    [1, ['--with', empty], /empty.json: expected an estimator, found a file that holds none/],
  ])('e3: %i: %j', async (code, args, message) => {
    const ended = await molmoe('e3', '--model', 'molmoe-tiny', '--dry-run', ...args);
    expect([ended.code, ended.errors.at(-1)]).toEqual([code, expect.stringMatching(message)]);
  });
});
