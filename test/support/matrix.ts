import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Executor, make_executor } from '../../engine/gpu/executor.ts';
import { attention } from '../../kernels/attention/attention.ts';
import units from '../../kernels/common/matrix_units.wgsl';
import { expert_matmul } from '../../kernels/expert_matmul/expert_matmul.ts';
import { matmul } from '../../kernels/matmul/matmul.ts';
import { type Kernel, type Options, type Traits, type Variant, wgsl_files } from '../../kernels/spec.ts';
import { type Draw, type FuzzOp, with_noise } from './fuzz.ts';
import { repo_root } from './golden.ts';
import { test_executor } from './gpu.ts';

export type MatrixSize = NonNullable<Traits['matrix']>;

export const MATRIX_KERNELS = { matmul, expert_matmul, attention };

export const matrix_names = (kernel: { readonly variants: readonly Variant<never>[] }): Variant['name'][] =>
  kernel.variants.filter((v) => v.matrix).map((v) => v.name);

const EMULATION = readFileSync(join(repo_root, 'test/support/matrix_emulated.wgsl'), 'utf8');

/** The kernel, with variants for matrix units that run anywhere: nothing but the units themselves is replaced. */
export function emulated<P extends string>(kernel: Kernel<P>, emulation = EMULATION): Kernel<P> {
  const variants = kernel.variants.map((variant) => ({
    ...variant,
    ...(variant.matrix ? { matrix: false, subgroups: true } : {}),
    wgsl: (options: Options) => wgsl_files(variant, options).map((text) => (text === units ? emulation : text)),
  }));
  return { ...kernel, variants };
}

/** Units that round what they sum up, as some adapters' do, or that take a matrix turned: faults that a check must see. */
export const FAULTY_UNITS = {
  'sums in f16': EMULATION.replace(
    'result[i] += dot(left[k], w);',
    'result[i] = quantizeToF16(result[i] + dot(left[k], w));',
  ),
  'columns turned': EMULATION.replace('return Right(at, pitch, true);', 'return Right(at, pitch, false);'),
  'rows turned': EMULATION.replace('return Right(at, pitch, false);', 'return Right(at, pitch, true);'),
};

/** The operation on matrix units, with numbers that f16 holds: only scores and weights of attention are rounded. */
export function on_units(op: FuzzOp, made_of: (kernel: Kernel) => Kernel, tolerance?: number): FuzzOp {
  const kernels = op.kernels.map((kernel) => {
    const whole = made_of(kernel as Kernel);
    const own = whole.variants.filter((_, i) => kernel.variants[i]?.matrix);
    return { ...whole, variants: own.map((variant) => ({ ...variant, matrix: false })) };
  });
  return {
    ...op,
    kernels,
    make(draw, variant) {
      const noise: Draw['noise'] = (count) => draw.noise(count).map((x) => Math.round(1024 * x) / 1024);
      const made = op.make(with_noise(draw, noise), variant);
      return { ...made, launches: made.launches.map((l) => ({ ...l, kernel: made_of(l.kernel) })) };
    },
    tolerance: tolerance ?? op.tolerance,
  };
}

/** An executor that believes in matrices of this size. */
export async function emulating_executor(variant: Variant['name'], matrix: MatrixSize): Promise<Executor> {
  const { device } = await test_executor(variant);
  return make_executor({ ...device, traits: { ...device.traits, matrix } }, variant);
}
