import type { Tuning } from './pipelines.ts';

/** Made by `molmoe tune --json` on adapters that were at hand; `adapter` is matched with device and driver. */
export const SHIPPED_TUNINGS: readonly { readonly adapter: RegExp; readonly choices: Tuning }[] = [
  {
    adapter: /llvmpipe/i, // two cores, molmoe-mini: experts of a short prompt have few rows each
    choices: {
      'expert_matmul pairs<=256 experts64 f16': 'lanes_8',
      'expert_matmul pairs<=2048 experts64 f16': 'lanes_8',
    },
  },
];
