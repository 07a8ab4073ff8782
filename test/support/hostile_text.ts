import fc from 'fast-check';

/** Pieces that break text code: half a surrogate pair, letters that grow in lower case, odd blanks, names of methods. */
const PIECES = [
  ...['\ud800', '\udc00', 'İ', 'ß', 'Σ', 'ﬁ', 'e\u0301', '\u200b', '\u200d', '\ufeff', '\u0085', '\u001c', '\u2028'],
  ...['١', '𝟙', '²', '½', '😀', '👩‍👧', '\0', '\n', '\t', ' ', '.', ',', "'", '-', '(', '[', '\\', '$', '%'],
  ...['constructor', '__proto__', 'toString', 'the', 'one', 'A', 'b', '10', 'nan', 'inf', 'Answer:', 'is '],
];

export const hostile_text: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.array(fc.constantFrom(...PIECES), { maxLength: 12 }).map((pieces) => pieces.join('')),
);
