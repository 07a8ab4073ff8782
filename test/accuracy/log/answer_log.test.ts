import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { InputError } from '../../../engine/errors.ts';
import { grid_of_run, run_of } from '../../../experiments/accuracy/log/run_file.ts';
import { answer_all, fake_answer, fake_run, ids, merged_text, open_worker } from '../../support/answers.ts';
import { PROVENANCE } from '../../support/records.ts';

vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof fs>();
  return { ...real, open: vi.fn(real.open), link: vi.fn(real.link), mkdir: vi.fn(real.mkdir) };
});
const real = await vi.importActual<typeof fs>('node:fs/promises');
afterEach(() => {
  vi.mocked(fs.open).mockImplementation(real.open);
  vi.mocked(fs.link).mockImplementation(real.link);
  vi.mocked(fs.mkdir).mockImplementation(real.mkdir);
});

const scratch = mkdtempSync(join(tmpdir(), 'molmoe-answers-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
let folder: string;
beforeEach(() => {
  folder = join(mkdtempSync(join(scratch, 'run-')), 'answers');
});

const run = fake_run(6);
const grid = grid_of_run(run);
const keys = Array.from({ length: grid.size }, (_, slot) => grid.key(slot));
const [first, second, third] = keys.map((key) => fake_answer(key));
const lines_of = (worker: string, file = 'answers.jsonl') =>
  readFileSync(join(folder, 'workers', worker, file), 'utf8')
    .split('\n')
    .slice(0, -1);
const workers = () => readdirSync(join(folder, 'workers')).sort();
const failure = async (promise: Promise<unknown>): Promise<string> => {
  const error = await promise.then(
    () => new Error('no error'),
    (thrown) => thrown,
  );
  expect(error).toBeInstanceOf(InputError);
  expect(error.message).not.toContain('\n');
  return error.message;
};

describe('open_answer_log', () => {
  it('knows what was answered, here and by the other workers', async () => {
    const [one, two] = [await open_worker(folder, run, '0/2'), await open_worker(folder, run, '1/2')];
    const [of_one, of_two] = [[...one.left()], [...two.left()]];
    expect([...of_one, ...of_two].map((key) => JSON.stringify(key)).sort()).toEqual(
      keys.map((key) => JSON.stringify(key)).sort(),
    );
    await one.append(of_one.slice(0, 2).map((key) => fake_answer(key)));
    await two.append(of_two.slice(0, 1).map((key) => fake_answer(key)));
    expect([...one.left()]).toEqual(of_one.slice(2));
    await Promise.all([one.close(), two.close()]);
    const again = await open_worker(folder, run);
    const answered = [...of_one.slice(0, 2), ...of_two.slice(0, 1)];
    expect(answered.every(({ sample, configuration }) => again.has(sample, configuration))).toBe(true);
    expect([...again.left()]).toHaveLength(grid.size - 3);
    await again.close();
  });

  it('begins a file with who writes it, once each time it is started and has something to say', async () => {
    const idle = await open_worker(folder, run);
    await idle.append([]);
    await idle.close();
    expect(lines_of('0-of-1')).toEqual([]);
    for (const answer of [first, second]) {
      const log = await open_worker(folder, run);
      await log.append([answer as typeof answer & {}]);
      await log.close();
    }
    const [head, , again] = lines_of('0-of-1').map((line) => JSON.parse(line));
    expect(head).toMatchObject({
      schema: 'molmoe.answers/1',
      run: run.run,
      worker: { shard: '0/1', from: 'shard', provenance: PROVENANCE, pid: process.pid },
    });
    expect(again.schema).toBe('molmoe.answers/1');
  });

  it('gives a second worker of the same shard a file of its own, and a later one the first again', async () => {
    const [one, two] = await Promise.all([open_worker(folder, run), open_worker(folder, run)]);
    expect(workers()).toEqual(['0-of-1', '0-of-1.1']);
    expect(new Set([one.folder, two.folder]).size).toBe(2);
    await Promise.all([one, two].map((log) => log.append(keys.map((key) => fake_answer(key)))));
    await Promise.all([one.close(), two.close()]);
    await (await open_worker(folder, run)).close();
    expect(workers()).toEqual(['0-of-1', '0-of-1.1']);
    const text = await merged_text(folder);
    rmSync(folder, { recursive: true });
    await answer_all(folder, run);
    expect(text).toBe(await merged_text(folder));
  });

  it('goes on where another worker has just made the folder that both found missing', async () => {
    await answer_all(folder, run, '0/2');
    vi.mocked(fs.mkdir).mockImplementation(async (...given) => {
      if (!String(given[0]).endsWith('1-of-2')) return real.mkdir(...given);
      vi.mocked(fs.mkdir).mockImplementation(real.mkdir);
      throw Object.assign(new Error('no parent yet'), { code: 'ENOENT' });
    });
    await answer_all(folder, run, '1/2');
    expect(workers()).toEqual(['0-of-2', '1-of-2']);
  });

  it('passes over a shard whose worker runs on another machine, as far as can be told', async () => {
    await answer_all(folder, fake_run(6));
    const lock = { pid: 1, host: 'elsewhere', started: '2026-01-01T00:00:00.000Z', process_start: null };
    writeFileSync(join(folder, 'workers/0-of-1/lock.json'), JSON.stringify({ ...lock, token: '0123456789abcdef' }));
    const log = await open_worker(folder, run);
    expect([...log.left()]).toEqual([]);
    expect(log.folder).toBe(join(folder, 'workers/0-of-1.1'));
    await log.close();
  });

  it('refuses answers twice, and questions that nobody asked: faults of the program', async () => {
    const log = await open_worker(folder, run);
    await log.append([first as NonNullable<typeof first>]);
    const again = (answers: (typeof first)[]) => log.append(answers as NonNullable<typeof first>[]);
    await expect(again([first])).rejects.toThrow('answered twice');
    await expect(again([second, second])).rejects.toThrow('answered twice');
    await expect(again([fake_answer({ sample: 'x', configuration: 'y' })])).rejects.toThrow('not of this run');
    await again([second]);
    await log.close();
    expect(lines_of('0-of-1')).toHaveLength(3);
  });
});

describe('errors', () => {
  it('are kept apart, never counted, and asked again', async () => {
    const log = await open_worker(folder, run);
    await Promise.all([log.fail(keys[0] as never, 'the picture\ncannot be read'), log.fail(keys[1] as never, 'lost')]);
    expect(lines_of('0-of-1', 'errors.jsonl').map((line) => JSON.parse(line).error)).toEqual([
      'the picture\ncannot be read',
      'lost',
    ]);
    await log.close();
    const again = await open_worker(folder, run);
    expect([...again.left()]).toEqual(keys);
    await again.append(keys.map((key) => fake_answer(key)));
    await again.close();
    rmSync(join(folder, 'workers/0-of-1/errors.jsonl'));
    const without = await merged_text(folder);
    writeFileSync(join(folder, 'workers/0-of-1/errors.jsonl'), '{"torn');
    expect(await merged_text(folder)).toBe(without);
  });
});

describe('a run', () => {
  const other = (over: Parameters<typeof fake_run>[2], crops?: number[]) =>
    failure(open_worker(folder, fake_run(6, crops, over)));

  it('is what all workers share: another model, data set, commit, setting or knob is refused by name', async () => {
    await answer_all(folder, run);
    const { program, model, dataset } = run.fingerprint;
    const refused = `${folder}: expected answers of one run, found those of another`;
    const remedy = 'choose another folder, or run what this one holds';
    expect(await other({ model: { ...model, dtype: 'q8' } })).toBe(`${refused}: model.dtype: "f16" -> "q8"; ${remedy}`);
    expect(await other({ program: { ...program, commit: 'ffff' } })).toContain(
      'program.commit: "0123456789" -> "ffff"',
    );
    expect(await other({ dataset: { ...dataset, digest: 'dead' } })).toContain('dataset.digest: "beef" -> "dead"');
    expect(await other({ experiment: 'exp2' })).toContain('experiment: "exp1_accuracy" -> "exp2"');
    expect(await other({ settings: { max_new_tokens: 8, metric: 'vqa' } })).toContain(
      'settings.max_new_tokens: 16 -> 8',
    );
    expect(await other({}, [1, 3])).toMatch(
      /configurations\.[0-9a-f]{16}: \{"knobs":\{"maxCrops":2\},"place":1\} -> nothing/,
    );
    expect(await other({}, [2, 1])).toMatch(/configurations\.[0-9a-f]{16}\.place: 0 -> 1/);
    expect(await other({ samples: ids(6).reverse() })).toContain('samples.digest');
    expect(await other({ samples: ids(5) })).toContain('samples.count: 6 -> 5');
    expect(workers()).toEqual(['0-of-1']);
  });

  it('refuses sample ids that repeat, and configurations', async () => {
    const { fingerprint } = run;
    const asked = {
      ...fingerprint,
      configurations: undefined,
      cells: [{ knobs: {}, cell: {} }],
      samples: ['a', 'b', 'a', 'a'],
    };
    const { configurations: _, ...same } = asked;
    expect(() => run_of(same)).toThrow('shapes: expected each sample id once, found 1 more than once: "a"');
    expect(() => fake_run(2, [3, 4, 3])).toThrow(
      'expected each configuration once, found 1 more than once: {"maxCrops":3}',
    );
  });

  it('is written once, whoever is first; also where there are no hard links', async () => {
    const logs = await Promise.all(Array.from({ length: 5 }, (_, i) => open_worker(folder, run, `${i}/5`)));
    await Promise.all(logs.map((log) => log.close()));
    expect(readdirSync(folder).sort()).toEqual(['run.json', 'workers']);
    rmSync(folder, { recursive: true });
    vi.mocked(fs.link).mockRejectedValue(Object.assign(new Error('no links'), { code: 'EPERM' }));
    await (await open_worker(folder, run)).close();
    expect(readdirSync(folder).sort()).toEqual(['run.json', 'workers']);
  });

  it('that was edited is refused', async () => {
    await answer_all(folder, run);
    const path = join(folder, 'run.json');
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replace('"question-3"', '"question-9"'));
    expect(await failure(open_worker(folder, run))).toContain(`${path}: expected what run ${run.run} asked, found it`);
    writeFileSync(path, text.slice(0, 200));
    expect(await failure(open_worker(folder, run))).toContain('found JSON that is cut off or broken');
    writeFileSync(path, text.replace('run/1', 'run/2'));
    expect(await failure(open_worker(folder, run))).toContain('a newer version wrote it: update molmoe');
  });
});

describe('broken files', () => {
  const answers = () => join(folder, 'workers/0-of-1/answers.jsonl');
  const with_line = async (text: string) => {
    await answer_all(folder, run);
    appendFileSync(answers(), text);
    return failure(open_worker(folder, run));
  };

  it("a torn last line goes from one's own file, and is passed over in that of another", async () => {
    const log = await open_worker(folder, run);
    await log.append([first, second] as never);
    await log.close();
    const whole = readFileSync(answers());
    appendFileSync(answers(), JSON.stringify(third));
    const other = await open_worker(folder, run, '1/2');
    expect([...keys].filter(({ sample, configuration }) => other.has(sample, configuration))).toHaveLength(2);
    await other.close();
    expect(readFileSync(answers()).length).toBeGreaterThan(whole.length);
    await (await open_worker(folder, run)).close();
    expect(readFileSync(answers())).toEqual(whole);
  });

  it('drops a torn line that is longer than what is read at once', async () => {
    await answer_all(folder, run);
    const whole = readFileSync(answers());
    appendFileSync(answers(), 'x'.repeat(300_000));
    await (await open_worker(folder, run)).close();
    expect(readFileSync(answers())).toEqual(whole);
    truncateSync(answers(), 20);
    await (await open_worker(folder, run)).close();
    expect(readFileSync(answers())).toEqual(Buffer.alloc(0));
  });

  it.each([
    [
      'cut off in the middle',
      '{"sample":\n',
      'line 14: expected a line of JSON, found one that is cut off or broken; delete that',
    ],
    ['empty', '\n', 'line 14: expected a line of JSON, found one that is cut off'],
    ['no answer', '[1]\n', 'line 14: expected an answer, found'],
    [
      'an unknown field',
      `${JSON.stringify({ ...first, more: 1 })}\n`,
      'expected an answer, found Unrecognized key: "more"',
    ],
    [
      'another sample',
      `${JSON.stringify({ ...first, sample: 'x' })}\n`,
      'expected a sample and configuration of this run',
    ],
    [
      'another schema',
      '{"schema":"molmoe.run/1"}\n',
      'expected schema molmoe.answers/1, found "molmoe.run/1"; move that file',
    ],
  ])('a line that is %s', async (_, text, message) => {
    expect(await with_line(text)).toContain(message);
  });

  it('bytes that are no text, and a file without its head', async () => {
    await answer_all(folder, run);
    const whole = readFileSync(answers());
    appendFileSync(answers(), Buffer.from([0xff, 0xfe, 10]));
    expect(await failure(open_worker(folder, run))).toContain('expected text in UTF-8, found other bytes');
    writeFileSync(answers(), whole.subarray(whole.indexOf(10) + 1));
    expect(await failure(open_worker(folder, run))).toContain('line 1: expected schema molmoe.answers/1 first');
  });

  it('answers of another run that were copied here', async () => {
    await answer_all(folder, fake_run(6, [1, 2], { settings: { max_new_tokens: 8 } }));
    const path = join(folder, 'workers/0-of-2');
    const copied = readFileSync(answers());
    rmSync(folder, { recursive: true });
    await answer_all(folder, run);
    mkdirSync(path);
    writeFileSync(join(path, 'answers.jsonl'), copied);
    expect(await failure(open_worker(folder, run))).toBe(
      `${join(path, 'answers.jsonl')}: expected answers of one run, found those of another: settings.max_new_tokens: 8 -> 16; settings.metric: nothing -> "exact_match"; configurations.${fake_run(6, [1], { settings: { max_new_tokens: 8 } }).fingerprint.configurations[0]?.hash}: {"knobs":{"maxCrops":1},"place":0} -> nothing; and 3 more; move that file elsewhere`,
    );
  });

  it('neither a link nor a pipe is read or written', async () => {
    await answer_all(folder, run);
    const elsewhere = join(scratch, 'elsewhere.jsonl');
    writeFileSync(elsewhere, 'kept');
    rmSync(answers());
    symlinkSync(elsewhere, answers());
    expect(await failure(open_worker(folder, run))).toContain('found a symbolic link, or a circle of them');
    expect(readFileSync(elsewhere, 'utf8')).toBe('kept');
  });
});

describe('a disk that fails', () => {
  const fail_writes = (code: string, what: 'writeFile' | 'datasync' = 'writeFile') =>
    vi.mocked(fs.open).mockImplementation(async (...given) => {
      const handle = await real.open(...given);
      if (!String(given[0]).endsWith('answers.jsonl')) return handle;
      let calls = 0;
      const before = handle[what].bind(handle) as (...args: unknown[]) => Promise<void>;
      Object.assign(handle, {
        [what]: async (...args: unknown[]) => {
          calls += 1;
          if (calls < 2) return before(...args);
          // Half of the group arrives.
          if (what === 'writeFile') await handle.write(String(args[0]).slice(0, 700));
          throw Object.assign(new Error(`${code}: write`), { code });
        },
      });
      return handle;
    });

  it.each([
    ['ENOSPC', 'found a full disk; free some space', 'writeFile'],
    ['EDQUOT', 'found a full quota; free some space', 'writeFile'],
    ['EIO', 'found a fault of the disk; check the file system', 'writeFile'],
    ['EIO', 'found a fault of the disk; check the file system', 'datasync'],
  ] as const)('%s is one line, and nothing half-written counts', async (code, message, what) => {
    fail_writes(code, what);
    const log = await open_worker(folder, run);
    await log.append([first] as never);
    const expected = `${join(log.folder, 'answers.jsonl')}: expected a file that lines can be appended to, ${message}`;
    expect(await failure(log.append([second, third] as never))).toBe(expected);
    expect(await failure(log.append([third] as never))).toBe(expected);
    expect([...log.left()]).toHaveLength(grid.size - 1);
    await log.close();
    vi.mocked(fs.open).mockImplementation(real.open);
    expect(lines_of('0-of-1')).toHaveLength(2);
    expect(existsSync(join(log.folder, 'lock.json'))).toBe(false);
    await answer_all(folder, run);
    const text = await merged_text(folder);
    rmSync(folder, { recursive: true });
    await answer_all(folder, run);
    expect(await merged_text(folder)).toBe(text);
  });

  it('leaves no lock where a log cannot be opened', async () => {
    vi.mocked(fs.open).mockImplementation(async (...given) => {
      if (String(given[0]).endsWith('answers.jsonl')) throw Object.assign(new Error('EIO'), { code: 'EIO' });
      return real.open(...given);
    });
    expect(await failure(open_worker(folder, run))).toContain('found a fault of the disk');
    expect(readdirSync(join(folder, 'workers/0-of-1'))).toEqual([]);
  });
});
