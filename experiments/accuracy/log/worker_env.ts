import { UsageError } from '../../../engine/errors.ts';
import { shown } from '../../../engine/weights/text.ts';

export type Env = Readonly<Record<string, string | undefined>>;

export interface EnvShard {
  readonly index: number;
  readonly count: number;
  /** The variable that said so. */
  readonly from: string;
}

const REMEDY = 'mend it, or name the shard';

/** Launchers that number their processes from 0, most specific first. */
const PAIRS: readonly (readonly [rank: string, size: string])[] = [
  ['OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'],
  ['PMI_RANK', 'PMI_SIZE'],
  ['SLURM_PROCID', 'SLURM_NTASKS'],
  ['RANK', 'WORLD_SIZE'],
  // Kubernetes gives the index alone; the count comes from the job's manifest.
  ['JOB_COMPLETION_INDEX', 'JOB_COMPLETIONS'],
];

/** A Slurm job array comes first: its tasks run an MPI or a step of their own inside, which says nothing of the array. */
export function env_shard(env: Env): EnvShard | undefined {
  const array = slurm_array(env);
  if (array !== undefined) return array;
  for (const [rank, size] of PAIRS) {
    if (!is_set(env, rank)) continue;
    if (!is_set(env, size)) {
      // Anybody may call a variable RANK: only both together are a launcher's.
      if (rank === 'RANK') continue;
      throw new UsageError(`${rank}: expected ${size} beside it, found none; set it, or name the shard`);
    }
    const [index, count] = [whole(env, rank), whole(env, size)];
    if (index >= count) {
      throw new UsageError(`${rank}: expected a number below ${size} (${count}), found ${index}; ${REMEDY}`);
    }
    return { index, count, from: rank };
  }
  return undefined;
}

/**
 * The task's place in its array. An array of some tasks alone (`--array=3` to do one again) is an array of one: that
 * task does all that is left, which is more than was meant but never wrong.
 */
function slurm_array(env: Env): EnvShard | undefined {
  const from = 'SLURM_ARRAY_TASK_ID';
  if (!is_set(env, from)) return undefined;
  const id = whole(env, from);
  const min = whole(env, 'SLURM_ARRAY_TASK_MIN', 0);
  const step = whole(env, 'SLURM_ARRAY_TASK_STEP', 1);
  if (!is_set(env, 'SLURM_ARRAY_TASK_MAX') && !is_set(env, 'SLURM_ARRAY_TASK_COUNT')) {
    throw new UsageError(`${from}: expected SLURM_ARRAY_TASK_COUNT beside it, found none; set it, or name the shard`);
  }
  const max = whole(env, 'SLURM_ARRAY_TASK_MAX', min + step * (whole(env, 'SLURM_ARRAY_TASK_COUNT', 1) - 1));
  const count = whole(env, 'SLURM_ARRAY_TASK_COUNT', step < 1 ? 0 : Math.floor((max - min) / step) + 1);
  const index = (id - min) / step;
  // A list such as 1,3,7 has no even steps: its tasks cannot tell their place in it.
  if (step < 1 || count < 1 || Math.floor((max - min) / step) + 1 !== count || !is_place(index, count)) {
    throw new UsageError(
      `${from}: expected one of ${count} tasks from ${min} to ${max} in steps of ${step}, found ${id}; use an array without gaps, or name the shard`,
    );
  }
  return { index, count, from };
}

/** Which of the processes on this machine this one is, as its launcher says; the choice of adapter goes by it. */
export function local_rank(env: Env): { readonly rank: number; readonly from: string } | undefined {
  const from = ['OMPI_COMM_WORLD_LOCAL_RANK', 'MPI_LOCALRANKID', 'SLURM_LOCALID', 'LOCAL_RANK'].find((name) =>
    is_set(env, name),
  );
  return from === undefined ? undefined : { rank: whole(env, from), from };
}

const is_set = (env: Env, name: string): boolean => (env[name] ?? '').trim() !== '';
const is_place = (index: number, count: number): boolean => Number.isInteger(index) && index >= 0 && index < count;

function whole(env: Env, name: string, otherwise?: number): number {
  if (otherwise !== undefined && !is_set(env, name)) return otherwise;
  const text = (env[name] ?? '').trim();
  if (!/^\d{1,9}$/.test(text)) {
    throw new UsageError(`${name}: expected a whole number, found ${shown(env[name])}; ${REMEDY}`);
  }
  return Number(text);
}
