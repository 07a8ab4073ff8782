import type { Molmoe } from '../../../engine/node/load.ts';
import type { Verdict } from '../../../tools/inspect/routing_verdicts.ts';
import { commit, dirty, version } from '../../build.ts';
import { bold, dim, note, out } from '../../print.ts';

export const print_json = (schema: string, body: object): void =>
  out(`${JSON.stringify({ schema: `molmoe.${schema}/1`, version, commit, dirty, ...body })}\n`);

/** On what a result was computed. */
export function machine_of({ facts, engine }: Molmoe) {
  const adapter = engine.executor.device.facts;
  const { name, weights, weights_kind, dtype, tokenizer } = facts;
  return {
    adapter: adapter.description || adapter.device,
    variant: engine.executor.variant,
    model: { name, weights, weights_kind, dtype, tokenizer },
  };
}

export function introduce(model: Molmoe): void {
  const { adapter, model: what } = machine_of(model);
  note(dim(`adapter  ${adapter}`));
  note(dim(`model    ${what.name}: ${what.weights}, stored as ${what.dtype}`));
}

export const verdict_line = ({ what, ok, because }: Verdict): string =>
  `${ok ? 'pass' : bold('FAIL')}  ${what}: ${because}`;
