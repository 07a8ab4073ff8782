import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { fallback_adapter } from '../../engine/node/adapter_env.ts';
import { cli } from '../support/cli.ts';

// An adapter that nothing is shipped for: another driver, in a process of its own, with a cache folder of its own.
const named = process.env.MOLMOE_SWIFTSHADER_ICD;
const icd = named ?? fallback_adapter()?.icd;
const reason = icd === undefined ? 'MOLMOE_SWIFTSHADER_ICD names no driver' : existsSync(icd) ? '' : `no file ${icd}`;
const home = mkdtempSync(join(tmpdir(), 'molmoe-self-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** A request whose runs take a tenth of a second: what takes time here is the tuning. */
const SHORT = [
  '--top-k',
  '1',
  '--image-size',
  'none',
  '--prompt-tokens',
  '30',
  '--new-tokens',
  '2',
  '--runs',
  '1',
].concat(['--warmup', '0', '--instrumented', '0']);

const tuning_in = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')).fingerprint.provenance.tuning;

it.skipIf(reason !== '')(
  `an experiment tunes itself, says so, and goes on with that where it was begun so, though nothing is kept any more${reason && `: skipped, ${reason}`}`,
  async () => {
    const env: Record<string, string> = { XDG_CACHE_HOME: home };
    if (named !== undefined) Object.assign(env, { VK_ICD_FILENAMES: named, VK_DRIVER_FILES: named });
    const run = async (name: string, ...more: string[]) => {
      const out = join(home, name);
      const args = ['moe-topk', '--model', 'molmoe-tiny', ...SHORT, '--out', out, ...more];
      const { code, errors } = await cli(args, { env, timeout_ms: 120_000 });
      const stderr = errors.join('\n');
      expect(code, stderr).toBe(0);
      return { stderr, tuning: tuning_in(out) };
    };
    const first = await run('first');
    expect(first.stderr).toMatch(/tuning {3}by itself, in [\d.]+ s: /);
    expect(first.tuning.from).toBe('itself');
    expect(first.tuning.itself.seconds).toBeLessThan(22);
    rmSync(join(home, 'molmoe', 'tuning'), { recursive: true });
    const resumed = await run('first');
    expect(resumed.stderr).toMatch(/already in .*: not measured again/);
    expect(resumed.tuning).toEqual(first.tuning); // its seconds too
  },
  240_000,
);
