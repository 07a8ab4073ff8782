import type { AdapterFacts } from './device.ts';
import type { Tuning } from './pipelines.ts';

/** Which variants run where a kernel has several, and where that is known from. */
export interface TuningChoice {
  /** `measured` here by `molmoe tune`; `shipped` with the program for this adapter; `default`: nothing is known; `off`. */
  readonly from: 'measured' | 'shipped' | 'default' | 'off';
  readonly choices: Tuning;
}

export const NOT_TUNED: TuningChoice = { from: 'off', choices: {} };

/** Made by `molmoe tune --json` on adapters that were at hand; `adapter` is matched with device and driver. */
export const SHIPPED_TUNINGS: readonly { readonly adapter: RegExp; readonly choices: Tuning }[] = [
  {
    adapter: /llvmpipe/i, // two cores, molmoe-mini: experts of a short prompt have few rows each, those of a long one many
    choices: {
      'expert_matmul pairs<=256 experts64 f16': 'lanes_8',
      'expert_matmul pairs<=8192 experts64 f16': 'lanes_32',
      'expert_matmul pairs<=16384 experts64 f16': 'lanes_32',
    },
  },
];

/** What shipped for this adapter, or nothing. */
export function shipped_tuning({ device, description }: Pick<AdapterFacts, 'device' | 'description'>): TuningChoice {
  const shipped = SHIPPED_TUNINGS.find(({ adapter }) => adapter.test(`${device} ${description}`));
  return shipped === undefined ? { from: 'default', choices: {} } : { from: 'shipped', choices: shipped.choices };
}
