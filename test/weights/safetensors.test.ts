import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { open_safetensors, safetensors_header } from '../../engine/weights/safetensors.ts';
import { dtype_bytes, type StoredDtype } from '../../engine/weights/source.ts';
import { parse_strict_json } from '../../engine/weights/strict_json.ts';
import { file_with_header, input_error, memory_reader, safetensors_bytes, type TestTensor } from './memory_folder.ts';

const open = (bytes: Uint8Array) => open_safetensors(memory_reader('file.safetensors', bytes));

const tensors: TestTensor[] = [
  { name: 'a', dtype: 'F32', shape: [2, 3], data: new Uint8Array(24).fill(1) },
  { name: 'b.weight', dtype: 'F16', shape: [5], data: new Uint8Array(10).fill(2) },
  { name: 'c', dtype: 'BF16', shape: [], data: new Uint8Array(2).fill(3) },
];

/** A header text for one or more entries written by hand. */
const entry = (dtype: string, shape: string, begin: number | string, end: number | string) =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

describe('safetensors reader', () => {
  it('reads names, types, shapes, places and metadata', async () => {
    const bytes = safetensors_bytes(tensors, { format: 'pt' });
    const file = await open(bytes);
    expect(Object.fromEntries(file.metadata)).toEqual({ format: 'pt' });
    expect([...file.tensors.keys()]).toEqual(['a', 'b.weight', 'c']);
    for (const { name, dtype, shape, data } of tensors) {
      const found = file.tensors.get(name);
      expect(found).toMatchObject({ name, dtype, shape, bytes: data.length });
      const start = found?.start ?? 0;
      expect(bytes.subarray(start, start + data.length)).toEqual(data);
    }
  });

  it('accepts an empty file, empty tensors and entries in any order', async () => {
    expect((await open(file_with_header('{}', 0))).tensors.size).toBe(0);
    const header = `{"z":${entry('F16', '[2]', 4, 8)},"e":${entry('F32', '[0,7]', 4, 4)},"y":${entry('F32', '[1]', 0, 4)}}  `;
    expect([...(await open(file_with_header(header, 8))).tensors.keys()]).toEqual(['y', 'e', 'z']);
  });

  const a = entry('F32', '[2]', 0, 8);
  const faults: [title: string, bytes: Uint8Array, message: RegExp][] = [
    ['too few bytes', new Uint8Array(9), /found only 9 bytes/],
    ['an LFS pointer', new TextEncoder().encode('version https://git-lfs.github.com/spec/v1'), /Git LFS pointer/],
    [
      'an enormous header length',
      new Uint8Array(64).fill(0xff),
      /header of 2 to 100000000 bytes, found length 18446744073709551615/,
    ],
    [
      'a header longer than the file',
      file_with_header('{}', 0).fill(200, 0, 1),
      /up to byte 208, found a file of 10 bytes: it is truncated/,
    ],
    ['a header that is no JSON', file_with_header('{"a":}', 0), /expected JSON, found "}"/],
    ['a header that is no object', file_with_header('[1]', 0), /begins with "{", found "\["/],
    ['a byte order mark', file_with_header('\ufeff{}', 0), /begins with "{"/],
    ['bytes that are no UTF-8', file_with_header(new Uint8Array([0x7b, 0xff, 0x7d]), 0), /UTF-8/],
    ['a repeated tensor', file_with_header(`{"a":${a},"a":${a}}`, 8), /key "a" for the second time/],
    [
      'a repeated tensor, spelt with an escape',
      file_with_header(`{"a":${a},"\\u0061":${a}}`, 8),
      /"a" for the second time/,
    ],
    ['a repeated field', file_with_header('{"a":{"dtype":"F32","dtype":"F16"}}', 8), /"dtype" for the second time/],
    [
      'another dtype',
      file_with_header(`{"a":${entry('I64', '[1]', 0, 8)}}`, 8),
      /tensor "a": expected dtype F32, F16 or BF16, found "I64"/,
    ],
    [
      'an inherited property as dtype',
      file_with_header(`{"a":${entry('toString', '[1]', 0, 8)}}`, 8),
      /found "toString"/,
    ],
    [
      'too few bytes for a shape',
      file_with_header(`{"a":${entry('F32', '[3]', 0, 8)}}`, 8),
      /expected 12 bytes for F32 \[3\], found 8/,
    ],
    [
      'a shape beyond 2^53',
      file_with_header(`{"a":${entry('F32', '[4294967296,4294967296]', 0, 0)}}`, 0),
      /can be addressed/,
    ],
    [
      'a product that wraps to 0',
      file_with_header(`{"a":${entry('F32', '[9007199254740991,9007199254740991,0]', 0, 0)}}`, 0),
      /can be addressed/,
    ],
    ['a negative size', file_with_header(`{"a":${entry('F32', '[-2]', 0, 8)}}`, 8), /a shape of up to 8 sizes/],
    ['a fraction as size', file_with_header(`{"a":${entry('F32', '[2.5]', 0, 10)}}`, 10), /a shape of up to 8 sizes/],
    [
      'three offsets',
      file_with_header('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8,8]}}', 8),
      /data_offsets \[begin, end\]/,
    ],
    ['backward offsets', file_with_header(`{"a":${entry('F32', '[2]', 8, 0)}}`, 8), /found -8/],
    [
      'an overlap',
      file_with_header(`{"a":${a},"b":${entry('F32', '[2]', 4, 12)}}`, 12),
      /tensor "b" to start at data byte 8, found 4: an overlap/,
    ],
    [
      'a hole',
      file_with_header(`{"a":${a},"b":${entry('F32', '[2]', 12, 20)}}`, 20),
      /tensor "b" to start at data byte 8, found 12: a hole/,
    ],
    ['a first tensor that begins late', file_with_header(`{"a":${entry('F32', '[2]', 4, 12)}}`, 12), /a hole/],
    ['a truncated file', safetensors_bytes(tensors).slice(0, -1), /truncated/],
    [
      'trailing bytes',
      safetensors_bytes([...tensors, { ...(tensors[0] as TestTensor), name: 'd', data: new Uint8Array(25) }]),
      /bytes follow the last tensor/,
    ],
    ['an empty name', file_with_header(`{"":${a}}`, 8), /a name of 1 to 512 printable characters/],
    ['a line break in a name', file_with_header(`{"a\\nb":${a}}`, 8), /tensor "a\\nb": expected a name/],
    ['half a surrogate pair in a name', file_with_header(`{"\\ud800":${a}}`, 8), /expected a name/],
    [
      'a list as an entry',
      file_with_header('{"a":[1]}', 8),
      /an object with dtype, shape and data_offsets, found \[1\]/,
    ],
    [
      'an unknown field',
      file_with_header('{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"scale":2}}', 8),
      /found "scale"/,
    ],
    [
      'a prototype as an entry',
      file_with_header(`{"__proto__":{"dtype":"F32"},"a":${a}}`, 8),
      /tensor "__proto__": expected a shape/,
    ],
    ['metadata that is no object', file_with_header('{"__metadata__":"pt"}', 0), /__metadata__: expected an object/],
    [
      'metadata that is no string',
      file_with_header('{"__metadata__":{"format":1}}', 0),
      /expected a string for "format", found 1/,
    ],
    ['deep nesting', file_with_header('{"a":'.repeat(100_000), 0), /nesting deeper/],
    ['deep nesting of lists', file_with_header(`{"a":${'['.repeat(1_000_000)}`, 0), /nesting deeper/],
    ['too many values', file_with_header(`{"a":[${'1,'.repeat(2_000_001)}1]}`, 0), /more than 2000000 values/],
  ];
  it.each(faults)('refuses %s', async (_, bytes, message) => {
    expect(await input_error(open(bytes))).toMatch(message);
  });

  it('treats __proto__ as any other name', async () => {
    const file = await open(file_with_header(`{"__proto__":${a}}`, 8));
    expect(file.tensors.get('__proto__')?.shape).toEqual([2]);
    expect(({} as { shape?: unknown }).shape).toBeUndefined();
  });
});

