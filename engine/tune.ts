import { attention } from '../kernels/attention/attention.ts';
import { attention_decode } from '../kernels/attention_decode/attention_decode.ts';
import { expert_matmul } from '../kernels/expert_matmul/expert_matmul.ts';
import { expert_down, expert_gate_up } from '../kernels/expert_matvec/expert_matvec.ts';
import { matmul } from '../kernels/matmul/matmul.ts';
import { matvec } from '../kernels/matvec/matvec.ts';
import { norm_matvec } from '../kernels/norm_matvec/norm_matvec.ts';
import { family_of, type Kernel, runs_on, type Variant } from '../kernels/spec.ts';
import { matrix_check } from './gpu/matrix_check.ts';
import { default_family, type Tuning, tune_key, type VariantChoice } from './gpu/pipelines.ts';
import { formula_picture } from './input/pictures.ts';
import { exact_length_text } from './input/prompt.ts';
import type { Probe } from './model/context.ts';
import { geometry_of } from './model/geometry.ts';
import type { Engine, GenerateRequest } from './molmoe.ts';
import { estimate_of, type Pace } from './tune_pace.ts';

/** Kernels that have more than one way for a shape. */
export const TUNED_KERNELS = [
  ...[matmul, matvec, norm_matvec, expert_matmul, expert_gate_up, expert_down, attention, attention_decode],
] as unknown as readonly Kernel[];

/** Prompt lengths whose shape classes differ; requests with a picture add the vision encoder's. */
const PROMPTS = [20, 128, 512];
/** Tilings of the pictures. */
const TILINGS = [
  [1, 1],
  [3, 4],
] as const;
const RUNS = 3;
/** A choice this many times slower than what runs by default, over a whole request, is not tried further. */
const HOPELESS = 3;
/** A variant replaces the default where it is faster by more than noise. */
const BETTER = 0.95;
/** Root of the mean squared difference of the logits over theirs: beyond it a variant is wrong, not rounded otherwise. */
const ROUNDING = 1e-2;

/** GPU time of the launches of one shape class in all requests, by variant: the best run of each. */
export interface TunedClass {
  readonly key: string;
  readonly default_variant: string;
  readonly ms: Readonly<Record<string, number>>;
  readonly chosen: string;
}

export interface TuneReport {
  readonly classes: readonly TunedClass[];
  /** Only what differs from the default. */
  readonly choices: Tuning;
  /** Variants that were not tried, or not to the end, and why. */
  readonly left_out: readonly { readonly variant: string; readonly reason: string }[];
  /** Classes of the requests that were not compared. */
  readonly untuned: readonly string[];
}

/** GPU time of all classes as chosen, over theirs as by default; null of none. */
export function share_of({ classes }: Pick<TuneReport, 'classes'>): number | null {
  const sum = (name: (one: TunedClass) => string) => classes.reduce((ms, one) => ms + (one.ms[name(one)] as number), 0);
  return classes.length === 0 ? null : sum(({ chosen }) => chosen) / sum((one) => one.default_variant);
}

/**
 * Runs requests with each variant in turn, every kernel stamped, and picks what was fastest for each class of shapes.
 * In the model and not in a loop of one kernel: with the operands where the model leaves them, and the real routing.
 */
