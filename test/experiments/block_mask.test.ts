import { describe, expect, it } from 'vitest';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { block_mask } from '../../experiments/index.ts';
import { type Configuration, type Instrumented, PARTS, STAGES, type StageName } from '../../experiments/lab/schema.ts';
import { FAKE_RUN, fake_configuration } from '../support/records.ts';

const FILE = 'exp3_transformer_blocks_mask_results';
const subject = (preset: string) => {
  const config = preset_config(preset);
  const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
  return { config, tokenizer, asked: {}, tokens_per_readback: 1 };
};
const plan = (preset: string, options: object = {}) =>
  block_mask.plan(subject(preset), { fractions: false, ...options });
const blocks_in = (preset: string, options: object = {}) =>
  plan(preset, options).cells.map(({ knobs }) => knobs.blocks);
const first = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('which blocks run', () => {
  it('every count by default, as many as the model has', () => {
    expect(blocks_in('molmoe-1b')).toEqual(first(16).map((i) => first(i + 1)));
    expect(blocks_in('molmoe-slice')).toEqual([[0], [0, 1]]);
    expect(plan('molmoe-tiny').skipped).toEqual([]);
  });

  it('quarters, where they are whole', () => {
    expect(blocks_in('molmoe-1b', { fractions: true })).toEqual([4, 8, 12, 16].map(first));
    const { cells, skipped } = plan('molmoe-slice', { fractions: true });
    expect(cells.length).toBe(2);
    expect(skipped.map(({ reason }) => reason)).toEqual([
      '25 % of 2 blocks are no whole number of them',
      '75 % of 2 blocks are no whole number of them',
    ]);
  });

  it('counts outside the model are left out with the reason', () => {
    const { cells, skipped } = plan('molmoe-tiny', { numActiveBlocks: [-1, 0, 2, 5] });
    expect(cells.map(({ settings }) => settings)).toEqual([{ num_active_blocks: 2, active_block_indices: '0-1' }]);
    expect(skipped.map(({ settings, reason }) => [settings.num_active_blocks, reason])).toEqual([
      [-1, 'expected 1 to 4 blocks, found -1'],
      [0, 'expected 1 to 4 blocks, found 0'],
      [5, 'expected 1 to 4 blocks, found 5'],
    ]);
  });

  it('indices win over counts, each list a cell', () => {
    const options = { activeBlockIndices: [[15, 4, 12, 8], [3]], numActiveBlocks: [2] };
    expect(blocks_in('molmoe-1b', options)).toEqual([[3], [4, 8, 12, 15]]);
    expect(plan('molmoe-1b', options).skipped).toMatchObject([
      { settings: { num_active_blocks: 2 }, reason: 'indices were given, and they win over counts' },
    ]);
    // The same blocks are the same cell, however they were asked for.
    const [by_count] = plan('molmoe-1b', { numActiveBlocks: [2] }).cells;
    const [by_index] = plan('molmoe-1b', { activeBlockIndices: [[1, 0]] }).cells;
    expect(by_index).toEqual(by_count);
  });

  it.each([
    [[4, 8, 12, 16], /^activeBlockIndices: expected blocks from 0 to 15, found 16 in 4,8,12,16/],
    [[-1], /expected blocks from 0 to 15, found -1 in -1/],
    [[4, 8, 4], /expected each block once, found 4 twice in 4,8,4/],
  ])('refuses the list %j by name', (list, why) => {
    expect(() => plan('molmoe-1b', { activeBlockIndices: [list] })).toThrow(why);
  });

  it('refuses fractions beside a choice of blocks', () => {
    const check =
      (...given: string[]) =>
      () =>
        block_mask.check({ fractions: true }, new Set(given));
    expect(check('fractions', 'numActiveBlocks')).toThrow(/fractions: chooses the counts itself/);
    expect(check('fractions', 'activeBlockIndices')).toThrow(/fractions/);
    // --quick chooses them too, but does not insist.
    expect(check('numActiveBlocks')).not.toThrow();
  });
});

/** Stamps of a request in which these blocks run: 7 ms of prefill a block and 3 without any, of decode 2 and 6. */
function stamped(blocks: readonly number[]): Instrumented {
  const rows = (['prefill', 'decode'] as const).flatMap((stage): [StageName, number, number][] => [
    [stage, -1, stage === 'prefill' ? 3 : 6],
    ...blocks.map((block): [StageName, number, number] => [stage, block, stage === 'prefill' ? 7 : 2]),
  ]);
  const part = (layer: number) => (layer < 0 ? 'head' : 'moe_experts');
  const parts = (['prefill', 'decode'] as const).flatMap((stage) =>
    (['head', 'moe_experts'] as const).map((name) => ({
      ...{ stage, part: name },
      gpu_ms: rows.reduce((sum, [of, layer, ms]) => sum + (of === stage && part(layer) === name ? ms : 0), 0),
    })),
  );
  const base = fake_configuration('low', 'short', 'short').instrumented as Instrumented;
  const strip = rows.map(([stage, layer, ms]): Instrumented['strip']['rows'][number] => {
    return [STAGES.indexOf(stage), layer, PARTS.indexOf(part(layer)), 0, ms];
  });
  const [run] = base.runs as [Instrumented['runs'][number]];
  return { ...base, runs: [{ ...run, parts }], strip: { ...base.strip, rows: strip } };
}

