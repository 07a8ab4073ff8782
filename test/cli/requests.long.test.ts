import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, describe, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { repo_root } from '../support/golden.ts';

const folder = mkdtempSync(join(tmpdir(), 'molmoe-requests-'));
const path = (...parts: string[]) => join(folder, ...parts);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tiny = ['generate', '--model', 'molmoe-tiny', '--ignore-eos'];
const text = [...tiny, '--prompt', 'Once upon a time'];
const PICTURE = join(repo_root, 'test/fixtures/golden/data/images/shapes_336x336.png');

/** The parts of a report that these tests read. */
interface Report {
  readonly text: string;
  readonly tokens: readonly number[];
  readonly finish: string;
  readonly warnings: readonly string[];
  readonly request: { readonly knobs: Readonly<Record<string, unknown>> };
  readonly counts: Readonly<Record<string, number>>;
  readonly decode_step_ms: readonly number[];
  readonly ledger: readonly { stage: string; component: string; layer?: number; flops: number; dispatches: number }[];
}

async function report(...args: string[]): Promise<Report> {
  const { code, stdout, errors } = await cli([...args, '--json']);
  expect([code, errors]).toEqual([0, []]);
  expect(stdout.split('\n')).toHaveLength(2); // one object, one line
  return JSON.parse(stdout);
}

const expert_flops = ({ ledger }: Report) =>
  ledger.filter((row) => row.component === 'moe_experts').reduce((sum, row) => sum + row.flops, 0);
const layers = ({ ledger }: Report) =>
  [...new Set(ledger.flatMap((row) => (row.component === 'attention' ? [row.layer] : [])))].sort();

describe('knobs of the language model', () => {
  it('--top-k takes one number or one a block, and sets the experts that run', async () => {
    const few = ['--max-new-tokens', '2'];
    const [one, three, mixed] = await Promise.all([
      report(...text, ...few, '--top-k', '1'),
      report(...text, ...few, '--top-k', '3'),
      report(...text, ...few, '--top-k', '8,1,1,2'),
    ]);
    expect(expert_flops(three)).toBe(3 * expert_flops(one));
    expect(expert_flops(mixed)).toBe(3 * expert_flops(one)); // 8 + 1 + 1 + 2 of 4 blocks
  });

  it('--top-k-vision sets those of picture tokens, and says so', async () => {
    const few = ['--max-new-tokens', '1', '--image', PICTURE, '--max-crops', '1'];
    const [both, apart, useless] = await Promise.all([
      report(...text, ...few, '--top-k', '1'),
      report(...text, ...few, '--top-k', '1', '--top-k-vision', '3'),
      report(...text, '--max-new-tokens', '1', '--top-k-vision', '3'),
    ]);
    const a_pair = expert_flops(both) / (both.counts.prompt_tokens ?? 0);
    expect(expert_flops(apart)).toBe(expert_flops(both) + 2 * a_pair * (both.counts.inserted_cells ?? 0));
    expect(apart.request.knobs.topKVision).toBe(3);
    expect(useless.warnings).toEqual(['--top-k-vision: without effect, the request has no picture (--image FILE)']);
  });

  it('--blocks names the blocks that run', async () => {
    const few = ['--max-new-tokens', '2'];
    const [all, two, none] = await Promise.all([
      report(...text, ...few),
      report(...text, ...few, '--blocks', '0-1'),
      report(...text, ...few, '--blocks', 'none'),
    ]);
    expect([layers(all), layers(two), layers(none)]).toEqual([[0, 1, 2, 3], [0, 1], []]);
    expect(none.tokens).toHaveLength(2);
  });

  it('--flush changes when tokens are read, not which', async () => {
    const [each, fives] = await Promise.all([
      report(...text, '--max-new-tokens', '12'),
      report(...text, '--max-new-tokens', '12', '--flush', '5'),
    ]);
    expect(fives.tokens).toEqual(each.tokens);
    expect(fives.decode_step_ms).toHaveLength(11);
  });

  it('no new tokens runs the prompt alone', async () => {
    const { tokens, ledger } = await report(...text, '--max-new-tokens', '0');
    expect([tokens, ledger.some((row) => row.stage === 'decode')]).toEqual([[], false]);
  });
});