export async function tune(
  engine: Engine,
  options: {
    readonly on_progress?: (done: number, total: number) => void;
    readonly signal?: AbortSignal;
    /** What runs; by default requests whose shapes differ as those of users do. */
    readonly requests?: readonly GenerateRequest[];
    /** Ends after so long with what is known then: of the first requests, with the likeliest variants. */
    readonly within_ms?: number;
  } = {},
): Promise<TuneReport> {
  const { executor } = engine;
  const { within_ms = Number.POSITIVE_INFINITY } = options;
  const started_ms = performance.now();
  const left_out: { variant: string; reason: string }[] = [];
  const leave_out = (variant: Variant['name'], reason: string) => {
    left_out.push({ variant, reason });
    names.delete(variant);
  };
  const names = new Set(variant_names(engine));
  const of_matrix = [...names].filter((name) => family_of({ name }) === 'matrix');
  const fault = of_matrix.length > 0 ? await matrix_check(executor.device) : undefined;
  if (fault !== undefined) for (const name of of_matrix) leave_out(name, fault);
  const requests = (options.requests ?? tuning_requests(engine)).map((r) => ({
    ...r,
    maxNewTokens: 3,
    ignoreEos: true,
  }));
  const sums = new Map<string, ClassTimes>();
  const met = new Set<string>();
  const tried_once = new Set<Variant['name']>();
  const is_limited = within_ms !== Number.POSITIVE_INFINITY;
  const rest_ms = () => within_ms - (performance.now() - started_ms);
  const tell = (left_ms: number) => {
    const elapsed_ms = performance.now() - started_ms;
    options.on_progress?.(elapsed_ms, is_limited ? Math.max(elapsed_ms, within_ms) : elapsed_ms + left_ms);
  };
  /** Undefined where the time was over first. */
  const measured = async (choice: VariantChoice, request: GenerateRequest, least_left_ms = 0) => {
    const { signal } = options;
    const most_ms = rest_ms() - least_left_ms;
    if (most_ms === Number.POSITIVE_INFINITY) return run(engine, choice, request, signal);
    if (most_ms <= 0) return undefined;
    const over = AbortSignal.timeout(Math.ceil(most_ms));
    try {
      return await run(engine, choice, request, signal ? AbortSignal.any([signal, over]) : over);
    } catch (error) {
      if (over.aborted && !signal?.aborted) return undefined;
      throw error;
    }
  };
  /** As it runs by default: cold, as the first run of a variant is, which is compared with it, and warm. */
  const begin = async (request: GenerateRequest): Promise<Usual | undefined> => {
    const first = await measured('auto', request); // compiles
    if (first === undefined) return undefined;
    for (const key of first.classes.keys()) met.add(key);
    if ([...first.classes.keys()].every((key) => sums.has(key))) return undefined; // nothing new in it
    if (rest_ms() < (2 * RUNS + 2) * first.ms) return undefined; // not for one variant
    const warm = await measured('auto', request);
    if (warm === undefined) return undefined;
    const first_extra_ms = Math.max(0, first.wall_ms - warm.wall_ms);
    return { first, pace: { warm_ms: warm.wall_ms, first_extra_ms } };
  };
  try {
    const usual: (Usual | undefined)[] = [];
    // Without a limit how long it takes is told, which is known of all requests only when each has run.
    for (const request of names.size === 0 || is_limited ? [] : requests) {
      options.on_progress?.(0, 1);
      usual.push(await begin(request));
    }
    const estimate = estimate_of(
      usual.flatMap((one) => one?.pace ?? []),
      RUNS,
    );
    for (const [r, request] of requests.entries()) {
      if (names.size === 0) break; // nothing left to compare with
      const begun = is_limited ? await begin(request) : usual[r];
      if (begun === undefined) continue;
      const { first, pace } = begun;
      const timed = new Map<VariantChoice, TunedRun[]>();
      let firsts = names.size;
      let runs = 0;
      const say_left = () => tell(is_limited ? 0 : estimate.left_ms(r, { firsts, runs }, names.size));
      /** In turns, so that a slow spell of the machine slows all of them. */
      const take_turns = async (choices: readonly VariantChoice[]) => {
        runs = RUNS * choices.length;
        for (let round = 0; round < RUNS; round++) {
          for (const choice of choices) {
            const one = await measured(choice, request);
            if (one === undefined) return;
            timed.set(choice, [...(timed.get(choice) ?? []), one]);
            runs -= 1;
            say_left();
          }
        }
      };
      const tried: Variant['name'][] = [];
      let longest_extra_ms = pace.first_extra_ms;
      for (const name of [...names]) {
        // Compiling is not cut short: what has no time to be compared is not begun.
        if (rest_ms() < longest_extra_ms + (2 * RUNS + 1) * pace.warm_ms) break;
        const one = await measured(name, request); // compiles
        firsts -= 1;
        if (one === undefined) break;
        longest_extra_ms = Math.max(longest_extra_ms, one.wall_ms - pace.warm_ms);
        tried_once.add(name);
        const off = difference(one.logits, first.logits);
        const times = one.ms / first.ms;
        if (!(off <= ROUNDING)) leave_out(name, `its logits are off by ${off.toExponential(1)}`);
        else if (times > HOPELESS) leave_out(name, `a request takes ${times.toFixed(1)} times as long`);
        else tried.push(name);
        if (!is_limited) {
          estimate.first(r, one.wall_ms);
          runs = RUNS * (names.size + 1);
        } else if (tried.at(-1) === name) await take_turns(['auto', name]); // known before the next is begun
        say_left();
      }
      if (!is_limited && tried.length > 0) await take_turns(['auto', ...tried]);
      // A choice counts only with all of its runs.
      const whole = [...timed].filter(([, each]) => each.length >= RUNS);
      if (whole.length < 2) continue;
      const best = new Map<string, Map<string, number>>();
      for (const one of whole.flatMap(([, each]) => each)) keep_best(best, one);
      for (const [key, ms] of best) {
        // With little time later requests try fewer variants: what more was tried in stands.
        if (!is_limited || !sums.has(key)) add_class(sums, key, first.variants.get(key) as string, ms);
      }
    }
  } finally {
    executor.prefer(executor.variant, executor.tuning);
  }
  for (const name of names) if (is_limited && !tried_once.has(name)) leave_out(name, 'no time was left for it');
  options.on_progress?.(1, 1);
  const classes = [...sums].filter(([, { ms }]) => ms.size > 1).map(([key, times]) => judge(key, times));
  const better = classes.filter((c) => c.chosen !== c.default_variant);
  const known = new Set(classes.map(({ key }) => key));
  return {
    classes,
    choices: Object.fromEntries(better.map(({ key, chosen }) => [key, chosen])),
    left_out,
    untuned: [...met].filter((key) => !known.has(key)),
  };
}