/** What a model takes whose blocks are alike: ten times its stamps. */
function cell(blocks: readonly number[], slower = 1): Configuration {
  const one = fake_configuration('low', 'short', 'short');
  const prefill = slower * 10 * (3 + 7 * blocks.length);
  const step = slower * 10 * (6 + 2 * blocks.length);
  const samples = one.clean.samples.map((sample) => ({
    ...sample,
    ...{ T_LLM_prefill: prefill, T_decode_per_token: step, T_LLM_decode: 7 * step, T_vision_total: 500 },
  }));
  const counted = (once: number, of_block: number) => ({
    ...(one.counters.prefill as NonNullable<typeof one.counters.prefill>),
    flops: once + of_block * blocks.length,
  });
  return {
    ...one,
    settings: { num_active_blocks: blocks.length, active_block_indices: blocks.join('-') },
    key: `num_active_blocks=${blocks.length}_${blocks.join('-')}`,
    knobs: { blocks: [...blocks] },
    clean: { ...one.clean, samples },
    instrumented: stamped(blocks),
    counters: { prefill: counted(1e6, 1e9), decode: counted(7e6, 7e8) },
  };
}

const run_of = (name: string, layers: number): typeof FAKE_RUN => {
  const { fingerprint } = FAKE_RUN;
  const model = { ...fingerprint.provenance.model, name, layers };
  return { ...FAKE_RUN, fingerprint: { ...fingerprint, provenance: { ...fingerprint.provenance, model } } };
};
type Body = {
  reading: string;
  depth: Depth;
  summary: Record<string, unknown>[];
  all_samples: Record<string, unknown>[];
};
interface Depth {
  model: string;
  num_total_blocks: number;
  from_blocks: number;
  vision_ms: number;
  prefill: object;
  decode_step: object;
  rows: { [name: string]: unknown }[];
}
function derived(configurations: Configuration[], run = run_of('molmoe-1b', 16)) {
  const all = block_mask.derive({ run, configurations: block_mask.sorted(configurations), skipped: [] });
  const body = block_mask.schemas[FILE]?.parse(all.files[FILE]) as Body & { prefill_fit: object };
  return { ...all, body, outcomes: all.findings.map(({ outcome }) => outcome) };
}

describe('a model whose blocks are alike', () => {
  const all = derived(first(16).map((i) => cell(first(i + 1))));

  it('has the rows and keys of the study', () => {
    expect(all.body.reading).toBe('every count');
    expect(all.body.summary[3]).toMatchObject({
      ...{
        num_active_blocks: 4,
        num_total_blocks: 16,
        active_block_indices: [0, 1, 2, 3],
        stamped_blocks: [0, 1, 2, 3],
      },
      ...{ prefill: { P50: 310, n: 10 }, decode_step: { P50: 140 }, num_vision_tokens: 288, num_input_text_tokens: 20 },
    });
    const keys = ['sample_id', 'num_active_blocks', 'num_total_blocks', 'active_block_indices', 'T_LLM_prefill'];
    const more = ['T_LLM_decode', 'T_vision_total', 'T_total', 'num_input_text_tokens', 'num_vision_tokens'];
    expect(Object.keys(all.body.all_samples[0] ?? {})).toEqual(
      expect.arrayContaining([...keys, ...more, 'num_output_tokens']),
    );
    expect(all.body.all_samples.length).toBe(160);
  });

  it('takes what a block takes, times the blocks, and the rest once', () => {
    expect(all.body.prefill_fit).toMatchObject({
      slope: expect.closeTo(70, 9),
      n: 16,
      r_squared: expect.closeTo(1, 9),
    });
    const { depth } = all.body;
    expect(depth).toMatchObject({ model: 'molmoe-1b', num_total_blocks: 16, from_blocks: 16 });
    expect(depth.prefill).toEqual({ once_ms: expect.closeTo(30, 9), block_ms: expect.closeTo(70, 9) });
    expect(depth.decode_step).toEqual({ once_ms: expect.closeTo(60, 9), block_ms: expect.closeTo(20, 9) });
    for (const [i, row] of depth.rows.entries()) {
      expect(row.prefill_ms).toBeCloseTo(30 + 70 * (i + 1), 6);
      expect(row.measured).toMatchObject({ prefill_ms: 30 + 70 * (i + 1), n: 10 });
      expect([row.prefill_flops, row.decode_step_flops]).toEqual([1e6 + 1e9 * (i + 1), 1e6 + 1e8 * (i + 1)]);
    }
  });

  it('is a line, masked blocks run nothing, and the head keeps shares from being proportional', () => {
    expect(all.outcomes).toEqual([...Array(5).fill('confirmed'), 'confirmed', 'refuted']);
    expect(all.findings.at(-1)?.because).toMatch(/50 % of the blocks 57\.9 %/);
    expect(all.figures.map(({ name }) => name)).toEqual([
      'exp3_transformer_blocks_vs_latency_breakdown',
      'exp3_transformer_blocks_scaling',
      'exp3_transformer_blocks_parts',
    ]);
    expect(all.tables.length).toBe(2);
  });
});

