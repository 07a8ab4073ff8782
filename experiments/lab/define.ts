import { z } from 'zod';
import type { Figure } from './charts.ts';
import type { Swept } from './inputs.ts';
import type { Instrument } from './instruments.ts';
import type { Cell, Subject } from './plan.ts';
import {
  type Configuration,
  type Finding,
  head_shape,
  type Protocol,
  type Run,
  type Settings,
  type Skipped,
} from './schema.ts';
import type { Table } from './tables.ts';

/** In the order in which all of them are run. */
export const GROUPS = ['motivation', 'profiling', 'core', 'accuracy'] as const;
export type Group = (typeof GROUPS)[number];

export type Shape = Readonly<Record<string, z.ZodType>>;
export type Values<S extends Shape> = { [K in keyof S]: z.infer<S[K]> };
/** What the lab writes before the body of every published file. */
export type FileHead = Values<typeof head_shape> & { schema: string; experiment: string };

/** What a results folder holds, as an experiment sees it: cells in the order of its axes. */
export interface Saved {
  readonly run: Run;
  readonly configurations: readonly Configuration[];
  readonly skipped: readonly Skipped[];
  /** Of the definition, as the last command chose them; older results do not know them. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** What it read of others, by option. */
  readonly inputs?: Readonly<Record<string, FileHead>>;
  /** What `others` read. */
  readonly others?: unknown;
  /** Samples that could not be measured, and why. */
  readonly failed?: readonly Skipped[];
}

/** Of an experiment on a data set: samples that it measures unless --num-samples says otherwise. */
export interface OnDataset {
  /** As the study does, of a set of files; of the built-in one; with --quick. */
  readonly samples: number;
  readonly built_in: number;
  readonly quick: number;
}

/** A published file of another experiment that one reads. */
export interface Source<S extends Shape = Shape> {
  /** Whose results it is of: that is where it is looked for. */
  readonly group: Group;
  readonly experiment: string;
  /** Without its ending. */
  readonly file: string;
  /** As the file says it in `schema`. */
  readonly schema: string;
  /** What is read of its body. */
  readonly shape: S;
  /** The study's own name of the flag. */
  readonly alias: string;
}

/**
 * What numbers of a slice's cells rest on. `each`: times of the whole where a cell has them. `one`: cells are held against each
 * other, so that where one has none all count as measured. `measured`: always as measured. `beside`: as measured, and what
 * that means for the whole is kept for comparison.
 */
export type Basis = 'each' | 'one' | 'measured' | 'beside';

/** Files of which there is one for each cell: they have one schema, and names by the cell. */
export interface Each {
  /** Of the schema. */
  readonly name: string;
  readonly shape: Shape;
  /** Name, without its ending, and body. */
  readonly of: (one: Configuration, saved: Saved) => { readonly name: string; readonly body: object };
}

/** How often each cell runs where the command line does not say. */
export type Repeats = Pick<Protocol, 'runs' | 'warmup' | 'instrumented'>;

/** An experiment is a value: what it asks, which cells, which files, which pictures. The lab does the rest. */
export interface Definition<O extends Shape, F extends Readonly<Record<string, Shape>>> {
  readonly name: string;
  /** Names under which others published it. */
  readonly aliases?: readonly string[];
  readonly group: Group;
  readonly title: string;
  readonly question: string;
  /** Its axes and switches. From a described zod type come the flag, its help, its type and its check. */
  readonly options: O;
  /** What its cells set themselves, so that the command line does not offer it. */
  readonly sweeps: readonly Swept[];
  readonly instrument: Instrument;
  /** Published files that it reads, by the option that names each; it then runs nothing. */
  readonly reads?: Readonly<Record<string, Source>>;
  /** Results of other runs that its cells are held against: read before anything is opened, and kept with its own. */
  readonly others?: (options: Values<O>) => Promise<unknown>;
  readonly basis?: Basis;
  /** Its cells are of samples of a data set, which --dataset chooses. */
  readonly dataset?: OnDataset;
  /** Warm-up and stamped runs are made once for each shape of request instead of for each cell. */
  readonly once_for?: 'shape';
  readonly repeats?: Partial<Repeats>;
  /** What --quick asks: enough to see that all works, not to publish. */
  readonly quick?: { readonly options?: Partial<Values<O>>; readonly repeats?: Partial<Repeats> };
  /** Words of an axis in their order; numbers have their own. */
  readonly order?: Readonly<Record<string, readonly string[]>>;
  /** Refuses options that do not go together, before anything is opened. `given`: those that the user named. */
  readonly check?: (options: Values<O>, given: ReadonlySet<string>) => void;
  readonly cells: (on: Subject, options: Values<O>) => readonly (Cell | Skipped)[];
  /** Of answers: how many samples are timed alone as well, where the command line does not say; none where absent. */
  readonly timed?: number;
  /** Without timed samples there is nothing to publish. */
  readonly needs_times?: true;
  /** The round of configurations that timing begins with: only what is timed together is held against each other. */
  readonly timed_from?: number;
  /** Of answers: what is answered next, by the answers to everything before; nothing ends it. */
  readonly next?: (saved: Saved, options: Values<O>) => readonly Pick<Cell, 'settings' | 'knobs'>[];
  /** File name, without its ending, to the shape of its body. */
  readonly files: F;
  /** A file of its own for each cell, besides. */
  readonly each?: Each;
  /** By file: another name for its schema, where another experiment publishes a file that is called the same. */
  readonly schema_names?: { readonly [K in keyof F]?: string };
  readonly derive: (saved: Saved, options: Values<O>) => { readonly [K in keyof F]: Values<F[K]> };
  readonly figures: (files: Files<F>) => Figure[];
  readonly tables: (files: Files<F>) => Table[];
  readonly findings: (files: Files<F>) => readonly Finding[];
}