describe('knobs of the picture', () => {
  it('--crops is exact, --tier a band', async () => {
    const one = [...tiny, '--max-new-tokens', '1'];
    const crops = async (...args: string[]) => (await report(...one, ...args)).counts.crops as number;
    expect(await crops('--crops', '3')).toBe(3);
    const medium = await crops('--tier', 'medium');
    expect(medium >= 4 && medium <= 8).toBe(true);
  });

  it('of an animated GIF the first page is read', async () => {
    const page = (red: number, height: number) =>
      sharp({ create: { width: 24, height, channels: 3, background: { r: red, g: 90, b: 30 } } });
    const raw = Buffer.concat([await page(200, 16).raw().toBuffer(), await page(20, 16).raw().toBuffer()]);
    const film = { raw: { width: 24, height: 32, channels: 3 as const, pageHeight: 16 } };
    await sharp(raw, film)
      .gif({ delay: [50, 50] })
      .toFile(path('film.gif'));
    expect((await sharp(path('film.gif'), { animated: true }).metadata()).pages).toBe(2);
    const { code, errors } = await cli([
      ...tiny,
      '--max-new-tokens',
      '1',
      '--max-crops',
      '1',
      '--image',
      path('film.gif'),
    ]);
    expect(code).toBe(0);
    expect(errors.join('\n')).toContain('film.gif, 24x16');
  });
});

describe('sampling, seeds and stop texts', () => {
  it('the seed of sampling decides', async () => {
    const sampled = (seed: string) =>
      report(...text, '--max-new-tokens', '12', '--temperature', '1.5', '--top-p', '0.95', '--seed', seed);
    const [a, b, c] = await Promise.all([sampled('1'), sampled('1'), sampled('2')]);
    expect(b.tokens).toEqual(a.tokens);
    expect(c.tokens).not.toEqual(a.tokens);
  });

  it('the likeliest token alone is the greedy one', async () => {
    const [greedy, first] = await Promise.all([
      report(...text, '--max-new-tokens', '8'),
      report(...text, '--max-new-tokens', '8', '--temperature', '2', '--sample-top-k', '1', '--seed', '5'),
    ]);
    expect(first.tokens).toEqual(greedy.tokens);
  });

  it('--stop ends before its text, in text and in JSON', async () => {
    const free = await report(...text, '--max-new-tokens', '40');
    const stop = free.text.slice(12, 15);
    const kept = free.text.slice(0, free.text.indexOf(stop));
    const stopped = await report(...text, '--max-new-tokens', '40', '--stop', stop, 'never there');
    expect([stopped.text, stopped.finish]).toEqual([kept, 'stop']);
    const shown = await cli([...text, '--max-new-tokens', '40', '--stop', stop]);
    expect(shown.stdout).toBe(`${kept}\n`);
  });

  it('the seed of the weights decides', async () => {
    const made = (seed: string) => report(...text, '--max-new-tokens', '8', '--weights-seed', seed);
    const [a, b] = await Promise.all([made('1'), made('2')]);
    expect(b.tokens).not.toEqual(a.tokens);
  });
});

describe('refused before anything is shown', () => {
  mkdirSync(path('empty'));
  mkdirSync(path('torn'));
  writeFileSync(path('torn', 'tokenizer.json'), '{"model":');
  mkdirSync(path('golden', 'set'), { recursive: true });
  writeFileSync(path('golden', 'set', 'index.json'), '{"cases"');
  const tiny_set = join(repo_root, 'test/fixtures/golden/model/tiny');
  mkdirSync(path('bare', 'set'), { recursive: true });
  writeFileSync(path('bare', 'set', 'index.json'), '{"stored_dtype":"F32","formula_seed":1,"cases":[]}');
  copyFileSync(join(tiny_set, 'config.json'), path('bare', 'set', 'config.json'));
  const cases: [number, string[], RegExp][] = [
    [2, ['generate', '--crops', '0', '--prompt', 'x'], /--crops.*at least 1/],
    [2, [...text, '--top-k', '9'], /--top-k: .*from 1 to 8.*found 9/],
    [2, [...text, '--top-k', '1,2'], /--top-k: expected one number or 4/],
    [2, [...text, '--tier', 'x'], /--tier: expected one of low, medium, high, found "x"/],
    [2, [...text, '--max-crops', '65'], /--max-crops: .*1 to 64, found 65/],
    [2, [...text, '--flush', '0'], /--flush.*at least 1/],
    [2, [...text, '--top-p', '0'], /--top-p: expected a number above 0/],
    [2, [...text, '--temperature', 'warm'], /--temperature.*expected a number/],
    [2, [...text, '--temperature', '-1'], /--temperature: expected a number from 0 to 100/],
    [2, [...text, '--stop', ''], /--stop: expected a list of texts that are not empty/],
    [2, [...text, '--max-new-tokens', '999999999999999'], /--max-new-tokens: .*below 2\^32/],
    [2, [...tiny, '--prompt', '<|image|> look'], /--prompt: <\|image\|> stands for a special token/],
    [2, ['generate', '--tokenizer'], /argument missing/],
    [2, ['generate', '--nonsense'], /unknown option '--nonsense' \(--help lists the options\)$/],
    [2, ['generate', 'something'], /too many arguments/],
    [1, [...text, '--tokenizer', path('empty')], /expected a folder with tokenizer\.json, found none/],
    [1, [...text, '--tokenizer', path('torn')], /tokenizer\.json: expected JSON/],
    [1, [...tiny, '--image', path('line\nbreak.png')], /no such file/],
    [1, ['verify', path('empty')], /expected a golden set/],
    [1, ['verify', path('torn', 'tokenizer.json')], /expected a golden folder, found a file/],
    [1, ['verify', '--json', path('golden')], /index\.json: expected JSON/],
    [1, ['verify', '--json', path('bare')], /expected golden sets with cases, found no case/],
    [2, ['verify', '--json', '--set', 'tiny', '--case', 'text17', 'text71'], /--case text71: no set/],
    [2, ['synth', '--preset', 'molmoe-tiny', '--out', path('new'), '--shard-mb', '0'], /shard size/],
  ];
  for (const [code, args, message] of cases) {
    it.concurrent(args.join(' ').replaceAll(folder, '').replace('\n', ' '), async () => {
      const ended = await cli(args);
      expect([ended.code, ended.stdout, ended.errors]).toEqual([code, '', [expect.stringMatching(message)]]);
      expect(ended.errors[0]).toMatch(/^error: /);
    });
  }
});

