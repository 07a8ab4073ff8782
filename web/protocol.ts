import type { Picture } from '../engine/input/pictures.ts';
import type { Tiling } from '../engine/input/tiling.ts';
import type { ImageGeometry } from '../engine/model/geometry.ts';
import type { Knobs } from '../engine/model/knobs.ts';
import type { Figure } from '../experiments/lab/charts.ts';
import type { PageConfiguration, PageData } from '../experiments/lab/report/data.ts';
import type { Ceilings, Finding, StageName } from '../experiments/lab/schema.ts';
import type { Table } from '../experiments/lab/tables.ts';
import type { WeightFormat } from '../kernels/spec.ts';

/** What the page asks of the worker that owns the engine, and what it hears meanwhile. Plain data alone. */

export interface DeviceView {
  readonly name: string;
  readonly software: boolean;
  readonly features: readonly string[];
  readonly subgroup_size: number;
  readonly max_binding_bytes: number;
  readonly max_buffer_bytes: number;
  /** Undefined: the browser does not say. */
  readonly memory_bytes: number | undefined;
  /** `rounded`: the browser rounds stamps, so the host's clock is used; `none`: the adapter has none. */
  readonly stamps: 'exact' | 'rounded' | 'none';
  /** Smallest step seen of the host's clock. */
  readonly clock_step_ms: number;
  readonly isolated: boolean;
  readonly browser: string;
  readonly tuning: string;
}

export interface ModelView {
  readonly name: string;
  readonly weights: string;
  readonly synthetic: boolean;
  readonly dtype: WeightFormat;
  readonly why: string;
  /** One storage after the other, with what each would have taken, where the first did not fit. */
  readonly tried: readonly string[];
  readonly layers: number;
  readonly experts: number;
  readonly top_k: number;
  readonly max_crops: number;
  readonly words: boolean;
  readonly geometry: ImageGeometry;
}

export interface AskRequest {
  readonly prompt: string;
  readonly picture: (Picture & { readonly name: string }) | null;
  readonly knobs: Knobs;
  readonly max_new_tokens: number;
}

export interface StageView {
  readonly stage: StageName;
  readonly wall_ms: number;
  readonly flops: number;
  readonly bytes: number;
  readonly launches: number;
}

export interface AnswerView {
  readonly text: string;
  readonly finish: 'length' | 'eos' | 'stop';
  readonly stages: readonly StageView[];
  readonly preprocess_ms: number;
  readonly total_ms: number;
  readonly first_token_ms: number | undefined;
  readonly tokens: readonly { readonly text: string; readonly ms: number | undefined }[];
  readonly tiling: Tiling | undefined;
  readonly prompt_tokens: number;
  readonly picture_tokens: number;
  readonly peak_bytes: number;
  readonly warnings: readonly string[];
}

/** What the report's sections draw. */
export interface InsideView {
  readonly one: PageConfiguration;
  readonly data: PageData;
}

export interface RoutingView {
  readonly experts: number;
  readonly picture_tokens: number;
  readonly text_tokens: number;
  readonly layers: readonly {
    readonly layer: number;
    readonly picture: readonly number[];
    readonly text: readonly number[];
    readonly decode: readonly number[];
  }[];
}

export interface Side {
  readonly text: string;
  readonly total_ms: readonly number[];
  readonly stages: readonly { readonly stage: StageName; readonly median_ms: number }[];
  readonly flops: number;
}

export interface KnobView {
  readonly plain: Side;
  readonly turned: Side;
  readonly difference_ms: number;
  readonly difference_ci95: readonly [number, number] | null;
  readonly ratio: number;
  readonly ratio_ci95: readonly [number, number] | null;
  readonly significant: boolean;
  readonly pairs: number;
}

export interface ResultsView {
  /** The results as one file. */
  readonly json: string;
  readonly title: string;
  readonly origin: string;
  readonly figures: readonly Figure[];
  readonly tables: readonly Table[];
  readonly findings: readonly Finding[];
  readonly warnings: readonly string[];
  readonly cells: number;
  readonly runs: number;
}

export interface SavedFile {
  readonly name: string;
  readonly text: string;
}

export interface ComparedView {
  readonly table: Table;
  readonly warnings: readonly string[];
}

export interface VerifyView {
  readonly cases: number;
  readonly passed: number;
  /** The difference that came nearest to its limit, or went beyond it. */
  readonly worst: string;
}

export interface VerdictView {
  readonly outcome: Finding['outcome'];
  readonly sentence: string;
  readonly test: string;
  readonly source: string;
  readonly n: number | null;
  readonly notes: readonly string[];
}

export interface E1Choice {
  readonly regime: readonly string[];
  readonly prompt: readonly string[];
  readonly decode: readonly string[];
  readonly runs: number;
}

/** Each call by name: what it takes and what it gives. */
export interface Calls {
  open: (options: { readonly without_stamps: boolean }) => DeviceView;
  load: (model: string, dtype: WeightFormat | undefined) => ModelView;
  decode: (file: Blob, name: string) => Picture;
  ask: (request: AskRequest) => AnswerView;
  /** `floors`: ceilings are measured for them where they are not known yet, which takes a while. */
  inside: (request: AskRequest, floors: boolean) => InsideView;
  routing: (request: AskRequest) => RoutingView;
  knobs: (request: AskRequest, turned: Knobs, pairs: number) => KnobView;
  ceilings: () => Ceilings;
  e1: (choice: E1Choice) => ResultsView;
  e1_files: (format: 'csv' | 'trace') => readonly SavedFile[];
  read: (text: string, name: string) => ResultsView;
  compare: (a: string, b: string) => ComparedView;
  verify: () => VerifyView;
  tour: (step: string) => VerdictView;
}
export type CallName = keyof Calls;

export type Told =
  | { readonly kind: 'bytes'; readonly what: string; readonly done: number; readonly total: number }
  | { readonly kind: 'progress'; readonly what: string; readonly done: number; readonly total: number }
  | { readonly kind: 'stage'; readonly stage: StageName; readonly wall_ms: number | undefined }
  | { readonly kind: 'prepared'; readonly tiling: Tiling | undefined }
  | { readonly kind: 'token'; readonly index: number; readonly text: string; readonly ms: number | undefined };

export interface Asked {
  readonly id: number;
  readonly call: CallName;
  readonly args: readonly unknown[];
}
export interface Stop {
  readonly stop: number;
}

export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string; readonly name: string; readonly ours: boolean }
  | { readonly id: number; readonly told: Told }
  /** The device is gone: nothing can be asked any more. */
  | { readonly lost: string };
