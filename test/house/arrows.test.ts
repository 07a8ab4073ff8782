import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { repo_root } from '../support/golden.ts';

/** Who may not import whom: [a file of the room, what it tries to import]. */
const FORBIDDEN: readonly (readonly [string, string])[] = [
  ['kernels/matmul/matmul.ts', '../../engine/errors.ts'],
  ['kernels/matmul/matmul.ts', '../../experiments/lab/plan.ts'],
  ['kernels/matmul/matmul.ts', '../../src/print.ts'],
  ['kernels/matmul/matmul.ts', '../../tools/adapter/plan.ts'],
  ['kernels/matmul/matmul.ts', '../../bench/main.ts'],
  ['kernels/matmul/matmul.ts', '../../test/support/gpu.ts'],
  ['kernels/spec.ts', 'webgpu'],
  ['engine/generate.ts', '../src/print.ts'],
  ['engine/generate.ts', '../experiments/lab/plan.ts'],
  ['engine/generate.ts', '../tools/adapter/plan.ts'],
  ['engine/generate.ts', '../bench/main.ts'],
  ['engine/generate.ts', '../test/support/gpu.ts'],
  ['engine/generate.ts', './node/files.ts'],
  ['engine/generate.ts', 'webgpu'],
  ['engine/errors.ts', './generate.ts'],
  ['engine/gpu/executor.ts', '../weights/source.ts'],
  ['engine/gpu/executor.ts', '../model/config.ts'],
  ['engine/gpu/executor.ts', '../input/image.ts'],
  ['engine/gpu/executor.ts', '../meter/ledger.ts'],
  ['engine/gpu/executor.ts', '../node/gpu.ts'],
  ['engine/gpu/executor.ts', '../generate.ts'],
  ['engine/weights/checkpoint.ts', '../model/molmoe.ts'],
  ['engine/weights/checkpoint.ts', '../meter/ledger.ts'],
  ['engine/weights/checkpoint.ts', '../node/files.ts'],
  ['engine/meter/ledger.ts', '../model/molmoe.ts'],
  ['engine/meter/ledger.ts', '../weights/source.ts'],
  ['engine/input/image.ts', '../gpu/device.ts'],
  ['engine/input/image.ts', '../model/molmoe.ts'],
  ['engine/input/image.ts', 'sharp'],
  ['engine/model/molmoe.ts', '../generate.ts'],
  ['engine/model/molmoe.ts', '../node/files.ts'],
  ['engine/model/molmoe.ts', '../../experiments/lab/plan.ts'],
  ['engine/node/files.ts', '../generate.ts'],
  ['engine/node/files.ts', '../../src/print.ts'],
  ['kernels/matmul/matmul.ts', '../../web/page.ts'],
  ['engine/generate.ts', './browser/gpu.ts'],
  ['engine/generate.ts', '../web/page.ts'],
  ['engine/model/molmoe.ts', '../browser/gpu.ts'],
  ['engine/node/files.ts', '../browser/store.ts'],
  ['engine/browser/load.ts', '../node/files.ts'],
  ['engine/browser/load.ts', '../generate.ts'],
  ['engine/browser/load.ts', '../../web/page.ts'],
  ['engine/browser/load.ts', '../../experiments/lab/plan.ts'],
  ['experiments/core/crops.ts', '../../web/page.ts'],
  ['web/page.ts', '../engine/node/files.ts'],
  ['web/page.ts', '../src/print.ts'],
  ['web/page.ts', '../tools/page.mjs'],
  ['web/page.ts', 'sharp'],
  ['experiments/core/crops.ts', '../../src/print.ts'],
  ['experiments/core/crops.ts', '../../tools/adapter/plan.ts'],
  ['experiments/core/crops.ts', '../../bench/main.ts'],
  ['experiments/core/crops.ts', '../../test/support/gpu.ts'],
  ['experiments/core/crops.ts', 'webgpu'],
  ['tools/adapter/ensure.ts', '../../src/print.ts'],
  ['tools/adapter/ensure.ts', '../../test/support/gpu.ts'],
  ['tools/adapter/ensure.ts', '../../web/page.ts'],
  ['src/cli.ts', '../web/page.ts'],
  ['bench/cases.ts', '../src/print.ts'],
  ['bench/cases.ts', '../test/support/gpu.ts'],
  ['src/commands/generate.ts', '../../test/support/gpu.ts'],
  ['src/commands/generate.ts', '../../bench/main.ts'],
  ['src/cli.ts', 'webgpu'],
];

