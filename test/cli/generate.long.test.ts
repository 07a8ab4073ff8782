import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cli } from '../support/cli.ts';
import { repo_root } from '../support/golden.ts';

const folder = mkdtempSync(join(tmpdir(), 'molmoe-generate-'));
const path = (...parts: string[]) => join(folder, ...parts);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tiny = ['generate', '--model', 'molmoe-tiny', '--ignore-eos', '--max-new-tokens', '3'];
const images = join(repo_root, 'test/fixtures/golden/data/images');
const turned = join(images, 'exif5_90x60.jpg');

describe('what goes in', () => {
  it('a prompt comes from stdin, without the end of its line', async () => {
    const [piped, given] = await Promise.all([
      cli([...tiny, '--prompt', '-', '--json'], { stdin: 'Once upon a time\n' }),
      cli([...tiny, '--prompt', 'Once upon a time', '--json']),
    ]);
    expect([piped.code, piped.errors]).toEqual([0, []]);
    expect(JSON.parse(piped.stdout).tokens).toEqual(JSON.parse(given.stdout).tokens);
    const broken = await cli([...tiny, '--prompt', '-'], { stdin: new Uint8Array([0xff, 0xfe]) });
    expect([broken.code, broken.errors]).toEqual([1, [expect.stringMatching(/--prompt -: expected text in UTF-8/)]]);
    const empty = await cli([...tiny, '--prompt', '-'], { stdin: '\n' });
    expect([empty.code, empty.errors]).toEqual([2, [expect.stringMatching(/--prompt: expected some text/)]]);
  });

  it('a picture comes from stdin', async () => {
    const file = join(images, 'dot_1x1.png');
    const piped = await cli([...tiny, '--image', '-', '--max-crops', '1', '--json'], { stdin: readFileSync(file) });
    expect([piped.code, piped.errors]).toEqual([0, []]);
    expect(JSON.parse(piped.stdout).request.image).toEqual({ width: 1, height: 1 });
    const none = await cli([...tiny, '--image', '-'], { stdin: 'no picture' });
    expect([none.code, none.errors]).toEqual([1, [expect.stringMatching(/image on stdin: expected a PNG/)]]);
  });

  it('an orientation that is not applied is said, and --orient applies it', async () => {
    const [as_stored, upright] = await Promise.all([
      cli([...tiny, '--image', turned, '--max-crops', '1', '--json']),
      cli([...tiny, '--image', turned, '--max-crops', '1', '--json', '--orient']),
    ]);
    const [stored, applied] = [JSON.parse(as_stored.stdout), JSON.parse(upright.stdout)];
    expect(stored.warnings).toEqual([expect.stringMatching(/EXIF orientation 5.*--orient/)]);
    expect(applied.warnings).toEqual([]);
    expect([applied.request.image.width, applied.request.image.height]).toEqual([
      stored.request.image.height,
      stored.request.image.width,
    ]);
  });

  it('knobs of a picture that is not there, and a seed that makes it sample, are said', async () => {
    const args = [...tiny, '--prompt', 'x', '--max-crops', '2', '--tier', 'low'];
    const { code, errors } = await cli([...args.slice(0, -2), '--seed', '4']);
    expect(code).toBe(0);
    expect(errors.filter((line) => line.startsWith('warning: '))).toEqual([
      expect.stringMatching(/--max-crops: without effect, the request has no picture/),
      expect.stringMatching(/--seed: tokens are sampled, at temperature 1/),
    ]);
  });

  it('what is wrong with a request is said before an adapter is looked for', async () => {
    const env = {
      VK_ICD_FILENAMES: '/nonexistent.json',
      VK_DRIVER_FILES: '/nonexistent.json',
      HOME: folder,
      TMPDIR: folder,
    };
    for (const [wrong, message] of [
      [['--top-k', '9'], /--top-k: /],
      [['--max-crops', '65'], /--max-crops: /],
      [['--prompt', '<im_patch>'], /--prompt: <im_patch>/],
      [['--max-new-tokens', '40000'], /32768/],
    ] as const) {
      const { code, errors } = await cli([...tiny, ...wrong], { env: { ...env, XDG_CACHE_HOME: folder } });
      expect([code, errors]).toEqual([2, [expect.stringMatching(message)]]);
    }
  });
});

