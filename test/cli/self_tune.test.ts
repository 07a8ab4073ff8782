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

const tuning_in = (folder: string) =>
  JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')).fingerprint.provenance.tuning;

it.skipIf(reason !== '')(
  `an experiment tunes itself once, keeps that, and says so${reason && `: skipped, ${reason}`}`,
  async () => {
    const env: Record<string, string> = { XDG_CACHE_HOME: home };
    if (named !== undefined) Object.assign(env, { VK_ICD_FILENAMES: named, VK_DRIVER_FILES: named });
    const run = async (name: string, ...more: string[]) => {
      const out = join(home, name);
      const args = [
        'moe-topk',
        '--model',
        'molmoe-tiny',
        '--quick',
        '--runs',
        '1',
        '--warmup',
        '0',
        '--out',
        out,
        ...more,
      ];
      const { code, errors } = await cli(args, { env, timeout_ms: 200_000 });
      const stderr = errors.join('\n');
      expect(code, stderr).toBe(0);
      return { stderr, tuning: tuning_in(out) };
    };
    const first = await run('first');
    expect(first.stderr).toMatch(/finding the fastest kernels/);
    expect(first.stderr).toMatch(/tuning {3}by itself, in [\d.]+ s: /);
    expect(first.tuning.from).toBe('itself');
    expect(first.tuning.itself.seconds).toBeLessThan(22);
    const second = await run('second');
    expect(second.stderr).not.toMatch(/finding the fastest kernels/);
    expect(second.tuning).toEqual(first.tuning);
    const off = await run('off', '--tuning', 'off');
    expect(off.stderr).toMatch(/tuning {3}none, first variants run/);
    expect(off.tuning).toEqual({ from: 'off', choices: {} });
  },
  400_000,
);
