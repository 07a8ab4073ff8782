import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InputError } from '../../engine/errors.ts';
import { e1 } from '../../experiments/core/e1.ts';
import { digest_of } from '../../experiments/lab/fingerprint.ts';
import { open_results, type ResultsOptions, read_results } from '../../experiments/lab/record.ts';
import { type Configuration, run_schema } from '../../experiments/lab/schema.ts';
import { FAKE_RUN, fake_configuration, PROVENANCE } from '../support/records.ts';

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof fs>();
  return { ...real, open: vi.fn(real.open), mkdir: vi.fn(real.mkdir) };
});
const real = await vi.importActual<typeof fs>('node:fs/promises');
afterEach(() => {
  vi.mocked(fs.open).mockImplementation(real.open);
  vi.mocked(fs.mkdir).mockImplementation(real.mkdir);
});

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-record-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(scratch, 'run-')), 'results', 'e1');
});

const { fingerprint, ceilings } = FAKE_RUN;
const plan = { options: {}, cells: [], skipped: [] };
const options: ResultsOptions = { experiment: 'e1', fingerprint, plan, ceilings, started: FAKE_RUN.started };
const run = digest_of(fingerprint);
const low: Configuration = { ...fake_configuration('low', 'short', 'short', 3), run };
const high: Configuration = {
  ...fake_configuration('high', 'short', 'short', 3),
  run,
  started: '2026-01-01T00:02:00.000Z',
};

/** Opens, does, closes. */
async function with_results<T>(
  over: Partial<ResultsOptions>,
  use: (results: Awaited<ReturnType<typeof open_results>>) => Promise<T> | T,
): Promise<T> {
  const results = await open_results(folder, { ...options, ...over });
  try {
    return await use(results);
  } finally {
    await results.close();
  }
}
const saved = (...configurations: Configuration[]): Promise<void> =>
  with_results({}, async (results) => {
    for (const one of configurations) await results.save(one);
  });
const keys = (over: Partial<ResultsOptions> = {}) => with_results(over, (results) => [...results.finished().keys()]);

/** The message of the one-line error that this ends in. */
async function failure(of: Promise<unknown>): Promise<string> {
  const error = await of.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(InputError);
  expect(error.message).not.toContain('\n');
  return error.message;
}
const inside = (name: string): string => join(folder, name);
const names = (): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

describe('a results folder', () => {
  it('keeps each configuration as it is saved, and goes on from there', async () => {
    const results = await open_results(folder, options);
    expect(run_schema.parse(JSON.parse(readFileSync(inside('run.json'), 'utf8')))).toEqual({ ...FAKE_RUN, run });
    expect(results.run).toEqual({ ...FAKE_RUN, run });
    expect(results.finished().size).toBe(0);
    await results.save(high);
    await results.save(low);
    expect(JSON.parse(readFileSync(inside('configurations/low_short_short.json'), 'utf8'))).toEqual(low);
    expect([...results.finished().values()]).toEqual([high, low]);
    await results.close();
    expect(names()).toEqual([
      'configurations/high_short_short.json',
      'configurations/low_short_short.json',
      'files.txt',
      'plan.json',
      'run.json',
    ]);
    expect(await with_results({ started: undefined }, (again) => again.run)).toEqual({ ...FAKE_RUN, run });
    expect(await keys()).toEqual(['low_short_short', 'high_short_short']);
  });

  it('holds files of any kind, and JSON that fits its schema', async () => {
    await with_results({}, async (results) => {
      expect(await results.write('figures/a.png', new Uint8Array([1, 2]))).toBe(inside('figures/a.png'));
      await results.write_json('copy.json', run_schema, results.run);
      expect([...readFileSync(inside('figures/a.png'))]).toEqual([1, 2]);
      expect(readFileSync(inside('copy.json'), 'utf8')).toBe(`${JSON.stringify(results.run, null, 2)}\n`);
    });
  });

  it('takes nothing that breaks its schema or belongs to another run: that is our own fault, not the input', async () => {
    await with_results({}, async (results) => {
      const broken = structuredClone(low);
      Object.assign(broken.clean.samples[1] as object, { T_total: Number.NaN });
      const fault = await results.save(broken).catch((error) => error);
      expect(fault).not.toBeInstanceOf(InputError);
      expect(fault.message).toMatch(/low_short_short: .*clean\.samples\[1\]\.T_total: .*expected number/);
      await expect(results.save({ ...low, run: 'other' })).rejects.toThrow('of run other');
      await expect(results.write_json('x.json', run_schema, {} as never)).rejects.toThrow('x.json: ');
      const outside = ['', '..', '../x.json', '/x.json', 'figures/../../x.svg', 'a//b.json', './a.json', 'figures/'];
      const not_ours = ['lock.json', 'lock.0123456789abcdef.json', 'files.txt', 'a\nb.json', 'a\\b.json', '.json'];
      const elsewhere = ['src/main.json', 'figures/deeper/a.svg', 'configurations/a.svg', 'notes.txt', 'photo.png'];
      for (const name of [
        ...outside,
        ...not_ours,
        ...elsewhere,
        'figures/a\x1b.svg',
        'index.html',
        '__proto__/a.json',
      ]) {
        await expect(results.write(name, ''), name).rejects.toThrow('not a name of a file in a results folder');
      }
    });
    expect(names()).toEqual(['files.txt', 'plan.json', 'run.json']);
  });

  it('is held by one run at a time, also while the other fails', async () => {
    await with_results({}, async () => {
      expect(await failure(open_results(folder, options))).toMatch(
        /another run \(pid \d+, since .*\) writes here; wait/,
      );
    });
    expect(await keys()).toEqual([]);
    await failure(open_results(folder, { ...options, experiment: 'e2' }));
    expect(existsSync(inside('lock.json'))).toBe(false);
  });
});