interface Usual {
  readonly first: TunedRun;
  readonly pace: Pace;
}

function variant_names({ executor }: Engine): Variant['name'][] {
  const { traits } = executor.device;
  const able = TUNED_KERNELS.flatMap(({ variants }) => variants.filter((v) => runs_on(v, traits)));
  const by_default = default_family(traits);
  const others = [...new Set(able.map((v) => v.name))].filter((name) => name !== 'simple' && name !== by_default);
  const is_like = (name: Variant['name']) => family_of({ name }) === by_default;
  return [...others.filter(is_like), ...others.filter((name) => !is_like(name))]; // the likeliest first
}

function tuning_requests({ tokenizer, facts }: Engine): GenerateRequest[] {
  const { tile_px, margin_px } = geometry_of(facts.config);
  const longest = facts.config.max_position_embeddings - 8;
  return [
    ...PROMPTS.filter((n) => n <= longest).map((n) => ({ prompt: exact_length_text(tokenizer, n) })),
    ...TILINGS.map(([rows, cols]) => {
      const [width, height] = [cols, rows].map((tiles) => tiles * tile_px + margin_px) as [number, number];
      return { prompt: ' ', image: formula_picture('rings', width, height) };
    }),
  ];
}

interface TunedRun {
  readonly ms: number;
  /** Of the host, compiling included. */
  readonly wall_ms: number;
  /** GPU time by class, summed over the request. */
  readonly classes: ReadonlyMap<string, number>;
  readonly variants: ReadonlyMap<string, string>;
  readonly logits: Float32Array;
}

async function run(
  engine: Engine,
  choice: VariantChoice,
  request: GenerateRequest,
  signal: AbortSignal | undefined,
): Promise<TunedRun> {
  const { executor } = engine;
  executor.prefer(choice, {});
  let logits = new Float32Array(0);
  const probe: Probe = async (point, _, { buffer, cols }) => {
    if (point === 'logits' && logits.length === 0) logits = new Float32Array(await executor.read(buffer, 0, 4 * cols));
  };
  const started_ms = performance.now();
  const { timeline } = await engine.generate({ ...request, timing: 'kernel', probe, signal }).result;
  const wall_ms = performance.now() - started_ms;
  const classes = new Map<string, number>();
  const variants = new Map<string, string>();
  for (const { first, own_ns } of timeline?.spans ?? []) {
    if (first.kernel.shape_class === undefined) continue;
    const key = tune_key(first.kernel, first.params, first.options);
    classes.set(key, (classes.get(key) ?? 0) + own_ns / 1e6);
    variants.set(key, first.pipeline.variant.name);
  }
  return { ms: (timeline?.sum_ns ?? 0) / 1e6, wall_ms, classes, variants, logits };
}

function keep_best(best: Map<string, Map<string, number>>, { classes, variants }: TunedRun): void {
  for (const [key, ms] of classes) {
    const by_variant = best.get(key) ?? new Map<string, number>();
    best.set(key, by_variant);
    const name = variants.get(key) as string;
    by_variant.set(name, Math.min(ms, by_variant.get(name) ?? Number.POSITIVE_INFINITY));
  }
}

interface ClassTimes {
  readonly default_variant: string;
  /** Of the variants that ran in every request with this class: the sum of their best times. */
  readonly ms: ReadonlyMap<string, number>;
}

function add_class(sums: Map<string, ClassTimes>, key: string, default_variant: string, ms: Map<string, number>): void {
  const before = sums.get(key)?.ms;
  const both = before === undefined ? ms : new Map([...ms].filter(([name]) => before.has(name)));
  sums.set(key, {
    default_variant,
    ms: new Map([...both].map(([name, own]) => [name, own + (before?.get(name) ?? 0)])),
  });
}

function judge(key: string, { default_variant, ms }: ClassTimes): TunedClass {
  const [fastest, least] = [...ms].reduce((a, b) => (b[1] < a[1] ? b : a));
  const usual = ms.get(default_variant) ?? Number.POSITIVE_INFINITY;
  return {
    key,
    default_variant,
    ms: Object.fromEntries(ms),
    chosen: least < BETTER * usual ? fastest : default_variant,
  };
}

function difference(got: Float32Array, wanted: Float32Array): number {
  let off = 0;
  let all = 0;
  wanted.forEach((want, i) => {
    off += ((got[i] as number) - want) ** 2;
    all += want ** 2;
  });
  return Math.sqrt(off / all);
}
