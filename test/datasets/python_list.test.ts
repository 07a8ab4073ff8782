import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { python_list } from '../../experiments/datasets/python_list.ts';

/** As repr() writes a text: double quotes only where that spares an escape. */
function repr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('\n', '\\n')
    .replaceAll('\t', '\\t')
    .replaceAll('\r', '\\r')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: repr() writes these so.
    .replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return quote + escaped.replaceAll(quote, `\\${quote}`) + quote;
}

describe('lists as Python prints them', () => {
  it('come back as they were', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (list) => {
        expect(python_list(`[${list.map(repr).join(', ')}]`)).toEqual(list);
      }),
    );
  });

  it.each([
    ['[]', []],
    [' [ "a" , \'b\', ] ', ['a', 'b']],
    ["['\\u00e9', '\\U0001F600', '\\x41']", ['é', '😀', 'A']],
    ["['$\\\\frac{1}{2}$', '\\sum']", ['$\\frac{1}{2}$', '\\sum']],
    ['["JSON\\n", "too"]', ['JSON\n', 'too']],
  ])('%s', (text, list) => expect(python_list(text)).toEqual(list));

  it.each(['', '[', "['a'", "['a' 'b']", "['a'] x", '[1, 2]', 'a, b', "['\\U00110000']", "['a]"])(
    '%s is none',
    (text) => expect(python_list(text)).toBeUndefined(),
  );
});
