import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { flops_scaling } from '../../experiments/index.ts';
import { open_results } from '../../experiments/lab/record.ts';
import type { Configuration, Skipped } from '../../experiments/lab/schema.ts';
import { FAKE_RUN, fake_configuration } from '../support/records.ts';

const FILE = 'flops_scaling_analysis';

interface Work {
  readonly flops: number;
  readonly bytes: number;
  /** Of each run. */
  readonly ms: readonly number[];
}
/** A cell whose stages ask for this and take that long; the vision stages take 100 ms and 100 FLOPs whatever the experts. */
function cell(top_k: number, prefill: Work, step: Work, experts: Work): Configuration {
  const one = fake_configuration('low', 'short', 'short');
  const [sample] = one.clean.samples as [Configuration['clean']['samples'][number]];
  const samples = prefill.ms.map((ms, i) => {
    const step_ms = step.ms[i] as number;
    return {
      ...{ ...sample, T_vision_total: 100, T_vision_encoder: 90, T_projector: 10, T_LLM_prefill: ms },
      ...{ T_LLM_decode: 4 * step_ms, T_decode_per_token: step_ms },
    };
  });
  const counted = ({ flops, bytes }: Work) => ({
    ...{ dispatches: 1, executed_flops: flops, other_ops: 0, read_bytes: 0, written_bytes: 0, kv_bytes: 0 },
    ...{ flops, weight_bytes: bytes },
  });
  const vision = { flops: 50, bytes: 50, ms: [] };
  const base = one.instrumented as NonNullable<Configuration['instrumented']>;
  const [run] = base.runs as [(typeof base.runs)[number]];
  const [kernel] = base.kernels as [(typeof base.kernels)[number]];
  const stages = ['prefill', 'decode'] as const;
  return {
    ...one,
    ...{ key: `top_k=${top_k}`, settings: { top_k }, knobs: { topK: top_k } },
    clean: { ...one.clean, samples },
    counters: {
      ...{ vision_encoder: counted(vision), projector: counted(vision) },
      ...{ prefill: counted(prefill), decode: counted(step) },
    },
    instrumented: {
      ...base,
      runs: experts.ms.map((gpu_ms) => ({
        ...run,
        parts: stages.map((stage) => ({ stage, part: 'moe_experts' as const, gpu_ms })),
      })),
      kernels: stages.map((stage) => ({ ...kernel, ...counted(experts), stage, part: 'moe_experts' as const })),
    },
  };
}

const near = (ms: number) => [0.99, 1, 1, 1.01, 1, 1].map((share) => share * ms);
const work = (flops: number, bytes: number, ms: number): Work => ({ flops, bytes, ms: near(ms) });
const ONE = cell(1, work(100, 400, 50), work(10, 100, 20), work(8, 100, 4));

function derived(configurations: Configuration[], skipped: Skipped[] = []) {
  const all = flops_scaling.derive({ run: FAKE_RUN, configurations, skipped });
  const body = flops_scaling.schemas[FILE]?.parse(all.files[FILE]) as Record<string, never> & {
    ratios: { of: string; flops_ratio: number; bytes_ratio: number; ratio: number; follows: string; n: number[] }[];
  };
  return { ...all, body, outcomes: all.findings.map(({ outcome }) => outcome) };
}

