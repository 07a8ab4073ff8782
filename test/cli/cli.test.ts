import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { repo_root } from '../support/golden.ts';
import { inside } from '../support/inside.ts';

const folder = mkdtempSync(join(tmpdir(), 'molmoe-cli-'));
const path = (...parts: string[]) => join(folder, ...parts);
const tiny = (...args: string[]) => ['generate', '--model', 'molmoe-tiny', '--max-new-tokens', '3', ...args];

beforeAll(async () => {
  if (!existsSync(join(repo_root, 'dist/cli.js'))) spawnSync(process.execPath, ['tools/build.mjs'], { cwd: repo_root });
  const synth = await cli(['synth', '--preset', 'molmoe-tiny', '--out', path('good')]);
  expect(synth.code).toBe(0);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('generate', () => {
  it('prints text to stdout and the stages to stderr', async () => {
    const { code, stdout, errors } = await cli(tiny('--prompt', 'Once upon a time'));
    expect(code).toBe(0);
    expect(stdout.endsWith('\n')).toBe(true);
    expect(errors.join('\n')).toMatch(/3 tokens.*\n[\s\S]*stage +wall[\s\S]*prefill[\s\S]*decode/);
  });

  it('--json is one object that says how the numbers came about', async () => {
    const { code, stdout, errors } = await cli(
      tiny('--json', '--top-k', '3', '--blocks', '0-1,3', '--max-crops', '2', '--ignore-eos'),
    );
    expect([code, errors]).toEqual([0, []]);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({
      schema: 'molmoe.generate/1',
      commit: expect.any(String),
      adapter: { description: expect.any(String), type: expect.stringMatching(/software|hardware/) },
      toggles: { enable: expect.arrayContaining(['skip_validation']) },
      model: { name: 'molmoe-tiny', weights_kind: 'synthetic', seed: 1, dtype: 'f16' },
      request: { knobs: { topK: 3, blocks: [0, 1, 3], maxCrops: 2 } },
      // 560 x 560 in at most two crops: a square gains nothing from a second one.
      counts: { crops: 1, views: 2, vit_patches: 1152, pooled_cells: 288, inserted_cells: 288, new_tokens: 3 },
    });
    expect(report.stages.map((s: { stage: string }) => s.stage)).toEqual([
      'vision_encoder',
      'projector',
      'prefill',
      'decode',
    ]);
    expect(report.tokens.length).toBe(3);
  });

  it('a written checkpoint gives the tokens of its preset', async () => {
    const args = ['--json', '--ignore-eos', '--dtype', 'f32', '--max-new-tokens', '8', '--prompt', 'same'];
    const [made, read] = await Promise.all([
      cli(['generate', '--model', 'molmoe-tiny', ...args]),
      cli(['generate', '--model', path('good'), ...args]),
    ]);
    expect(JSON.parse(read.stdout).tokens).toEqual(JSON.parse(made.stdout).tokens);
    expect(JSON.parse(read.stdout).model.weights_kind).toBe('checkpoint');
  });

  it('Ctrl-C ends it with 130 and one line', async () => {
    let sent = false;
    const watch = (stdout: string) => {
      if (sent || stdout.length < 5) return undefined;
      sent = true;
      return 'SIGINT' as const;
    };
    const long = [
      'generate',
      '--model',
      'molmoe-tiny',
      '--prompt',
      'go on',
      '--ignore-eos',
      '--max-new-tokens',
      '4000',
    ];
    const { code, errors } = await cli(long, { watch });
    expect(code).toBe(130);
    expect(errors.at(-1)).toBe('interrupted');
    expect(errors.at(-2)).toMatch(/^\d+ tokens in [\d.]+ s: first after [\d.]+ ms(, then [\d.]+ tokens\/s)?$/);
  });
});

describe('doctor and verify', () => {
  it('doctor names the adapter and what it offers', async () => {
    const [text, json] = await Promise.all([cli(['doctor']), cli(['doctor', '--json'])]);
    expect(text.stdout).toMatch(/adapter[\s\S]*subgroups[\s\S]*maxStorageBufferBindingSize[\s\S]*toggles/);
    const report = JSON.parse(json.stdout);
    expect(text.stdout).toContain(report.adapter.description);
    expect(report.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(2 ** 27);
  });

  it('verify runs the shipped cases from anywhere and ends with one JSON line', async () => {
    const { code, stdout } = await cli(['verify', '--set', 'tiny', '--case', 'text17']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ cases: 1, passed: 1, failed: 0, worst: { ok: true } });
  });

  it('verify fails, with code 1, where a reference differs', async () => {
    const set = path('golden', 'tiny');
    cpSync(join(repo_root, 'test/fixtures/golden/model/tiny'), set, { recursive: true });
    const file = join(set, 'cases/text17.safetensors');
    const bytes = readFileSync(file);
    bytes.fill(0x3f, bytes.length - 64);
    writeFileSync(file, bytes);
    const { code, stdout, errors } = await cli(['verify', path('golden'), '--case', 'text17']);
    expect(code).toBe(1);
    expect(errors.join('\n')).toContain('FAIL  tiny/text17');
    expect(JSON.parse(stdout)).toMatchObject({ passed: 0, failed: 1 });
  });
});

/** A PNG whose header claims a size that its few bytes cannot fill. */
function png_claiming(width: number, height: number): Buffer {
  const chunk = (type: string, data: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(data.length);
    return Buffer.concat([length, Buffer.from(type), data, Buffer.alloc(4)]);
  };
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]);
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.alloc(9))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

