import { difference as off_by, version_of } from './operations.ts';
import { open_our_request, PRESET, type RequestRunner, type Times } from './request.ts';
import type { RequestRow, RequestRows } from './request_rows.ts';
import { REQUEST } from './targets.ts';
import { blas_folders, open_torch_request, type TorchFiles, write_torch_files } from './torch.ts';

/** Words that a filter finds whole requests by, beside those of the operation. */
export const REQUEST_PEERS = ['onnxruntime', 'PyTorch'] as const;
/** Root of the mean squared difference of logits over that of ours, after 23 + 16 blocks in f32. */
const TOLERANCE = 1e-3;

export interface Comparison {
  readonly quick: boolean;
  readonly runs: number;
  readonly peers: readonly string[];
  /** What the peer's own API says of its adapter. */
  readonly adapter: string;
  /** Hears of each round, so that nothing is lost when the next one is interrupted. */
  readonly on_round: (round: RequestRows) => void;
}

type Named = RequestRunner & { readonly name: string; readonly warning?: string };

interface Racer {
  readonly runner: Named;
  readonly difference: number;
  readonly times: Times[];
}

const one_line = (error: unknown): string =>
  String((error as Error).message ?? error)
    .trim()
    .split('\n')
    .at(-1) ?? '';

/** Whole requests beside the same in other runtimes: same weights, same inputs, same greedy tokens, one after the other. */
export async function compare_requests(
  say: (line: string) => void,
  { quick, runs, peers, adapter, on_round }: Comparison,
): Promise<RequestRows> {
  const ours = await open_our_request(quick);
  const { request } = ours;
  const wanted = await ours.logits();
  const { tokens } = await ours.run();
  const made = request.new_tokens;
  const what = `${PRESET}, ${request.views} views, ${request.ids.length} prompt + ${made} new tokens, f32`;
  say(`${REQUEST}: ${what}`);
  const racers: Racer[] = [];
  const rows: RequestRow[] = [];

  async function add(name: string, open: () => Promise<Named>) {
    let runner: Named | undefined;
    try {
      runner = await open();
      const answer = await runner.run(); // compiles too
      const difference = off_by(await runner.logits(), wanted);
      const equal = answer.tokens.join() === tokens.join() ? 'equal' : 'differ';
      const found = `logits off by ${difference.toExponential(1)}, greedy tokens ${equal}`;
      if (!(difference <= TOLERANCE) || equal !== 'equal') throw new Error(`${found}: not timed`);
      say(`  ${runner.name}: ${found}`);
      if (runner.warning) say(`  that is ${runner.warning}`);
      racers.push({ runner, difference, times: [] });
    } catch (error) {
      rows.push({ peer: runner?.name ?? name, reason: one_line(error) });
      say(`  ${runner?.name ?? name}: not compared: ${one_line(error)}`);
      await runner?.close();
    }
  }

  let files: TorchFiles | undefined;
  const own: Times[] = [];
  try {
    if (peers.includes('onnxruntime')) {
      await add('onnxruntime (WebGPU)', async () => {
        const { open_onnx_request } = await import('./onnx_request.ts');
        const runner = await open_onnx_request(request, 'f32');
        return { ...runner, name: `onnxruntime ${version_of('onnxruntime-node')} (WebGPU) on ${adapter}` };
      });
    }
    if (peers.includes('PyTorch')) {
      const written = await write_torch_files(request);
      files = written;
      for (const blas of blas_folders()) await add('PyTorch', () => open_torch_request(written, made, blas));
    }
    for (let i = 0; i < runs && racers.length > 0; i++) {
      own.push((await ours.run()).times);
      for (const { runner, times } of racers) times.push((await runner.run()).times);
      on_round({ what, rows: racers.map((racer) => row_of(racer, own.slice(-1), racer.times.slice(-1))) });
    }
  } finally {
    for (const { runner } of racers) await runner.close();
    await ours.close();
    files?.remove();
  }
  return { what, rows: [...rows, ...racers.map((racer) => row_of(racer, own, racer.times))] };
}

const row_of = ({ runner, difference }: Racer, ours: readonly Times[], theirs: readonly Times[]): RequestRow => {
  return { peer: runner.name, difference, ours, theirs };
};
