import { type Configuration, type Sample, sample_schema } from '../schema.ts';
import type { Column, Table } from '../tables.ts';
import { scaled_of } from '../typical.ts';

/** Every timed run as a row, every step of decode as a row: what statistics packages want. */

type Row = (string | number | null)[];

const TIMES = Object.keys(sample_schema.shape).filter(
  (name) => !['T_decode_per_step', 'request'].includes(name),
) as Exclude<keyof Sample, 'T_decode_per_step' | 'request'>[];
const TOKENS = ['num_crops', 'inserted_vision_tokens', 'text_tokens', 'prompt_length', 'num_output_tokens'] as const;

/** A cell's runs as they were measured, and, measured on a slice of a model, what they mean for the whole. */
function sets_of(one: Configuration): { basis: string; samples: readonly Sample[] }[] {
  const scaled = scaled_of(one);
  const measured = { basis: 'measured', samples: one.clean.samples };
  return scaled === null ? [measured] : [measured, { basis: `scaled to ${scaled.model}`, samples: scaled.samples }];
}

const text = (name: string): Column => ({ name, unit: 'text' });
const counted = (name: string): Column => ({ name, unit: 'count' });
const in_ms = (name: string): Column => ({ name, unit: 'ms' });

interface Axes {
  readonly columns: readonly Column[];
  readonly of: (one: Configuration) => Row;
}

/** The key and a column an axis. */
function axes_of(configurations: readonly Configuration[]): Axes {
  const names = [...new Set(configurations.flatMap(({ settings }) => Object.keys(settings)))];
  const is_number = (name: string) => configurations.every(({ settings }) => typeof settings[name] !== 'string');
  return {
    columns: [text('key'), ...names.map((name): Column => ({ name, unit: is_number(name) ? 'number' : 'text' }))],
    of: ({ key, settings }) => [key, ...names.map((name) => settings[name] ?? null)],
  };
}

/** null where nothing was timed. */
export function sample_table(configurations: readonly Configuration[]): Table | null {
  const axes = axes_of(configurations);
  const rows = configurations.flatMap((one) =>
    sets_of(one).flatMap(({ basis, samples }) =>
      samples.map((sample, run): Row => {
        const tokens = one.requests[sample.request ?? 0]?.tokens ?? one.tokens;
        const counts = TOKENS.map((name) => tokens[name]);
        const times = TIMES.map((name) => sample[name]);
        return [...axes.of(one), basis, run, sample.request ?? 0, ...counts, ...times];
      }),
    ),
  );
  if (rows.length === 0) return null;
  return {
    title: 'samples',
    columns: [
      ...axes.columns,
      ...[text('basis'), counted('run'), counted('request')],
      ...[...TOKENS.map(counted), ...TIMES.map(in_ms)],
    ],
    rows,
    note: 'A row a timed run. Host wall times between fences; empty: the request has no such stage.',
  };
}

/** null where nothing was decoded. */
export function step_table(configurations: readonly Configuration[]): Table | null {
  const axes = axes_of(configurations);
  const rows = configurations.flatMap((one) =>
    sets_of(one).flatMap(({ basis, samples }) =>
      samples.flatMap(({ T_decode_per_step }, run) =>
        T_decode_per_step.map((ms, step): Row => [...axes.of(one), basis, run, step, ms]),
      ),
    ),
  );
  if (rows.length === 0) return null;
  return {
    title: 'decode steps',
    columns: [...axes.columns, text('basis'), counted('run'), counted('step'), in_ms('T_decode')],
    rows,
    note: 'A row a decode step of a timed run: step 0 makes the second token.',
  };
}
