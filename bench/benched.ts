/** A kernel's variant on one shape: what `bench kernels` finds. */
export interface BenchedKernel {
  readonly kernel: string;
  readonly variant: string;
  readonly stage: string;
  readonly shape: string;
  /** What is wrong; then nothing else is known. */
  readonly fault?: string;
  /** GPU time: the best run's. */
  readonly ms?: number;
  readonly flops?: number;
  readonly bytes?: number;
  readonly gflops?: number;
  readonly gbytes?: number;
  /** Share of the rate of multiply-adds in registers, and of the stream's; the latter is above 1 where a cache serves. */
  readonly of_fma?: number;
  readonly of_stream?: number;
  /** Least time by all ceilings together over the time. */
  readonly of_floor?: number;
}
