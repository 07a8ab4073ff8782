/** The only file that knows a terminal. Results go to stdout, everything about the run to stderr. */
import { short_number } from '../experiments/lab/tables.ts';

export { short_number };

const is_tty = process.stderr.isTTY === true;
const coloured = is_tty && !process.env.NO_COLOR;

export const dim = (text: string): string => (coloured ? `\x1b[2m${text}\x1b[22m` : text);
export const bold = (text: string): string => (coloured ? `\x1b[1m${text}\x1b[22m` : text);

// A reader that went away (molmoe ... | head) ends the run as its signal would; any other fault of stdout is one line.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') note(`error: cannot write the output: ${error.message}`);
  process.exit(error.code === 'EPIPE' ? 141 : 1);
});

// What is said about a run is not the run: a reader of stderr that went away, or a full disk, does not end it.
process.stderr.on('error', () => undefined);

/** A character that a terminal obeys instead of showing it; with what follows where that may be our own bold and dim. */
const OBEYED = /(?![\n\t])\p{Cc}(?:\[(?:1|2|22)m)?|\p{Bidi_Control}/gu;

/** Control characters of prompts, names and tokens as text: a terminal would obey them. */
export const visible = (text: string): string =>
  text.replace(OBEYED, (found) => {
    if (found.length > 1 && found.startsWith('\x1b')) return found;
    const code = found.charCodeAt(0).toString(16);
    return `${code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`}${found.slice(1)}`;
  });

const shown_on = (stream: NodeJS.WriteStream, text: string): string => (stream.isTTY ? visible(text) : text);

export const out = (text: string): void => void process.stdout.write(shown_on(process.stdout, text));
export const note = (line: string): void => say(shown_on(process.stderr, `${line}\n`));
export const warn = (line: string): void => note(`warning: ${line}`);

function say(text: string): void {
  try {
    process.stderr.write(text);
  } catch {
    // a file on a full disk throws at once
  }
}

/** Columns to their width; those of numbers below their head to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const columns = (rows[0] ?? []).map((_, i) => rows.map((row) => row[i] ?? ''));
  const widths = columns.map((column) => Math.max(...column.map((text) => text.length)));
  const is_number = (text: string) => text === '' || /^[\d.,+-]+( ?[a-zA-Z%/]+)?$/.test(text);
  const right = columns.map((column) => column.slice(1).every(is_number));
  const cell = (text: string, i: number) => {
    const width = widths[i] as number;
    return right[i] ? text.padStart(width) : text.padEnd(width);
  };
  return rows.map((row) => row.map(cell).join('  ').trimEnd()).join('\n');
}

export const ms = (value: number): string => `${value.toFixed(value < 100 ? 1 : 0)} ms`;
export const seconds = (value_ms: number): string => `${(value_ms / 1000).toFixed(1)} s`;

export interface Progress {
  readonly update: (done: number, total: number) => void;
  readonly end: () => void;
}

export const NO_PROGRESS: Progress = { update: () => undefined, end: () => undefined };

/** Progress of long work: a moving line with what is left on a terminal, a line every few seconds when piped. */
export function progress(what: string): Progress {
  const started = performance.now();
  let shown = started;
  let drawn = false;
  return {
    update(done, total) {
      const now = performance.now();
      if (now - shown < (is_tty ? 100 : 5000) || done >= total) return; // nothing left: nothing to say
      shown = now;
      const share = done / total;
      const left = share > 0 ? `, ${seconds(((now - started) * (1 - share)) / share)} left` : '';
      const line = visible(`${what}: ${(100 * share).toFixed(0)} %${left}`);
      say(is_tty ? `\r\x1b[K${line}` : `${line}\n`);
      drawn = is_tty;
    },
    end() {
      if (drawn) say('\r\x1b[K');
    },
  };
}
