import { preset_config } from '../../engine/model/presets.ts';
import type { StoredDtype } from '../../engine/weights/source.ts';
import { write_synthetic_checkpoint } from '../../tools/synth_checkpoint.ts';
import { interruptible } from '../options.ts';
import { note, progress, seconds } from '../print.ts';

export interface SynthFlags {
  readonly preset: string;
  readonly out: string;
  readonly dtype: 'f32' | 'f16' | 'bf16';
  readonly seed: number;
  readonly shardMb: number;
}

export async function synth(flags: SynthFlags): Promise<undefined> {
  const started = performance.now();
  const bar = progress(`writing ${flags.out}`);
  await write_synthetic_checkpoint({
    config: preset_config(flags.preset),
    seed: flags.seed,
    dtype: flags.dtype.toUpperCase() as StoredDtype,
    out: flags.out,
    shard_bytes: flags.shardMb * 1e6,
    on_progress: bar.update,
    signal: interruptible(),
  }).finally(bar.end);
  note(
    `wrote ${flags.preset} (seed ${flags.seed}, ${flags.dtype}) to ${flags.out} in ${seconds(performance.now() - started)}`,
  );
}
