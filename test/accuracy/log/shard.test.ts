import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { UsageError } from '../../../engine/errors.ts';
import { grid_of, slots_of } from '../../../experiments/accuracy/log/grid.ts';
import { choose_shard, in_shard, key_hash, parse_shard } from '../../../experiments/accuracy/log/shard.ts';
import { type Env, env_shard, local_rank } from '../../../experiments/accuracy/log/worker_env.ts';

describe('parse_shard', () => {
  it('reads the first and the last of six', () => {
    expect(parse_shard('0/6')).toEqual({ index: 0, count: 6 });
    expect(parse_shard('5/6')).toEqual({ index: 5, count: 6 });
  });

  it.each(['6/6', '0/0', '1/0', '', '3', '1/2/3', '-1/6', '1.5/6', '0x1/6', ' 1/6', '1/6\n', '0/99999999', '٣/٦', '/'])(
    'refuses %j in one line',
    (text) => {
      const error = caught(() => parse_shard(text));
      expect(error).toBeInstanceOf(UsageError);
      expect(error.message).toBe(
        `shard: expected i/n with i from 0 to n - 1, as 0/6 to 5/6; found ${JSON.stringify(text)}`,
      );
    },
  );
});

const array = (id: number, min: number, max: number, count: number, step = 1): Env => ({
  SLURM_ARRAY_TASK_ID: `${id}`,
  SLURM_ARRAY_TASK_MIN: `${min}`,
  SLURM_ARRAY_TASK_MAX: `${max}`,
  SLURM_ARRAY_TASK_COUNT: `${count}`,
  SLURM_ARRAY_TASK_STEP: `${step}`,
});

/** One of every launcher, the ones that go first first. */
const LAUNCHERS: readonly (readonly [from: string, env: Env])[] = [
  ['SLURM_ARRAY_TASK_ID', array(3, 0, 7, 8)],
  ['OMPI_COMM_WORLD_RANK', { OMPI_COMM_WORLD_RANK: '3', OMPI_COMM_WORLD_SIZE: '8' }],
  ['PMI_RANK', { PMI_RANK: '3', PMI_SIZE: '8' }],
  ['SLURM_PROCID', { SLURM_PROCID: '3', SLURM_NTASKS: '8' }],
  ['RANK', { RANK: '3', WORLD_SIZE: '8' }],
  ['JOB_COMPLETION_INDEX', { JOB_COMPLETION_INDEX: '3', JOB_COMPLETIONS: '8' }],
];
const other: Env = { SLURM_PROCID: '0', SLURM_NTASKS: '1' };

describe('the shard that a launcher says', () => {
  it.each(LAUNCHERS)('%s', (from, env) => {
    expect(env_shard(env)).toEqual({ index: 3, count: 8, from });
  });

  it('goes by the first of several', () => {
    for (const [i, [from]] of LAUNCHERS.entries()) {
      const env = Object.assign({}, ...LAUNCHERS.slice(i).map(([, one]) => one));
      expect(env_shard(env)?.from).toBe(from);
    }
  });

  it('is none where nothing is set, or set to nothing', () => {
    expect(env_shard({})).toBeUndefined();
    expect(env_shard({ OMPI_COMM_WORLD_RANK: '', PMI_RANK: ' ' })).toBeUndefined();
    expect(env_shard({ RANK: 'major' })).toBeUndefined();
    expect(env_shard({ WORLD_SIZE: '4' })).toBeUndefined();
  });

  it('counts from where an array begins, in its steps', () => {
    expect(env_shard(array(5, 5, 10, 6))).toMatchObject({ index: 0, count: 6 });
    expect(env_shard(array(10, 5, 10, 6))).toMatchObject({ index: 5, count: 6 });
    expect(env_shard(array(9, 1, 17, 5, 4))).toMatchObject({ index: 2, count: 5 });
    // 1-18:4 ends at 17; Slurm may say either.
    expect(env_shard(array(17, 1, 18, 5, 4))).toMatchObject({ index: 4, count: 5 });
    expect(env_shard({ SLURM_ARRAY_TASK_ID: '2', SLURM_ARRAY_TASK_COUNT: '3' })).toMatchObject({ index: 2, count: 3 });
    expect(env_shard({ SLURM_ARRAY_TASK_ID: '2', SLURM_ARRAY_TASK_MAX: '3' })).toMatchObject({ index: 2, count: 4 });
  });

  it('an array of one task that is run again does all that is left', () => {
    expect(env_shard(array(3, 3, 3, 1))).toMatchObject({ index: 0, count: 1 });
  });

  it.each([
    ['a list with gaps', array(3, 1, 7, 3), 'expected one of 3 tasks from 1 to 7 in steps of 1, found 3'],
    ['a task outside', array(9, 0, 7, 8), 'expected one of 8 tasks from 0 to 7 in steps of 1, found 9'],
    ['a task between steps', array(2, 1, 9, 3, 4), 'found 2; use an array without gaps, or name the shard'],
    ['no steps', array(0, 0, 0, 1, 0), 'in steps of 0'],
    ['an array without its count', { SLURM_ARRAY_TASK_ID: '1' }, 'expected SLURM_ARRAY_TASK_COUNT beside it'],
    ['a task that is no number', { ...array(0, 0, 1, 2), SLURM_ARRAY_TASK_ID: 'x' }, 'whole number, found "x"'],
    ['a rank without its count', { PMI_RANK: '1' }, 'PMI_RANK: expected PMI_SIZE beside it, found none'],
    ['an index without its count', { JOB_COMPLETION_INDEX: '1' }, 'expected JOB_COMPLETIONS beside it'],
    ['a rank too high', { RANK: '4', WORLD_SIZE: '4' }, 'RANK: expected a number below WORLD_SIZE (4), found 4'],
    ['no workers', { RANK: '0', WORLD_SIZE: '0' }, 'expected a number below WORLD_SIZE (0), found 0'],
    ['a rank below 0', { RANK: '-1', WORLD_SIZE: '4' }, 'RANK: expected a whole number, found "-1"'],
  ] as const)('refuses %s in one line', (_, env, message) => {
    const error = caught(() => env_shard(env));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toContain(message);
    expect(error.message).not.toContain('\n');
  });

  it('gives way to what was asked for', () => {
    expect(choose_shard('1/2', other)).toEqual({ index: 1, count: 2, from: 'shard' });
    expect(choose_shard(undefined, other)).toEqual({ index: 0, count: 1, from: 'SLURM_PROCID' });
    expect(choose_shard(undefined, {})).toEqual({ index: 0, count: 1, from: 'nothing' });
  });
});