describe('another run in the same folder', () => {
  const with_provenance = (over: Partial<typeof PROVENANCE>) => ({
    fingerprint: { ...fingerprint, provenance: { ...PROVENANCE, ...over } },
  });

  it('is refused with what differs', async () => {
    await saved(low);
    const adapter = { ...PROVENANCE.adapter, description: 'another' };
    expect(await failure(keys(with_provenance({ adapter })))).toBe(
      `${folder}: expected results of a run like this one, found others: provenance.adapter.description: ` +
        '"llvmpipe: Mesa 25.0.7 (LLVM 15.0.6) 0.0.1" -> "another"; --fresh starts anew, or choose another --out',
    );
    const message = await failure(
      keys({ experiment: 'e2', ...with_provenance({ adapter, mode: 'validated', dirty: true, backend: 'metal' }) }),
    );
    expect(message).toContain('experiment: "e1" -> "e2"; provenance.dirty: false -> true; ');
    expect(message).toContain('; and 2 more; --fresh');
    expect(await failure(keys({ fingerprint: { ...fingerprint, knobs: { topK: 4 } } }))).toContain(
      'knobs.topK: nothing -> 4;',
    );
    expect(await keys()).toEqual(['low_short_short']);
  });

  it('knows itself whatever the order of its fields', async () => {
    await saved(low);
    const turned = <T extends object>(value: T): T => Object.fromEntries(Object.entries(value).reverse()) as T;
    const same = { ...turned(fingerprint), provenance: turned(PROVENANCE), knobs: { maxCrops: undefined } };
    expect(await keys({ fingerprint: same })).toEqual(['low_short_short']);
  });

  it('may start anew: that removes what was written here and nothing else', async () => {
    await saved(low, high);
    await with_results({}, (results) => results.write('figures/a.svg', '<svg/>'));
    const foreign = ['notes.txt', 'figures/mine.svg', 'configurations/readme.md'];
    for (const name of foreign) writeFileSync(inside(name), 'mine');
    // Not listed, but by what it says a configuration of another folder.
    writeFileSync(inside('configurations/copied.json'), '{"schema":"molmoe.configuration/1"');
    await with_results({ fresh: true, ...with_provenance({ backend: 'metal' }) }, (results) => {
      expect(results.finished().size).toBe(0);
      expect(results.run.run).not.toBe(run);
    });
    expect(names()).toEqual([...foreign, 'files.txt', 'plan.json', 'run.json'].sort());
  });

  it('removes no file outside, whatever the list says', async () => {
    await saved(low);
    writeFileSync(join(folder, '../precious'), 'mine');
    writeFileSync(inside('files.txt'), '\n../precious\n/etc/hostname\n..\n\nfigures/\nrun.json');
    await with_results({ fresh: true }, () => undefined);
    expect(readFileSync(join(folder, '../precious'), 'utf8')).toBe('mine');
  });

  it("leaves somebody's own run.json alone, and says so", async () => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(inside('run.json'), '{"jobs": 3}');
    for (const fresh of [false, true]) {
      expect(await failure(keys({ fresh }))).toBe(
        `${inside('run.json')}: expected schema molmoe.run/1, found none; choose another --out`,
      );
    }
    expect(readFileSync(inside('run.json'), 'utf8')).toBe('{"jobs": 3}');
  });
});

