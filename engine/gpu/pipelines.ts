import type { Family, Kernel, Options, Params, Traits, Variant } from '../../kernels/spec.ts';
import { family_of, runs_on, wgsl_files } from '../../kernels/spec.ts';
import { InputError } from '../errors.ts';
import type { Buffer } from './buffers.ts';
import { type Device, one_line } from './device.ts';

/** `auto`, a family, or one variant: kernels without it take the first that their shape allows of its family. */
export type VariantChoice = 'auto' | Variant['name'];

/** Variants that measuring found fastest, by kernel and shape class: `tune_key`. */
export type Tuning = Readonly<Record<string, string>>;

export interface BoundGroup {
  readonly buffers: readonly Buffer[];
  readonly gpu: GPUBindGroup;
}

/** A kernel made ready for one set of options on one device. */
export interface Pipeline {
  readonly id: number;
  readonly variant: Variant;
  readonly layout: GPUBindGroupLayout;
  /** Bytes of the kernel's parameters. */
  readonly param_bytes: number;
  /** Bind groups made for it, in the order in which they were first needed; the latest found, which the next follows. */
  readonly groups: BoundGroup[];
  latest_group: number;
  /** Undefined until compiled. */
  gpu: GPUComputePipeline | undefined;
  readonly ready: Promise<void>;
}

export const PARAM_BYTES = 64;
/** Whether a subgroup matrix is used alike by all of its subgroup is beyond what WGSL can prove. */
const MATRIX_LINES = [
  'enable f16;',
  'enable subgroups;',
  'enable chromium_experimental_subgroup_matrix;',
  'diagnostic(off, chromium.subgroup_matrix_uniformity);',
];
const IMMEDIATE_LINE = 'var<immediate> params: Params;';

export const tune_key = (kernel: Kernel, p: Params, options: Options): string =>
  `${kernel.name} ${kernel.shape_class?.(p, options) ?? ''}`;

const FAMILIES: Readonly<Record<Family, readonly Family[]>> = {
  simple: ['simple', 'tiled', 'lanes'],
  tiled: ['tiled', 'simple', 'lanes'],
  lanes: ['lanes', 'simple', 'tiled'],
  matrix: ['matrix', 'tiled', 'simple', 'lanes'],
};

export const default_family = (traits: Traits): Family => (traits.software ? 'lanes' : 'tiled');

/** What was measured to be the fastest; else the first of the family that suits the adapter, or that was asked for. */
export function choose_variant(
  kernel: Kernel,
  traits: Traits,
  wanted: VariantChoice,
  p: Params,
  options: Options,
  tuning: Tuning = {},
): Variant {
  const able = kernel.variants.filter((v) => runs_on(v, traits) && v.fits?.(options) !== false);
  if (wanted === 'auto' && kernel.shape_class !== undefined) {
    const name = tuning[tune_key(kernel, p, options)];
    const tuned = able.find((v) => v.name === name);
    if (tuned !== undefined) return tuned;
  }
  const named = able.find((v) => v.name === wanted);
  if (named !== undefined) return named;
  for (const family of FAMILIES[wanted === 'auto' ? default_family(traits) : family_of({ name: wanted })]) {
    const variants = able.filter((v) => family_of(v) === family);
    const variant =
      variants.find(({ more_rows = 0 }) => (p.rows ?? Number.POSITIVE_INFINITY) > more_rows) ?? variants[0];
    if (variant !== undefined) return variant;
  }
  throw new InputError(
    `kernel ${kernel.name}: no variant runs on this adapter (subgroup size ${traits.subgroup_size})`,
  );
}

/** The WGSL that is compiled: options as `const` lines, then the variant's files; without immediates, `params` is a uniform. */
export function shader_text(
  kernel: Kernel,
  variant: Variant,
  options: Options,
  traits: Traits,
  immediates: boolean,
): string {
  const consts = { ...options, ...variant.consts?.(options, traits) };
  const lines = Object.entries(consts).map(([name, value]) =>
    typeof value === 'boolean' ? `const ${name} = ${value};` : `const ${name} = ${value}u;`,
  );
  const asks = variant.matrix && traits.matrix?.asked;
  const enables = [
    ...(asks ? ['enable subgroup_size_control;'] : []),
    ...(variant.matrix ? MATRIX_LINES : []),
    ...(variant.half ? ['enable f16;'] : []),
    ...(variant.subgroups && !variant.matrix ? ['enable subgroups;'] : []),
  ];
  const files = wgsl_files(variant, options).join('\n');
  const body = asks ? files.replace('@compute', '@compute @subgroup_size(SUBGROUP)') : files;
  const uniform_line = `@group(0) @binding(${kernel.bindings.length}) var<uniform> params: Params;`;
  return [...enables, ...lines, immediates ? body : body.replace(IMMEDIATE_LINE, uniform_line)].join('\n');
}

export function pack_params(kernel: Kernel, params: Params, into: DataView, offset: number): void {
  for (let i = 0; i < kernel.params.length; i++) {
    const [name, type] = kernel.params[i] as (typeof kernel.params)[number];
    const value = params[name] as number;
    if (type === 'f32') into.setFloat32(offset + 4 * i, value, true);
    else into.setUint32(offset + 4 * i, value, true);
  }
}

