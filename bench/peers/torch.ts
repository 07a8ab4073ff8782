import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { prepare_image } from '../../engine/input/image.ts';
import { formula_picture } from '../../engine/input/pictures.ts';
import { build_prompt, exact_length_text } from '../../engine/input/prompt.ts';
import type { Probe } from '../../engine/model/context.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import { Molmoe } from '../../engine/node/load.ts';
import { write_synthetic_checkpoint } from '../../tools/synth_checkpoint.ts';
import { difference as off_by } from './operations.ts';
import script from './torch_request.py';

const PRESET = 'molmoe-mini';
const STAGES = ['vision_encoder', 'projector', 'prefill', 'decode'] as const;
type Times = Readonly<Record<`${(typeof STAGES)[number]}_ms`, number>>;
/** Root of the mean squared difference of logits over that of ours, after 23 + 16 blocks in f32. */
const TOLERANCE = 1e-3;
const SLOW_GFLOPS = 10; // a thread
const PYTHONS = ['python3', '/usr/bin/python3'];

interface Answer {
  readonly torch: string;
  readonly threads: number;
  /** Of a dense product of 1024: below ten a thread, its BLAS is the reference one. */
  readonly product_gflops: number;
  readonly tokens: readonly number[];
  readonly runs: readonly Times[];
}

export interface TorchRow {
  readonly peer: string;
  readonly reason?: string;
  readonly ours?: Times;
  readonly theirs?: Times;
  /** Peer's time of all stages over ours. */
  readonly ratio?: number;
  readonly difference?: number;
  readonly tokens_equal?: boolean;
  readonly product_gflops?: number;
}

const total = (times: Times): number => STAGES.reduce((sum, stage) => sum + times[`${stage}_ms`], 0);
const best = (runs: readonly Times[]): Times => runs.reduce((a, b) => (total(b) < total(a) ? b : a));

/** A whole request beside the same in plain PyTorch on the CPU: another class of device, no WebGPU in it. */
export async function compare_torch(say: (line: string) => void, quick: boolean): Promise<TorchRow> {
  const peer = 'PyTorch (CPU library, not WebGPU)';
  const python = PYTHONS.find((name) => spawnSync(name, ['-c', 'import torch'], { stdio: 'ignore' }).status === 0);
  if (python === undefined) {
    const reason = 'python3 finds no torch (Debian: apt-get install python3-torch)';
    say(`${peer}: not compared: ${reason}`);
    return { peer, reason };
  }
  const folder = mkdtempSync(join(tmpdir(), 'molmoe-torch-'));
  try {
    return await run_both(say, peer, python, folder, quick);
  } catch (error) {
    const reason = (error as Error).message.trim().split('\n').at(-1) ?? '';
    say(`${peer}: not compared: ${reason}`);
    return { peer, reason };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function run_both(
  say: (line: string) => void,
  peer: string,
  python: string,
  folder: string,
  quick: boolean,
): Promise<TorchRow> {
  const [new_tokens, runs] = [16, quick ? 1 : 2];
  const model = await Molmoe.load({ model: PRESET, dtype: 'f32', hush: true });
  try {
    const { config } = model.facts;
    const { tokenizer } = model.engine;
    const checkpoint = join(folder, 'model');
    await write_synthetic_checkpoint({ config, seed: 1, dtype: 'F32', out: checkpoint, shard_bytes: 8e9 });
    const image = quick ? formula_picture('rings', 336, 336) : formula_picture('rings', 1008, 784);
    const prompt = exact_length_text(tokenizer, 18);
    const geometry = geometry_of(config);
    const prepared = prepare_image(image, { mode: 'pad', crops: { max_crops: config.max_crops }, geometry });
    const built = build_prompt(tokenizer, prompt, {
      ...{ picture: { tiling: prepared.tiling, geometry }, message_format: config.message_formatting },
      always_start_with_space: config.always_start_with_space,
    });
    writeFileSync(join(folder, 'ids.u32'), Uint32Array.from(built.ids));
    writeFileSync(join(folder, 'images.f32'), prepared.images);
    writeFileSync(join(folder, 'masks.f32'), prepared.masks);
    writeFileSync(join(folder, 'index.i32'), built.image?.input_idx ?? new Int32Array());

    let logits: Float32Array | undefined;
    const probe: Probe = async (point, _, { buffer, stride, rows, cols }) => {
      if (point !== 'logits' || logits !== undefined) return;
      logits = new Float32Array(await model.engine.executor.read(buffer, 4 * (rows - 1) * stride, 4 * cols));
    };
    const request = { image, prompt, maxNewTokens: new_tokens, ignoreEos: true };
    await model.generate({ ...request, maxNewTokens: 1, probe }).result; // compiles too
    const ours: Times[] = [];
    let tokens: readonly number[] = [];
    for (let i = 0; i < runs; i++) {
      const result = await model.generate(request).result;
      ours.push(Object.fromEntries(result.stages.map(({ stage, wall_ms }) => [`${stage}_ms`, wall_ms])) as Times);
      tokens = result.tokens;
    }
    const program = join(folder, 'torch_request.py');
    writeFileSync(program, script);
    const args = [program, checkpoint, folder, String(new_tokens), String(runs)];
    const { stdout } = await promisify(execFile)(python, args, { maxBuffer: 2 ** 24 });
    const answer = JSON.parse(stdout) as Answer;
    const bytes = readFileSync(join(folder, 'logits.f32'));
    const theirs = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    const difference = off_by(theirs, logits as Float32Array);
    const tokens_equal = answer.tokens.join() === tokens.join();
    const name = `${peer.replace('PyTorch', `PyTorch ${answer.torch}`)}, ${answer.threads} threads, f32, a product of 1024 at ${answer.product_gflops.toFixed(0)} GFLOP/s`;
    say(
      `whole request: ${PRESET}, ${built.ids.length} prompt + ${new_tokens} new tokens, ${prepared.views} views, f32 weights`,
    );
    if (!(difference <= TOLERANCE) || !tokens_equal) {
      const reason = `its logits are off by ${difference.toExponential(1)}, tokens ${tokens_equal ? 'equal' : 'differ'}`;
      say(`${name}: not timed: ${reason}`);
      return { peer: name, reason, difference, tokens_equal };
    }
    const [own, other] = [best(ours), best(answer.runs)];
    for (const stage of STAGES) {
      const [a, b] = [own[`${stage}_ms`], other[`${stage}_ms`]];
      say(
        `  ${stage.padEnd(15)} ours ${a.toFixed(0).padStart(6)} ms, peer ${b.toFixed(0).padStart(6)} ms, peer/ours ${(b / a).toFixed(2)}x`,
      );
    }
    const ratio = total(other) / total(own);
    say(
      `  ${'all'.padEnd(15)} ours ${total(own).toFixed(0).padStart(6)} ms, peer ${total(other).toFixed(0).padStart(6)} ms, peer/ours ${ratio.toFixed(2)}x`,
    );
    say(`  ${name}; logits off by ${difference.toExponential(1)}, greedy tokens equal`);
    if (answer.product_gflops < SLOW_GFLOPS * answer.threads) {
      say('  that is a reference BLAS: the comparison says little (Debian: apt-get install libopenblas0-pthread)');
    }
    return {
      peer: name,
      ours: own,
      theirs: other,
      ratio,
      difference,
      tokens_equal,
      product_gflops: answer.product_gflops,
    };
  } finally {
    model.close();
  }
}