describe('what a killed run leaves', () => {
  it('is tidied up at the next start, but not what others named alike', async () => {
    await saved(low);
    const dead = spawnSync(process.execPath, ['-e', '']).pid;
    const left = ['run.json', 'configurations/low_short_short.json'].map((name) => `${name}.${dead}-0123abcd.tmp`);
    const foreign = ['mine.12-0123abcd.tmp', 'configurations/x.tmp'];
    mkdirSync(inside('e2'));
    for (const name of [...left, ...foreign, `e2/run.json.${dead}-0123abcd.tmp`]) writeFileSync(inside(name), 'half');
    expect(await keys()).toEqual(['low_short_short']);
    for (const name of left) expect(existsSync(inside(name)), name).toBe(false);
    for (const name of [...foreign, `e2/run.json.${dead}-0123abcd.tmp`])
      expect(existsSync(inside(name)), name).toBe(true);
  });

  it.each<[what: string, text: string, message: string]>([
    [
      'an empty file',
      '',
      'expected schema molmoe.configuration/2, found an empty file; delete that file, and only it is measured again',
    ],
    [
      'a file cut short',
      JSON.stringify(low).slice(0, 500),
      'expected schema molmoe.configuration/2, found JSON that is cut off or broken; delete that file, and only it is measured again',
    ],
    [
      'another schema',
      '{"schema":"x"}',
      'expected schema molmoe.configuration/2, found "x"; delete that file, and only it is measured again',
    ],
    [
      'no object',
      'null',
      'expected schema molmoe.configuration/2, found none; delete that file, and only it is measured again',
    ],
    [
      'a newer schema',
      JSON.stringify({ ...low, schema: 'molmoe.configuration/3' }),
      'expected schema molmoe.configuration/2, found "molmoe.configuration/3"; a newer version wrote it: update molmoe',
    ],
    [
      'a broken record',
      JSON.stringify({ ...low, warnings: [1] }),
      'expected schema molmoe.configuration/2, found warnings[0]: Invalid input: expected string, received number; delete that file, and only it is measured again',
    ],
    [
      'a result of another run',
      JSON.stringify({ ...low, run: 'other' }),
      `expected run "${run}", found "other"; delete that file, and only it is measured again`,
    ],
    [
      'a copy under another name',
      JSON.stringify(high),
      'expected key "low_short_short", found "high_short_short"; delete that file, and only it is measured again',
    ],
  ])('%s is named; deleting it, or --fresh, gets rid of it', async (_, text, message) => {
    await saved(low, high);
    const path = inside('configurations/low_short_short.json');
    writeFileSync(path, text);
    expect(await failure(keys())).toBe(`${path}: ${message}`);
    rmSync(path);
    expect(await keys()).toEqual(['high_short_short']);
    writeFileSync(path, text);
    expect(await keys({ fresh: true })).toEqual([]);
  });

  it("names somebody's own file among the configurations, which --fresh keeps", async () => {
    await saved(low);
    writeFileSync(inside('configurations/mine.json'), '{}');
    expect(await failure(keys({ fresh: true }))).toContain(
      'mine.json: expected schema molmoe.configuration/2, found none; move it',
    );
  });

  it('names a run.json that was cut short or edited', async () => {
    await saved(low);
    const text = readFileSync(inside('run.json'), 'utf8');
    writeFileSync(inside('run.json'), text.slice(0, 100));
    expect(await failure(keys())).toMatch(
      /run\.json: expected schema molmoe\.run\/1, found JSON that is cut off.*--fresh/,
    );
    writeFileSync(inside('run.json'), text.replace(run, 'edited'));
    expect(await failure(keys())).toContain(`found others: run: "edited" -> "${run}"; --fresh`);
  });
});