describe('a refused command', () => {
  it('leaves nothing behind', () => {
    expect(readdirSync(folder).filter((name) => /^new/.test(name))).toEqual([]);
  });
});

describe('outputs that go away', () => {
  const start = (args: string[], stdout: 'pipe' | number) =>
    spawn(process.execPath, [join(repo_root, 'dist/cli.js'), ...args], {
      cwd: tmpdir(),
      stdio: ['ignore', stdout, 'pipe'],
    });
  const lines_of = (stderr: string) => stderr.split('\n').filter((l) => l !== '' && !l.startsWith('Warning: max'));

  it('a reader that closes early ends the run without a word', async () => {
    const child = start([...text, '--max-new-tokens', '4000'], 'pipe');
    let stderr = '';
    child.stderr?.on('data', (data) => {
      stderr += data;
    });
    child.stdout?.once('data', () => child.stdout?.destroy());
    const [code] = await once(child, 'close');
    expect(code).toBe(141);
    expect(lines_of(stderr).some((line) => /error|^ +at /i.test(line))).toBe(false);
  });

  it.runIf(process.platform === 'linux')('a full disk is one line', async () => {
    const child = start([...text, '--max-new-tokens', '2', '--json'], openSync('/dev/full', 'w'));
    let stderr = '';
    child.stderr?.on('data', (data) => {
      stderr += data;
    });
    const [code] = await once(child, 'close');
    expect([code, lines_of(stderr)]).toEqual([1, [expect.stringMatching(/^error: cannot write the output: ENOSPC/)]]);
  });

  it('synth that is interrupted leaves nothing', async () => {
    mkdirSync(path('cut'));
    const child = start(['synth', '--preset', 'molmoe-mini', '--out', path('cut', 'mini')], 'pipe');
    let stderr = '';
    child.stderr?.on('data', (data) => {
      stderr += data;
    });
    const poll = setInterval(() => {
      if (!readdirSync(path('cut')).some((name) => name.includes('.partial-'))) return;
      clearInterval(poll); // a second signal would end it at once
      child.kill('SIGINT');
    }, 5);
    const [code] = await once(child, 'close');
    clearInterval(poll);
    expect([code, lines_of(stderr)]).toEqual([130, ['interrupted']]);
    expect(readdirSync(path('cut'))).toEqual([]);
  });
});

describe('weights that cannot be used', () => {
  it('values too large for f16 are refused, and in f32 give tokens or one line, never silence', async () => {
    const dir = path('large');
    expect((await cli(['synth', '--preset', 'molmoe-tiny', '--out', dir])).code).toBe(0);
    const file = join(dir, 'model.safetensors');
    const bytes = readFileSync(file);
    const data = 8 + Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.subarray(8, data).toString());
    const at = data + header['model.transformer.blocks.0.mlp.gate.weight'].data_offsets[0];
    for (let i = 0; i < 64; i++) bytes.writeFloatLE(1e38, at + 4 * i);
    writeFileSync(file, bytes);
    const args = ['generate', '--model', dir, '--prompt', 'x', '--max-new-tokens', '2', '--dtype'];
    const half = await cli([...args, 'f16']);
    expect([half.code, half.errors]).toEqual([1, [expect.stringMatching(/above 65504.*--dtype bf16 or f32/)]]);
    const full = await cli([...args, 'f32', '--json']);
    if (full.code === 0) expect(JSON.parse(full.stdout).tokens).toHaveLength(2);
    else expect([full.code, full.errors]).toEqual([1, [expect.stringMatching(/^error: .*not numbers/)]]);
  });
});
