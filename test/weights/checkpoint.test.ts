import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { open_checkpoint } from '../../engine/weights/checkpoint.ts';
import { safetensors_header } from '../../engine/weights/safetensors.ts';
import type { TensorSpec } from '../../engine/weights/source.ts';
import { input_error, memory_folder, memory_reader, safetensors_bytes, type TestTensor } from './memory_folder.ts';

const specs: TensorSpec[] = ['a', 'b', 'c', 'd'].map((name, i) => ({ name, shape: [i + 1, 2], role: 'linear' }));
const tensors: TestTensor[] = specs.map(({ name, shape }, i) => ({
  name,
  dtype: 'F16',
  shape: [...shape],
  data: new Uint8Array((i + 1) * 4).fill(i + 1),
}));
const [a, b, c, d] = tensors as [TestTensor, TestTensor, TestTensor, TestTensor];

const index_file = 'model.safetensors.index.json';
const one = 'model-00001-of-00002.safetensors';
const two = 'model-00002-of-00002.safetensors';
const index_of = (weight_map: Record<string, unknown>) => new TextEncoder().encode(JSON.stringify({ weight_map }));
const good_map = { a: one, b: one, c: two, d: two };
const sharded = (weight_map: Record<string, unknown>, first = [a, b], second = [c, d]) =>
  memory_folder({
    [index_file]: index_of(weight_map),
    [one]: safetensors_bytes(first),
    [two]: safetensors_bytes(second),
  });

async function expect_values(folder: ReturnType<typeof memory_folder>) {
  const source = await open_checkpoint(folder, specs);
  for (const { name, data } of tensors) {
    const part = new Uint8Array(data.length - 1);
    await source.read(name, 1, part);
    expect(part).toEqual(data.subarray(1));
  }
  await source.close();
  expect(folder.open_count()).toBe(0);
}

