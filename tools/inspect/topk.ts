import { UsageError } from '../../engine/errors.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import type { Engine, GenerateRequest } from '../../engine/molmoe.ts';
import { type Proof, prove, type Setting } from './routing_proof.ts';
import { verdicts_between, verdicts_of } from './routing_verdicts.ts';
import { inspect_tokens } from './tokens.ts';

/** The study's values. */
const VALUES = [1, 2, 4, 8];

/** Experts a token, each value once, none that the model cannot do. */
export function values_for(
  { n_experts }: Pick<ModelConfig, 'n_experts'>,
  given?: readonly number[],
): readonly number[] {
  const values = given ?? VALUES.filter((k) => k <= n_experts);
  const wrong = values.find((k) => !Number.isInteger(k) || k < 1 || k > n_experts);
  if (wrong !== undefined) {
    throw new UsageError(
      `topKValues: expected whole numbers from 1 to ${n_experts} (the experts of a block), found ${wrong}`,
    );
  }
  const twice = values.find((k, i) => values.indexOf(k) !== i);
  if (twice !== undefined) throw new UsageError(`topKValues: expected each value once, found ${twice} twice`);
  return values;
}

/**
 * Each k in turn, then all of them over the blocks, then others for the picture than for text, between two requests that
 * leave the knob alone.
 */
export function settings_for(n_layers: number, values: readonly number[], has_picture: boolean): readonly Setting[] {
  const over_blocks = (list: readonly number[]) =>
    Array.from({ length: n_layers }, (_, block) => list[block % list.length] as number);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const by_block = values.length > 1 ? [{ topK: over_blocks(values) }] : [];
  const apart = [
    { topK: most, topKVision: least },
    { topK: least, topKVision: most },
    { topK: over_blocks(values), topKVision: over_blocks([...values].reverse()) },
  ];
  const pictures = values.length > 1 && has_picture ? apart : [];
  return [{}, ...values.map((topK) => ({ topK })), ...by_block, ...pictures, {}];
}

export async function prove_knob(
  engine: Engine,
  request: GenerateRequest,
  given: readonly number[] | undefined,
  on_done: (line: string) => void,
) {
  const { config } = engine.facts;
  const values = values_for(config, given);
  const is_picture = picture_positions(engine, request);
  const settings = settings_for(config.n_layers, values, is_picture.includes(true));
  const proofs: Proof[] = [];
  for (const asked of settings) {
    proofs.push(await prove(engine, request, asked, is_picture));
    on_done(`${proofs.length} of ${settings.length}: ${name_of(asked)}`);
  }
  const runs = proofs.map((proof) => ({ ...told(proof), verdicts: verdicts_of(proof) }));
  const [before, after] = [proofs[0], proofs.at(-1)] as [Proof, Proof];
  const between = verdicts_between(proofs.slice(1, -1), before, after, config.top_k);
  const passed = [...between, ...runs.flatMap(({ verdicts }) => verdicts)].every(({ ok }) => ok);
  return { values, runs, between, passed };
}

export type KnobProof = Awaited<ReturnType<typeof prove_knob>>;

/** By the ids of the prompt: a position holds a cell where its id says so. */
export function picture_positions(
  { facts, tokenizer }: Engine,
  { prompt, image, knobs = {} }: GenerateRequest,
): boolean[] {
  const subject = { name: facts.name, config: facts.config, tokenizer, folder: undefined };
  const picture = image && { name: 'picture', width: image.width, height: image.height };
  return inspect_tokens(subject, { prompt, picture, knobs }).tokens.map(({ special }) => special === 'im_patch');
}

function name_of({ topK, topKVision }: Setting): string {
  const said = (k: number | readonly number[]) =>
    typeof k === 'number' ? String(k) : `${[...new Set(k)].join(', ')} by block`;
  if (topK === undefined) return 'left alone';
  return `k = ${said(topK)}${topKVision === undefined ? '' : `; picture ${said(topKVision)}`}`;
}

/** Without what only comparisons need. */
const told = ({ first: _, blocks, ...rest }: Proof) => ({
  name: name_of(rest.asked),
  ...rest,
  blocks: blocks.map(({ used, ...block }) => ({ ...block, experts_used: used.size })),
});