export type Files<F extends Readonly<Record<string, Shape>>> = {
  readonly [K in keyof F]: FileHead & Values<F[K]>;
};

export interface Plan {
  readonly cells: readonly Cell[];
  readonly skipped: readonly Skipped[];
}

/** What a reader gets of a file or several, besides the files. */
export interface Shown {
  readonly figures: readonly Figure[];
  readonly tables: readonly Table[];
  readonly findings: readonly Finding[];
}

export interface Derived extends Shown {
  /** By file name, without its ending; each keeps to its schema. */
  readonly files: Readonly<Record<string, unknown>>;
}

/** A definition without its type parameters: what the registry, the command line and the pages work with. */
export interface Experiment
  extends Pick<
    Definition<Shape, Record<string, Shape>>,
    | 'name'
    | 'group'
    | 'title'
    | 'question'
    | 'options'
    | 'sweeps'
    | 'instrument'
    | 'dataset'
    | 'once_for'
    | 'needs_times'
  > {
  readonly aliases: readonly string[];
  readonly basis: Basis;
  readonly reads: Readonly<Record<string, Source>>;
  readonly others: (options: Readonly<Record<string, unknown>>) => Promise<unknown>;
  readonly check: (options: Readonly<Record<string, unknown>>, given: ReadonlySet<string>) => void;
  readonly repeats: Repeats;
  readonly quick: { readonly options: Readonly<Record<string, unknown>>; readonly repeats: Repeats };
  /** By file name, without its ending; heads included. */
  readonly schemas: Readonly<Record<string, z.ZodType>>;
  /** By file name too: what its schema is called, in results/schema as well. */
  readonly schema_names: Readonly<Record<string, string>>;
  /** Of files of single cells. */
  readonly each?: {
    readonly name: string;
    readonly schema: z.ZodType;
    /** By file name, without its ending. */
    readonly files: (saved: Saved) => Readonly<Record<string, unknown>>;
  };
  readonly timed: number;
  readonly timed_from: number;
  readonly next?: (
    saved: Saved,
    options: Readonly<Record<string, unknown>>,
  ) => readonly Pick<Cell, 'settings' | 'knobs'>[];
  /** Options as `options` checked them. Sorted by the axes; a cell that cannot be is among the skipped. */
  readonly plan: (on: Subject, options: Readonly<Record<string, unknown>>) => Plan;
  readonly sorted: <T extends { readonly settings: Settings }>(cells: readonly T[]) => T[];
  readonly derive: (saved: Saved) => Derived;
  /** From published files alone. */
  readonly draw: (files: Readonly<Record<string, unknown>>) => Shown;
}

const REPEATS: Repeats = { runs: 10, warmup: 3, instrumented: 1 };
const QUICK: Repeats = { runs: 2, warmup: 1, instrumented: 1 };

/** e1_flops_vs_latency -> molmoe.e1.flops_vs_latency/2. The number rises when a reader of the old one would misread the new one. */
const schema_id = (name: string): string => `molmoe.${name.replace('_', '.')}/2`;

