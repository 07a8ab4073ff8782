import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { InputError, OutOfMemoryError } from '../../engine/errors.ts';
import { byte_tokenizer } from '../../engine/input/tokenizer.ts';
import { preset_config } from '../../engine/model/presets.ts';
import type { GenerateResult } from '../../engine/molmoe.ts';
import { type Conduct, run_cells } from '../../experiments/lab/conduct.ts';
import { rings } from '../../experiments/lab/inputs.ts';
import type { Instrument, Observed } from '../../experiments/lab/instruments.ts';
import type { Runner } from '../../experiments/lab/measure.ts';
import { type Cell, cell_of } from '../../experiments/lab/plan.ts';
import { open_results } from '../../experiments/lab/record.ts';
import { FAKE_RUN, fake_configuration } from '../support/records.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'molmoe-conduct-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const config = preset_config('molmoe-tiny');
const tokenizer = byte_tokenizer({ bos: config.bos_id, eos: config.eos_id, ...config.special });
const on = { config, tokenizer, asked: {}, tokens_per_readback: 1 };
const cell = (k: number, prompt = 'What?') =>
  cell_of(on, { k }, { knobs: { topK: k }, prompt, image: rings(336, 336), new_tokens: 2 }) as Cell;

/** An instrument that counts how often it observes. */
function counting() {
  const seen: string[] = [];
  const { tokens, clean, methods, instrumented, counters, flops, requests, memory, warnings } = fake_configuration(
    'low',
    'short',
    'short',
  );
  const observed: Observed = {
    prompt: '',
    image: null,
    tokens,
    clean,
    methods,
    instrumented,
    counters,
    flops,
    requests,
    memory,
    warnings,
  };
  const instrument: Instrument = {
    name: 'latency',
    runs: true,
    runs_of: () => 1,
    observe: async (_, [first], __, { on_run, on_instrumented }) => {
      seen.push(String(first?.request.knobs?.topK));
      await on_instrumented?.({} as GenerateResult);
      on_run(1);
      return observed;
    },
  };
  return { instrument, seen };
}

/** Generates nothing, but knows which experts were chosen. */
const extra: string[] = [];
let lost = false;
const check = () => {
  if (lost) throw new InputError('the device was lost');
};
const model = {
  executor: { device: { check } },
  facts: { name: 'molmoe-tiny', config, dtype: 'f16' },
  generate: ({ routing, timing }: { routing?: boolean; timing?: string }) => {
    extra.push(routing ? 'routing' : String(timing));
    const layers = [{ layer: 0, prefill: [1, 2], decode: [] }];
    const timeline = {
      spans: [],
      span_ns: 0,
      sum_ns: 0,
      faults: { negative: 0, zero: 0, quantised: false },
      clock: 'gpu',
    };
    return { result: Promise.resolve({ stages: [], timeline, routing: { layers, imbalance: { prefill: 1.5 } } }) };
  },
} as unknown as Runner;

async function run(cells: readonly Cell[], instrument: Instrument, over: Partial<Conduct> = {}) {
  const { fingerprint, ceilings } = FAKE_RUN;
  const plan = { options: {}, cells: [], skipped: [] };
  const results = await open_results(folder, { experiment: 'toy', fingerprint, ceilings, plan });
  try {
    await run_cells(cells, {
      results,
      instrument,
      protocol: fingerprint.protocol,
      load: async () => model,
      routing: false,
      ...over,
    });
    return [...results.finished().values()];
  } finally {
    await results.close();
  }
}

describe('run_cells', () => {
  it('measures what the folder lacks, each cell under its own knobs', async () => {
    const { instrument, seen } = counting();
    expect((await run([cell(1)], instrument)).map(({ knobs }) => knobs)).toEqual([{ topK: 1 }]);
    const all = await run([cell(1), cell(2)], instrument);
    expect([seen, all.map(({ key, knobs }) => [key, knobs.topK])]).toEqual([
      ['1', '2'],
      [
        ['k=1', 1],
        ['k=2', 2],
      ],
    ]);
  });

  it('adds routing and traces to a finished folder without measuring its times again', async () => {
    const { instrument, seen } = counting();
    const [before] = await run([cell(1)], instrument);
    expect(before?.routing).toBe(null);
    extra.length = 0;
    const [after] = await run([cell(1)], instrument, { routing: true, trace_of: () => '{"traceEvents":[]}' });
    expect([seen, extra]).toEqual([['1'], ['kernel', 'routing']]);
    expect(after?.routing).toEqual({ layers: [{ layer: 0, pairs: [1, 2] }], imbalance: 1.5 });
    expect(after?.clean).toEqual(before?.clean);
    expect([after?.started, after?.ended]).toEqual([before?.started, before?.ended]);
    // What is there is not made again.
    await run([cell(1)], instrument, { routing: true, trace_of: () => '{"traceEvents":[]}' });
    expect(extra).toEqual(['kernel', 'routing']);
  });

  it('keeps what is known of a cell, and makes the files that belong to it once, also later', async () => {
    const { instrument, seen } = counting();
    const [bare] = await run([{ ...cell(1), about: { side: 336 } }], instrument);
    expect(bare?.about).toEqual({ side: 336 });
    const made: string[] = [];
    const attachments = ['crops/a.png', 'crops/b.png'].map((name) => ({
      name,
      make: () => {
        made.push(name);
        return new Uint8Array([1]);
      },
    }));
    for (let i = 0; i < 2; i++) await run([{ ...cell(1), attachments }], instrument);
    expect([seen, made]).toEqual([['1'], ['crops/a.png', 'crops/b.png']]);
    expect(readFileSync(join(folder, 'crops/b.png')).length).toBe(1);
  });

  it('refuses a cell of the same key that asks something else', async () => {
    const { instrument } = counting();
    await run([cell(1)], instrument);
    await expect(run([cell(1, 'Why?')], instrument)).rejects.toThrow(/k=1 was measured with another picture, prompt/);
  });

  it('leaves out a cell that cannot run here, says why, and goes on', async () => {
    const { instrument } = counting();
    const heavy: Instrument = {
      ...instrument,
      observe: async (...args) => {
        if (args[1][0]?.request.knobs?.topK === 1) throw new OutOfMemoryError('out of GPU memory');
        return instrument.observe(...args);
      },
    };
    const failed: [string, string][] = [];
    const on_failed: Conduct['on_failed'] = ({ key }, reason) => failed.push([key, reason]);
    const all = await run([cell(1), cell(2)], heavy, { on_failed });
    expect(all.map(({ key }) => key)).toEqual(['k=2']);
    expect(failed).toEqual([['k=1', 'out of GPU memory']]);
    const { cells } = JSON.parse(readFileSync(join(folder, 'failed.json'), 'utf8'));
    expect(cells).toEqual([{ key: 'k=1', settings: { k: 1 }, reason: 'out of GPU memory' }]);
    // It has another chance the next time.
    expect((await run([cell(1), cell(2)], instrument)).length).toBe(2);
  });

  it('ends with what refused the only cell, and at once where the device is lost or the program is at fault', async () => {
    const { instrument } = counting();
    const failing = (error: Error): Instrument => ({ ...instrument, observe: () => Promise.reject(error) });
    await expect(run([cell(1)], failing(new OutOfMemoryError('too large')))).rejects.toThrow('too large');
    await expect(run([cell(1), cell(2)], failing(new TypeError('a fault')))).rejects.toThrow('a fault');
    lost = true;
    await expect(run([cell(1), cell(2)], failing(new InputError('no answer')))).rejects.toThrow('the device was lost');
    lost = false;
  });
});
