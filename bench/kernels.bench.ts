import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../engine/errors.ts';
import { type AdapterCeilings, measure_ceilings } from '../engine/meter/ceilings.ts';
import type { Counts } from '../engine/meter/ledger.ts';
import { floor_of } from '../engine/meter/roofline.ts';
import { preset_config } from '../engine/model/presets.ts';
import { open_executor } from '../engine/node/load.ts';
import { render } from '../experiments/lab/figures.ts';
import type { Bench } from './bench.ts';
import type { BenchedKernel } from './benched.ts';
import { type BenchCase, kernel_cases } from './cases.ts';
import { costs_of } from './costs.ts';
import { roofline_figure } from './roofline.ts';
import { aligned, ceilings_line } from './table.ts';
import { open_contestant, takes_part, time_case, variant_names } from './timed.ts';

const PROMPTS = [1, 17, 128, 512, 1215, 2048];
const QUICK_PROMPTS = [1, 128];
/** Work of a case beyond which a quick run leaves it out. */
const QUICK = { flops: 3e9, bytes: 1.5e8 } as const;

/** Every variant of every kernel by itself, checked and then timed, beside the ceilings of the same process. */
export async function bench_kernels({ say, quick, filter = '', out }: Bench) {
  const { executor } = await open_executor({ hush: true });
  try {
    const ceilings = await measure_ceilings(executor);
    const { traits, max_binding_bytes, facts } = executor.device;
    const makers = kernel_cases(preset_config('molmoe-1b'), quick ? QUICK_PROMPTS : PROMPTS);
    const neutral = { traits, max_binding_bytes, variant: { name: 'simple' } } as const;
    const wanted = makers.filter((make) => is_wanted(make(neutral), filter, quick));
    if (wanted.length === 0)
      throw new UsageError(`--filter ${filter}: expected a part of a kernel's name, such as matmul`);
    const kernels = new Set(wanted.map((make) => make(neutral).kernel));
    const contestants = [];
    for (const name of variant_names(kernels)) contestants.push(await open_contestant(executor, name));
    say(ceilings_line(ceilings));
    const rows: BenchedKernel[] = [];
    for (const make of wanted) {
      for (const contestant of contestants) {
        const made = make(contestant.setting);
        if (!takes_part(contestant, made)) continue;
        const head = {
          kernel: made.kernel.name,
          variant: contestant.name,
          stage: made.stage,
          shape: made.shape,
        };
        const found = await time_case(contestant, made);
        const row = typeof found === 'string' ? { ...head, fault: found } : { ...head, ...rates(found, ceilings) };
        rows.push(row);
        say(aligned([cells(row)], WIDTHS)[0] as string);
      }
    }
    const figure = await render(roofline_figure(rows, ceilings), { adapter: facts });
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, 'kernels.svg'), figure.svg);
    writeFileSync(join(out, 'kernels.png'), figure.png);
    writeFileSync(join(out, 'kernels.txt'), `${table_of(rows, ceilings).join('\n')}\n`);
    say(`${rows.length} rows; table and roofline: ${join(out, 'kernels.txt')}, kernels.png and kernels.svg`);
    const faults = rows.filter((row) => row.fault !== undefined).length;
    if (faults > 0) {
      say(`${faults} rows are wrong and were not timed`);
      process.exitCode = 1;
    }
    return { rows, ceilings };
  } finally {
    executor.destroy();
  }
}

function is_wanted(made: BenchCase, filter: string, quick: boolean): boolean {
  if (!made.kernel.name.includes(filter)) return false;
  const { flops, weight_bytes, other_bytes } = costs_of(made);
  return !quick || (flops <= QUICK.flops && weight_bytes + other_bytes <= QUICK.bytes);
}

const moved = (counts: Counts): number =>
  counts.weight_bytes + counts.read_bytes + counts.written_bytes + counts.kv_bytes;

function rates({ ms, counts }: { ms: number; counts: Counts }, ceilings: AdapterCeilings) {
  const [gflops, gbytes] = [counts.flops / ms / 1e6, moved(counts) / ms / 1e6];
  return {
    ...{ ms, flops: counts.flops, bytes: moved(counts), gflops, gbytes },
    of_fma: (1e9 * gflops) / ceilings.fma_f32_flops,
    of_stream: (1e9 * gbytes) / ceilings.stream_read_bytes,
    of_floor: floor_of(counts, ceilings).floor_ms / ms,
  };
}

const HEAD = ['kernel', 'variant', 'stage', 'shape', 'ms', 'GFLOP/s', 'GB/s', '% fma', '% stream', '% floor'];
const WIDTHS = [24, 10, 14, 44, 9, 8, 7, 5, 8, 7];

function cells(row: BenchedKernel): string[] {
  const head = [row.kernel, row.variant, row.stage, row.shape];
  if (row.ms === undefined) return [...head, `wrong: ${row.fault}`];
  const percent = (x = 0) => (100 * x).toFixed(0);
  const arithmetic = (row.flops ?? 0) > 0;
  return [
    ...head,
    row.ms.toPrecision(3),
    arithmetic ? (row.gflops ?? 0).toFixed(1) : '-',
    (row.gbytes ?? 0).toFixed(1),
    arithmetic ? percent(row.of_fma) : '-',
    percent(row.of_stream),
    percent(row.of_floor),
  ];
}

function table_of(rows: readonly BenchedKernel[], ceilings: AdapterCeilings): string[] {
  const sorted = rows.toSorted((a, b) => a.kernel.localeCompare(b.kernel));
  return [ceilings_line(ceilings), ...aligned([HEAD, ...sorted.map(cells)], WIDTHS)];
}
