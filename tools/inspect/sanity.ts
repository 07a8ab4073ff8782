import { createHash } from 'node:crypto';
import { InputError } from '../../engine/errors.ts';
import type { View } from '../../engine/model/context.ts';
import type { Engine, GenerateRequest, GenerateResult } from '../../engine/molmoe.ts';
import type { Verdict } from './routing_verdicts.ts';
import { floats, read_words } from './rows.ts';

const SHOWN = 5;

export interface Candidate {
  readonly id: number;
  readonly text: string;
  readonly probability: number;
}

/** One token as the host sees its logits. */
export interface SeenStep {
  readonly non_finite: number;
  /** The likeliest, likeliest first; empty where no logit was a number. */
  readonly top: readonly Candidate[];
}

interface Run {
  /** null where the engine ended it: logits that are no numbers. */
  readonly result: GenerateResult | null;
  readonly steps: readonly SeenStep[];
  readonly digest: string;
}

/**
 * One request three times: twice with all logits read back, once without looking. Sound are finite logits, the same bits
 * twice, and tokens that are the likeliest of the logits and do not change when nobody looks.
 */
export async function check_sanity(engine: Engine, request: GenerateRequest) {
  const [seen, again] = [await watched(engine, request), await watched(engine, request)];
  const plain = seen.result && (await run_plain(engine, request));
  const non_finite = seen.steps.reduce((sum, step) => sum + step.non_finite, 0);
  const chosen = all_tokens(engine, seen.result);
  const unlikely = chosen.findIndex((id, i) => seen.steps[i]?.top[0]?.id !== id);
  const same = seen.digest === again.digest;
  const verdicts: Verdict[] = [
    {
      what: 'all logits are numbers',
      ok: non_finite === 0 && seen.result !== null,
      because: `${non_finite} of ${seen.steps.length * engine.facts.config.embedding_size} are not`,
    },
    {
      what: 'the same logits twice, bit for bit',
      ok: same,
      because: same ? seen.digest : `${seen.digest}, ${again.digest}`,
    },
    {
      what: "each token is the likeliest by the host's own reading of the logits",
      ok: chosen.length > 0 && unlikely < 0,
      because: unlikely < 0 ? `${chosen.length} tokens` : `token ${unlikely} is ${chosen[unlikely]}`,
    },
    {
      what: 'the same tokens when no logits are read back',
      ok: plain !== null && plain.tokens.join() === seen.result?.tokens.join(),
      because: plain === null ? 'not run: the first run did not end' : `${plain.tokens.length} tokens`,
    },
  ];
  return { result: plain ?? seen.result, steps: seen.steps, verdicts, passed: verdicts.every(({ ok }) => ok) };
}

export type Sanity = Awaited<ReturnType<typeof check_sanity>>;

/** With the one that ended the text, which is not part of it. */
const all_tokens = ({ facts }: Engine, result: GenerateResult | null): readonly number[] =>
  result === null ? [] : [...result.tokens, ...(result.finish === 'eos' ? [facts.config.eos_id] : [])];

async function run_plain(engine: Engine, request: GenerateRequest): Promise<GenerateResult> {
  return engine.generate(request).result;
}

async function watched(engine: Engine, request: GenerateRequest): Promise<Run> {
  const steps: SeenStep[] = [];
  const hash = createHash('sha256');
  const probe = async (point: string, _: number, view: View): Promise<void> => {
    if (point !== 'logits') return;
    const words = await read_words(engine.executor, view);
    hash.update(words);
    steps.push(look(engine, floats(words)));
  };
  try {
    return {
      result: await engine.generate({ ...request, probe }).result,
      steps,
      digest: hash.digest('hex').slice(0, 16),
    };
  } catch (error) {
    if (!(error instanceof InputError) || steps.every(({ non_finite }) => non_finite === 0)) throw error;
    return { result: null, steps, digest: hash.digest('hex').slice(0, 16) };
  }
}

function look({ tokenizer }: Engine, logits: Float32Array): SeenStep {
  const finite = [...logits.keys()].filter((id) => Number.isFinite(logits[id]));
  const at = (id: number) => logits[id] as number;
  const order = finite.sort((a, b) => at(b) - at(a) || a - b);
  const most = at(order[0] ?? 0);
  const sum = finite.reduce((total, id) => total + Math.exp(at(id) - most), 0);
  const top = order.slice(0, SHOWN).map((id) => {
    return { id, text: tokenizer.decode([id]), probability: Math.exp(at(id) - most) / sum };
  });
  return { non_finite: logits.length - finite.length, top };
}
