import { describe, expect, it } from 'vitest';
import { choose_variant, tune_key, type VariantChoice } from '../../engine/gpu/pipelines.ts';
import { kernel, type Traits, type Variant } from '../../kernels/spec.ts';

const GPU: Traits = { subgroup_size: 32, software: false };
const CPU: Traits = { subgroup_size: 8, software: true };

const variant = (name: Variant['name'], more: Partial<Variant> = {}): Variant => ({
  name,
  wgsl: [],
  grid: () => [1, 1, 1],
  ...more,
});
const product = kernel({
  name: 'product',
  bindings: [],
  params: [['rows', 'u32']],
  variants: [
    variant('tiled'),
    variant('tiled_128', { fits: (o) => o.WIDE !== false }),
    variant('lanes', { subgroups: true }),
    variant('lanes_8', { subgroups: true }),
  ],
  shape_class: (p) => (Number(p.rows) < 100 ? 'few' : 'many'),
  flops: () => ({ useful: 0, other: 0 }),
  bytes: () => ({ weights: 0, read: 0, written: 0, kv: 0 }),
});

const chosen = (traits: Traits, wanted: VariantChoice, rows: number, tuning = {}, options = {}) =>
  choose_variant(product, traits, wanted, { rows }, options, tuning).name;

describe('which variant runs', () => {
  it('is the first of the family that suits the adapter where nothing was measured', () => {
    expect(chosen(GPU, 'auto', 500)).toBe('tiled');
    expect(chosen(CPU, 'auto', 500)).toBe('lanes');
    expect(chosen({ subgroup_size: 0, software: true }, 'auto', 500)).toBe('tiled');
  });

  it('is left to longer products where it says so, unless asked for or measured', () => {
    const variants = [variant('lanes', { subgroups: true, more_rows: 16 }), variant('lanes_8', { subgroups: true })];
    const sized = { ...product, variants };
    const run = (rows: number, wanted: VariantChoice = 'auto', tuning = {}) =>
      choose_variant(sized, CPU, wanted, { rows }, {}, tuning).name;
    expect([run(16), run(17)]).toEqual(['lanes_8', 'lanes']);
    expect(run(16, 'lanes')).toBe('lanes');
    expect(run(16, 'auto', { 'product few': 'lanes' })).toBe('lanes');
  });

  it('is what was measured for the class of the shape', () => {
    const tuning = { [tune_key(product, { rows: 500 }, {})]: 'tiled_128' };
    expect(tuning).toEqual({ 'product many': 'tiled_128' });
    expect(chosen(GPU, 'auto', 500, tuning)).toBe('tiled_128');
    expect(chosen(GPU, 'auto', 20, tuning)).toBe('tiled');
  });

  it('is not a measured one that cannot run, or does not exist', () => {
    expect(chosen(GPU, 'auto', 500, { 'product many': 'tiled_128' }, { WIDE: false })).toBe('tiled');
    expect(chosen(GPU, 'auto', 500, { 'product many': 'tiled_999' })).toBe('tiled');
    expect(chosen({ subgroup_size: 4, software: false }, 'auto', 500, { 'product many': 'lanes' })).toBe('tiled');
  });

  it('is the one asked for, else its family, whatever was measured', () => {
    const tuning = { 'product many': 'tiled_128' };
    expect(chosen(GPU, 'tiled', 500, tuning)).toBe('tiled');
    expect(chosen(GPU, 'lanes_8', 500, tuning)).toBe('lanes_8');
    expect(chosen(GPU, 'tiled_128', 20, tuning)).toBe('tiled_128');
    expect(chosen(GPU, 'tiled_128', 20, tuning, { WIDE: false })).toBe('tiled');
    expect(chosen(GPU, 'matrix', 500, tuning)).toBe('tiled');
  });
});
