import type { Kernel, Variant } from '../../kernels/spec.ts';
import type { KernelCase } from '../../test/reference/cases/case.ts';

export interface Rung {
  readonly name: string;
  /** Which variants of the engine's own kernels run. */
  readonly variant: Variant['name'];
  readonly needs_lanes?: boolean;
  /** Leaves work out to show what it costs: its result is nothing, and is not compared. */
  readonly lacks?: true;
  /** The same numbers each time. */
  readonly make: () => KernelCase;
}

export interface Ladder {
  readonly name: string;
  readonly flops: number;
  /** The buffer that every rung leaves the same values in. */
  readonly result: string;
  readonly rungs: readonly Rung[];
}

/** The engine's kernel with one variant of the ladder's own. */
export function rung_kernel(kernel: Kernel, name: string, own: Omit<Variant, 'name'>): Kernel {
  return { ...kernel, name, shape_class: undefined, variants: [{ name: 'simple', ...own }] };
}
