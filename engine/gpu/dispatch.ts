import type { Bytes, Flops, Grid, Kernel, Options, Params } from '../../kernels/spec.ts';
import type { Buffer } from './buffers.ts';
import type { Pipeline } from './pipelines.ts';

export type Stage = 'load' | 'vision_encoder' | 'projector' | 'prefill' | 'decode';
export type Component =
  | 'patch_embed'
  | 'attention'
  | 'mlp'
  | 'pooling'
  | 'norm'
  | 'moe_router'
  | 'moe_experts'
  | 'embed'
  | 'lm_head'
  | 'sample'
  | 'weights';

/** Where in the model a dispatch belongs; every counter is summed by these. */
export interface Tag {
  readonly stage: Stage;
  readonly layer?: number;
  readonly component: Component;
}

/** One recorded kernel launch with its exact cost. */
export interface Dispatch {
  readonly kernel: Kernel;
  readonly pipeline: Pipeline;
  readonly options: Options;
  readonly params: Params;
  readonly buffers: readonly Buffer[];
  readonly tag: Tag;
  readonly flops: Flops;
  readonly bytes: Bytes;
}

/** A dispatch's parameters: in the slab from `at` on. */
export interface Packed {
  readonly slab: Uint8Array;
  readonly at: number;
}

/** Keeps what encoding made of it, should it be recorded again. */
export interface Recorded extends Dispatch {
  group?: GPUBindGroup;
  packed?: Packed;
  grid?: Grid;
}

/** What is recorded between two flushes, in order. */
export type Entry =
  | { readonly kind: 'dispatch'; readonly dispatch: Recorded }
  | {
      readonly kind: 'copy';
      readonly from: Buffer;
      readonly from_offset: number;
      readonly to: Buffer;
      readonly to_offset: number;
      readonly bytes: number;
    }
  | { readonly kind: 'commands'; readonly encode: (encoder: GPUCommandEncoder) => void }
  | { readonly kind: 'write'; readonly to: Buffer; readonly offset: number; readonly data: Uint8Array };

/**
 * How passes are cut and stamped: the timeline's business. Without one, everything between two submits is one pass.
 */
export interface PassPlan {
  readonly starts_new_pass: (previous: Dispatch, next: Dispatch) => boolean;
  readonly timestamps: (first: Dispatch) => GPUComputePassTimestampWrites | undefined;
  /** Where the GPU has no stamps: each pass is submitted by itself, waited for, and told with the host's clock. */
  readonly fenced?: (first: Dispatch, begin_ms: number, end_ms: number) => void;
}

/** What the host does for a request. */
export type HostWork = 'compile' | 'encode' | 'submit' | 'wait' | 'read back';

export type HostWatcher = (work: HostWork, started_ms: number, ended_ms: number) => void;