type Entry = { dtype: string; shape: number[]; data_offsets: number[] };

/** The format's rules once more, as plainly as can be: does the header describe exactly these data bytes? */
function is_valid(entries: [string, Entry][], data_bytes: number): boolean {
  const cover = new Uint8Array(data_bytes);
  for (const [, { dtype, shape, data_offsets }] of entries) {
    const size = dtype_bytes[dtype as StoredDtype];
    const [begin, end] = data_offsets;
    if (size === undefined || begin === undefined || end === undefined || data_offsets.length !== 2) return false;
    if ([...shape, begin, end].some((n) => !Number.isInteger(n) || n < 0)) return false;
    if (end > data_bytes || end - begin !== shape.reduce((n, dim) => n * dim, size)) return false;
    for (let i = begin; i < end; i++) cover[i] = (cover[i] as number) + 1;
    if (begin === end && cover.length > 0 && entries.some(([, e]) => inside(begin, e.data_offsets))) return false;
  }
  return cover.every((n) => n === 1);
}
/** An empty tensor may lie between tensors, not within one. */
const inside = (at: number, [begin = 0, end = 0]: number[]) => at > begin && at < end;

describe('safetensors reader under hostile headers', () => {
  const small = fc.integer({ min: 0, max: 4 });
  const offset = fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 0, max: 24 }).map((n) => 2 * n) }, fc.integer());

  it('accepts exactly the headers that cover the data once', async () => {
    let accepted = 0;
    // Mostly sound layouts, each with at most a few numbers changed.
    const layout = fc
      .array(fc.tuple(fc.constantFrom('F32', 'F16', 'BF16'), fc.array(small, { maxLength: 2 })), { maxLength: 4 })
      .map((list) => {
        let begin = 0;
        return list.map(([dtype, shape], i): [string, Entry] => {
          const end = begin + shape.reduce((n, dim) => n * dim, dtype_bytes[dtype as StoredDtype]);
          const made: Entry = { dtype, shape, data_offsets: [begin, end] };
          begin = end;
          return [`t${i}`, made];
        });
      });
    const change = fc.record({
      which: fc.nat(3),
      what: fc.constantFrom('none', 'dtype', 'dim', 'begin', 'end', 'length'),
      value: offset,
    });
    await fc.assert(
      fc.asyncProperty(layout, fc.array(change, { maxLength: 2 }), fc.boolean(), async (entries, changes, reversed) => {
        let data_bytes = entries.at(-1)?.[1].data_offsets[1] ?? 0;
        for (const { which, what, value } of changes) {
          const target = entries[which]?.[1];
          if (what === 'length') data_bytes = Math.abs(value) % 100;
          else if (target && what === 'dtype') target.dtype = value % 2 ? 'F64' : 'F16';
          else if (target && what === 'dim') target.shape[0] = value;
          else if (target && what === 'begin') target.data_offsets[0] = value;
          else if (target && what === 'end') target.data_offsets[1] = value;
        }
        const listed = reversed ? entries.toReversed() : entries;
        const bytes = file_with_header(JSON.stringify(Object.fromEntries(listed)), data_bytes);
        if (is_valid(entries, data_bytes)) {
          accepted++;
          const file = await open(bytes);
          for (const [name, { dtype, shape, data_offsets }] of entries) {
            const start = bytes.length - data_bytes + (data_offsets[0] ?? 0);
            expect(file.tensors.get(name)).toMatchObject({ dtype, shape, start });
          }
        } else {
          await input_error(open(bytes));
        }
      }),
      { numRuns: 6000 },
    );
    expect(accepted).toBeGreaterThan(1000);
  });

  it('survives changed bytes: an InputError, or what JSON.parse sees too', async () => {
    const base = safetensors_bytes(tensors, { format: 'pt' });
    const edit = fc.record({
      at: fc.nat(base.length - 1),
      remove: fc.nat(3),
      insert: fc.oneof(
        fc.uint8Array({ maxLength: 3 }),
        fc.constantFrom('"', '{', '}', '[', ']', ',', ':', '0', '9', '-', '1e9', '\\u0061').map((s) => Buffer.from(s)),
      ),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), fc.boolean(), async (edits, fix_length) => {
        let bytes = Buffer.from(base);
        const grown = { header: 0 };
        for (const { at, remove, insert } of edits) {
          const before = bytes.length;
          const place = Math.min(at, bytes.length);
          bytes = Buffer.concat([bytes.subarray(0, place), insert, bytes.subarray(place + remove)]);
          if (place >= 8) grown.header += bytes.length - before;
        }
        // Without this most edits would only shift the header's end.
        const length = Number(new DataView(base.buffer).getBigUint64(0, true)) + grown.header;
        if (fix_length && bytes.length > 16) bytes.writeBigUInt64LE(BigInt(Math.max(0, length)), 0);
        let file: Awaited<ReturnType<typeof open>>;
        try {
          file = await open(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          expect((error as Error).message).not.toMatch(/[\n\r]/);
          return;
        }
        const header_bytes = Number(bytes.readBigUInt64LE(0));
        const { __metadata__: _, ...json } = JSON.parse(bytes.toString('utf8', 8, 8 + header_bytes));
        expect(file.tensors.size).toBe(Object.keys(json).length);
        expect(is_valid(Object.entries(json) as [string, Entry][], bytes.length - 8 - header_bytes)).toBe(true);
        for (const [name, tensor] of Object.entries(json))
          expect(file.tensors.get(name)).toMatchObject({ dtype: (tensor as Entry).dtype });
      }),
      { numRuns: 6000 },
    );
  });
});

