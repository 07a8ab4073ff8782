import type { Executor } from '../../engine/gpu/executor.ts';
import type { View } from '../../engine/model/context.ts';
import { NO_EXPERT } from '../../kernels/moe_route/moe_route.ts';
import { floats, read_pieces, read_words } from './rows.ts';

/**
 * A view's values in pieces, ids as they are. Of routing, without the slots that a token leaves empty where its neighbours
 * take more experts: what lies there is nobody's. Views come in the order of the model.
 */
export function owned_values(executor: Pick<Executor, 'read'>) {
  let experts: Uint32Array = new Uint32Array();
  let hidden = 0; // slots whose hidden values were seen: they may come in parts
  const taken = (slot: number): boolean => experts[slot] !== NO_EXPERT;
  return async function* (point: string, view: View): AsyncGenerator<Iterable<number>, void, void> {
    if (point === 'router.experts') {
      experts = await read_words(executor, view);
      hidden = 0;
      yield experts.filter((_, slot) => taken(slot));
    } else if (point === 'router.weights') {
      yield floats(await read_words(executor, view)).filter((_, slot) => taken(slot));
    } else {
      for await (const row of read_pieces(executor, view)) {
        if (point !== 'moe.hidden' || taken(hidden++)) yield floats(row);
      }
    }
  };
}
