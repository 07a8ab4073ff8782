import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { closed_form_flops } from '../../engine/meter/closed_forms.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { ceilings_schema, STAGES, type StageName } from '../../experiments/lab/schema.ts';
import { type ExplainFlags, explain } from '../../src/commands/explain.ts';
import {
  bound_sentence,
  faults,
  gap_sentence,
  type Measured,
  moved_bytes,
  stage_facts,
  stages_table,
} from '../../src/commands/explain_text.ts';

const CEILINGS = {
  fma_f32_flops: 100e9,
  fma_f16_flops: null,
  matrix_f16_flops: null,
  stream_read_bytes: 10e9,
  stream_write_bytes: 5e9,
  cache_read_bytes: 20e9,
  cache_bytes: 8e6,
  dispatch_ms: 0.005,
  readback_ms: 1,
};
const TOKENS = {
  crops: 1,
  views: 2,
  text_tokens: 9,
  prompt_tokens: 326,
  new_tokens: 11,
  vit_patches: 1152,
  pooled_cells: 288,
};
const COUNTS = {
  dispatches: 10,
  flops: 0,
  executed_flops: 0,
  other_ops: 0,
  weight_bytes: 0,
  read_bytes: 0,
  written_bytes: 0,
  kv_bytes: 0,
};

/** A stage of one kernel. */
function facts(stage: StageName, counts: Partial<typeof COUNTS>, wall_ms: number, gpu_ms = wall_ms, pass = 1e12) {
  const all = { ...COUNTS, ...counts };
  const row = { stage, part: 'attention', kernel: 'some_kernel', variant: 'simple', gpu_ms, ...all } as const;
  const measured: Measured = { stage, counts: all, wall_ms, kernels: [row] };
  return stage_facts(measured, TOKENS, 10, CEILINGS, pass);
}
const decode = facts('decode', { flops: 700e6, weight_bytes: 450e6, dispatches: 100 }, 90, 80);

describe('the explanation of a stage', () => {
  it('says what a token reads and does, and what would help, where memory bounds it', () => {
    expect(decode).toMatchObject({ tokens_in: 10, tokens_out: 10, bound: 'memory', gpu_ms: 80 });
    expect(decode.floor_ms).toBeCloseTo(45.5, 2);
    const text = bound_sentence(decode, CEILINGS, 'f16');
    expect(text).toMatch(
      /^Bound by memory: each token reads 45\.0 MB of weights .* for 70\.0 MFLOP: 1\.56 FLOP a byte/,
    );
    expect(text).toMatch(
      /balances at 10\.0\); fewer experts \(--top-k\), .* smaller weights \(--dtype q8\) would shorten it/,
    );
    expect(text).toMatch(/fewer FLOPs would not\.$/);
    expect(bound_sentence(decode, CEILINGS, 'f32')).toContain('smaller weights (--dtype f16)');
    expect(bound_sentence(decode, CEILINGS, 'q4')).toContain('smaller weights would');
  });

  it('names arithmetic and launches as bounds, by stage', () => {
    const vision = facts('vision_encoder', { flops: 10e9, weight_bytes: 1e6 }, 200);
    expect(bound_sentence(vision, CEILINGS, 'f16')).toMatch(
      /^Bound by arithmetic: each patch takes 8\.68 MFLOP .* fewer crops \(--max-crops\) would shorten it, fewer bytes/,
    );
    const prefill = facts('prefill', { flops: 1e6, dispatches: 2000 }, 30);
    expect(prefill).toMatchObject({ tokens_in: 326, tokens_out: 1, bound: 'launch' });
    expect(bound_sentence(prefill, CEILINGS, 'f16')).toMatch(
      /^Bound by launches: 2000 of at least 5\.00 us each.*fewer, larger kernels or fewer blocks/,
    );
    const projector = facts('projector', { flops: 1e9 }, 30);
    expect(projector).toMatchObject({ tokens_in: 1152, tokens_out: 288 });
  });

  it('says how far the time is from the floor, which kernel is, and what lies outside of kernels', () => {
    expect(decode.efficiency).toBeCloseTo(45.5 / 90, 3);
    expect(gap_sentence(decode)).toBe(
      'It takes 1.98 times its floor; most above its own floor is some_kernel in attention (80.0 ms of GPU time, floor 45.5 ms).',
    );
    expect(gap_sentence({ ...decode, gpu_ms: 60 })).toMatch(
      /30\.0 ms of the wall time are outside of kernels: submitt/,
    );
  });

  it('calls a time below the floor a fault, never a success', () => {
    const impossible = facts('decode', { weight_bytes: 450e6 }, 20);
    expect(gap_sentence(impossible)).toMatch(/20\.0 ms lie below the floor of 45\.\d ms, which cannot be/);
    expect(faults([decode])).toEqual([]);
    expect(faults([impossible])).toEqual([expect.stringMatching(/^decode attention some_kernel: 20\.0 ms lie below/)]);
  });

  it('tabulates every stage', () => {
    const lines = stages_table([decode]).split('\n');
    expect(lines[0]).toMatch(/^stage +in +out +FLOPs +bytes +FLOP\/byte +launches +floor +bound +wall +GPU sum +effic/);
    expect(lines[1]).toMatch(/^decode +10 +10 +700 M +450 MB +1\.56 +100 +45\.5 ms +memory +90\.0 ms +80\.0 ms +51 %$/);
  });
});

