import type { SelfTuned } from '../../engine/gpu/shipped_tunings.ts';
import type { LoadOptions, OpenModel } from '../../engine/node/load.ts';
import {
  is_untuned,
  known_share,
  SELF_TUNING_MS,
  tune_itself,
  tuned_model,
  tuning_for,
} from '../../engine/node/tuning.ts';
import { visible } from '../../engine/weights/text.ts';
import { opened } from '../../experiments/lab/inputs.ts';
import type { Build } from '../../experiments/lab/origin.ts';
import type { Cell } from '../../experiments/lab/plan.ts';
import { read_run } from '../../experiments/lab/read.ts';
import { dim, note, progress } from '../print.ts';
import { wait_to_tune } from './runner_lock.ts';

/** Another command that tunes ends in its time, and begins and ends in so much more. */
const LONGEST_WAIT_MS = SELF_TUNING_MS + 5000;

/**
 * The model with the variants that are fastest for its first requests. Where nothing is known of it on this adapter, it is
 * loaded and times them, once: what is found is kept for later commands.
 */
export async function self_tuned(
  model: OpenModel,
  cells: readonly Cell[],
  which: LoadOptions['tuning'],
  signal: AbortSignal,
): Promise<OpenModel> {
  const { executor, adapter, facts } = model;
  const [device, name] = [executor.device, tuned_model(facts)];
  const is_needed = () => is_untuned(device, adapter.backend, name);
  if (executor.variant !== 'auto' || (which ?? 'auto') !== 'auto' || !(await is_needed())) return told(model);
  const engine = await model.load(undefined, signal); // before others wait for this command
  const loaded = { ...model, load: async () => engine };
  const lock = await wait_to_tune(model, LONGEST_WAIT_MS, signal);
  try {
    if (!(await is_needed())) {
      const found = await tuning_for(device, adapter.backend, name); // another command was quicker
      executor.prefer('auto', found.choices);
      return await told({ ...loaded, tuning: found });
    }
    if (lock === undefined) return await told(loaded);
    const requests = await Promise.all(first_cells(cells).map(async ({ requests: [one] }) => opened(one)));
    const bar = progress('finding the fastest kernels for these requests, 20 s at most');
    const found = await tune_itself(
      engine.engine,
      adapter.backend,
      requests.map(({ request }) => request),
      { on_progress: bar.update, signal },
    ).finally(bar.end);
    return await told({ ...loaded, tuning: found });
  } finally {
    await lock?.release();
  }
}

/**
 * Results that were begun go on with the variants that they were begun with, whatever was found out since: of one run, all
 * cells are of the same kernels. Of another program or adapter they cannot go on anyway, which opening them says.
 */
export async function as_begun(model: OpenModel, folder: string, program: Build): Promise<OpenModel> {
  const { executor, tuning: now } = model;
  if (executor.variant !== 'auto' || now.from === 'off') return told(model);
  const run = await read_run(folder, 'restore it').catch(() => undefined);
  const { tuning, build, adapter } = run?.fingerprint.provenance ?? {};
  const is_alike = build === program.digest && adapter?.description === visible(executor.device.facts.description);
  if (tuning === undefined || tuning.from === 'off' || !is_alike) return told(model);
  executor.prefer('auto', tuning.choices);
  return told({ ...model, tuning });
}

type Timed = Cell & { readonly requests: readonly [Cell['requests'][number], ...Cell['requests']] };

/** The cheapest, of which most is found out in the time, and the dearest, where it is spent. */
function first_cells(cells: readonly Cell[]): Timed[] {
  const some = cells
    .filter((cell): cell is Timed => cell.requests.length > 0)
    .toSorted((a, b) => a.weight / a.requests.length - b.weight / b.requests.length);
  return [...new Set([some[0], some.at(-1)])].filter((cell) => cell !== undefined);
}

/** Says which kernels run where that was not asked for or may cost something. */
async function told(model: OpenModel): Promise<OpenModel> {
  const { tuning, executor, adapter, facts } = model;
  if (executor.variant !== 'auto') return model;
  if (tuning.itself !== undefined)
    note(dim(`tuning   by itself, in ${tuning.itself.seconds} s: ${found_in(tuning.itself)}`));
  else if (tuning.from === 'off' || tuning.from === 'default') {
    const share = await known_share(executor.device, adapter.backend, tuned_model(facts));
    note(dim(`tuning   none, first variants run; ${cost_of(share)}`));
  }
  return model;
}

const MEASURE = '`molmoe tune` measures it';

function found_in({ share, untuned }: SelfTuned): string {
  if (share === null) {
    return `nothing could be compared in that time; what the first variants cost is not known: ${MEASURE}`;
  }
  const rest = untuned.length === 0 ? '' : `; ${untuned.length} classes of shapes were not compared`;
  return `kernels compared take ${share.toFixed(2)} of the GPU time of the first variants${rest}`;
}

const cost_of = (share: number | undefined): string =>
  share === undefined
    ? `what that costs here is not known: ${MEASURE}`
    : `kernels that were compared here take ${(1 / share).toFixed(2)} times the GPU time of the fastest`;
