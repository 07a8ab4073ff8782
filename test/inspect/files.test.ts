import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { parse_config } from '../../engine/model/config.ts';
import { preset_config, preset_names } from '../../engine/model/presets.ts';
import { tensor_specs } from '../../engine/model/tensors.ts';
import { weight_bytes } from '../../engine/model/weight_bytes.ts';
import { element_count } from '../../engine/weights/source.ts';
import { inspect_config } from '../../tools/inspect/config.ts';
import { inspect_moe_layer } from '../../tools/inspect/moe_layer.ts';
import { inspect_pooling, same_tilings } from '../../tools/inspect/pooling.ts';
import { differs, inspect_structure, type Module, module_of } from '../../tools/inspect/structure.ts';
import { read_subject } from '../../tools/inspect/subject.ts';
import { inspect_tokens, type Run, runs_of } from '../../tools/inspect/tokens.ts';
import { fixtures_dir, repo_root } from '../support/golden.ts';
import { memory_folder, safetensors_bytes } from '../weights/memory_folder.ts';

const PROMPT = 'Describe this image.';
const TOKENIZER = join(repo_root, '../shared/tokenizer');
const whole = await read_subject('molmoe-1b');
const tiny = await read_subject('molmoe-tiny');
const plain = (width: number, height: number) => ({ name: 'plain', width, height });

const folder = mkdtempSync(join(tmpdir(), 'molmoe-inspect-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('tokens', () => {
  it.skipIf(!existsSync(TOKENIZER))('of the study: 10 crops, 928 inserted cells, 982 positions', async () => {
    const subject = await read_subject('molmoe-1b', TOKENIZER);
    const report = inspect_tokens(subject, { prompt: PROMPT, picture: plain(2000, 2000), knobs: {} });
    expect(report).toMatchObject({
      formatted_text: ' User: Describe this image. Assistant:',
      views: 10,
      picture: { tiling: { rows: 3, cols: 3 }, canvas: { width: 784, height: 784 } },
      vision_tokens: { vit_patches: 5760, pooled_cells: 1440, inserted_cells: 928, marks: 44, image_tokens: 972 },
      sequence: { length: 982, begin: 1, image: 972, text: 9 },
      shapes: { input_ids: [982], images: [10, 576, 588], image_masks: [10, 576], image_input_idx: [10, 144] },
    });
    expect(report.tokens.slice(-9).map(({ text }) => text)).toEqual([
      ' User',
      ':',
      ' Des',
      'cribe',
      ' this',
      ' image',
      '.',
      ' Assistant',
      ':',
    ]);
    expect(report.most_frequent[0]).toEqual({ id: 50282, text: '<im_patch>', special: 'im_patch', times: 928 });
  });

  it('each has its place, its part and its mark; the runs are the tokens again', () => {
    const unrolled = ({ tokens, times }: Run) =>
      Array.from({ length: times }, () =>
        tokens.flatMap(({ token, times: n }) => new Array<number>(n).fill(token.id)),
      ).flat();
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 3000 }), fc.string(), (w, h, text) => {
        fc.pre(!/[<\uD800-\uDFFF]/.test(text));
        const { tokens, sequence } = inspect_tokens(whole, { prompt: `a${text}`, picture: plain(w, h), knobs: {} });
        const runs = runs_of(tokens);
        expect(tokens.map(({ position }) => position)).toEqual([...tokens.keys()]);
        expect(runs.flatMap(unrolled)).toEqual(tokens.map(({ id }) => id));
        expect(runs.at(-1)?.last).toBe(tokens.length - 1);
        expect(tokens.filter(({ part }) => part === 'text').length).toBe(sequence.text);
        expect(tokens.filter(({ part }) => part === 'overview').length).toBe(158);
        expect(runs.filter(({ first }) => first.part === 'crops').length).toBe(3);
      }),
      { numRuns: 30 },
    );
  });

  it('says which tokens are only part of a character', () => {
    const { tokens } = inspect_tokens(tiny, { prompt: 'ü', picture: undefined, knobs: {} });
    expect(tokens.filter(({ text }) => text === null).map(({ id }) => id)).toEqual([0xc3, 0xbc]);
  });
});

