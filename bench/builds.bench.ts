import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { InputError, UsageError } from '../engine/errors.ts';
import { percentile } from '../experiments/lab/stats.ts';
import type { Bench } from './bench.ts';
import { aligned } from './table.ts';
import type { Target } from './target.ts';

const E1 = ['e1', '--regime', 'high', '--model', 'molmoe-mini', '--warmup', '1', '--instrumented', '0', '--fresh'];
const RESULT = 'e1_stage_latency_breakdown.json';
/** Timed runs of each configuration, each time that a build has its turn. */
const RUNS_A_TURN = 2;

type Totals = ReadonlyMap<string, readonly number[]>;

/** T_total of every timed run, by configuration; and the commit that the build names. */
async function measure(dist: string, quick: boolean): Promise<{ readonly totals: Totals; readonly commit: string }> {
  const out = mkdtempSync(join(tmpdir(), 'molmoe-builds-'));
  const short = quick ? ['--prompt', 'short', '--decode', 'short'] : [];
  const args = [join(dist, 'cli.js'), ...E1, '--runs', String(RUNS_A_TURN), ...short, '--out', out];
  try {
    await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26 });
    const file = readdirSync(out, { recursive: true }).find((name) => String(name).endsWith(RESULT));
    if (file === undefined) throw new Error(`it left no ${RESULT}`);
    const { configurations, provenance } = JSON.parse(readFileSync(join(out, String(file)), 'utf8')) as {
      provenance: { commit: string };
      configurations: { key: string; samples: { T_total: number }[] }[];
    };
    const totals = new Map(configurations.map(({ key, samples }) => [key, samples.map(({ T_total }) => T_total)]));
    return { totals, commit: provenance.commit };
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    const said = (stderr || message).trim().split('\n').at(-1);
    throw new InputError(`--before: expected builds that run ${E1.join(' ')}, found that ${dist} does not: ${said}`);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

/** E1's high regime in another build and in this one, in turn, so that a busy hour slows both: is it as fast as before? */
export async function bench_builds(
  { say, quick, before, runs }: Bench,
  now = fileURLToPath(new URL('.', import.meta.url)),
) {
  if (before === undefined || !existsSync(join(before, 'cli.js'))) {
    throw new UsageError(
      `bench builds: expected --before FOLDER, the dist folder of another build, found ${before ?? 'no such option'}`,
    );
  }
  let before_commit: string | undefined;
  const turns: { readonly before: Totals; readonly now: Totals }[] = [];
  for (let turn = 1; turn <= (quick ? 1 : runs); turn++) {
    const one = await measure(before, quick);
    before_commit = one.commit;
    turns.push({ before: one.totals, now: (await measure(now, quick)).totals });
    say(`turn ${turn} of ${quick ? 1 : runs}`);
  }
  const keys = [...(turns[0]?.now.keys() ?? [])].filter((key) => turns[0]?.before.has(key));
  if (keys.length === 0)
    throw new InputError(`--before ${before}: expected the configurations of this build, found none`);
  const samples = (key: string, of: 'before' | 'now') => turns.flatMap((turn) => turn[of].get(key) ?? []);
  const rows = keys.map((key) => {
    const [before_ms, now_ms] = [samples(key, 'before'), samples(key, 'now')];
    const medians = { before: percentile(before_ms, 50), now: percentile(now_ms, 50) };
    // Where other programs slow a machine, the fastest runs of both say most of the programs.
    const fastest_ratio = Math.min(...before_ms) / Math.min(...now_ms);
    return { key, medians, ratio: medians.before / medians.now, fastest_ratio, before_ms, now_ms };
  });
  const table = rows.map(({ key, medians, ratio, fastest_ratio }) => [
    ...[key, medians.before.toFixed(0), medians.now.toFixed(0), ratio.toFixed(3), fastest_ratio.toFixed(3)],
  ]);
  for (const line of aligned([['T_total, medians', 'before ms', 'now ms', 'before/now', 'of the fastest'], ...table]))
    say(line);
  const targets = rows.map(
    ({ key, ratio }): Target => ({ what: `${key}, before over now`, unit: 'times', value: ratio, least: 0.97 }),
  );
  return { targets, rows, before_commit };
}