describe('pictures', () => {
  const picture = (width: number, height: number) =>
    sharp({ create: { width, height, channels: 3, background: { r: 100, g: 150, b: 200 } } });

  it('of every kind are read', async () => {
    mkdirSync(path('pictures'), { recursive: true });
    const good: Record<string, Promise<unknown>> = {
      'dot.png': picture(1, 1).png().toFile(path('pictures', 'dot.png')),
      'still.gif': picture(30, 20).gif().toFile(path('pictures', 'still.gif')),
      'deep.png': picture(30, 20).toColourspace('rgb16').png().toFile(path('pictures', 'deep.png')),
      'ink.jpg': picture(30, 20).toColourspace('cmyk').jpeg().toFile(path('pictures', 'ink.jpg')),
      'photo.webp': picture(40, 300).webp().toFile(path('pictures', 'photo.webp')),
    };
    await Promise.all(Object.values(good));
    for (const name of Object.keys(good)) {
      const { code, errors } = await cli(tiny('--json', '--max-crops', '1', '--image', path('pictures', name)));
      expect([name, code, errors]).toEqual([name, 0, []]);
    }
  });

  it('that cannot be are refused in one line', async () => {
    mkdirSync(path('bad'), { recursive: true });
    writeFileSync(path('bad', 'text.png'), 'this is no picture');
    writeFileSync(path('bad', 'bomb.png'), png_claiming(30_000, 30_000));
    writeFileSync(path('bad', 'short.png'), (await picture(50, 50).png().toBuffer()).subarray(0, 60));
    await picture(1, 20_000).png().toFile(path('bad', 'long.png'));
    for (const name of ['text.png', 'bomb.png', 'short.png', 'long.png', 'absent.png', '']) {
      const { code, stdout, errors } = await cli(tiny('--image', path('bad', name)));
      expect([name, code, stdout, errors.length]).toEqual([name, 1, '', 1]);
      expect(errors[0]).toMatch(/^error: .*expected.*found|^error: /);
    }
  });
});

describe('wrong usage is one line and code 2', () => {
  const cases: [string[], RegExp][] = [
    [['nonsense'], /unknown command/],
    [['completion', 'tcsh'], /bash, zsh, fish/],
    [['generate', '--nonsense'], /unknown option/],
    [tiny('--blocks', '4'), /^error: --blocks: expected numbers from 0 to 3, found 4/],
    [tiny('--blocks', 'all'), /^error: --blocks: expected numbers and ranges .* found "all"/],
    [tiny('--top-k', '0'), /--top-k: .* 1 to 8.*found 0/],
    [tiny('--top-k', '65'), /--top-k: .* 1 to 8.*found 65/],
    [tiny('--top-k', '1.5'), /top-k.*whole number/],
    [tiny('--top-k-vision', '0'), /--top-k-vision: .* 1 to 8.*found 0/],
    [tiny('--crops', '0'), /crops.*0/],
    [tiny('--max-crops', '0'), /crops.*0/],
    [tiny('--tier', 'huge'), /tier.*low, medium, high.*huge/],
    [
      tiny('--tier', 'low', '--crops', '2'),
      /--max-crops, --crops, --tier: expected one of them, found --crops and --tier/,
    ],
    [tiny('--dtype', 'int3'), /dtype.*f16/],
    [tiny('--max-new-tokens', '-1'), /whole number/],
    [tiny('--max-new-tokens', '40000'), /32768/],
    [tiny('--prompt', '  '), /--prompt: expected some text/],
    [tiny('--prompt', 'see <im_patch> here'), /<im_patch>/],
    [tiny('--adapter', '-1'), /--adapter: expected .* a number below \d+ or auto, found "-1"/],
    [tiny('--image', 'a.png', '--image', 'b.png'), /--image.*expected it once, found it twice/],
    [tiny('--prompt', '-', '--image', '-'), /--prompt - and --image -: expected one of them/],
    [tiny('--adapter', 'no such thing'), /--adapter: expected a part .*found "no such thing"; there is 0:/],
    [['generate', '--model', 'nowhere'], /--model: expected a checkpoint folder or one of molmoe-1b.*"nowhere"/],
    [['verify', '/no/such/folder'], /expected a golden folder/],
    [['verify', '--without', 'luck'], /--without luck/],
    [['verify', '--case', 'none'], /no set in/],
    [['synth', '--preset', 'molmoe-9b', '--out', path('never')], /preset: expected one of/],
    [['synth', '--preset', 'molmoe-tiny', '--out', folder], /empty|exists/],
    [['synth', '--preset', 'molmoe-tiny'], /required option/],
  ];
  // The first three as a process; the others go the same way without starting one.
  for (const [i, [args, message]] of cases.entries()) {
    it(args.join(' ').replace(folder, ''), async () => {
      const apart = i < 3 || args[0] === 'verify'; // which reads what lies beside the built program
      const { code, stdout, errors } = await (apart ? cli(args) : inside(args));
      const own = errors.filter((line) => line.startsWith('error'));
      expect([code, stdout, own]).toEqual([2, '', [expect.stringMatching(message)]]);
    });
  }
});

