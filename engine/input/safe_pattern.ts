/**
 * How a regular expression could spend its time: the ways in which one alternative can match the same text (its repeats
 * and choices multiplied), and how many of its repeats are open-ended.
 */
interface Spread {
  readonly ways: number;
  readonly open: number;
}

const MOST_WAYS = 1000;
const MOST_CHARACTERS = 2000;
const ONE: Spread = { ways: 1, open: 0 };

/**
 * Why a pattern may take time without end, or undefined where its time grows with the square of the text at most. An
 * engine that backtracks tries every way of matching before it gives up: open-ended repeats within or beside each other
 * make those exponential or cubic, so one is allowed in each alternative, and choices only few times over.
 */
export function slow_pattern(source: string): string | undefined {
  if (source.length > MOST_CHARACTERS) return `a pattern of ${source.length} characters`;
  try {
    const reader = { source, at: 0 };
    const whole = alternatives(reader);
    if (reader.at < source.length) return 'a bracket too many';
    return reason(whole);
  } catch (error) {
    if (error instanceof Slow) return error.message;
    throw error;
  }
}

class Slow extends Error {}

interface Reader {
  readonly source: string;
  at: number;
}

function reason({ ways, open }: Spread): string | undefined {
  if (open > 1) return 'more than one open-ended repeat in an alternative';
  return ways > MOST_WAYS ? 'too many choices one after the other' : undefined;
}

/** Up to a closing bracket or the end. */
function alternatives(reader: Reader): Spread {
  const found = [sequence(reader)];
  while (reader.source[reader.at] === '|') {
    reader.at++;
    found.push(sequence(reader));
  }
  return {
    ways: found.reduce((sum, { ways }) => sum + ways, 0),
    open: Math.max(...found.map(({ open }) => open)),
  };
}

function sequence(reader: Reader): Spread {
  let all = ONE;
  while (reader.at < reader.source.length && !'|)'.includes(reader.source[reader.at] as string)) {
    const next = repeated(reader, item(reader));
    all = { ways: all.ways * next.ways, open: all.open + next.open };
    const slow = reason(all);
    if (slow !== undefined) throw new Slow(slow);
  }
  return all;
}

/** One character, class, escape or bracket. */
function item(reader: Reader): Spread {
  const { source } = reader;
  const char = source[reader.at];
  if (char === '(') {
    // (?:  (?=  (?!  (?<=  (?<!  (?<name>  (?i:
    reader.at += /^\((?:\?(?:<?[=!]|<\w+>|[a-z-]*:))?/.exec(source.slice(reader.at))?.[0].length ?? 1;
    const inner = alternatives(reader);
    if (source[reader.at] !== ')') throw new Slow('a bracket that is not closed');
    reader.at++;
    return inner;
  }
  if (char === '[') {
    skip_class(reader);
    return ONE;
  }
  if (char === '\\') {
    const escaped = /^\\(?:[pP]\{[^}]*\}|[ux]\{[^}]*\}|[sSdDwWbBntrfvuxzZA0]|[^A-Za-z0-9])/.exec(
      source.slice(reader.at),
    );
    if (escaped === null) throw new Slow(`the escape ${source.slice(reader.at, reader.at + 2)}`);
    reader.at += escaped[0].length;
    return ONE;
  }
  reader.at++;
  return ONE;
}

/** Dialects differ in what a bracket inside a class means, so none is read past. */
function skip_class(reader: Reader): void {
  const found = /^\[\^?(?!\])(?:\\[\s\S]|[^\\[\]])*\]/.exec(reader.source.slice(reader.at));
  if (found === null) throw new Slow('a class that is not closed, is empty or holds a bracket');
  reader.at += found[0].length;
}

function repeated(reader: Reader, inner: Spread): Spread {
  const found = /^(?:[*+?]|\{(?=[\d,]*\d)(\d*)(,?)(\d*)\})/.exec(reader.source.slice(reader.at));
  if (found === null) return inner;
  reader.at += found[0].length;
  const [text, from, comma, to] = found;
  const braced = text.startsWith('{');
  if (reader.source[reader.at] === '?' || (!braced && reader.source[reader.at] === '+')) reader.at++; // lazy, possessive
  if (/[*+?{]/.test(reader.source[reader.at] ?? '')) throw new Slow('a repeat of a repeat');
  if (text === '?') return { ways: inner.ways + 1, open: inner.open };
  const least = Number(from || 0);
  const most = !braced || (comma !== '' && to === '') ? Number.POSITIVE_INFINITY : Number(to || least);
  if (most > 1 && (inner.ways > 1 || inner.open > 0)) throw new Slow('a repeat of what can match in several ways');
  return most === Number.POSITIVE_INFINITY || most > MOST_WAYS
    ? { ways: inner.ways, open: inner.open + 1 }
    : { ways: inner.ways * (most - least + 1), open: inner.open };
}
