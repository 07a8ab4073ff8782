import type { AdapterFacts } from './device.ts';
import type { Tuning } from './pipelines.ts';

/** Which variants run where a kernel has several, and where that is known from. */
export interface TuningChoice {
  /**
   * `measured` here by `molmoe tune`, or by a long command `itself` in its first seconds; `shipped` with the program for this
   * adapter; `default`: nothing is known; `off`.
   */
  readonly from: 'measured' | 'itself' | 'shipped' | 'default' | 'off';
  readonly choices: Tuning;
  readonly itself?: SelfTuned;
}

/** What a command found out about its own kernels before it began. */
export interface SelfTuned {
  readonly seconds: number;
  /** GPU time of the classes that were compared, as chosen over as by default; null where none was. */
  readonly share: number | null;
  /** Classes of shapes that it runs and had no time to compare. */
  readonly untuned: readonly string[];
}

export const NOT_TUNED: TuningChoice = { from: 'off', choices: {} };

/** Made by `molmoe tune --json` on adapters that were at hand; `adapter` is matched with device and driver. */
export const SHIPPED_TUNINGS: readonly { readonly adapter: RegExp; readonly choices: Tuning }[] = [
  {
    // Two cores, Mesa 26.2.6 (LLVM 22): molmoe-mini, and molmoe-slice's short prompts in f16, q8 and q4. Its gathers wait for
    // each cache line, so that touching the lines first halves the time of what reads memory once.
    adapter: /llvmpipe.*Mesa 26/i,
    choices: {
      'attention_decode rows<=1': 'lanes_touch',
      'attention_decode rows<=4': 'lanes_touch',
      'expert_gate_up rows<=4 f16': 'lanes_touch',
      'expert_down rows<=4 f16': 'lanes_touch',
      'matvec rows<=1 k2048 n2048 f16': 'lanes_touch',
      'matvec rows<=1 k2048 n2048 q4': 'lanes_touch',
      'matvec rows<=1 k2048 n32768 f16': 'lanes_touch', // the head's slices
      'matvec rows<=1 k2048 n17536 f16': 'lanes_touch',
      ...Object.fromEntries(
        ['norm_matvec', 'expert_gate_up', 'expert_down'].flatMap((kernel) =>
          ['f16', 'q8', 'q4'].map((format) => [`${kernel} rows<=1 ${format}`, 'lanes_touch']),
        ),
      ),
    },
  },
  { adapter: /llvmpipe/i, choices: {} }, // two cores, Mesa 25, molmoe-mini and molmoe-slice: what runs untuned is the fastest
];

/** What shipped for this adapter, or nothing. */
export function shipped_tuning({ device, description }: Pick<AdapterFacts, 'device' | 'description'>): TuningChoice {
  const shipped = SHIPPED_TUNINGS.find(({ adapter }) => adapter.test(`${device} ${description}`));
  return shipped === undefined ? { from: 'default', choices: {} } : { from: 'shipped', choices: shipped.choices };
}
