import { UsageError } from '../../engine/errors.ts';
import type { ModelConfig } from '../../engine/model/config.ts';
import type { Engine, GenerateRequest } from '../../engine/molmoe.ts';
import { type Proof, prove } from './routing_proof.ts';
import { verdicts_between, verdicts_of } from './routing_verdicts.ts';

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

/** Each k in turn, then all of them over the blocks, between two requests that leave the knob alone. */
export async function prove_knob(
  engine: Engine,
  request: GenerateRequest,
  given: readonly number[] | undefined,
  on_done: (line: string) => void,
) {
  const { config } = engine.facts;
  const values = values_for(config, given);
  const mixed = Array.from({ length: config.n_layers }, (_, block) => values[block % values.length] as number);
  const settings: readonly Proof['asked'][] = [undefined, ...values, ...(values.length > 1 ? [mixed] : []), undefined];
  const proofs: Proof[] = [];
  for (const asked of settings) {
    proofs.push(await prove(engine, request, asked));
    on_done(`${proofs.length} of ${settings.length}: ${name_of(asked)}`);
  }
  const runs = proofs.map((proof) => ({ ...told(proof), verdicts: verdicts_of(proof) }));
  const [before, after] = [proofs[0], proofs.at(-1)] as [Proof, Proof];
  const between = verdicts_between(proofs.slice(1, -1), before, after, config.top_k);
  const passed = [...between, ...runs.flatMap(({ verdicts }) => verdicts)].every(({ ok }) => ok);
  return { values, runs, between, passed };
}

export type KnobProof = Awaited<ReturnType<typeof prove_knob>>;

function name_of(asked: Proof['asked']): string {
  if (asked === undefined) return 'left alone';
  return typeof asked === 'number' ? `k = ${asked}` : `k by block, ${[...new Set(asked)].join(', ')} in turn`;
}

/** Without what only comparisons need. */
const told = ({ first: _, blocks, asked, ...rest }: Proof) => ({
  name: name_of(asked),
  asked: asked ?? null,
  ...rest,
  blocks: blocks.map(({ used, ...block }) => ({ ...block, experts_used: used.size })),
});
