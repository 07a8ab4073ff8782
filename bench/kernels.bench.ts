import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../engine/errors.ts';
import { type AdapterCeilings, measure_ceilings } from '../engine/meter/ceilings.ts';
import { preset_config } from '../engine/model/presets.ts';
import { open_executor } from '../engine/node/load.ts';
import { render } from '../experiments/lab/figures.ts';
import { family_of, type Variant } from '../kernels/spec.ts';
import type { Bench } from './bench.ts';
import { type BenchCase, kernel_cases } from './cases.ts';
import { type BenchedKernel, costs_of, rates_of } from './costs.ts';
import { roofline_figure } from './roofline.ts';
import { aligned, ceilings_line, forms_line } from './table.ts';
import { open_contestant, takes_part, time_case, variant_names } from './timed.ts';

const PROMPTS = [1, 17, 128, 512, 1215, 2048];
const QUICK_PROMPTS = [1, 128];
/** Work of a case beyond which a quick run leaves it out. */
const QUICK = { flops: 3e9, bytes: 1.5e8 } as const;

/** Every variant of every kernel by itself, checked and then timed, beside the ceilings of the same process. */
export async function bench_kernels({ say, quick, filter = '', out, family }: Bench) {
  const { executor } = await open_executor({ hush: true });
  try {
    const { traits, max_binding_bytes, facts } = executor.device;
    const makers = kernel_cases(preset_config('molmoe-1b'), quick ? QUICK_PROMPTS : PROMPTS);
    const neutral = { traits, max_binding_bytes, variant: { name: 'simple' } } as const;
    const wanted = makers.filter((make) => is_wanted(make(neutral), filter, quick));
    if (wanted.length === 0)
      throw new UsageError(`--filter ${filter}: expected a part of a kernel's name, such as matmul`);
    const ceilings = await measure_ceilings(executor);
    const in_family = (name: Variant['name']) =>
      family === undefined || ['simple', family].includes(family_of({ name }));
    const kernels = new Set(wanted.map((make) => make(neutral).kernel));
    const contestants = [];
    for (const name of variant_names(kernels).filter(in_family))
      contestants.push(await open_contestant(executor, name));
    say(ceilings_line(ceilings));
    say(forms_line(ceilings));
    const rows: BenchedKernel[] = [];
    for (const make of wanted) {
      for (const contestant of contestants) {
        const made = make(contestant.setting);
        if (!takes_part(contestant, made)) continue;
        const { kernel, stage, shape } = made;
        const head = { kernel: kernel.name, variant: contestant.name, stage, shape };
        const found = await time_case(contestant, made);
        const row = typeof found === 'string' ? { ...head, fault: found } : { ...head, ...rates_of(found, ceilings) };
        rows.push(row);
        say(aligned([columns(row)], WIDTHS)[0] as string);
      }
    }
    const figure = await render(roofline_figure(rows, ceilings), { adapter: facts });
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, 'kernels.svg'), figure.svg);
    writeFileSync(join(out, 'kernels.png'), figure.png);
    writeFileSync(join(out, 'kernels.txt'), `${table_of(rows, ceilings).join('\n')}\n`);
    say(`${rows.length} rows; table and roofline: ${join(out, 'kernels.txt')}, kernels.png and kernels.svg`);
    const faults = rows.filter((row) => row.fault?.startsWith('wrong')).length;
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

const HEAD = ['kernel', 'variant', 'stage', 'shape', 'ms', 'GFLOP/s', 'GB/s', '% fma', '% stream', '% floor'];
const WIDTHS = [24, 10, 14, 44, 9, 8, 7, 5, 8, 7];

function columns(row: BenchedKernel): string[] {
  const head = [row.kernel, row.variant, row.stage, row.shape];
  if (row.ms === undefined) return [...head, row.fault ?? ''];
  const percent = (x = 0) => (100 * x).toFixed(0);
  const rate = (x = 0) => x.toFixed(1);
  const [gflops, of_fma] = row.flops ? [rate(row.gflops), percent(row.of_fma)] : ['-', '-'];
  const shares = [of_fma, percent(row.of_stream), percent(row.of_floor)];
  return [...head, row.ms.toPrecision(3), gflops, rate(row.gbytes), ...shares];
}

function table_of(rows: readonly BenchedKernel[], ceilings: AdapterCeilings): string[] {
  const sorted = rows.toSorted((a, b) => a.kernel.localeCompare(b.kernel));
  return [ceilings_line(ceilings), forms_line(ceilings), ...aligned([HEAD, ...sorted.map(columns)], WIDTHS)];
}
