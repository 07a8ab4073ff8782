import type { ModelConfig } from '../model/config.ts';
import { geometry_of } from '../model/geometry.ts';
import type { Check } from './check.ts';
import { compare_flops } from './compare_flops.ts';
import type { GoldenCase, GoldenTensor } from './golden.ts';
import type { Rows, SeenRequest } from './record.ts';

/** Largest differences that f32 arithmetic explains. */
export const LIMITS = { logits: 1e-4, router: 1e-4, hidden: 3e-4, argmax_margin: 1e-3 } as const;

/**
 * What matrix units' rounding of inputs to f16 explains. A row whose experts are nearly tied may take others, and differs then
 * as much as it likes: so differences are the root of their mean square over that of what is wanted, and a share of the rows
 * may choose otherwise.
 */
export const F16_LIMITS = { relative: 2 ** -5, rows: 2 ** -4 } as const;

type Tensors = ReadonlyMap<string, GoldenTensor>;
type Pair = readonly [number, number];

export function compare_case(
  config: ModelConfig,
  described: GoldenCase,
  tensors: Tensors,
  seen: SeenRequest,
  rounded = false,
): Check[] {
  const checks = [
    ...compare_vision(config, described, tensors, seen),
    ...compare_prompt(config, described, tensors, seen),
    ...compare_router(described, tensors, seen),
    ...compare_generation(config, described, tensors, seen),
    ...compare_flops(described, seen),
  ];
  return rounded ? checks.map(as_rounded) : checks;
}

/** The check as F16_LIMITS have it. */
export function as_rounded(check: Check): Check {
  const { kind, found, relative, of } = check;
  if (relative !== undefined) {
    return { ...check, found: relative, limit: F16_LIMITS.relative, ok: relative <= F16_LIMITS.relative };
  }
  if (of === undefined || (kind !== 'experts' && kind !== 'argmax')) return check;
  const limit = Math.floor(of * F16_LIMITS.rows);
  return { ...check, limit, ok: found <= limit };
}

function difference(what: string, want: GoldenTensor, got: ArrayLike<number> | undefined, limit: number): Check {
  let found = got?.length === want.values.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; got !== undefined && i < Math.min(want.values.length, got.length); i++) {
    const d = Math.abs((want.values[i] as number) - (got[i] as number));
    if (!(d <= found)) found = Number.isNaN(d) ? Number.POSITIVE_INFINITY : d;
  }
  return { what, kind: 'difference', found, limit, ok: found <= limit, relative: relative_rms(want.values, got) };
}

function relative_rms(want: ArrayLike<number>, got: ArrayLike<number> | undefined): number {
  if (got?.length !== want.length) return Number.POSITIVE_INFINITY;
  let [off, all] = [0, 0];
  for (let i = 0; i < want.length; i++) {
    off += ((want[i] as number) - (got[i] as number)) ** 2;
    all += (want[i] as number) ** 2;
  }
  return off === 0 ? 0 : Number.isNaN(off) ? Number.POSITIVE_INFINITY : Math.sqrt(off / all);
}

function gather(rows: Rows | undefined, wanted: readonly number[]): Float32Array | undefined {
  if (rows === undefined) return undefined;
  const out = new Float32Array(wanted.length * rows.cols);
  wanted.forEach((row, i) => {
    out.set(rows.values.subarray(row * rows.cols, (row + 1) * rows.cols), i * rows.cols);
  });
  return out;
}

function joined(parts: readonly (Float32Array | undefined)[]): Float32Array | undefined {
  const all: number[] = [];
  for (const part of parts) {
    if (part === undefined) return undefined;
    for (const x of part) all.push(x);
  }
  return Float32Array.from(all);
}

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

