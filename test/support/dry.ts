import type { DryDevice } from '../../engine/gpu/dry.ts';
import type { Traits } from '../../kernels/spec.ts';

/** A device of these traits, as far as a dry run asks. */
export const dry_device = (traits: Traits, max_binding_bytes = 128 * 2 ** 20): DryDevice => ({
  traits,
  immediates: true,
  max_binding_bytes,
  max_buffer_bytes: 2 ** 40,
  max_workgroups: 65535,
});