export function define<O extends Shape, F extends Readonly<Record<string, Shape>>>(
  definition: Definition<O, F>,
): Experiment {
  const { name, files, order = {} } = definition;
  const schema_names = Object.fromEntries(
    Object.keys(files).map((file) => [file, definition.schema_names?.[file] ?? file]),
  );
  const id_of = (file: string): string => schema_id(schema_names[file] as string);
  const whole = (id: string, body: Shape) =>
    z.strictObject({ schema: z.literal(id), experiment: z.literal(name), ...head_shape, ...body });
  const schemas = Object.fromEntries(Object.entries(files).map(([file, body]) => [file, whole(id_of(file), body)]));
  const { each, next } = definition;
  const shown = (all: Readonly<Record<string, unknown>>): Shown => {
    const typed = all as Files<F>;
    return {
      figures: definition.figures(typed),
      tables: definition.tables(typed),
      findings: definition.findings(typed),
    };
  };
  const sorted = <T extends { readonly settings: Settings }>(cells: readonly T[]) => in_grid_order(cells, order);
  return {
    ...definition,
    options: definition.options,
    // Pictures and questions of answers are the data set's.
    sweeps: definition.instrument.name === 'answers' ? [...definition.sweeps, 'image', 'prompt'] : definition.sweeps,
    aliases: definition.aliases ?? [],
    basis: definition.basis ?? 'each',
    reads: definition.reads ?? {},
    others: async (options) => definition.others?.(options as Values<O>),
    repeats: { ...REPEATS, ...definition.repeats },
    quick: {
      options: definition.quick?.options ?? {},
      repeats: { ...QUICK, ...definition.quick?.repeats },
    },
    schemas,
    schema_names,
    timed: definition.timed ?? 0,
    timed_from: definition.timed_from ?? 1,
    each: each && {
      name: each.name,
      schema: whole(schema_id(each.name), each.shape),
      files: (saved) =>
        Object.fromEntries(
          saved.configurations.map((one) => {
            const { name: file, body } = each.of(one, saved);
            return [file, { schema: schema_id(each.name), experiment: name, ...head_of(saved), ...body }];
          }),
        ),
    },
    next: next && ((saved, options) => next(saved, options as Values<O>)),
    check: (options, given) => definition.check?.(options as Values<O>, given),
    sorted,
    plan: (on, options) => {
      const all = definition.cells(on, options as Values<O>);
      const cells = all.flatMap((one) => ('reason' in one ? [] : [one]));
      return { cells: sorted(cells), skipped: all.flatMap((one) => ('reason' in one ? [one] : [])) };
    },
    derive: (saved) => {
      const bodies = definition.derive(saved, chosen(definition.options, saved.options ?? {}) as Values<O>);
      const all = Object.fromEntries(
        Object.entries(bodies).map(([file, body]) => {
          const value = { schema: id_of(file), experiment: name, ...head_of(saved), ...(body as object) };
          return [file, value];
        }),
      );
      return { files: all, ...shown(all) };
    },
    draw: shown,
  };
}

/** Saved options as their types have them; by default where the folder does not know. */
const chosen = (types: Shape, saved: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(types).map(([key, type]) => [
      key,
      type.safeParse(saved[key]).data ?? type.safeParse(undefined).data,
    ]),
  );

function head_of({ run, configurations, inputs = {} }: Saved): Values<typeof head_shape> {
  const { provenance, protocol, knobs } = run.fingerprint;
  const parts = [...configurations, ...Object.values(inputs)];
  const ended = parts.reduce((last, { ended: at }) => (at > last ? at : last), run.started);
  return { provenance, protocol, knobs, ceilings: run.ceilings, started: run.started, ended };
}

/** By the first axis, then the second: numbers by size, words as `order` has them, whatever was measured first. */
function in_grid_order<T extends { readonly settings: Settings }>(
  cells: readonly T[],
  order: Readonly<Record<string, readonly string[]>>,
): T[] {
  const axes = [...new Set(cells.flatMap(({ settings }) => Object.keys(settings)))];
  const place = (axis: string, value: Settings[string] | undefined): number =>
    typeof value === 'number' ? value : typeof value === 'string' ? (order[axis]?.indexOf(value) ?? 0) : -1;
  return cells.toSorted((a, b) => {
    for (const axis of axes) {
      const by = place(axis, a.settings[axis]) - place(axis, b.settings[axis]);
      if (by !== 0) return by;
    }
    return 0;
  });
}