describe('local_rank', () => {
  it('goes by the launcher that is nearest', () => {
    const env = { LOCAL_RANK: '0', SLURM_LOCALID: '1', MPI_LOCALRANKID: '2', OMPI_COMM_WORLD_LOCAL_RANK: '3' };
    expect(local_rank(env)).toEqual({ rank: 3, from: 'OMPI_COMM_WORLD_LOCAL_RANK' });
    expect(local_rank({ ...env, OMPI_COMM_WORLD_LOCAL_RANK: undefined })?.rank).toBe(2);
    expect(local_rank({ LOCAL_RANK: '5' })).toEqual({ rank: 5, from: 'LOCAL_RANK' });
    expect(local_rank({})).toBeUndefined();
    expect(() => local_rank({ LOCAL_RANK: 'first' })).toThrow('LOCAL_RANK: expected a whole number, found "first"');
  });
});

describe('the split of work', () => {
  const key = fc.tuple(fc.string(), fc.string());

  it('gives every key to exactly one worker', () => {
    fc.assert(
      fc.property(key, fc.integer({ min: 1, max: 64 }), ([sample, configuration], count) => {
        const owners = Array.from({ length: count }, (_, index) => in_shard({ index, count }, sample, configuration));
        expect(owners.filter(Boolean)).toHaveLength(1);
      }),
    );
  });

  it('goes by the key alone: never by what else is asked', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1 }), fc.nat(6), (samples, index) => {
        const keys_of = (of: readonly string[]) => {
          const grid = grid_of(of, ['a', 'b']);
          return new Set([...slots_of(grid, { index, count: 7 })].map((slot) => JSON.stringify(grid.key(slot))));
        };
        expect(keys_of(samples.toReversed())).toEqual(keys_of(samples));
        for (const one of keys_of(samples.slice(1))) expect(keys_of(samples)).toContain(one);
      }),
    );
  });

  it('stays what it is: a folder that was begun goes on with any later version', () => {
    const hashes = [
      ['', ''],
      ['question-0', '0123456789abcdef'],
      ['Würfel', 'feed'],
    ].map(([sample, configuration]) => key_hash(sample as string, configuration as string));
    expect(hashes).toEqual([579050429, 975176689, 3703095615]);
  });

  it.each([2, 6, 64])('is even: %i workers of names that are alike', (count) => {
    const parts = new Array<number>(count).fill(0);
    const each = 1000;
    for (let i = 0; i < each * count; i++) bump(parts, key_hash(`question-${i}`, 'feed') % count);
    // Five standard deviations of a fair split.
    for (const part of parts) expect(Math.abs(part - each)).toBeLessThan(5 * Math.sqrt(each));
  });
});

function caught(act: () => unknown): Error {
  try {
    act();
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected an error');
}

function bump(counts: number[], at: number): void {
  counts[at] = (counts[at] ?? 0) + 1;
}
