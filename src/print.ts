/** The only file that knows a terminal. Results go to stdout, everything about the run to stderr. */

const is_tty = process.stderr.isTTY === true;
const coloured = is_tty && !process.env.NO_COLOR;

export const dim = (text: string): string => (coloured ? `\x1b[2m${text}\x1b[22m` : text);
export const bold = (text: string): string => (coloured ? `\x1b[1m${text}\x1b[22m` : text);

// A reader that went away (molmoe ... | head) ends the run as its signal would; any other fault of stdout is one line.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') process.stderr.write(`error: cannot write the output: ${error.message}\n`);
  process.exit(error.code === 'EPIPE' ? 141 : 1);
});

export const out = (text: string): void => void process.stdout.write(text);
export const note = (line: string): void => void process.stderr.write(`${line}\n`);
export const warn = (line: string): void => note(`warning: ${line}`);

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

/** 1234567890 -> "1.23 G": three digits. */
export function short_number(value: number): string {
  const units = ['', 'k', 'M', 'G', 'T', 'P'];
  let step = 0;
  let x = value;
  while (Math.abs(x) >= 999.5 && step < units.length - 1) {
    x /= 1000;
    step += 1;
  }
  return `${step === 0 ? x : x.toPrecision(3)}${units[step] === '' ? '' : ` ${units[step]}`}`;
}

export const ms = (value: number): string => `${value.toFixed(value < 100 ? 1 : 0)} ms`;
export const seconds = (value_ms: number): string => `${(value_ms / 1000).toFixed(1)} s`;

/** Progress of long work: a moving line with what is left on a terminal, a line every few seconds when piped. */
export function progress(what: string): { update: (done: number, total: number) => void; end: () => void } {
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
      const line = `${what}: ${(100 * share).toFixed(0)} %${left}`;
      process.stderr.write(is_tty ? `\r\x1b[K${line}` : `${line}\n`);
      drawn = is_tty;
    },
    end() {
      if (drawn) process.stderr.write('\r\x1b[K');
    },
  };
}