describe('what is not so is said', () => {
  it('a block that ran although it was masked', () => {
    const wrong = { ...cell([0]), instrumented: stamped([0, 3]) };
    const { findings } = derived([wrong, cell([0, 1])]);
    expect(findings[0]).toMatchObject({ outcome: 'refuted', because: 'num_active_blocks=1_0: kernels in blocks 0, 3' });
  });

  it('a block that takes longer where fewer run', () => {
    const { findings, outcomes } = derived([cell([0], 1.3), cell(first(16))]);
    expect(outcomes.slice(1, 5)).toEqual(['not tested', 'not tested', 'refuted', 'refuted']);
    expect(findings[3]?.because).toMatch(/off by -23\.1 % at most at 1 other depth, with 1/);
  });

  it('where one depth ran alone, nothing of lines', () => {
    const { outcomes, body } = derived([cell([4, 8, 12, 15])]);
    expect(body.reading).toBe('indices');
    expect(outcomes.slice(1, 5)).toEqual(Array(4).fill('not tested'));
    expect(body.depth.rows[0]?.prefill_flops).toBeNull();
  });

  it('without instrumented runs there is no line', () => {
    const bare = [cell([0]), cell([0, 1]), cell([0, 1, 2])].map((one) => ({ ...one, instrumented: null }));
    const { outcomes, body, figures } = derived(bare);
    expect(outcomes).toEqual(['not tested', 'confirmed', 'confirmed', ...Array(4).fill('not tested')]);
    expect([body.depth.prefill, body.summary[0]?.stamped_blocks]).toEqual([null, null]);
    expect(figures.map(({ name }) => name)).not.toContain('exp3_transformer_blocks_parts');
  });
});

describe('a slice of a model', () => {
  /** The cell in which all of the slice ran knows what that means for the whole. */
  const whole = (one: Configuration): Configuration => ({
    ...one,
    scaled: {
      ...{ model: 'molmoe-1b', from: 'molmoe-slice', method: 'stamps by layer' },
      blocks: { language: [2, 16], vision: [3, 22] },
      stages: { prefill: { factor: (3 + 7 * 16) / (3 + 7 * 2) } },
      samples: one.clean.samples.map((sample) => ({ ...sample, T_LLM_prefill: 1150, T_vision_total: 4000 })),
      parts: [],
      counters: {
        prefill: { ...(one.counters.prefill as NonNullable<typeof one.counters.prefill>), flops: 1e6 + 16e9 },
        decode: { ...(one.counters.decode as NonNullable<typeof one.counters.decode>), flops: 7e6 + 16 * 7e8 },
      },
      flops: one.flops,
    },
  });
  const { body, findings, outcomes, figures } = derived([cell([0]), whole(cell([0, 1]))], run_of('molmoe-slice', 2));

  it('has rows of its own blocks, and says of the whole what follows and what ran', () => {
    expect(body.summary.map((row) => [row.num_active_blocks, row.num_total_blocks])).toEqual([
      [1, 2],
      [2, 2],
    ]);
    const { depth } = body;
    expect(depth).toMatchObject({ model: 'molmoe-1b', num_total_blocks: 16, from_blocks: 2, vision_ms: 4000 });
    expect(depth.rows.map(({ measured }) => measured !== null)).toEqual([true, true, ...Array(14).fill(false)]);
    // With two blocks the whole does what the slice does: that is measured. With sixteen it is what the slice is scaled to.
    expect(depth.rows[1]?.measured).toMatchObject({ prefill_ms: 170, decode_step_ms: 100 });
    expect(depth.rows[15]?.prefill_ms).toBeCloseTo(1150, 6);
    expect(depth.rows[15]?.decode_step_ms).toBeCloseTo(60 + 20 * 16, 6);
    for (const [i, row] of depth.rows.entries()) {
      expect([row.prefill_flops, row.decode_step_flops]).toEqual([1e6 + 1e9 * (i + 1), 1e6 + 1e8 * (i + 1)]);
    }
  });

  it('calls no two points a line, but holds the line against the depth it was not made from', () => {
    expect(outcomes).toEqual([
      ...['confirmed', 'not tested', 'not tested', 'confirmed', 'confirmed'],
      ...['confirmed', 'refuted'],
    ]);
    expect(findings.at(-1)?.because).toMatch(/on the line that follows from the stamps of 2 blocks$/);
  });

  it('marks in figures what was not measured', () => {
    const [breakdown] = figures;
    const bars = breakdown?.panels.map((panel) => (panel.kind === 'stack' ? panel.bars.map(({ label }) => label) : []));
    const expected = [
      ...[1, 2].map((blocks) => [String(blocks), 'measured']),
      ...[4, 8, 12, 16].map((blocks) => [String(blocks), 'line']),
    ];
    expect(bars).toEqual([expected, expected]);
    expect(breakdown?.notes.join()).toMatch(/line: what the stamps of 2 blocks say of other depths, not measured/);
  });
});