describe('strict JSON', () => {
  const to_plain = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(to_plain);
    return value instanceof Map ? Object.fromEntries([...value].map(([k, v]) => [k, to_plain(v)])) : value;
  };

  it('agrees with JSON.parse on valid JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom(undefined, 1, '\t'), (value, space) => {
        const text = JSON.stringify(value, null, space);
        expect(to_plain(parse_strict_json(text, 'x'))).toEqual(JSON.parse(text));
      }),
      { numRuns: 1000 },
    );
  });

  it('accepts nothing that JSON.parse refuses', () => {
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"a"',
      '"',
      '1',
      '-',
      '01',
      '1.',
      '.5',
      '1e',
      'true',
      'nul',
      'null',
      '\\',
      ' ',
      '\u00a0',
      '\n',
      '"\t"',
      '+1',
      'NaN',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = pieces.join('');
        let mine: unknown;
        try {
          mine = to_plain(parse_strict_json(text, 'x'));
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
          return;
        }
        expect(mine).toEqual(JSON.parse(text));
      }),
      { numRuns: 10_000 },
    );
  });
});

describe('safetensors header writer', () => {
  it('aligns the data to 8 bytes and is read back as written', async () => {
    const dims = fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 });
    const tensor = fc.record({
      name: fc.stringMatching(/^[a-z_.]{1,12}$/),
      dtype: fc.constantFrom<StoredDtype>('F32', 'F16', 'BF16'),
      shape: dims,
    });
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(tensor, { selector: (t) => t.name, maxLength: 6 }), async (list) => {
        const made = list.map((t) => {
          const data = new Uint8Array(t.shape.reduce((n, dim) => n * dim, dtype_bytes[t.dtype]));
          return { ...t, data };
        });
        const header = safetensors_header(made, { note: 'é' });
        expect(header.length % 8).toBe(0);
        const file = await open(safetensors_bytes(made, { note: 'é' }));
        expect([...file.tensors.values()].map((t) => t.name).sort()).toEqual(made.map((t) => t.name).sort());
        let start = header.length;
        for (const { name, dtype, shape, data } of made) {
          expect(file.tensors.get(name)).toEqual({ name, dtype, shape, bytes: data.length, start });
          start += data.length;
        }
      }),
      { numRuns: 300 },
    );
  });

  it('refuses a repeated name', () => {
    expect(() => safetensors_header([tensors[0] as TestTensor, tensors[0] as TestTensor])).toThrow(InputError);
  });

  it('is understood by an independent parser, which knows no __metadata__', () => {
    type Parser = new (
      bytes: Uint8Array,
    ) => {
      metadata: Map<string, { dtype: string; shape: number[] }>;
      getTensor(name: string): Uint8Array;
    };
    const { SafeTensor } = createRequire(import.meta.url)('safetensors') as { SafeTensor: Parser };
    const parsed = new SafeTensor(safetensors_bytes(tensors));
    for (const { name, dtype, shape, data } of tensors) {
      expect(parsed.metadata.get(name)).toMatchObject({ dtype, shape });
      expect(parsed.getTensor(name)).toEqual(data);
    }
    expect(() => new SafeTensor(safetensors_bytes(tensors, { format: 'pt' }))).toThrow(TypeError);
  });
});
