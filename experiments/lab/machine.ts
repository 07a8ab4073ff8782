import { z } from 'zod';
import type { DryDevice } from '../../engine/gpu/dry.ts';
import { LEAST_WORKGROUP_BYTES } from '../../kernels/spec.ts';

const count = z.int().nonnegative();

/** What of an adapter decides which kernels run and how work is cut, as results keep it: there it can be counted without it. */
export const machine_schema = z.strictObject({
  subgroup_size: count,
  matrix: z
    .strictObject({ m: count, n: count, k: count, subgroup: count.default(32), asked: z.boolean().optional() })
    .nullable(),
  workgroup_bytes: count,
  immediates: z.boolean(),
  max_binding_bytes: count,
  max_buffer_bytes: count,
  max_workgroups: count,
});
export type Machine = z.infer<typeof machine_schema>;

export const machine_of = (device: DryDevice): Machine => ({
  subgroup_size: device.traits.subgroup_size,
  matrix: device.traits.matrix ?? null,
  workgroup_bytes: device.traits.workgroup_bytes ?? LEAST_WORKGROUP_BYTES,
  immediates: device.immediates,
  max_binding_bytes: device.max_binding_bytes,
  max_buffer_bytes: device.max_buffer_bytes,
  max_workgroups: device.max_workgroups,
});

/** The way back. How much a slow GPU may do in one dispatch is measured anew each time, so no result keeps it. */
export const device_of = (
  { subgroup_size, matrix, workgroup_bytes, ...limits }: Machine,
  software: boolean,
): DryDevice => ({
  traits: { subgroup_size, software, workgroup_bytes, ...(matrix && { matrix }) },
  ...limits,
});
