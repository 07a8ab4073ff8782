import type { PartName, StageName } from './schema.ts';

/**
 * Charts as plain data. An experiment makes them, two renderers draw them: one for files, one for pages. Neither is known here,
 * and no chart holds a colour: a look is a name of the style table, or the place of a series in it.
 */
export type Look = StageName | PartName | 'rest' | number;

export interface Axis {
  /** With its unit: "Latency (ms)". */
  readonly label: string;
  readonly scale?: 'linear' | 'log';
  /** Whether a linear axis begins at zero; it does unless told otherwise. */
  readonly from_zero?: boolean;
}

export interface Point {
  readonly x: number;
  readonly y: number;
  /** Ends of the error bar. */
  readonly low?: number;
  readonly high?: number;
  /** Values behind it. */
  readonly n?: number;
  /** Written beside the point. */
  readonly label?: string;
}

export interface Series {
  readonly name: string;
  readonly look: Look;
  readonly points: readonly Point[];
  /** Marks without a fill: a second reading of the same thing. */
  readonly hollow?: boolean;
}

/** y = intercept + slope x over the range of the points, drawn dashed. */
export interface Fit {
  readonly slope: number;
  readonly intercept: number;
  /** Written in the heading of the chart: "12.3 ms a step, R² 0.9987, n = 5". */
  readonly label: string;
  /** Of the series that it fits; black where it is of all. */
  readonly look?: Look;
}

/** A line across the plot at one value. */
export interface Guide {
  readonly axis: 'x' | 'y';
  readonly at: number;
  readonly label: string;
}

interface Head {
  /** Of this panel; a figure of one panel needs none. */
  readonly title?: string;
  /** Small lines under it. */
  readonly notes?: readonly string[];
}

interface Plane extends Head {
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  /** What the series are, above their legend. */
  readonly legend?: string;
  readonly fits?: readonly Fit[];
  readonly guides?: readonly Guide[];
}

/** Points joined in order of x. */
export interface Lines extends Plane {
  readonly kind: 'lines';
  /** A band between the ends of the error bars instead of bars. */
  readonly band?: boolean;
}

export interface Scatter extends Plane {
  readonly kind: 'scatter';
  /** Polylines of a meaning of their own: roofs of a roofline, lines of equal speed. Labelled at their end. */
  readonly roofs?: readonly { readonly label: string; readonly points: readonly (readonly [number, number])[] }[];
  /** On two logarithmic axes of FLOP and ms: diagonals of equal FLOP/s, labelled. */
  readonly speeds?: boolean;
}

export interface Segment {
  readonly look: Look;
  readonly name: string;
  readonly value: number;
  /** Written inside where it fits. */
  readonly note?: string;
}

export interface Bar {
  /** Lines of its label: ["high", "short", "long"]. */
  readonly label: readonly string[];
  readonly segments: readonly Segment[];
  /** At its end; low and high are the ends of the error bar of the whole. Equal to the sum of the segments. */
  readonly total?: { readonly value: number; readonly low?: number; readonly high?: number; readonly label: string };
}

/** Bars of segments, side by side (standing) or one below the other (lying). */
export interface Stack extends Head {
  readonly kind: 'stack';
  readonly bars: readonly Bar[];
  /** What the bars are: "Configuration". */
  readonly categories: string;
  /** What each line of their labels is: ["image", "prompt", "answer"]. */
  readonly lines?: readonly string[];
  /** On a logarithmic one only where a segment ends means anything, not how high it is: say so in a note. */
  readonly value: Axis;
  /** Segments as shares of their bar, in percent; totals stay what they are and are only written. */
  readonly shares?: boolean;
  readonly lying?: boolean;
}

export interface Distribution extends Head {
  readonly kind: 'distribution';
  readonly shape: 'histogram' | 'cdf' | 'box';
  readonly value: Axis;
  readonly groups: readonly { readonly name: string; readonly look: Look; readonly values: readonly number[] }[];
  /** Of a histogram; a rule of thumb chooses where absent. */
  readonly bins?: number;
  readonly guides?: readonly Guide[];
}

export interface Pie extends Head {
  readonly kind: 'pie';
  readonly slices: readonly Segment[];
  /** In the middle: "1,234 ms". */
  readonly total?: string;
}

export interface Pareto extends Head {
  readonly kind: 'pareto';
  readonly x: Axis;
  readonly y: Axis;
  /** Which way is better along each axis. */
  readonly better: { readonly x: 'low' | 'high'; readonly y: 'low' | 'high' };
  readonly series: readonly Series[];
  /** Points that no other beats, in order of x; joined by steps. */
  readonly front: readonly Point[];
}

export interface Heat extends Head {
  readonly kind: 'heat';
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  readonly row_title: string;
  readonly column_title: string;
  /** [row][column]; null where there is nothing. */
  readonly values: readonly (readonly (number | null)[])[];
  /** Of the colour's scale, with its unit. */
  readonly value: string;
  /** One colour from least to most, or two away from `middle`. */
  readonly middle?: number;
  /** Writes each value into its cell, where it fits. */
  readonly written?: boolean;
}

/** What ran when: tracks one below the other, spans along time. */
export interface Strip extends Head {
  readonly kind: 'strip';
  readonly time: Axis;
  readonly tracks: readonly {
    readonly name: string;
    readonly spans: readonly {
      readonly from: number;
      readonly to: number;
      readonly look: Look;
      readonly name: string;
    }[];
  }[];
}

export type Chart = Lines | Scatter | Stack | Distribution | Pie | Pareto | Heat | Strip;

/** One picture: charts side by side under one heading. */
export interface Figure {
  /** File name without its ending. */
  readonly name: string;
  readonly title: string;
  /** What a reader must know to trust the numbers: clock, runs, what error bars are. The lab adds model, weights and adapter. */
  readonly notes: readonly string[];
  readonly panels: readonly Chart[];
  /** Counts alone: what times were scaled to is none of its business. */
  readonly untimed?: true;
  /** Another cut of what a page shows already, under a name that others know: drawn to a file, not to pages. */
  readonly files_only?: true;
  /** In inches; chosen by what is drawn where absent. */
  readonly width_in?: number;
  readonly height_in?: number;
}