describe('structure', () => {
  const find = (module: Module, name: string): Module | undefined =>
    module.name === name ? module : module.parts.map((part) => find(part, name)).find((part) => part !== undefined);

  it('counts the published model part by part, by both rules', async () => {
    const { hierarchy, parameters, active } = await inspect_structure(whole);
    const of = (name: string) => find(hierarchy, name)?.parameters;
    expect(hierarchy).toMatchObject({ parameters: 7_221_875_712, tensors: tensor_specs(whole.config).length });
    expect([of('image_vit'), of('image_pooling_2d'), of('image_projector'), of('transformer')]).toEqual([
      290_909_184, 7_344_128, 4_194_304, 6_816_401_408,
    ]);
    expect(find(hierarchy, '0-15')).toMatchObject({ repeats: 16, parameters: 16 * 419_569_664 });
    expect(find(hierarchy, '0-63')).toMatchObject({ repeats: 64, parameters: 64 * 6_291_456 });
    expect(find(hierarchy, '0-22')).toMatchObject({ repeats: 23, parameters: 289_713_152 });
    expect(parameters).toMatchObject({ params_total: 7_118_853_120, true_total: 7_221_875_712, params_connector: 0 });
    expect(active.find(({ top_k }) => top_k === 8)).toEqual({
      top_k: 8,
      llm_active: 1_179_256_832,
      active_without_head: 1_481_708_544,
      active: 1_584_731_136,
    });
  });

  it.each(preset_names)('%s: bytes of components add up to what is allocated', async (name) => {
    const { storage } = await inspect_structure(await read_subject(name));
    for (const { format, components, total } of storage) {
      expect(total).toBe(weight_bytes(preset_config(name), format));
      expect(Object.values(components).reduce((sum, bytes) => sum + bytes, 0)).toBe(total);
    }
  });

  it('neighbours that differ stay apart', () => {
    const specs = [2, 2, 3, 3].map((size, i) => ({ name: `a.${i}.weight`, shape: [size] }));
    expect(module_of('all', specs).parts[0]?.parts.map(({ name, parameters }) => [name, parameters])).toEqual([
      ['0-1', 4],
      ['2-3', 6],
    ]);
  });

  it('compares a checkpoint by its headers, and names every difference', async () => {
    const specs = tensor_specs(tiny.config);
    const stored = (all: readonly { name: string; shape: readonly number[] }[]) =>
      memory_folder({
        'model.safetensors': safetensors_bytes(
          all.map(({ name, shape }) => ({
            name,
            dtype: 'F16',
            shape: [...shape],
            data: new Uint8Array(2 * element_count(shape)),
          })),
        ),
      });
    const good = await inspect_structure({ ...tiny, folder: stored(specs) });
    expect(differs(good)).toBe(false);
    expect(good.checkpoint).toMatchObject({
      tensors: specs.length,
      parameters: 783_808,
      dtypes: { F16: specs.length },
    });
    const [first, second, ...rest] = specs as [(typeof specs)[0], (typeof specs)[0]];
    const bad = stored([
      { ...second, shape: [...second.shape].reverse() },
      ...rest,
      { name: 'extra.weight', shape: [3] },
    ]);
    const report = await inspect_structure({ ...tiny, folder: bad });
    expect(differs(report)).toBe(true);
    expect(report.checkpoint).toMatchObject({
      missing: [first.name],
      unexpected: ['extra.weight'],
      misshapen: [{ name: second.name, expected: second.shape, found: [...second.shape].reverse() }],
    });
    expect(bad.open_count()).toBe(0);
  });

  it('of a folder without weights is told by its configuration alone', async () => {
    expect((await inspect_structure({ ...tiny, folder: memory_folder({}) })).checkpoint).toBeNull();
  });
});

describe('config', () => {
  const real = JSON.parse(readFileSync(join(fixtures_dir, 'golden/model/config.real.json'), 'utf8'));

  it('tells of every field of the published file what became of it, and truly', async () => {
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...real, surprise: { deep: 1 } }));
    writeFileSync(join(folder, 'added_tokens.json'), '{}');
    const { fields, config, other_files } = await inspect_config(folder);
    expect(config).toEqual(parse_config(real, 'x'));
    expect(other_files).toEqual(['added_tokens.json']);
    expect(fields.find(({ field }) => field === 'surprise')).toMatchObject({ use: 'ignored', value: { deep: 1 } });
    expect(fields.find(({ field }) => field === 'eos_token_id')).toMatchObject({
      use: 'absent',
      value: 50279,
      from: null,
    });
    const there = fields.filter(({ use, field }) => use !== 'absent' && field !== 'surprise');
    const inner = Object.keys(real.vision_backbone).map((key) => `vision_backbone.${key}`);
    const all = [...Object.keys(real).filter((key) => key !== 'vision_backbone'), ...inner];
    expect(there.map(({ field }) => field).sort()).toEqual(all.sort());
    // Whatever an ignored field says, the model is the same; another value of a fixed one is refused.
    for (const { field, use, value } of there) {
      const other = structuredClone(real);
      const [key = '', holder] = field.includes('.') ? [field.split('.')[1], other.vision_backbone] : [field, other];
      holder[key] = typeof value === 'number' ? value + 1.5 : 'another';
      const outcome = () => parse_config(other, 'x');
      if (use === 'ignored') expect(outcome(), field).toEqual(config);
      else if (use === 'fixed') expect(outcome, field).toThrow('expected');
      else expect(refused_or(outcome), field).not.toEqual(config);
    }
  });

  const refused_or = (outcome: () => unknown): unknown => {
    try {
      return outcome();
    } catch {
      return 'refused';
    }
  };

  it('says which part of a preset a value is from, and reads the colours of a processor', async () => {
    const from = ({ fields }: Awaited<ReturnType<typeof inspect_config>>, name: string) =>
      fields.find(({ field }) => field === name)?.from;
    const slice = await inspect_config('molmoe-slice');
    expect(['n_layers', 'd_model', 'rope'].map((name) => from(slice, name))).toEqual([
      'preset molmoe-slice',
      'preset molmoe-1b',
      'the architecture',
    ]);
    writeFileSync(join(folder, 'preprocessor_config.json'), JSON.stringify({ image_mean: [0.5, 0.5, 0.5], odd: 1 }));
    const report = await inspect_config(folder);
    expect(from(report, 'image_mean')).toBe('preprocessor_config.json');
    expect(report.config.image_mean).toEqual([0.5, 0.5, 0.5]);
    expect(report.fields.find(({ field }) => field === 'odd')?.use).toBe('ignored');
  });
});

