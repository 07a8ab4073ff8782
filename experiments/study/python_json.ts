import { InputError } from '../../engine/errors.ts';

/** A string, or one of the words that Python's json writes for numbers which JSON has not. */
const WORDS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?Infinity|NaN/gs;

/** JSON as Python writes it: NaN and infinities become null. */
export function parse_python_json(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Only such a text is gone through word by word.
  }
  try {
    return JSON.parse(text.replace(WORDS, (word) => (word.startsWith('"') ? word : 'null')));
  } catch {
    const found = text.trim() === '' ? 'an empty file' : 'JSON that is cut off or broken';
    throw new InputError(`${path}: expected results of the study as JSON, found ${found}; restore it`);
  }
}