describe('what comes out', () => {
  it('rates as other tools name them, in the summary and in JSON', async () => {
    const [text, json] = await Promise.all([
      cli([...tiny, '--prompt', 'Once upon a time']),
      cli([...tiny, '--prompt', 'Once upon a time', '--json']),
    ]);
    expect(text.errors.join('\n')).toMatch(
      /first token after [\d.]+ ms, prefill [\d.]+ k? ?tokens\/s, decode [\d.]+ k? ?tokens\/s, peak GPU memory [\d.]+ MB/,
    );
    expect(text.errors.join('\n')).toMatch(/stage +wall .* launches/);
    const { rates, clock, stages, counts } = JSON.parse(json.stdout);
    expect(rates.first_token_ms).toBeGreaterThan(0);
    const prefill = stages.find(({ stage }: { stage: string }) => stage === 'prefill');
    expect(rates.prefill_tokens_per_s).toBeCloseTo((1000 * counts.prompt_tokens) / prefill.wall_ms, 6);
    expect(rates.peak_memory_bytes).toBeGreaterThan(1e6);
    expect(clock).toBe('wall time between fences');
  });

  it('--quiet leaves the answer alone, --timing marks its clock', async () => {
    const [quiet, stamped] = await Promise.all([
      cli([...tiny, '--prompt', 'x', '--quiet']),
      cli([...tiny, '--prompt', 'x', '--json', '--timing', 'stage']),
    ]);
    expect([quiet.code, quiet.errors]).toEqual([0, []]);
    expect(quiet.stdout.length).toBeGreaterThan(1);
    expect(JSON.parse(stamped.stdout).clock).toMatch(/stamped/);
  });

  it('an interrupted --json ends with what there is', async () => {
    const long = [
      'generate',
      '--model',
      'molmoe-tiny',
      '--prompt',
      'go',
      '--ignore-eos',
      '--max-new-tokens',
      '20000',
      '--json',
    ];
    const stopped_after = async (wait_ms: number) => {
      const child = spawn(process.execPath, [join(repo_root, 'dist/cli.js'), ...long], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      let stdout = '';
      child.stdout.on('data', (data) => {
        stdout += data;
      });
      setTimeout(() => child.kill('SIGTERM'), wait_ms);
      return { code: (await once(child, 'close'))[0], stdout };
    };
    // Nothing tells from outside when the weights are loaded: before that there is nothing to say.
    for (let wait_ms = 1000; ; wait_ms *= 2) {
      const { code, stdout } = await stopped_after(wait_ms);
      // On a busy machine even the program may not have begun: it dies of the signal then.
      if (code === null && wait_ms < 30_000) continue;
      expect(code).toBe(143);
      if (stdout === '' && wait_ms < 30_000) continue;
      const { finish, tokens, elapsed_ms } = JSON.parse(stdout);
      expect([finish, Array.isArray(tokens), elapsed_ms > 0]).toEqual(['interrupted', true, true]);
      break;
    }
  }, 120_000);

  const terminal = spawnSync('script', ['--version']).status === 0 ? it : it.skip;
  terminal('control characters of a prompt are shown on a terminal, and kept in a pipe', async () => {
    const command = `"${process.execPath}" "${join(repo_root, 'dist/cli.js')}" ${tiny.join(' ')} --prompt "$(printf 'a\\033]0;owned\\007b')"`;
    writeFileSync(path('run.sh'), `${command}\n`);
    const { stdout } = spawnSync('script', ['-qec', `sh ${path('run.sh')}`, '/dev/null'], { encoding: 'utf8' });
    expect(stdout).toContain('a\\x1b]0;owned\\x07b');
    expect(stdout).not.toContain('\x1b]0;');
  });

  it.runIf(process.platform === 'linux')(
    'a stderr that is full, or whose reader left, does not end a run',
    async () => {
      const run = (stderr: 'pipe' | number) =>
        spawn(process.execPath, [join(repo_root, 'dist/cli.js'), ...tiny, '--prompt', 'x'], {
          stdio: ['ignore', 'pipe', stderr],
        });
      for (const stderr of ['pipe', openSync('/dev/full', 'w')] as const) {
        const child = run(stderr);
        child.stderr?.destroy();
        let stdout = '';
        child.stdout?.on('data', (data) => {
          stdout += data;
        });
        const [code] = await once(child, 'close');
        expect([code, stdout.length > 1]).toEqual([0, true]);
      }
    },
  );

  it('Dawn says nothing on a pipe, nor in a log that is appended to, nor to a user of the library', async () => {
    expect((await cli(['synth', '--preset', 'molmoe-tiny', '--out', path('files')])).code).toBe(0);
    const library = `import { Molmoe } from '${join(repo_root, 'dist/index.js')}'; (await Molmoe.load({ model: '${path('files')}' })).close();`;
    const loaded = spawnSync('sh', ['-c', `"${process.execPath}" --input-type=module -e "${library}" 2>&1 | cat`], {
      encoding: 'utf8',
    });
    expect(loaded.stdout).toBe('');
    const command = `"${process.execPath}" "${join(repo_root, 'dist/cli.js')}" doctor --json`;
    const piped = spawnSync('sh', ['-c', `${command} 2>&1 >/dev/null | cat`], { encoding: 'utf8' });
    expect(piped.stdout).toBe('');
    spawnSync('sh', ['-c', `${command} >/dev/null 2>>${path('log')}`]);
    expect(readFileSync(path('log'), 'utf8')).toBe('');
  });
});

describe('synth', () => {
  it('removes what a killed run of this machine left, and nothing else', async () => {
    const host = hostname().replace(/[^A-Za-z0-9]/g, '_');
    const gone = spawnSync('true').pid;
    const left = [
      `out.partial-${host}-${gone}-0123abcd`,
      `out.partial-${host}-${process.pid}-0123abcd`,
      'out.partial-notes',
    ];
    for (const name of left) await mkdir(path('synth', name), { recursive: true });
    expect((await cli(['synth', '--preset', 'molmoe-tiny', '--out', path('synth', 'out')])).code).toBe(0);
    expect(readdirSync(path('synth')).sort()).toEqual(['out', ...left.slice(1)].sort());
  });
});

describe('models and completion', () => {
  it('models lists every preset with its parameters and its bytes', async () => {
    const [text, json] = await Promise.all([cli(['models']), cli(['models', '--json'])]);
    const { models } = JSON.parse(json.stdout);
    expect(models[0]).toMatchObject({ name: 'molmoe-1b', blocks: 16, experts: 64, top_k: 8 });
    expect(models[0].parameters).toBeGreaterThan(7e9);
    expect(models[0].weight_bytes.q4).toBeLessThan(models[0].weight_bytes.f16 / 3);
    for (const { name } of models) expect(text.stdout).toContain(name);
  });

  it('bash completes commands, options and choices', async () => {
    const { code, stdout } = await cli(['completion', 'bash']);
    expect(code).toBe(0);
    writeFileSync(path('molmoe.bash'), stdout);
    const complete = (...words: string[]) => {
      const script = `source ${path('molmoe.bash')}; COMP_WORDS=(molmoe ${words.map((w) => `'${w}'`).join(' ')}); COMP_CWORD=${words.length}; _molmoe; echo "\${COMPREPLY[@]}"`;
      return spawnSync('bash', ['-c', script], { encoding: 'utf8', cwd: folder }).stdout.trim().split(' ');
    };
    expect(complete('gen')).toEqual(['generate']);
    expect(complete('generate', '--dtype', 'q')).toEqual(['q8', 'q4']);
    expect(complete('generate', '--max-n')).toEqual(['--max-new-tokens']);
    expect(complete('generate', '--model', 'molmoe-t')).toEqual(['molmoe-tiny']);
    expect(complete('completion', 'z')).toEqual(['zsh']);
    expect(complete('insp')).toEqual(['inspect']);
    expect(complete('inspect', 'to')).toEqual(['tokens', 'topk']);
    expect(complete('inspect', 'topk', '--top-k-v')).toEqual(['--top-k-values']);
    expect(complete('inspect', 'flow', '--model', 'molmoe-t')).toEqual(['molmoe-tiny']);
  });

  it('every command and option is in all three scripts', async () => {
    const helps = await Promise.all([cli(['generate', '--help']), cli(['inspect', 'topk', '--help'])]);
    const options = helps.flatMap(({ stdout }) =>
      [...stdout.matchAll(/^ {2}(?:-\w, )?--([a-z-]+)/gm)].map((found) => found[1]),
    );
    expect(options.length).toBeGreaterThan(20);
    expect(options).toContain('top-k-values');
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { stdout } = await cli(['completion', shell]);
      for (const option of options) expect(stdout).toMatch(new RegExp(`(--|-l )${option}\\b`));
      const check = spawnSync(shell, ['-n'], { input: stdout, encoding: 'utf8' });
      if (check.error === undefined) expect([shell, check.status, check.stderr]).toEqual([shell, 0, '']);
    }
  });
});