describe('pooling', () => {
  it('the tilings of common sizes by the crops they may have', () => {
    const of = (width: number, height: number) =>
      same_tilings(inspect_pooling(whole, { width, height }).limits).map(
        ({ from, to, limit: { tiling, inserted_cells, marks } }) =>
          `${from}-${to} ${tiling.rows}x${tiling.cols} ${inserted_cells}/${marks}`,
      );
    expect(of(640, 480)).toEqual(['1-1 1x1 288/28', '2-3 1x2 384/28', '4-5 2x2 544/36', '6-12 2x3 704/36']);
    expect(of(612, 612)).toEqual(['1-3 1x1 288/28', '4-8 2x2 544/36', '9-12 3x3 928/44']);
    expect(of(427, 640)).toEqual(['1-1 1x1 288/28', '2-3 2x1 384/36', '4-5 2x2 544/36', '6-12 3x2 704/44']);
  });

  it('its formulas are the counts of every tiling', () => {
    const { limits, cells, geometry } = inspect_pooling(whole, { width: 5000, height: 5000 }, 64);
    const ends = cells.margins[0] + cells.margins[1];
    for (const {
      tiling: { rows, cols },
      inserted_cells,
      marks,
      canvas,
    } of limits) {
      expect(inserted_cells).toBe(geometry.cells + (cells.tile * rows + ends) * (cells.tile * cols + ends));
      expect(marks).toBe(cells.tile * rows + geometry.cells_per_side + ends + 4);
      expect(canvas.width).toBe(geometry.tile_px * cols + geometry.margin_px);
    }
    expect(cells).toEqual({ margins: [2, 2], tile: 8 });
  });
});

describe('moe-layer', () => {
  it('what k costs is far from proportional: 2.84 in prefill, 2.42 in decode', async () => {
    const { per_top_k, blocks, expert, bytes } = await inspect_moe_layer(whole, [1, 8, 64]);
    const eight = per_top_k[1];
    expect(eight?.ratios.prefill).toBeCloseTo(2.84, 2);
    expect(eight?.ratios.decode_step).toBeCloseTo(2.42, 2);
    expect(eight?.example_flops.prefill).toBeCloseTo(708.64e9, -7);
    expect(eight?.decode_bytes.f16).toBeCloseTo(2.358e9, -6);
    expect(per_top_k[0]?.expert_flops_block).toBe(2 * expert.parameters);
    expect(bytes.find(({ format }) => format === 'f16')?.all).toBe(2 * 6_442_450_944);
    expect(new Set(blocks.rows.map(({ experts, router }) => `${experts} ${router}`))).toEqual(new Set(['64 true']));
  });

  it('sees in a checkpoint where experts are missing', async () => {
    const specs = tensor_specs(tiny.config).filter(({ name }) => !/blocks\.2\.mlp\.(gate|experts\.[3-7])/.test(name));
    const tensors = specs.map(({ name, shape }) => ({
      name,
      dtype: 'F16' as const,
      shape: [...shape],
      data: new Uint8Array(2 * element_count(shape)),
    }));
    const { blocks } = await inspect_moe_layer(
      { ...tiny, folder: memory_folder({ 'model.safetensors': safetensors_bytes(tensors) }) },
      undefined,
    );
    expect(blocks).toMatchObject({
      from: 'checkpoint',
      rows: [{}, {}, { block: 2, experts: 3, router: false }, { experts: 8, router: true }],
    });
  });

  it('refuses a k that cannot be, or is asked for twice', async () => {
    for (const values of [[0], [9], [1.5], [2, 2]])
      await expect(inspect_moe_layer(tiny, values)).rejects.toThrow('topKValues: expected');
  });
});