describe('checkpoint folder', () => {
  it('opens a single file and reads ranges of a tensor', () =>
    expect_values(memory_folder({ 'model.safetensors': safetensors_bytes([d, b, a, c], { format: 'pt' }) })));

  it('opens shards', () => expect_values(sharded(good_map)));

  it('refuses a range outside a tensor, and a name it does not have', async () => {
    const source = await open_checkpoint(sharded(good_map), specs);
    for (const [offset, length] of [
      [0, 5],
      [4, 1],
      [-1, 1],
      [0.5, 1],
      [Number.NaN, 1],
    ] as const) {
      expect(await input_error(source.read('a', offset, new Uint8Array(length)))).toMatch(
        /range within the 4 bytes of a/,
      );
    }
    expect(await input_error(source.read('x', 0, new Uint8Array(1)))).toMatch(/found "x"/);
  });

  it('lists all differences at once', async () => {
    const folder = memory_folder({
      'model.safetensors': safetensors_bytes([
        { ...a, shape: [2, 1] },
        b,
        { ...d, name: 'y\u2028' },
        { ...c, name: 'x' },
      ]),
    });
    expect(await input_error(open_checkpoint(folder, specs))).toBe(
      'memory: expected the 4 tensors of config.json, found 2 missing: c, d; 2 unexpected: "y\\u{2028}", "x"; ' +
        '1 misshapen: a expected [1,2] found [2,1]; is this checkpoint of the same model as its config.json?',
    );
    expect(folder.open_count()).toBe(0);
  });

  it('caps long lists', async () => {
    const folder = memory_folder({ 'model.safetensors': safetensors_bytes([a]) });
    const message = await input_error(open_checkpoint(folder, tensor_specs(preset_config('molmoe-1b'))));
    expect(message).toMatch(/3573 missing: model\.transformer\.wte\.embedding, ([^,]+, ){4}\.\.\.; 1 unexpected: "a"/);
  });

  it('says when a checkpoint has the native training layout', async () => {
    const native = ['transformer.blocks.0.ffn.experts.mlp.w1', 'transformer.ff_out.weight'];
    const file = safetensors_bytes(native.map((name) => ({ ...a, name })));
    expect(await input_error(open_checkpoint(memory_folder({ 'model.safetensors': file }), specs))).toMatch(
      /native training layout \(ffn\.experts\.mlp\.w1\); convert/,
    );
  });

  const faults: [title: string, folder: ReturnType<typeof memory_folder>, message: RegExp][] = [
    ['an empty folder', memory_folder({}), /expected model\.safetensors or .*index\.json, found neither among 0 files/],
    ['PyTorch files', memory_folder({ 'pytorch_model.bin': new Uint8Array(1) }), /convert the PyTorch files/],
    [
      'an index without a map',
      memory_folder({ [index_file]: new TextEncoder().encode('{"metadata":{}}') }),
      /weight_map with tensors, found nothing/,
    ],
    ['an empty map', sharded({}), /weight_map with tensors/],
    [
      'an index that is no JSON',
      memory_folder({ [index_file]: new TextEncoder().encode('<html>') }),
      /expected JSON, found "<"/,
    ],
    [
      'a repeated tensor in the index',
      memory_folder({ [index_file]: new TextEncoder().encode(`{"weight_map":{"a":"${one}","a":"${two}"}}`) }),
      /key "a" for the second time/,
    ],
    [
      'a missing shard',
      memory_folder({ [index_file]: index_of(good_map), [one]: safetensors_bytes([a, b]) }),
      /found 1 missing: model-00002-of-00002\.safetensors; fetch the rest/,
    ],
    [
      'a shard outside the folder',
      sharded({ ...good_map, a: '../x.safetensors' }),
      /file name \*\.safetensors in this folder for "a", found "\.\.\/x/,
    ],
    ['an absolute shard', sharded({ ...good_map, a: '/etc/x.safetensors' }), /in this folder/],
    ['a hidden or option-like shard', sharded({ ...good_map, a: '-x.safetensors' }), /in this folder/],
    ['a shard that is a number', sharded({ ...good_map, a: 1 }), /in this folder for "a", found 1/],
    ['a tensor in the wrong shard', sharded({ ...good_map, a: two }), /1 misplaced: "a" not in model-00002/],
    ['a tensor in no shard', sharded({ ...good_map, e: two }), /1 misplaced: "e" not in/],
    ['a tensor the index leaves out', sharded({ a: one, b: one, c: two }), /1 in a shard but not in the index: "d"/],
    [
      'a tensor in two shards',
      sharded(good_map, [a, b], [c, d, b]),
      /expected each tensor once, found "b" in memory\/model-00001/,
    ],
    [
      'a truncated shard',
      memory_folder({
        [index_file]: index_of(good_map),
        [one]: safetensors_bytes([a, b]),
        [two]: safetensors_bytes([c, d]).slice(0, -2),
      }),
      /model-00002.*truncated/,
    ],
    [
      'too many shards',
      sharded(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`t${i}`, `${i}.safetensors`]))),
      /at most 256 shards, found 300/,
    ],
  ];
  it.each(faults)('refuses %s and closes every file', async (_, folder, message) => {
    expect(await input_error(open_checkpoint(folder, specs))).toMatch(message);
    expect(folder.open_count()).toBe(0);
  });

  it('survives hostile index files: an InputError, or the right values', async () => {
    const text = JSON.stringify({ metadata: { total_size: 40 }, weight_map: good_map });
    const insert = fc.constantFrom(
      '',
      '"',
      '{',
      '}',
      '[',
      ',',
      ':',
      '1',
      '2',
      '/',
      '..',
      'a',
      '\\',
      '__proto__',
      '\n',
      '\ud800',
      one,
      two,
    );
    const edit = fc.record({ at: fc.nat(text.length), remove: fc.nat(4), insert });
    let opened = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
        let mutated = text;
        for (const e of edits) mutated = mutated.slice(0, e.at) + e.insert + mutated.slice(e.at + e.remove);
        const folder = memory_folder({
          [index_file]: new TextEncoder().encode(mutated),
          [one]: safetensors_bytes([a, b]),
          [two]: safetensors_bytes([c, d]),
        });
        try {
          await expect_values(folder);
          opened++;
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          expect((error as Error).message).not.toMatch(/[\n\r]/);
          expect(folder.open_count()).toBe(0);
        }
      }),
      { numRuns: 4000 },
    );
    expect(opened).toBeGreaterThan(100);
  });
});

it('reads a header of the published size in well under a second', async () => {
  const list = tensor_specs(preset_config('molmoe-1b')).map((spec) => ({ ...spec, dtype: 'BF16' as const }));
  const header = safetensors_header(list);
  const data_bytes = 2 * 7_221_875_712;
  const folder = {
    ...memory_folder({ 'model.safetensors': header }),
    open: async () => ({ ...memory_reader('big', header), size: header.length + data_bytes }),
  };
  const started = performance.now();
  const source = await open_checkpoint(folder, list);
  expect(performance.now() - started).toBeLessThan(1000);
  expect(source.tensors.get('lm_head.weight')?.bytes).toBe(2 * 103_022_592);
});
