import { formula_picture } from '../../engine/input/pictures.ts';
import type { Probe, View } from '../../engine/model/context.ts';
import type { Engine, GenerateRequest } from '../../engine/molmoe.ts';

/** Prompts of different kinds and lengths, alone and with pictures: every position of each is compared. */
export const QUALITY_REQUESTS: readonly GenerateRequest[] = [
  {
    prompt: 'Once upon a time there was a lighthouse keeper who counted the ships of every night in a small blue book.',
  },
  { prompt: 'def mean(values):\n    return sum(values) / len(values)\n\nprint(mean([3, 1, 4, 1, 5, 9, 2, 6]))' },
  { prompt: 'Der Zug nach Lyon fährt um 17:45 Uhr von Gleis 9 ab; 東京行きは18時です。' },
  { prompt: 'Describe this image.', image: formula_picture('rings', 336, 336) },
  { prompt: 'How many rings are there, and where is their centre?', image: formula_picture('ramp', 560, 336) },
];

/** Points that are compared, by the names of the probe, with what a reader calls them. */
const POINTS: Readonly<Record<string, string>> = {
  'vision.prepool': 'ViT features',
  'vision.features': 'projector',
  'llm.hidden': 'hidden states after block',
  logits: 'logits',
};

export interface StageError {
  readonly point: string;
  /** Block of the language model; 0 elsewhere. */
  readonly layer: number;
  readonly name: string;
  /** Root of the summed squared difference over that of the reference, all positions of all requests. */
  readonly relative_rms: number;
}

export interface Quality {
  readonly positions: number;
  /** Of the next token's distribution, reference against this, in nats. */
  readonly kl_mean: number;
  readonly kl_max: number;
  /** Share of positions whose likeliest token is the same. */
  readonly top1_agreement: number;
  /** Share of the experts chosen that the reference chose too. */
  readonly expert_agreement: number;
  readonly stages: readonly StageError[];
}

/** What the reference showed, in the order it came. */
export type Recording = ReadonlyMap<string, readonly Uint32Array[]>;

const key_of = (request: number, point: string, layer: number): string => `${request} ${point} ${layer}`;
const is_compared = (point: string): boolean => Object.hasOwn(POINTS, point) || point === 'router.experts';

async function run_requests(
  engine: Engine,
  requests: readonly GenerateRequest[],
  signal: AbortSignal | undefined,
  see: (request: number, point: string, layer: number, view: View) => Promise<void>,
): Promise<void> {
  for (const [i, request] of requests.entries()) {
    const probe: Probe = async (point, layer, view) => {
      if (is_compared(point)) await see(i, point, layer, view);
    };
    await engine.generate({ ...request, maxNewTokens: 0, allLogits: true, probe, signal }).result;
  }
}

/** Rows without their padding; f32 or u32, by the point. */
async function read_rows({ executor }: Engine, { buffer, rows, cols, stride }: View): Promise<Uint32Array> {
  const words = new Uint32Array(await executor.read(buffer, 0, 4 * rows * stride));
  const dense = new Uint32Array(rows * cols);
  for (let row = 0; row < rows; row++) dense.set(words.subarray(row * stride, row * stride + cols), row * cols);
  return dense;
}

export async function record_reference(
  engine: Engine,
  requests: readonly GenerateRequest[],
  signal?: AbortSignal,
): Promise<Recording> {
  const recording = new Map<string, Uint32Array[]>();
  await run_requests(engine, requests, signal, async (request, point, layer, view) => {
    const key = key_of(request, point, layer);
    const seen = recording.get(key) ?? [];
    seen.push(await read_rows(engine, view));
    recording.set(key, seen);
  });
  return recording;
}

/** Runs the same requests and compares point by point. Every request sees the same ids, so one error makes no other. */
export async function compare_quality(
  engine: Engine,
  requests: readonly GenerateRequest[],
  reference: Recording,
  signal?: AbortSignal,
): Promise<Quality> {
  const squares = new Map<string, { point: string; layer: number; difference: number; reference: number }>();
  const places = new Map<string, number>();
  const kl: number[] = [];
  let same_top = 0;
  const experts = { same: 0, all: 0 };
  await run_requests(engine, requests, signal, async (request, point, layer, view) => {
    const key = key_of(request, point, layer);
    const place = places.get(key) ?? 0;
    places.set(key, place + 1);
    const before = reference.get(key)?.[place];
    const now = await read_rows(engine, view);
    if (before?.length !== now.length) {
      throw new Error(`${point}: the reference has ${before?.length ?? 'no'} values, this run ${now.length}`);
    }
    if (point === 'router.experts') {
      for (let at = 0; at < now.length; at += view.cols) {
        experts.same += common(before.subarray(at, at + view.cols), now.subarray(at, at + view.cols));
      }
      experts.all += now.length;
      return;
    }
    const [p, q] = [floats(before), floats(now)];
    const of_stage = `${point} ${layer}`;
    const sum = squares.get(of_stage) ?? { point, layer, difference: 0, reference: 0 };
    squares.set(of_stage, sum);
    for (let i = 0; i < p.length; i++) {
      sum.difference += ((p[i] as number) - (q[i] as number)) ** 2;
      sum.reference += (p[i] as number) ** 2;
    }
    if (point !== 'logits') return;
    for (let at = 0; at < p.length; at += view.cols) {
      const [row, other] = [p.subarray(at, at + view.cols), q.subarray(at, at + view.cols)];
      kl.push(kl_divergence(row, other));
      if (top(row) === top(other)) same_top++;
    }
  });
  return {
    positions: kl.length,
    kl_mean: kl.reduce((sum, x) => sum + x, 0) / kl.length,
    kl_max: kl.reduce((most, x) => Math.max(most, x), 0),
    top1_agreement: same_top / kl.length,
    expert_agreement: experts.same / experts.all,
    stages: Object.entries(POINTS).flatMap(([point, name]) =>
      [...squares.values()]
        .filter((sum) => sum.point === point)
        .map(({ layer, difference, reference: power }) => ({
          point,
          layer,
          name: `${name}${point === 'llm.hidden' ? ` ${layer}` : ''}`,
          relative_rms: Math.sqrt(difference / power),
        })),
    ),
  };
}

const floats = (words: Uint32Array): Float32Array => new Float32Array(words.buffer, words.byteOffset, words.length);
const top = (x: Float32Array): number => x.indexOf(x.reduce((most, value) => Math.max(most, value)));

function common(a: Uint32Array, b: Uint32Array): number {
  const known = new Set(a);
  return b.reduce((count, x) => count + (known.has(x) ? 1 : 0), 0);
}

/** sum of p log(p / q), for p and q the softmax of the two rows. */
export function kl_divergence(p: Float32Array, q: Float32Array): number {
  const [log_p, log_q] = [log_sum_exp(p), log_sum_exp(q)];
  let sum = 0;
  for (let i = 0; i < p.length; i++) {
    const own = (p[i] as number) - log_p;
    sum += Math.exp(own) * (own - ((q[i] as number) - log_q));
  }
  return Math.max(0, sum); // rounding can leave less than nothing
}

function log_sum_exp(x: Float32Array): number {
  const most = x.reduce((a, b) => Math.max(a, b));
  return most + Math.log(x.reduce((sum, value) => sum + Math.exp(value - most), 0));
}
