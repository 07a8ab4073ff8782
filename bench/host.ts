import { existsSync, readFileSync } from 'node:fs';
import type { Executor } from '../engine/gpu/executor.ts';
import { byte_tokenizer } from '../engine/input/tokenizer.ts';
import { preset_config } from '../engine/model/presets.ts';
import { tensor_specs } from '../engine/model/tensors.ts';
import { Engine } from '../engine/molmoe.ts';
import { open_executor } from '../engine/node/load.ts';
import { synthetic_source } from '../engine/weights/formula.ts';
import { percentile } from '../experiments/lab/stats.ts';

/** Of molmoe-mini, which has the depth of molmoe-1b: launches a decode token, and what JavaScript takes for one. */
export async function decode_costs(new_tokens: number) {
  const { executor } = await open_executor({ hush: true });
  try {
    let [dispatch_ms, dispatches] = [0, 0];
    const steps: { dispatches: number; us: number }[] = [];
    const timed = <T>(count: number, record: () => T): T => {
      const started_ms = performance.now();
      const result = record();
      dispatch_ms += performance.now() - started_ms;
      dispatches += count;
      return result;
    };
    const watched: Executor = {
      ...executor,
      dispatch: (...launch) => timed(1, () => executor.dispatch(...launch)),
      again: (launches, by) => timed(launches.length, () => executor.again(launches, by)),
    };
    const config = preset_config('molmoe-mini');
    const source = synthetic_source(tensor_specs(config), 1, 'F32');
    const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
    const made = { name: 'molmoe-mini', executor: watched, config, source, tokenizer } as const;
    const engine = await Engine.create({ ...made, dtype: 'f16' });
    // One submit a token: what was recorded since the last one is that token's. The GPU rests meanwhile.
    executor.watch_host((work, started_ms, ended_ms) => {
      if (work !== 'encode') return;
      steps.push({ dispatches, us: (1000 * (dispatch_ms + ended_ms - started_ms)) / dispatches });
      [dispatch_ms, dispatches] = [0, 0];
    });
    const result = await engine.generate({ prompt: ' ', maxNewTokens: new_tokens, ignoreEos: true }).result;
    const last = steps.filter((step) => step.dispatches > 0).slice(-new_tokens / 2); // by then Node has compiled it
    const { dispatches: all } = result.ledger.sum((row) => row.stage === 'decode');
    const us = last.map((step) => step.us);
    return { dispatches_a_token: all / result.decode_step_ms.length, encode_us: percentile(us, 50) };
  } finally {
    executor.destroy();
  }
}

const STAT = `/proc/self/task/${process.pid}/stat`;
const TICKS_A_SECOND = 100; // of /proc on Linux, whatever the kernel's own

/** CPU of the main thread alone, in ms: a software adapter's workers are threads of this process too. */
function main_thread_ms(): number {
  const fields = readFileSync(STAT, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const [user, system] = [Number(fields[11]), Number(fields[12])];
  return ((user + system) * 1000) / TICKS_A_SECOND;
}

/** Share of a core that the main thread takes while it waits for what `work` has recorded; undefined where nobody tells. */
export async function waiting_share(executor: Executor, work: () => void): Promise<number | undefined> {
  if (!existsSync(STAT)) return undefined;
  work();
  await executor.flush();
  const [cpu_ms, started_ms] = [main_thread_ms(), performance.now()];
  await executor.finish();
  return (main_thread_ms() - cpu_ms) / (performance.now() - started_ms);
}