const GATE = 'model.transformer.blocks.2.mlp.gate.weight';
type Entry = { data_offsets: number[]; shape: number[] };

describe('damaged checkpoints are one line and code 1', () => {
  /** A copy of the good one, damaged; the file's tensors begin behind the header. */
  const damaged = (name: string, damage: (dir: string, file: string) => void): string => {
    const dir = path(name);
    cpSync(path('good'), dir, { recursive: true });
    damage(dir, join(dir, 'model.safetensors'));
    return dir;
  };
  const header_of = (file: string) => {
    const bytes = readFileSync(file);
    const length = Number(bytes.readBigUInt64LE(0));
    return { bytes, data: 8 + length, header: JSON.parse(bytes.subarray(8, 8 + length).toString()) };
  };
  /** Rewrites one tensor's entry in the header, or gives it another name. */
  const with_header = (file: string, change: ((gate: Entry) => void) | undefined) => {
    const { bytes, data, header } = header_of(file);
    const { [GATE]: gate, ...rest } = header;
    change?.(gate);
    const text = Buffer.from(JSON.stringify(change === undefined ? { ...rest, other: gate } : header));
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    writeFileSync(file, Buffer.concat([length, text, bytes.subarray(data)]));
  };
  const shift = (gate: Entry) => {
    gate.data_offsets = gate.data_offsets.map((offset) => offset - 4);
  };
  const poke = (file: string, tensor: string, value: number) => {
    const { data, header } = header_of(file);
    const word = Buffer.alloc(4);
    word.writeFloatLE(value);
    writeSync(openSync(file, 'r+'), word, 0, 4, data + header[tensor].data_offsets[0] + 40);
  };
  const cases: [string, (dir: string, file: string) => void, RegExp][] = [
    ['truncated', (_, file) => truncateSync(file, 1_000_000), /truncated|bytes/],
    ['empty', (_, file) => truncateSync(file, 0), /safetensors/],
    ['overlapping', (_, file) => with_header(file, (gate) => shift(gate)), /expected/],
    ['missing', (_, file) => with_header(file, undefined), /1 missing: .*gate.*1 unexpected: "other"/],
    ['misshapen', (_, file) => with_header(file, (gate) => void gate.shape.reverse()), /misshapen.*gate/],
    ['NaN', (_, file) => poke(file, GATE, Number.NaN), /NaN or infinity in .*blocks\.2\.mlp\.gate/],
    ['NaN norm', (_, file) => poke(file, 'model.transformer.ln_f.weight', Number.NaN), /ln_f.*NaN at index 10/],
    ['too large', (_, file) => poke(file, GATE, 1e30), /above 65504.*--dtype bf16/],
    ['config', (dir) => edit_config(dir, { activation_type: 'relu' }), /activation_type.*swiglu.*relu/],
    ['sizes', (dir) => edit_config(dir, { moe_num_experts: 16 }), /missing/],
    ['no JSON', (dir) => writeFileSync(join(dir, 'config.json'), '{'), /config\.json/],
    ['no config', (dir) => rmSync(join(dir, 'config.json')), /config\.json/],
    ['no weights', (_, file) => rmSync(file), /safetensors/],
    [
      'shard',
      (dir, file) => {
        rmSync(file);
        writeFileSync(
          join(dir, 'model.safetensors.index.json'),
          JSON.stringify({ weight_map: { [GATE]: 'gone.safetensors' } }),
        );
      },
      /gone\.safetensors|missing/,
    ],
  ];
  const edit_config = (dir: string, over: object) => {
    const file = join(dir, 'config.json');
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...over }));
  };
  for (const [name, damage, message] of cases) {
    it(name, async () => {
      const dir = damaged(`damaged ${name}`, damage);
      const { code, stdout, errors } = await cli([
        'generate',
        '--model',
        dir,
        '--prompt',
        'x',
        '--max-new-tokens',
        '2',
      ]);
      expect([code, stdout, errors]).toEqual([1, '', [expect.stringMatching(message)]]);
    });
  }
});

it('no adapter is one line that says what to install', async () => {
  const nothing = path('no driver');
  mkdirSync(nothing);
  const env = {
    VK_ICD_FILENAMES: '/nonexistent.json',
    VK_DRIVER_FILES: '/nonexistent.json',
    HOME: nothing,
    XDG_CACHE_HOME: nothing,
    TMPDIR: nothing,
  };
  const { code, stdout, errors } = await cli(['doctor'], { env });
  expect([code, stdout]).toEqual([1, '']);
  expect(errors.at(-1)).toMatch(/no WebGPU adapter.*mesa-vulkan-drivers/);
  expect(readdirSync(nothing).filter((name) => name.endsWith('.json'))).toEqual([]);
});