describe('a place that cannot be written', () => {
  it('a file', async () => {
    mkdirSync(join(folder, '..'), { recursive: true });
    writeFileSync(folder, '');
    expect(await failure(keys())).toBe(`${folder}: expected a folder for results, found a file; choose another --out`);
    const below = join(folder, 'deeper');
    expect(await failure(open_results(below, options))).toMatch(
      /^.*deeper: expected a folder for results, found a path through/,
    );
  });

  it('a folder without permission', async () => {
    vi.mocked(fs.mkdir).mockRejectedValueOnce(Object.assign(new Error('no'), { code: 'EACCES' }));
    expect(await failure(keys())).toBe(
      `${folder}: expected a folder for results, found permission denied; check the permissions`,
    );
    vi.mocked(fs.open).mockRejectedValueOnce(Object.assign(new Error('no'), { code: 'EROFS' }));
    expect(await failure(keys())).toBe(
      `${folder}: expected a folder that can be written, found a read-only file system; choose another place`,
    );
  });

  it('a disk that gets full: the configuration is lost, those before it are not', async () => {
    await with_results({}, async (results) => {
      await results.save(low);
      vi.mocked(fs.open).mockImplementation(async (...given) => {
        const handle = await real.open(...given);
        handle.writeFile = async () => {
          await handle.write('{"half');
          throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
        };
        return handle;
      });
      expect(await failure(results.save(high))).toBe(
        `${inside('configurations/high_short_short.json')}: expected a file that can be written, found a full disk; free some space`,
      );
      vi.mocked(fs.open).mockImplementation(real.open);
      expect([...results.finished().keys()]).toEqual(['low_short_short']);
    });
    expect(names().filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect((await read_results(folder)).configurations).toEqual([low]);
    expect(await keys()).toEqual(['low_short_short']);
  });
});

describe('read_results', () => {
  it('reads a folder, in the order measured, and a single configuration', async () => {
    await saved(high, low);
    expect(await read_results(folder)).toEqual({ run: { ...FAKE_RUN, run }, configurations: [low, high] });
    expect(await read_results(inside('configurations/high_short_short.json'))).toEqual({
      run: { ...FAKE_RUN, run },
      configurations: [high],
    });
  });

  it('does not take a published file for cells: it lacks what makes them', async () => {
    const path = join(scratch, 'e1_stage_latency_breakdown.json');
    const { files } = e1.derive({ run: FAKE_RUN, configurations: [low], skipped: [] });
    writeFileSync(path, JSON.stringify(files.e1_stage_latency_breakdown));
    expect(await failure(read_results(path))).toBe(
      `${path}: expected schema molmoe.configuration/2, found "molmoe.e1.stage_latency_breakdown/2"; name the folder it lies in`,
    );
  });

  it('reads cells of the earlier format: what did not run is null, what was not kept is not known', async () => {
    const { knobs, asked, prompt, image, requests, memory, scaled, ...rest } = low;
    const samples = low.clean.samples.map(({ T_first_token, ...sample }) => ({ ...sample, T_LLM_decode: 0 }));
    const tokens = { ...low.tokens, decode_steps: 0 };
    const old = { ...rest, schema: 'molmoe.configuration/1', tokens, clean: { ...low.clean, samples } };
    const path = join(scratch, 'old.json');
    writeFileSync(path, JSON.stringify(old));
    const { configurations } = await read_results(path);
    expect(configurations[0]).toMatchObject({ knobs: {}, asked: null, prompt: null, memory: null, scaled: null });
    expect(configurations[0]?.clean.samples[0]).toMatchObject({ T_LLM_decode: null, T_first_token: null });
  });

  it('knows the run of a single configuration where it lies beside it, and only where it is its own', async () => {
    await saved(low);
    const path = inside('configurations/low_short_short.json');
    symlinkSync(path, join(scratch, 'link.json'));
    expect((await read_results(join(scratch, 'link.json'))).run?.run).toBe(run);
    writeFileSync(path, JSON.stringify({ ...low, run: 'other' }));
    expect((await read_results(path)).run).toBeUndefined();
  });

  it('says what it found instead', async () => {
    const path = join(scratch, 'some.json');
    const single = async (text: string) => {
      writeFileSync(path, text);
      return (await failure(read_results(path))).replace(`${path}: `, '');
    };
    const names = 'molmoe.configuration/2';
    expect(await single('')).toBe(`expected results (${names}), found an empty file; choose another`);
    expect(await single('{"schema": "molm')).toBe(
      `expected results (${names}), found JSON that is cut off or broken; choose another`,
    );
    expect(await single('[1]')).toBe(`expected schema ${names}, found nothing; choose another, or name its folder`);
    expect(await single('{"schema":"molmoe.run/1"}')).toBe(
      `expected schema ${names}, found "molmoe.run/1"; name the folder it lies in`,
    );
    expect(await single('{"schema":"molmoe.e1.stage_latency_breakdown/1"}')).toBe(
      `expected schema ${names}, found "molmoe.e1.stage_latency_breakdown/1"; name the folder it lies in`,
    );
    expect(await single('{"schema":"molmoe.configuration/3"}')).toBe(
      `expected schema ${names}, found "molmoe.configuration/3"; a newer version wrote it: update molmoe`,
    );
    expect(await single(JSON.stringify({ ...low, tokens: {} }))).toContain('found tokens.image_size: Invalid input');
    expect(await failure(read_results(join(scratch, 'none')))).toBe(
      `${join(scratch, 'none')}: expected a results folder or file, found no such file or directory; check the path`,
    );
    await with_results({}, () => undefined);
    expect(await failure(read_results(folder))).toContain('found no finished configuration');
    expect(await failure(read_results(join(folder, '..')))).toContain('found no run.json in it; name the folder');
  });
});