/** The arrows themselves: if a rule forbids one of these, it is the rule that is wrong. */
const ALLOWED: readonly (readonly [string, string])[] = [
  ['kernels/matmul/matmul.ts', '../common/epilogue.wgsl'],
  ['kernels/moe_route/moe_route.ts', '../spec.ts'],
  ['engine/gpu/executor.ts', '../../kernels/spec.ts'],
  ['engine/gpu/device.ts', '../errors.ts'],
  ['engine/weights/checkpoint.ts', '../gpu/buffers.ts'],
  ['engine/weights/upload.ts', '../model/config.ts'],
  ['engine/weights/source.ts', '../model/tensors.ts'],
  ['engine/meter/ledger.ts', '../gpu/executor.ts'],
  ['engine/meter/stages.ts', '../model/config.ts'],
  ['engine/meter/stages.ts', '../model/geometry.ts'],
  ['engine/input/layout.ts', '../model/geometry.ts'],
  ['engine/model/decoder.ts', '../meter/stages.ts'],
  ['engine/model/molmoe.ts', '../weights/source.ts'],
  ['engine/generate.ts', './model/molmoe.ts'],
  ['engine/node/gpu.ts', 'webgpu'],
  ['engine/node/decode_image.ts', 'sharp'],
  ['engine/node/files.ts', 'node:fs'],
  ['engine/browser/load.ts', '../molmoe.ts'],
  ['web/page.ts', '../engine/browser/load.ts'],
  ['web/page.ts', '../experiments/lab/charts.ts'],
  ['experiments/core/crops.ts', '../../engine/generate.ts'],
  ['experiments/lab/record.ts', 'node:fs'],
  ['tools/adapter/ensure.ts', '../../engine/node/adapter_env.ts'],
  ['bench/main.ts', '../experiments/lab/stats.ts'],
  ['bench/cases.ts', '../test/reference/cases/case.ts'],
  ['src/commands/bench.ts', '../../tools/adapter/plan.ts'],
  ['src/cli.ts', './commands/bench.ts'],
  ['test/kernels/matmul.test.ts', '../../engine/node/gpu.ts'],
];

