const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
};

/** `['a', "it's"]` as Python prints a list of texts; undefined where it is none. JSON's lists of texts are such lists too. */
export function python_list(text: string): string[] | undefined {
  const items: string[] = [];
  let at = 0;
  const space = () => {
    while (/\s/.test(text[at] ?? '')) at += 1;
  };
  const item = (): string | undefined => {
    const quote = text[at];
    if (quote !== "'" && quote !== '"') return undefined;
    let value = '';
    for (at += 1; at < text.length; at++) {
      const char = text[at] as string;
      if (char === quote) {
        at += 1;
        return value;
      }
      if (char !== '\\') {
        value += char;
        continue;
      }
      const code = /^(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8}))/.exec(text.slice(at + 1, at + 10));
      const next = text[at + 1] ?? '';
      if (code) {
        const point = Number.parseInt((code[1] ?? code[2] ?? code[3]) as string, 16);
        if (point > 0x10ffff) return undefined;
        value += String.fromCodePoint(point);
        at += code[0].length;
      } else {
        // An escape that Python does not know stays as it is written: LaTeX in options, such as \sum.
        value += ESCAPES[next] ?? `\\${next}`;
        at += 1;
      }
    }
    return undefined;
  };

  space();
  if (text[at++] !== '[') return undefined;
  for (;;) {
    space();
    if (text[at] === ']') break;
    const value = item();
    if (value === undefined) return undefined;
    items.push(value);
    space();
    if (text[at] === ',') at += 1;
    else if (text[at] !== ']') return undefined;
  }
  return text.slice(at + 1).trim() === '' ? items : undefined;
}