function compare_vision(config: ModelConfig, { samples }: GoldenCase, tensors: Tensors, seen: SeenRequest): Check[] {
  const checks: Check[] = [];
  const { cells: crop_cells } = geometry_of(config);
  const cells_of = (pairs: unknown) => (pairs as readonly Pair[]).map(([crop, cell]) => crop * crop_cells + cell);
  const check = (what: string, got: (want: GoldenTensor) => Float32Array | undefined) => {
    const want = tensors.get(what);
    if (want !== undefined) checks.push(difference(what, want, got(want), LIMITS.hidden));
  };
  check('vit.hidden', () => {
    const tokens = (samples['vit.hidden'] as { tokens: number[] }).tokens;
    return joined(config.vit_layers.map((_, tap) => gather(seen.prompt.get(`vit.hidden.${tap}`), tokens)));
  });
  check('vision.prepool', () => {
    const windows = cells_of(samples['vision.prepool']).flatMap((cell) => range(4).map((w) => 4 * cell + w));
    return gather(seen.prompt.get('vision.prepool'), windows);
  });
  check('vision.pooled', () => gather(seen.prompt.get('vision.pooled'), cells_of(samples['vision.pooled'])));
  check('vision.features', (want) => {
    const sampled = samples['vision.features'];
    const cells = sampled === undefined ? range(want.values.length / config.d_model) : cells_of(sampled);
    return gather(seen.prompt.get('vision.features'), cells);
  });
  return checks;
}

function compare_prompt(
  config: ModelConfig,
  { samples, prompt }: GoldenCase,
  tensors: Tensors,
  seen: SeenRequest,
): Check[] {
  const checks: Check[] = [];
  const check = (what: string, got: () => ArrayLike<number> | undefined, limit: number = LIMITS.hidden) => {
    const want = tensors.get(what);
    if (want !== undefined) checks.push(difference(what, want, got(), limit));
  };
  const positions = (what: string) => samples[what] as number[];
  check('llm.embeds', () => gather(seen.prompt.get('llm.embeds'), positions('llm.embeds')));
  check('llm.hidden', () =>
    joined(range(config.n_layers).map((n) => gather(seen.prompt.get(`llm.hidden.${n}`), positions('llm.hidden')))),
  );
  check('llm.ln_f', () => gather(seen.prompt.get('llm.ln_f'), positions('llm.ln_f')));
  for (const what of ['llm.k', 'llm.v']) {
    // Recorded as [heads, positions, head_dim].
    check(what, () => {
      const at = (samples[what] as { positions: number[] }).positions;
      const rows = gather(seen.prompt.get(what), at);
      if (rows === undefined) return undefined;
      const { n_heads, head_dim, d_model } = config;
      return Float32Array.from(rows, (_, i) => {
        const head = Math.floor(i / (at.length * head_dim));
        const position = Math.floor(i / head_dim) % at.length;
        return rows[position * d_model + (head % n_heads) * head_dim + (i % head_dim)] as number;
      });
    });
  }
  const logits = seen.prompt.get('logits');
  check('logits.last', () => gather(logits, [prompt.length - 1]), LIMITS.logits);
  const want = tensors.get('logits.argmax');
  const margin = tensors.get('logits.margin');
  if (want !== undefined && margin !== undefined) {
    let wrong = 0;
    for (let row = 0; row < want.values.length; row++) {
      if ((margin.values[row] as number) <= LIMITS.argmax_margin) continue;
      if (logits === undefined || argmax(logits, row) !== want.values[row]) wrong += 1;
    }
    const of = want.values.length;
    checks.push({ what: 'logits.argmax', kind: 'argmax', found: wrong, limit: 0, ok: wrong === 0, of });
  }
  return checks;
}

function argmax({ values, cols }: Rows, row: number): number {
  let best = 0;
  for (let i = 1; i < cols; i++) {
    if ((values[row * cols + i] as number) > (values[row * cols + best] as number)) best = i;
  }
  return best;
}

function compare_router({ samples }: GoldenCase, tensors: Tensors, seen: SeenRequest): Check[] {
  const checks: Check[] = [];
  for (const [name, want] of tensors) {
    const match = /^(gen\.)?router\.(logits|experts|weights)\.(\d+)$/.exec(name);
    if (match === null || match[2] === 'experts') continue;
    const rows = (point: string): Rows | undefined => {
      const key = `router.${point}.${match[3]}`;
      if (match[1] === undefined) return seen.prompt.get(key);
      const steps = seen.steps.map((step) => step.get(key)).filter((step) => step !== undefined);
      return steps.reduce<Rows | undefined>((all, step) => stack(all, step), undefined);
    };
    const count = want.shape[0] as number;
    const tokens = match[1] === undefined ? ((samples.router as number[] | undefined) ?? range(count)) : range(count);
    if (match[2] === 'logits') {
      checks.push(difference(name, want, gather(rows('logits'), tokens), LIMITS.router));
      continue;
    }
    const experts_name = name.replace('weights', 'experts');
    const experts = tensors.get(experts_name);
    if (experts !== undefined) checks.push(...compare_choices(name, experts_name, want, experts, tokens, rows));
  }
  return checks;
}

