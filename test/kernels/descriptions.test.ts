import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { shader_text } from '../../engine/gpu/pipelines.ts';
import { FORMATS, type Kernel, type Variant } from '../../kernels/spec.ts';
import { repo_root } from '../support/golden.ts';

const folder = join(repo_root, 'kernels');
const modules = readdirSync(folder, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'common')
  .map((entry) => `../../kernels/${entry.name}/${entry.name}.ts`);
const exported = (await Promise.all(modules.map((path) => import(path)))).flatMap((m) => Object.values(m));
const kernels = exported.filter(
  (x): x is Kernel => typeof x === 'object' && x !== null && 'variants' in x && 'bindings' in x,
);

/** Its WGSL in each storage format, where that makes a difference. */
function texts({ name, wgsl }: Variant): (readonly [name: string, text: string])[] {
  if (typeof wgsl !== 'function') return [[name, wgsl.join('\n')]];
  return Object.entries(FORMATS).map(([format, code]) => [
    `${name} ${format}`,
    wgsl({ WEIGHT_FORMAT: code }).join('\n'),
  ]);
}

describe('every kernel', () => {
  it('is found', () => expect(kernels.length).toBeGreaterThan(20));

  for (const kernel of kernels) {
    it(`${kernel.name} describes its WGSL`, () => {
      // What WebGPU guarantees everywhere: 8 storage bindings, 64 bytes of immediates.
      expect(kernel.bindings.length).toBeLessThanOrEqual(8);
      expect(kernel.params.length).toBeLessThanOrEqual(16);
      for (const [variant, text] of kernel.variants.flatMap(texts)) {
        const struct = /struct Params \{([^}]*)\}/.exec(text)?.[1] ?? '';
        const fields = [...struct.matchAll(/(\w+): (\w+),/g)].map((m) => [m[1], m[2]]);
        expect(fields, variant).toEqual(kernel.params.map((p) => [...p]));
        const bindings = [...text.matchAll(/@group\(0\) @binding\((\d+)\) var<storage, (read|read_write)> (\w+)/g)];
        expect(
          bindings.map((m) => [Number(m[1]), m[2]] as const).sort(([i], [j]) => i - j),
          variant,
        ).toEqual(kernel.bindings.map((b, i) => [i, b.access]));
      }
    });

    it(`${kernel.name} can do without immediates`, () => {
      for (const variant of kernel.variants) {
        const traits = { subgroup_size: 8, software: true };
        const text = shader_text(kernel, variant, { WEIGHT_FORMAT: 1, HEAD_DIM: 16 }, traits, false);
        expect(text).not.toContain('var<immediate>');
        expect(text).toContain(`@group(0) @binding(${kernel.bindings.length}) var<uniform> params: Params;`);
      }
    });
  }
});
