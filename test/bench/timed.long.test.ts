import { expect, it } from 'vitest';
import { type BenchCase, kernel_cases, linear, norm } from '../../bench/cases.ts';
import { open_contestant, takes_part, time_case, variant_names } from '../../bench/timed.ts';
import { preset_config } from '../../engine/model/presets.ts';
import { type Kernel, type Options, type Variant, wgsl_files } from '../../kernels/spec.ts';
import type { Want } from '../reference/cases/case.ts';
import { test_executor } from '../support/gpu.ts';

const contestant = await open_contestant(await test_executor(), 'tiled');
const product = linear({ stage: 'prefill', rows: 33, k: 64, cols: 136 });

it('times what is right, with the costs of the mathematics', async () => {
  const timed = await time_case(contestant, product);
  expect(timed).toMatchObject({ counts: { dispatches: 1, flops: 2 * 33 * 64 * 136 } });
  expect((timed as { ms: number }).ms).toBeGreaterThan(0);
});

it('cuts columns into slices that one binding holds', async () => {
  const max_binding_bytes = 128 * 64 * 2;
  const sliced = linear({ stage: 'prefill', rows: 3, k: 64, cols: 301, max_binding_bytes });
  expect(sliced.launches.map(({ params }) => [params.col0, params.cols])).toEqual([
    [0, 128],
    [128, 128],
    [256, 45],
  ]);
  expect(await time_case(contestant, sliced)).toMatchObject({ counts: { flops: 2 * 3 * 64 * 301 } });
});

/** The same case with a fault in its kernel's text. */
function broken(made: BenchCase, from: string, to: string): BenchCase {
  const variants = made.kernel.variants.map((variant) => ({
    ...variant,
    wgsl: (options: Options) => wgsl_files(variant, options).map((text) => text.replace(from, to)),
  }));
  const kernel: Kernel = { ...made.kernel, name: `${made.kernel.name} broken`, variants };
  return { ...made, kernel, launches: made.launches.map((launch) => ({ ...launch, kernel })) };
}

it('tells what is wrong and does not time it', async () => {
  const whole = norm(5, 64, false);
  const body = wgsl_files(whole.kernel.variants[0] as Variant, {}).at(-1) ?? '';
  const eps = 'params.eps';
  expect(body).toContain(eps);
  expect(await time_case(contestant, broken(whole, eps, '(params.eps + 0.5)'))).toMatch(
    /^wrong: y\[0\] is .*, the reference .* \(\d+ of 384 looked at are off\)$/,
  );
});

it('sees one wrong column at the edge of a sampled product', async () => {
  const { buffers, want } = product.open();
  const made = { ...product, open: () => ({ buffers, want: () => want().map(off_at_the_end) }) };
  expect(await time_case(contestant, made)).toMatch(/^wrong: c\[\d+\] is .* \(1 of \d+ looked at are off\)$/);
});

function off_at_the_end(want: Want) {
  const values = Float64Array.from(want.values);
  values[values.length - 1] = (values.at(-1) ?? 0) + 0.1;
  return { ...want, values };
}

it('tells what this device has no room for from what is wrong', async () => {
  const { buffers, want } = product.open();
  const huge = { length: 0, byteLength: 2 ** 40 } as Float32Array;
  const made = { ...product, open: () => ({ buffers: { ...buffers, c: huge }, want }) };
  expect(await time_case(contestant, made)).toMatch(/^not run: GPU buffer "c": asked for .* allows .* a buffer/);
});

it('leaves out a variant that would have a stand-in', () => {
  const swiglu = kernel_cases(preset_config('molmoe-tiny'), [16])
    .map((make) => make(contestant.setting))
    .find((made) => made.kernel.name === 'swiglu') as BenchCase;
  expect(takes_part(contestant, product)).toBe(true);
  expect(takes_part(contestant, swiglu)).toBe(false);
});

const tiny = kernel_cases(preset_config('molmoe-tiny'), [1, 17]);
const names = variant_names(tiny.map((make) => make(contestant.setting).kernel));

it.each(names)('every kernel of a tiny model is right: %s', async (name) => {
  const one = await open_contestant(contestant.executor, name);
  const faults: string[] = [];
  for (const make of tiny) {
    const made = make(one.setting);
    if (made.stage === 'load' || !takes_part(one, made)) continue;
    const timed = await time_case(one, made);
    if (typeof timed === 'string') faults.push(`${made.kernel.name} ${made.shape}: ${timed}`);
  }
  expect(faults).toEqual([]);
});