describe('eight experts over one', () => {
  // Prefill as its FLOPs, a decode step as its bytes, experts alone as neither.
  const eight = cell(8, work(284, 440, 142), work(24, 236, 47.2), work(64, 130, 15));
  const { body, outcomes, findings, figures, tables } = derived([ONE, eight]);

  it('has both under their names, with what the study stores of each', () => {
    expect(body['1']).toMatchObject({ median: 150, min: 149.5, max: 150.5, n: 6, scaled: null });
    expect(Object.keys(body['8'] ?? {})).toEqual(expect.arrayContaining(['mean', 'median', 'std', 'min', 'max']));
  });

  it('holds each stage against the work of that stage', () => {
    const rows = body.ratios.map(({ of, flops_ratio, bytes_ratio, ratio, follows }) => [
      ...[of, Number(flops_ratio.toFixed(3)), Number(bytes_ratio.toFixed(3)), Number(ratio.toFixed(3)), follows],
    ]);
    expect(rows).toEqual([
      ['experts_in_prefill', 8, 1.3, 3.75, 'neither'],
      ['prefill', 2.84, 1.1, 2.84, 'flops'],
      ['whole_forward', 1.92, 1.08, 1.613, 'neither'],
      ['experts_in_decode', 8, 1.3, 3.75, 'neither'],
      ['decode_step', 2.4, 2.36, 2.36, 'both'],
    ]);
    expect(outcomes).toEqual(['refuted', 'confirmed', 'refuted', 'confirmed', 'not tested']);
    expect(findings[1]?.because).toMatch(
      /^2\.84 times as long \(95 % interval 2\.\d+ to 2\.\d+\), 2\.84 times the FLOPs/,
    );
    expect(figures.length + tables.length).toBe(2);
  });

  it('decides nothing where the runs do not', () => {
    const wide: Work = { ...work(284, 440, 0), ms: [100, 120, 142, 142, 170, 200] };
    const single: Work = { ...work(64, 130, 0), ms: [30] };
    const { outcomes: open, findings: why } = derived([
      { ...ONE, instrumented: cell(1, work(1, 1, 1), work(1, 1, 1), { ...work(8, 100, 0), ms: [4] }).instrumented },
      cell(8, wide, work(24, 236, 47.2), single),
    ]);
    expect(open.slice(0, 3)).toEqual(['not tested', 'not tested', 'not tested']);
    expect(why[0]?.because).toMatch(/a single run has no spread/);
    expect(why[1]?.because).toMatch(/the runs do not decide/);
  });

  it("shows where the study's threshold cannot tell anything", () => {
    const slow = cell(8, work(150, 440, 142), work(24, 236, 47.2), work(64, 130, 15));
    expect(derived([ONE, slow]).findings.at(-1)).toMatchObject({
      outcome: 'refuted',
      because: expect.stringMatching(/its FLOPs grow by 1\.25 \(exact\), since the vision encoder stays/),
    });
  });
});

describe('where one of the two is not there', () => {
  it('says why under its name, and tests nothing', () => {
    const skipped = [{ key: 'top_k=8', settings: { top_k: 8 }, reason: 'topK: expected a whole number from 1 to 4' }];
    const { body, outcomes, figures } = derived([ONE], skipped);
    expect(body['8']).toEqual({ error: 'topK: expected a whole number from 1 to 4' });
    expect(body['1']).toMatchObject({ median: 150 });
    expect(outcomes).toEqual(Array(5).fill('not tested'));
    expect(figures).toEqual([]);
    expect(derived([ONE]).body['8']).toEqual({ error: 'not measured yet' });
    const failed = [{ key: 'top_k=8', settings: { top_k: 8 }, reason: 'out of GPU memory' }];
    const { files } = flops_scaling.derive({ run: FAKE_RUN, configurations: [ONE], skipped: [], failed });
    expect(files[FILE]).toMatchObject({ 8: { error: 'out of GPU memory' } });
  });
});

it('the published file begins with its schema, though JavaScript would put the keys "1" and "8" first', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'molmoe-flops-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const { fingerprint, ceilings } = FAKE_RUN;
  const plan = { options: {}, cells: [], skipped: [] };
  const results = await open_results(folder, { experiment: 'flops-scaling', fingerprint, ceilings, plan });
  const { files } = derived([ONE]);
  const schema = flops_scaling.schemas[FILE] as NonNullable<(typeof flops_scaling.schemas)[string]>;
  const path = await results.write_json(`${FILE}.json`, schema, files[FILE]);
  await results.close();
  const text = readFileSync(path, 'utf8');
  expect(text).toMatch(/^\{\n {2}"schema": "molmoe\.flops\.scaling_analysis\/2",\n/);
  expect(schema.parse(JSON.parse(text))).toEqual(files[FILE]);
});