/** Rules about names rather than imports: [file, source, rule]. */
const FORBIDDEN_USES: readonly (readonly [string, string, string])[] = [
  [
    'engine/model/decoder.ts',
    "import { join } from 'node:path';\nexport const path = join('a', 'b');\n",
    'noNodejsModules',
  ],
  ['kernels/spec.ts', "import { join } from 'node:path';\nexport const path = join('a', 'b');\n", 'noNodejsModules'],
  ['engine/model/decoder.ts', 'export const cores = process.env.CORES;\n', 'noProcessGlobal'],
  ['engine/model/decoder.ts', "console.log('a layer');\n", 'noConsole'],
  ['experiments/core/crops.ts', "console.log('a row');\n", 'noConsole'],
  ['engine/model/decoder.ts', 'export const gpu = navigator.gpu;\n', 'noRestrictedGlobals'],
  ['web/page.ts', "import { join } from 'node:path';\nexport const path = join('a', 'b');\n", 'noNodejsModules'],
  ['web/page.ts', 'export const usage = GPUBufferUsage.STORAGE;\n', 'noRestrictedGlobals'],
  ['web/page.ts', "console.log('a view');\n", 'noConsole'],
  ['engine/weights/upload.ts', 'export const usage = GPUBufferUsage.STORAGE;\n', 'noRestrictedGlobals'],
  ['src/cli.ts', 'export const usage = GPUBufferUsage.STORAGE;\n', 'noRestrictedGlobals'],
];

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-arrows-'));
copyFileSync(join(repo_root, 'biome.json'), join(scratch, 'biome.json'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function write(file: string, source: string): void {
  mkdirSync(dirname(join(scratch, file)), { recursive: true });
  writeFileSync(join(scratch, file), source);
}

function lint(...files: string[]): { status: number | null; output: string } {
  const biome = join(repo_root, 'node_modules/@biomejs/biome/bin/biome');
  const args = ['lint', '--colors=off', '--error-on-warnings', '--max-diagnostics=none', ...files];
  const done = spawnSync(process.execPath, [biome, ...args], { cwd: scratch, encoding: 'utf8' });
  return { status: done.status, output: `${done.stdout}${done.stderr}` };
}

const plain = 'export const answer = 42;\n';

/** All of a file's lines, one forbidden thing a line: one run of the linter then judges them all. */
function write_lines(entries: readonly (readonly [string, string])[]): (file: string, line: string) => number {
  const lines = new Map<string, string[]>();
  for (const [file, line] of entries) lines.set(file, [...(lines.get(file) ?? []), line]);
  for (const [file, content] of lines) write(file, `${content.join('\n')}\n`);
  return (file, line) => (lines.get(file)?.indexOf(line) ?? -1) + 1;
}

describe('import arrows', () => {
  const importing = (target: string): string => `import '${target}';`;
  const line_of = write_lines(FORBIDDEN.map(([file, target]) => [file, importing(target)]));
  const forbidden = lint('.');

  it('makes the linter fail', () => expect(forbidden.status).not.toBe(0));

  it.each(FORBIDDEN)('%s must not import %s', (file, target) => {
    expect(forbidden.output).toMatch(
      new RegExp(`^${file}:${line_of(file, importing(target))}:\\d+ lint/style/noRestrictedImports`, 'm'),
    );
  });

  it.each([
    "import type { Print } from '../src/print.ts';\nexport type P = Print;\n",
    "export * from '../src/print.ts';\n",
    "export const later = () => import('../src/print.ts');\n",
  ])('sees %j', (source) => {
    write('engine/generate.ts', source);
    const { status, output } = lint('engine/generate.ts');
    expect(output).toContain('lint/style/noRestrictedImports');
    expect(status).not.toBe(0);
  });

  it.each(FORBIDDEN_USES)('%s must not say %j: %s', (file, source, rule) => {
    write(file, source);
    const { status, output } = lint(file);
    expect(output).toContain(`/${rule}`);
    expect(status).not.toBe(0);
  });

  it.each([
    [
      'value',
      "import { b } from './b.ts';\nexport const a = () => b;\n",
      "import { a } from './a.ts';\nexport const b = () => a;\n",
    ],
    [
      'type',
      "import type { B } from './b.ts';\nexport type A = B;\n",
      "import type { A } from './a.ts';\nexport type B = A[];\n",
    ],
  ])('fails on a circle of %s imports', (_, a, b) => {
    write('experiments/lab/a.ts', a);
    write('experiments/lab/b.ts', b);
    const { status, output } = lint('experiments/lab');
    for (const file of ['experiments/lab/a.ts', 'experiments/lab/b.ts']) {
      expect(output).toMatch(new RegExp(`^${file}:1:\\d+ lint/suspicious/noImportCycles`, 'm'));
    }
    expect(status).not.toBe(0);
    for (const file of ['a.ts', 'b.ts']) rmSync(join(scratch, 'experiments/lab', file));
  });

  it('fails on a circle of three files', () => {
    write('engine/model/one.ts', "export { two } from './two.ts';\n");
    write('engine/model/two.ts', "export { three } from './three.ts';\n");
    write('engine/model/three.ts', "import { one } from './one.ts';\nexport const three = { one };\n");
    expect(lint('engine/model').output).toContain('lint/suspicious/noImportCycles');
    for (const file of ['one.ts', 'two.ts', 'three.ts']) rmSync(join(scratch, 'engine/model', file));
  });

  it('lets the same files pass with plain content and every allowed import', () => {
    for (const [file] of [...FORBIDDEN, ...FORBIDDEN_USES]) write(file, plain);
    write_lines(ALLOWED.map(([file, target]) => [file, importing(target)]));
    const { status, output } = lint('.');
    expect(output).not.toMatch(/lint\//);
    expect(status).toBe(0);
  });
});
