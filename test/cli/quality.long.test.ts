import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'molmoe-quality-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('quality', () => {
  it('by default compares q8; --json says how far it is from f16, and --out keeps it', async () => {
    const file = join(folder, 'q8.json');
    const { code, stdout } = await cli(['quality', '--model', 'molmoe-tiny', '--json', '--out', file]);
    expect(code).toBe(0);
    expect(readFileSync(file, 'utf8')).toBe(stdout);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({
      schema: 'molmoe.quality/1',
      model: { name: 'molmoe-tiny', weights_kind: 'synthetic', seed: 1 },
      reference: 'f16',
      dtype: 'q8',
    });
    expect(report.weight_bytes.q8).toBeLessThan(report.weight_bytes.f16);
    expect(report.kl_mean).toBeGreaterThan(0);
    expect(report.kl_max).toBeLessThan(0.1);
    expect(report.top1_agreement).toBeGreaterThan(0.9);
    const stages = report.stages as { name: string; relative_rms: number }[];
    expect(stages.map((stage) => stage.name)).toEqual([
      'ViT features',
      'projector',
      ...[0, 1, 2, 3].map((n) => `hidden states after block ${n}`),
      'logits',
    ]);
    for (const { relative_rms } of stages) expect(relative_rms).toBeLessThan(0.05);
  }, 120_000);

  it('compares only quantised weights', async () => {
    const out = join(folder, 'none.json');
    const { code, errors } = await cli(['quality', '--model', 'molmoe-tiny', '--dtype', 'f16', '--out', out]);
    expect([code, errors]).toEqual([2, [expect.stringMatching(/--dtype f16: expected q8 or q4/)]]);
    expect(existsSync(out)).toBe(false);
  });

  it('refuses a place that cannot be written before it measures', async () => {
    const { code, stdout, errors } = await cli([
      'quality',
      '--model',
      'molmoe-tiny',
      '--out',
      join(folder, 'no/q8.json'),
    ]);
    expect([code, stdout, errors]).toEqual([
      1,
      '',
      [expect.stringMatching(/no\/q8\.json: expected a file that can be written/)],
    ]);
  });
});
