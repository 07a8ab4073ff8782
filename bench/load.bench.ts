import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { config_to_json, merge_config, parse_config } from '../engine/model/config.ts';
import { preset_config } from '../engine/model/presets.ts';
import { Molmoe } from '../engine/node/load.ts';
import { write_synthetic_checkpoint } from '../tools/synth_checkpoint.ts';
import type { Bench } from './bench.ts';

/** A 2 GB f32 checkpoint with the real widths, from page cache into f16 buffers, against `cat FILE > /dev/null`. */
export async function bench_load({ say }: Bench) {
  const folder = mkdtempSync(join(tmpdir(), 'molmoe-bench-'));
  const out = join(folder, 'model');
  try {
    const few_blocks = {
      n_layers: 2,
      moe_num_experts: 16,
      vision_backbone: {
        image_emb_dim: 512,
        image_num_heads: 8,
        image_head_dim: 64,
        image_num_key_value_heads: 8,
        image_mlp_dim: 2048,
      },
    };
    const config = parse_config(merge_config(config_to_json(preset_config('molmoe-1b')), few_blocks), 'bench');
    await write_synthetic_checkpoint({ config, seed: 1, dtype: 'F32', out, shard_bytes: 8e9 });
    const file = join(out, 'model.safetensors');
    const cat = () => {
      const started = performance.now();
      execFileSync('sh', ['-c', `cat "${file}" > /dev/null`]);
      return performance.now() - started;
    };
    cat(); // fills the page cache
    const cat_ms = Math.min(cat(), cat(), cat());
    const runs = [];
    for (let i = 0; i < 3; i++) {
      const model = await Molmoe.load({ model: out, hush: true });
      runs.push(model.engine.weights.report);
      model.close();
    }
    const { bytes } = runs[0] as (typeof runs)[number];
    const load_ms = Math.min(...runs.map((run) => run.ms));
    const rate = (ms: number) => `${(bytes / ms / 1e6).toFixed(2)} GB/s`;
    say(
      `cat ${rate(cat_ms)}, load ${rate(load_ms)}: ${(cat_ms / load_ms).toFixed(2)} of cat, ${(bytes / 1e9).toFixed(2)} GB of f32 to f16`,
    );
    return { bytes, cat_ms, load_ms, share_of_cat: cat_ms / load_ms, samples_ms: runs.map((run) => run.ms) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