/** Tells apart sizes that take different variants where nothing was measured. */
function size_key(kernel: Kernel, p: Params): string {
  for (const { more_rows } of kernel.variants)
    if (more_rows !== undefined) return (p.rows as number) > more_rows ? 'long' : '';
  return '';
}

function same_options(a: Options, b: Options): boolean {
  for (const name in a) if (a[name] !== b[name]) return false;
  for (const name in b) if (!(name in a)) return false;
  return true;
}

export interface Pipelines {
  /** Starts compiling on first use; `ready` settles when it can run. */
  readonly get: (kernel: Kernel, options: Options, p: Params) => Pipeline;
  readonly choose: (kernel: Kernel, options: Options, p: Params) => Variant;
  readonly prefer: (wanted: VariantChoice, tuning: Tuning) => void;
  readonly all: () => Iterable<Pipeline>;
  readonly count: () => number;
}

export function make_pipelines(device: Device): Pipelines {
  const cache = new Map<string, Pipeline>();
  const layouts = new Map<string, { group: GPUBindGroupLayout; pipeline: GPUPipelineLayout }>();
  let wanted: VariantChoice = 'auto';
  let tuning: Tuning = {};
  let tuned_kernels: ReadonlySet<string> = new Set();

  const layout_of = (kernel: Kernel) => {
    const key = kernel.bindings.map((b) => b.access).join();
    const known = layouts.get(key);
    if (known !== undefined) return known;
    const entries: GPUBindGroupLayoutEntry[] = kernel.bindings.map((b, binding) => ({
      binding,
      visibility: 4, // GPUShaderStage.COMPUTE
      buffer: { type: b.access === 'read' ? 'read-only-storage' : 'storage' },
    }));
    if (!device.immediates) {
      entries.push({ binding: entries.length, visibility: 4, buffer: { type: 'uniform', hasDynamicOffset: true } });
    }
    const group = device.gpu.createBindGroupLayout({ entries });
    const described = { bindGroupLayouts: [group], immediateSize: device.immediates ? PARAM_BYTES : 0 };
    const made = { group, pipeline: device.gpu.createPipelineLayout(described) };
    layouts.set(key, made);
    return made;
  };

  const choose: Pipelines['choose'] = (kernel, options, p) =>
    choose_variant(kernel, device.traits, wanted, p, options, tuning);

  /** Made for a kernel with some options and a class of shapes; few of each, so looking at all is faster than a key. */
  const found = new Map<
    Kernel,
    { readonly options: Options; readonly shapes: string; readonly pipeline: Pipeline }[]
  >();
  const get: Pipelines['get'] = (kernel, options, p) => {
    let known = found.get(kernel);
    if (known === undefined) {
      known = [];
      found.set(kernel, known);
    }
    const shapes = tuned_kernels.has(kernel.name) ? tune_key(kernel, p, options) : size_key(kernel, p);
    for (const one of known) if (one.shapes === shapes && same_options(one.options, options)) return one.pipeline;
    const pipeline = compiled(kernel, options, choose(kernel, options, p));
    known.push({ options, shapes, pipeline });
    return pipeline;
  };

  const compiled = (kernel: Kernel, options: Options, variant: Variant): Pipeline => {
    const key = `${kernel.name}|${variant.name}|${Object.entries(options).join('|')}`;
    const known = cache.get(key);
    if (known !== undefined) return known;
    const layout = layout_of(kernel);
    const label = `${kernel.name}.${variant.name}`;
    const code = shader_text(kernel, variant, options, device.traits, device.immediates);
    const module = device.gpu.createShaderModule({ label, code });
    const compiling = device.gpu.createComputePipelineAsync({
      label,
      layout: layout.pipeline,
      compute: { module, entryPoint: 'main' },
    });
    const pipeline: Pipeline = {
      id: cache.size,
      variant,
      layout: layout.group,
      param_bytes: 4 * kernel.params.length,
      groups: [],
      latest_group: -1,
      gpu: undefined,
      ready: compiling.then(
        (gpu) => {
          pipeline.gpu = gpu;
        },
        async (error: Error) => {
          const info = await module.getCompilationInfo();
          const first = info.messages.find((m) => m.type === 'error');
          const detail = first ? `line ${first.lineNum}: ${first.message}` : error.message;
          throw new InputError(`kernel ${label} did not compile on ${device.facts.description}: ${one_line(detail)}`);
        },
      ),
    };
    pipeline.ready.catch(() => undefined); // whoever waits for it sees the error; nobody waiting is no crash
    cache.set(key, pipeline);
    return pipeline;
  };

  const prefer: Pipelines['prefer'] = (choice, measured) => {
    wanted = choice;
    tuning = measured;
    tuned_kernels = new Set(Object.keys(measured).map((key) => key.split(' ', 1)[0] as string));
    found.clear();
  };

  return { get, choose, prefer, all: () => cache.values(), count: () => cache.size };
}
