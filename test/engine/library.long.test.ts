import { readdirSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { LoadOptions } from '../../engine/node/load.ts';
import { Molmoe } from '../../engine/node/load.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const count = (what: 'task' | 'fd'): number => readdirSync(`/proc/self/${what}`).length;

describe('Molmoe.load', () => {
  it.runIf(process.platform === 'linux')('20 loads leave no more threads and files than the first', async () => {
    const load_once = async (options: LoadOptions) => {
      const molmoe = await Molmoe.load({ model: 'molmoe-tiny', ...options });
      const { tokens } = await molmoe.generate({ prompt: 'x', maxNewTokens: 2, ignoreEos: true }).result;
      molmoe.close();
      return tokens.length;
    };
    const settled = async () => {
      await wait(100); // a closed device's threads end a moment later, when its last object is collected
      collect();
      await wait(100);
      return { threads: count('task'), files: count('fd') };
    };
    await load_once({});
    const first = await settled();
    for (let i = 0; i < 19; i++) expect(await load_once({})).toBe(2);
    for (let i = 0; i < 5; i++) await expect(load_once({ adapter: 'no such adapter' })).rejects.toThrow(/^adapter: /);
    const last = await settled();
    expect(last.threads).toBeLessThan(first.threads + 5); // one load more used to be seven
    expect(last.files).toBeLessThan(first.files + 5);
  });

  const refused: [string, object, RegExp][] = [
    ['another spelling', { tokeniser: 'x' }, /^tokeniser: no option of a load; did you mean tokenizer\?/],
    ['an option of a request', { maxNewTokens: 3 }, /^maxNewTokens: no option of a load; there are model, dtype/],
    ['a format that is none', { dtype: 'int3' }, /^dtype: expected one of f32, .*found "int3"/],
    ['a variant that is none', { variant: 'fast' }, /^variant: expected auto, simple, .*found "fast"/],
    [
      'a feature that is none',
      { without: ['luck'] },
      /^without: expected a list of some of timestamp-query, .*\["luck"\]/,
    ],
    ['a seed that is none', { seed: -1 }, /^seed: expected a whole number/],
    ['a number for an adapter', { adapter: 0 }, /^adapter: expected a text, found 0/],
    [
      'a folder that is not there',
      { model: './nowhere' },
      /^model: expected a checkpoint folder or one of molmoe-1b.*"\.\/nowhere"/,
    ],
    ['no object', 'molmoe-tiny' as never, /^a load: expected an object of options, found "molmoe-tiny"/],
  ];
  for (const [what, options, message] of refused) {
    it(`refuses ${what} by name`, async () => {
      const bad = typeof options === 'string' ? options : { model: 'molmoe-tiny', ...options };
      await expect(Molmoe.load(bad as LoadOptions)).rejects.toThrow(message);
      await expect(Molmoe.load(bad as LoadOptions)).rejects.toMatchObject({ name: 'UsageError' });
    });
  }

  it('lets the request be checked before a device is opened', async () => {
    const on_model = ({ config }: { readonly config: { readonly n_layers: number } }): void => {
      throw new Error(`a model of ${config.n_layers} blocks`);
    };
    // An adapter that cannot be found is not looked for.
    const load = Molmoe.load({ model: 'molmoe-tiny', adapter: 'no such adapter', on_model });
    await expect(load).rejects.toThrow('a model of 4 blocks');
  });
});
