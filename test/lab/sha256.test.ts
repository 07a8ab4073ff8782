import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { Sha256, sha256_hex } from '../../experiments/lab/sha256.ts';

const by_node = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex');

it('gives what others give, at every length around a block and of every kind of text', () => {
  for (let length = 0; length < 200; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 255);
    expect(sha256_hex(bytes)).toBe(by_node(bytes));
  }
  for (const text of ['', 'abc', 'größer als €', '🦊'.repeat(40)]) expect(sha256_hex(text)).toBe(by_node(text));
  const large = new Uint8Array(3_000_001).fill(7);
  expect(sha256_hex(large)).toBe(by_node(large));
});

it('takes what comes in pieces as one', () => {
  const hash = new Sha256();
  for (const piece of ['a'.repeat(63), 'b', '', 'c'.repeat(130)]) hash.update(piece);
  expect(hash.hex()).toBe(by_node(`${'a'.repeat(63)}b${'c'.repeat(130)}`));
});