describe('molmoe explain', () => {
  const cache = mkdtempSync(join(tmpdir(), 'molmoe-explain-'));
  vi.stubEnv('XDG_CACHE_HOME', cache);
  afterAll(() => {
    vi.unstubAllEnvs();
    rmSync(cache, { recursive: true, force: true });
  });
  const flags: ExplainFlags = {
    adapter: 'auto',
    variant: 'auto',
    model: 'molmoe-tiny',
    dtype: 'f16',
    weightsSeed: 1,
    decode: 4,
  };
  const printed = async (over: Partial<ExplainFlags>): Promise<string> => {
    let text = '';
    const spies = [process.stdout, process.stderr].map((stream, i) =>
      vi.spyOn(stream, 'write').mockImplementation((piece) => {
        if (i === 0) text += piece;
        return true;
      }),
    );
    try {
      await explain({ ...flags, ...over }, false);
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
    return text;
  };

  it('walks a request through the four stages, with exact counts', async () => {
    const found = JSON.parse(await printed({ regime: 'low', json: true, topK: [1] }));
    expect(found.schema).toBe('molmoe.explain/1');
    ceilings_schema.parse(found.ceilings);
    expect(found.stages.map((one: { stage: string }) => one.stage)).toEqual(STAGES);
    const { views, prompt_tokens } = found.tokens;
    const config = preset_config('molmoe-tiny');
    const { totals } = closed_form_flops(config, { views, prompt_tokens, new_tokens: 4, top_k: 1 });
    for (const one of found.stages) {
      expect(one.counts.flops).toBe(totals[one.stage as StageName]);
      const sum = (key: 'flops' | 'weight_bytes' | 'dispatches') =>
        one.kernels.reduce((total: number, row: Record<typeof key, number>) => total + row[key], 0);
      // The instrumented run did the same work as the plain one.
      for (const key of ['flops', 'weight_bytes', 'dispatches'] as const) expect(sum(key)).toBe(one.counts[key]);
      expect(one.floor_ms).toBeGreaterThan(0);
      expect(one.efficiency).toBeCloseTo(one.floor_ms / one.wall_ms, 9);
      expect(moved_bytes(one.counts)).toBeGreaterThan(0);
      expect(one.explanation).toMatch(/^Bound by (memory|arithmetic|launches)/);
    }
  });

  it('does without a picture, and prints a table and a sentence a stage', async () => {
    const text = await printed({ prompt: 'Hello' });
    expect(text).toMatch(/^request: no picture, "Hello"/m);
    expect(text).toMatch(/^prefill +\d+ +1 /m);
    expect(text).toMatch(/^decode: Bound by /m);
    expect(text).not.toContain('vision_encoder');
  });

  it('refuses two pictures and an empty prompt', async () => {
    await expect(printed({ regime: 'low', image: 'x.png' })).rejects.toThrow(/--regime and --image/);
    await expect(printed({ prompt: ' ' })).rejects.toThrow(/--prompt: expected some text/);
  });
});