/** Chosen experts as sets a token, and their weights by expert: the order of near-equal weights is free. */
function compare_choices(
  name: string,
  experts_name: string,
  want: GoldenTensor,
  experts: GoldenTensor,
  tokens: readonly number[],
  rows: (point: string) => Rows | undefined,
): Check[] {
  const got_experts = rows('experts');
  const got_weights = rows('weights');
  const k = want.shape[1] as number;
  let worst = got_experts === undefined || got_weights === undefined ? Number.POSITIVE_INFINITY : 0;
  let wrong = got_experts === undefined ? tokens.length : 0;
  for (const [i, token] of tokens.entries()) {
    if (got_experts === undefined || got_weights === undefined) break;
    const weight_of = new Map<number, number>();
    for (let j = 0; j < k; j++) {
      weight_of.set(got_experts.words[token * k + j] as number, got_weights.values[token * k + j] as number);
    }
    let same = weight_of.size === k;
    for (let j = 0; j < k; j++) {
      const weight = weight_of.get(experts.values[i * k + j] as number);
      if (weight === undefined) same = false;
      else worst = Math.max(worst, Math.abs(weight - (want.values[i * k + j] as number)));
    }
    if (!same) wrong += 1;
  }
  return [
    { what: experts_name, kind: 'experts', found: wrong, limit: 0, ok: wrong === 0, of: tokens.length },
    { what: name, kind: 'difference', found: worst, limit: LIMITS.router, ok: worst <= LIMITS.router, relative: worst },
  ];
}

function stack(all: Rows | undefined, more: Rows): Rows {
  const words = Uint32Array.from([...(all?.words ?? []), ...more.words]);
  return { cols: more.cols, words, values: new Float32Array(words.buffer) };
}

function compare_generation(
  config: ModelConfig,
  { prompt, samples }: GoldenCase,
  tensors: Tensors,
  seen: SeenRequest,
): Check[] {
  const checks: Check[] = [];
  const want = tensors.get('gen.tokens');
  if (want === undefined) return checks;
  const wrong = range(want.values.length).filter((i) => seen.tokens[i] !== want.values[i]).length;
  const first = range(want.values.length).find((i) => seen.tokens[i] !== want.values[i]);
  const detail =
    first === undefined
      ? undefined
      : `first at token ${first}: expected ${want.values[first]}, found ${seen.tokens[first]}`;
  checks.push({ what: 'gen.tokens', kind: 'tokens', found: wrong, limit: 0, ok: wrong === 0, detail });

  // The logits each token was chosen from: the prompt's last row, then one row a step.
  const logits = [
    gather(seen.prompt.get('logits'), [prompt.length - 1]),
    ...seen.steps.map((step) => gather(step.get('logits'), [0])),
  ];
  const check = (name: string, pick: (row: Float32Array, step: number) => Float32Array, limit: number) => {
    const tensor = tensors.get(name);
    if (tensor === undefined) return;
    const got = joined(logits.map((row, step) => row && pick(row, step)));
    checks.push(difference(name, tensor, got, limit));
  };
  check('gen.logits', (row) => row, LIMITS.logits);
  const sample = samples['gen.logits_sample'] as { first: number; step: number; count: number } | undefined;
  check(
    'gen.logits_sample',
    (row) =>
      Float32Array.from(
        range(sample?.count ?? 0),
        (i) => row[(sample?.first ?? 0) + i * (sample?.step ?? 1)] as number,
      ),
    LIMITS.logits,
  );
  const top = tensors.get('gen.logits_top_ids');
  if (top !== undefined) {
    const n = top.shape[1] as number;
    check(
      'gen.logits_top',
      (row, step) => Float32Array.from(range(n), (i) => row[top.values[step * n + i] as number] as number),
      LIMITS.logits,
    );
  }
  const hidden = tensors.get('gen.hidden');
  if (hidden !== undefined) {
    const rows = seen.steps.flatMap((step) =>
      range(config.n_layers).map((n) => gather(step.get(`llm.hidden.${n}`), [0])),
    );
    checks.push(difference('gen.hidden', hidden, joined(rows), LIMITS.hidden));
  }
  return checks;
}
