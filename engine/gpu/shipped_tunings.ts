import type { Tuning } from './pipelines.ts';

/** Made by `molmoe tune --json` on adapters that were at hand; `adapter` is matched with device and driver. */
export const SHIPPED_TUNINGS: readonly { readonly adapter: RegExp; readonly choices: Tuning }[] = [];
