import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { preset_config } from '../../engine/model/presets.ts';
import { write_synthetic_checkpoint } from '../../tools/synth_checkpoint.ts';
import { cli } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'molmoe-inspect-cli-'));
const good = join(folder, 'good');
beforeAll(() =>
  write_synthetic_checkpoint({
    config: preset_config('molmoe-tiny'),
    seed: 1,
    dtype: 'F32',
    out: good,
    shard_bytes: 1e6,
  }),
);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const json_of = async (...args: string[]) => {
  const { code, stdout, errors } = await cli([...args, '--json'], { env: NO_DRIVER });
  expect([code, errors], args.join(' ')).toEqual([0, []]);
  return JSON.parse(stdout);
};
/** No Vulkan driver is found: what opens a device fails. */
const NO_DRIVER = {
  VK_DRIVER_FILES: join(folder, 'none.json'),
  VK_ICD_FILENAMES: join(folder, 'none.json'),
  MOLMOE_SETUP: 'off',
};

describe('inspect', () => {
  it('says what files say without a device', async () => {
    if (process.platform === 'linux') expect((await cli(['doctor'], { env: NO_DRIVER })).code).toBe(1);
    const [tokens, config, structure, pooling, experts] = await Promise.all([
      json_of('inspect', 'tokens', '--model', good),
      json_of('inspect', 'config', '--model', good),
      json_of('inspect', 'structure', '--model', good),
      json_of('inspect', 'pooling', '--model', good, '--image-size', '640x480'),
      json_of('inspect', 'moe-layer', '--model', good),
    ]);
    expect(tokens).toMatchObject({
      schema: 'molmoe.inspect_tokens/1',
      vision_tokens: { inserted_cells: 928 },
      views: 10,
    });
    expect(tokens.tokens.length).toBe(tokens.sequence.length);
    expect(config).toMatchObject({ config: { n_experts: 8, top_k: 2 }, geometry: { cells: 144 } });
    expect(structure.checkpoint).toMatchObject({ tensors: 305, missing: [], unexpected: [], misshapen: [] });
    expect(pooling.limits.at(-1)).toMatchObject({ max_crops: 12, tiling: { rows: 2, cols: 3 } });
    expect(experts.blocks).toMatchObject({ from: 'checkpoint', rows: [{ experts: 8 }, {}, {}, {}] });
  });

  it("the study's names are the same tools, and help does not show them", async () => {
    const ask = ['--model', good, '--image-size', '336x336'];
    const [one, other, inner, help] = await Promise.all([
      json_of('inspect', 'tokens', ...ask),
      json_of('analyze_tokens', ...ask),
      json_of('inspect', 'analyze_tokens', ...ask),
      cli(['inspect', '--help']),
    ]);
    expect(other).toEqual(one);
    expect(inner).toEqual(one);
    expect(help.stdout).toContain('moe-layer');
    expect(help.stdout).not.toContain('analyze_tokens');
  });

  it('structure ends with 1 and names what a checkpoint lacks or has too much', async () => {
    const other = join(folder, 'other');
    cpSync(good, other, { recursive: true });
    const config = JSON.parse(readFileSync(join(good, 'config.json'), 'utf8'));
    writeFileSync(join(other, 'config.json'), JSON.stringify({ ...config, n_layers: 5, d_model: 128 }));
    const { code, stdout } = await cli(['inspect', 'structure', '--model', other]);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /31 missing: model\.transformer\.blocks\.4\.attn\.q_norm\.weight, .*\.\.\. \(--json has all\)/,
    );
    expect(stdout).toMatch(/misshapen: .*wte\.embedding \[512, 64\] and not \[512, 128\]/);
  });

  it('runs on a checkpoint: the proof, the flow, and sound', async () => {
    const quick = ['--model', good, '--image-size', '336x336', '--json'];
    const [topk, flow, sanity] = await Promise.all([
      cli(['inspect', 'topk', ...quick, '--top-k-values', '1,8', '--blocks', '0,3', '--new-tokens', '2']),
      cli(['inspect', 'flow', ...quick, '--block', '1']),
      cli(['inspect', 'sanity', ...quick, '--max-new-tokens', '3']),
    ]);
    expect([topk.code, flow.code, sanity.code, topk.errors, flow.errors, sanity.errors]).toEqual([0, 0, 0, [], [], []]);
    const proof = JSON.parse(topk.stdout);
    expect(proof).toMatchObject({ passed: true, model: { weights_kind: 'checkpoint' }, values: [1, 8] });
    const plans = proof.runs.map((run: { plan: number[]; picture_plan: number[] }) =>
      [run.plan.join(), run.picture_plan.join()].join('|'),
    );
    expect(plans).toEqual([
      ...['2,0,0,2|2,0,0,2', '1,0,0,1|1,0,0,1', '8,0,0,8|8,0,0,8', '1,0,0,8|1,0,0,8'],
      ...['8,0,0,8|1,0,0,1', '1,0,0,1|8,0,0,8', '1,0,0,8|8,0,0,1', '2,0,0,2|2,0,0,2'],
    ]);
    expect(JSON.parse(flow.stdout)).toMatchObject({ block: 1, first_non_finite: null, picture: { width: 336 } });
    expect(JSON.parse(sanity.stdout)).toMatchObject({ passed: true, note: null });
  });

  it('refuses in one line what cannot be', async () => {
    const bad: [string[], RegExp][] = [
      [['tokens', '--image-size', '0x5'], /^error: --image-size 0x5: expected width x height/],
      [['tokens', '--image', 'a.png', '--image-size', '5x5'], /^error: --image and --image-size: expected one picture/],
      [['pooling', '--max-crops', '65'], /^error: --max-crops: expected a whole number from 1 to 64, found 65$/],
      [['moe-layer', '--top-k-values', '1,1'], /^error: --top-k-values: expected each value once, found 1 twice$/],
      [['structure', '--model', folder], /config\.json: expected a readable file, found no such file/],
      [['flow', '--model', 'molmoe-tiny', '--block', '4'], /^error: --block: expected a block from 0 to 3, found 4$/],
      [
        ['topk', '--model', 'molmoe-tiny', '--top-k-values', '9'],
        /^error: --top-k-values: expected whole numbers from 1 to 8/,
      ],
      [
        ['topk', '--model', 'molmoe-tiny', '--blocks', 'none'],
        /^error: --blocks: expected at least one block that runs/,
      ],
    ];
    const ended = await Promise.all(bad.map(([args]) => cli(['inspect', ...args], { env: NO_DRIVER })));
    for (const [i, { code, errors }] of ended.entries()) {
      expect([1, 2]).toContain(code);
      expect(errors).toEqual([expect.stringMatching(bad[i]?.[1] as RegExp)]);
    }
  });
});
