import { kernel, type Options, type Variant } from '../spec.ts';
import body from './probe_fma.wgsl';

/** How the same multiply-adds are laid out: which layout is fastest differs between adapters and drivers. */
export interface FmaForm {
  /** Independent chains a thread. */
  readonly chains: number;
  /** Values of a chain: a scalar, or a vector. */
  readonly width: 1 | 2 | 4;
  readonly threads: number;
}

/** Forms that were fastest on some adapter or driver, and what lies between them. */
export const FMA_FORMS: readonly FmaForm[] = [
  { chains: 8, width: 4, threads: 64 },
  { chains: 4, width: 4, threads: 256 },
  { chains: 16, width: 2, threads: 64 },
  { chains: 8, width: 2, threads: 256 },
  { chains: 16, width: 1, threads: 64 },
  { chains: 32, width: 1, threads: 64 },
  { chains: 32, width: 1, threads: 8 },
];

/** Steps of a round on each chain. */
const STEPS = 4;
const PLACES = 65536;
/** Later workgroups leave their counts where earlier ones did, so that the result stays small. */
export const FMA_COUNT_BYTES = 4 * PLACES;

export const fma_options = ({ chains, width, threads }: FmaForm) => ({
  CHAINS: chains,
  WIDTH: width,
  THREADS: threads,
});
export const fma_name = ({ chains, width, threads }: FmaForm): string =>
  `${chains} chains of ${width === 1 ? 'scalars' : `vec${width}`}, ${threads} threads`;

const form_of = ({ CHAINS = 8, WIDTH = 4, THREADS = 64 }: Options): FmaForm =>
  ({ chains: Number(CHAINS), width: Number(WIDTH), threads: Number(THREADS) }) as FmaForm;

const values = (scalar: string, width: number): string =>
  width === 1
    ? `alias Scalar = ${scalar};\nalias Value = Scalar;\nfn total(value: Value) -> f32 { return f32(value); }`
    : `alias Scalar = ${scalar};\nalias Value = vec${width}<Scalar>;\nfn total(value: Value) -> f32 { return dot(vec${width}f(value), vec${width}f(1.0)); }`;

const repeated = (line: string, times: number): string =>
  Array.from({ length: times }, (_, i) => line.replaceAll('c0', `c${i}`)).join('');

const probe = (name: string, scalar: 'f32' | 'f16') => {
  const text = (options: Options): string[] => {
    const { chains, width } = form_of(options);
    return [values(scalar, width), body.replace(/^ .*\bc0\b.*\n/gm, (line) => repeated(line, chains))];
  };
  const simple: Variant<'workgroups'> = {
    name: 'simple',
    half: scalar === 'f16',
    wgsl: text,
    consts: (options) => fma_options(form_of(options)), // without options the first form
    grid: (p) => [p.workgroups, 1, 1],
  };
  return kernel({
    name,
    bindings: [{ name: 'counts', access: 'read_write' }], // [65536] f32: steps of a thread, summed over its values
    params: [
      ['rounds', 'u32'], // up to 512: an f16 counts to 2048
      ['factor', 'f32'],
      ['term', 'f32'],
    ],
    host: ['workgroups'],
    variants: [simple],
    flops: (p, options) => {
      const form = form_of(options);
      return { useful: 2 * fma_count(p.rounds, form) * form.threads * p.workgroups, other: 0 };
    },
    bytes: () => ({ weights: 0, read: 0, written: FMA_COUNT_BYTES, kv: 0 }),
  });
};

/** The most fused multiply-adds an adapter can do: no memory, no dependence, nothing else. */
export const probe_fma_f32 = probe('probe_fma_f32', 'f32');
/** The same in half precision, where the device has shader-f16. */
export const probe_fma_f16 = probe('probe_fma_f16', 'f16');

/** What every thread leaves with factor and term 1: its multiply-adds. */
export const fma_count = (rounds: number, { chains, width }: FmaForm): number => STEPS * rounds * chains * width;
