import { UsageError } from '../../../engine/errors.ts';
import { shown } from '../../../engine/weights/text.ts';
import { type Env, env_shard } from './worker_env.ts';

/** A worker's part of the work: of `count` parts the one numbered `index`, from 0. */
export interface Shard {
  readonly index: number;
  readonly count: number;
}

/** More workers than any cluster starts for one run. */
export const MOST_SHARDS = 1_000_000;

/** "2/6": the third of six. */
export function parse_shard(text: string): Shard {
  const [, i = '', n = ''] = /^(\d{1,7})\/(\d{1,7})$/.exec(text) ?? [];
  const [index, count] = [Number(i), Number(n)];
  if (n === '' || count < 1 || count > MOST_SHARDS || index >= count) {
    throw new UsageError(`shard: expected i/n with i from 0 to n - 1, as 0/6 to 5/6; found ${shown(text)}`);
  }
  return { index, count };
}

/** What was asked for, else what the launcher of this process says, else all of the work; and who said so. */
export function choose_shard(asked: string | undefined, env: Env): Shard & { readonly from: string } {
  if (asked !== undefined) return { ...parse_shard(asked), from: 'shard' };
  return env_shard(env) ?? { index: 0, count: 1, from: 'nothing' };
}

/**
 * Whether a key is this worker's. It goes by the key alone, never by its place in a list: whatever was answered
 * before, and in whichever order, every worker sees the same split.
 */
export const in_shard = ({ index, count }: Shard, sample: string, configuration: string): boolean =>
  key_hash(sample, configuration) % count === index;

/** FNV-1a over the key's UTF-16 units, mixed at the end: its lowest bits alone would split similar names badly. */
export function key_hash(sample: string, configuration: string): number {
  let hash = 0x811c9dc5;
  const key = `${configuration}\n${sample}`;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
