import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command, Option } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { make_program } from '../../src/program.ts';
import { EXPERIMENTS } from '../../src/registry.ts';
import { cli } from '../support/cli.ts';
import { repo_root } from '../support/golden.ts';
import { inside } from '../support/inside.ts';
import { own_cache } from '../support/warm_cache.ts';

/**
 * Reads every option and every choice from the program itself and runs each with a small model: what help names must not
 * crash. It may be refused, in one line and with the exit code of a refusal. All run in this process, one after another,
 * but those that start or read something of their own; other tests run each command as a process.
 */
const scratch = mkdtempSync(join(tmpdir(), 'molmoe-options-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const env = own_cache(scratch);
Object.assign(process.env, env);
/** They start children of this program, read its stdin, or what lies beside the built program. */
const APART: readonly string[] = ['run', 'ask', 'verify'];

const PICTURE = join(repo_root, 'test/fixtures/golden/data/images/checker_560x560.png');
const RESULTS = join(scratch, 'results');
const TINY = ['--model', 'molmoe-tiny'];
const QUICK = ['--runs', '1', '--warmup', '0', '--instrumented', '0'];
const TOPK = [...TINY, ...QUICK, '--top-k', '1', '--image-size', 'none', '--prompt-tokens', '30', '--new-tokens', '1'];

const SAMPLES = [...TINY, ...QUICK, '--num-samples', '1', '--max-crops', '1'];

const ANSWERED = EXPERIMENTS.filter(({ instrument }) => instrument.name === 'answers').map(({ name }) => name);
const BUDGETED = EXPERIMENTS.filter(({ instrument }) => instrument.name === 'budget').map(({ name }) => name);
const BUDGETS = ['--model', 'nano', '--quick', '--num-samples', '3', '--skip', '0'];
const ANSWERS = ['--model', 'nano', '--quick', '--num-samples', '2', '--timed', '0'];

/** What each command is run with besides the option in turn; `replaces` says which of it an option takes the place of. */
const BASES: Readonly<Record<string, readonly string[]>> = {
  generate: [...TINY, '--prompt', 'Hello', '--max-new-tokens', '2'],
  ask: [PICTURE, ...TINY, '--max-new-tokens', '2'],
  doctor: [],
  ceilings: [],
  verify: ['--set', 'tiny', '--case', 'text1'],
  tune: [...TINY],
  synth: ['--preset', 'molmoe-tiny', '--out', join(scratch, 'synth')],
  models: [],
  shapes: ['--out', join(scratch, 'shapes'), '--num-samples', '2'],
  explain: [...TINY, '--prompt', 'Hello', '--decode', '2'],
  quality: [...TINY, '--dtype', 'q8'],
  list: [...TINY],
  run: ['moe-topk', '--dry-run', ...TINY],
  report: [RESULTS],
  plot: [RESULTS],
  export: [RESULTS, '--csv'],
  compare: [RESULTS, RESULTS],
  claims: [RESULTS],
  completion: ['bash'],
  'inspect tokens': [...TINY],
  'inspect config': [...TINY],
  'inspect structure': [...TINY],
  'inspect pooling': [...TINY],
  'inspect moe-layer': [...TINY],
  'inspect flow': [...TINY, '--image-size', 'none'],
  'inspect topk': [...TINY, '--image-size', 'none', '--top-k-values', '1,2', '--new-tokens', '2'],
  'analyze answer-lengths': ['--num-samples', '20'],
  'analyze crops-needed': ['--num-samples', '20'],
  'analyze pareto': ['--accuracy', RESULTS, '--latency', RESULTS],
  'inspect sanity': [...TINY, '--image-size', 'none', '--max-new-tokens', '2'],
  'motivation-exp3': [...TINY, ...QUICK, '--max-grid-size', '1'],
  'motivation-exp5': ['--exp3-results', RESULTS],
  'crop-overlap': [...TINY, '--num-samples', '3', '--num-images', '1'],
  e2: [...TINY, ...QUICK, '--crops', '1', '--top-k', '2', '--num-active-blocks', '2,4', '--image-size', 'none'],
  m1: [...TINY, ...QUICK, '--qa-lengths', '1', '--caption-lengths', '2', '--knobs', 'top-k', '--image-size', 'none'],
  m2: [...TINY, ...QUICK, '--config', 'low', '--new-tokens', '1'],
  e1: [...TINY, ...QUICK, '--regime', 'low', '--prompt', 'short', '--decode', 'short'],
  'moe-topk': TOPK,
  context: [...TINY, ...QUICK, '--lengths', '30', '--image-size', 'none', '--new-tokens', '1'],
  'context-vision': [...TINY, ...QUICK, '--max-grid-size', '1', '--prompt-tokens', '30', '--new-tokens', '1'],
  'block-mask': [...TINY, ...QUICK, '--num-active-blocks', '1', '--image-size', 'none', '--new-tokens', '1'],
  'flops-scaling': [...TINY, ...QUICK, '--image-size', 'none', '--prompt-tokens', '30', '--new-tokens', '1'],
  'output-tokens': [...TINY, ...QUICK, '--new-tokens', '1', '--image-size', 'none'],
  e3: [...TINY, ...QUICK, '--configurations', '2', '--images', 'none', '--new-tokens', '1'],
  predict: [...TINY],
  'topk-vision': [...TINY, ...QUICK, '--top-k-vision', '1', '--new-tokens', '1'],
  'topk-layers': [...TINY, ...QUICK, '--new-tokens', '1'],
  'motivation-exp1': SAMPLES,
  'motivation-exp2': SAMPLES,
  'motivation-exp4': [...SAMPLES, '--new-tokens', '2'],
  merge: [RESULTS],
  serve: [],
  ...Object.fromEntries(ANSWERED.map((name) => [name, ANSWERS])),
  exp6: [...ANSWERS.slice(0, -1), '1', '--runs', '1'],
  ...Object.fromEntries(BUDGETED.map((name) => [name, BUDGETS])),
  budget: ['--model', 'nano', '--ms', '1000'],
};
/** Too slow to be run for each of their options: parsed, planned and refused alike, but only counted. */
const COUNTED: readonly string[] = [
  'e2',
  'm1',
  'm2',
  'motivation-exp3',
  'crop-overlap',
  'run',
  'e1',
  'e3',
  'context',
  'context-vision',
  'block-mask',
  'flops-scaling',
  'output-tokens',
  'topk-vision',
  'topk-layers',
  'motivation-exp1',
  'motivation-exp2',
  'motivation-exp4',
  ...ANSWERED.filter((name) => name !== 'exp2_accuracy'),
  ...BUDGETED,
];
/** Runs for minutes whatever its options, or wants what was measured of one model: its own test runs it. */
const LONG: readonly string[] = ['tune', 'quality', 'budget', 'serve'];

/** A value of an option that takes any: from its own words where they give one. */
const VALUES: Readonly<Record<string, string>> = {
  '--adapter': 'llvmpipe',
  '--model': 'molmoe-tiny',
  '--weights-seed': '2',
  '--tokenizer': join(repo_root, 'test/fixtures/golden'),
  '--image': PICTURE,
  '--prompt': 'What is this?',
  '--max-new-tokens': '3',
  '--crops': '2',
  '--tier': 'low',
  '--temperature': '0.7',
  '--top-p': '0.9',
  '--sample-top-k': '4',
  '--seed': '7',
  '--stop': 'end',
  '--flush': '2',
  '--trace': join(scratch, 'trace.json'),
  '--max-crops': '4',
  '--top-k': '2',
  '--top-k-vision': '1',
  '--blocks': '0-2,3',
  '--skip': '1',
  '--ms': '1000',
  '--quality-at-least': '0.5',
  '--set': 'tiny',
  '--case': 'text1',
  '--without': 'subgroups',
  '--preset': 'molmoe-tiny',
  '--out': join(scratch, 'out'),
  '--shard-mb': '1',
  '--decode': '2',
  '--results': scratch,
  '--fail-above': '1.10',
  '--image-size': '336x336',
  '--prompt-tokens': '40',
  '--new-tokens': '2',
  '--lengths': '30',
  '--max-length': '60',
  '--step-size': '30',
  '--max-grid-size': '1',
  '--num-active-blocks': '1,2',
  '--active-block-indices': '0,2',
  '--from': '3',
  '--runs': '2',
  '--warmup': '1',
  '--instrumented': '1',
  '--shuffle': '3',
  '--configurations': '3',
  '--images': '1x1,none',
  '--active-blocks': '1,2',
  '--with': join(scratch, 'none.json'),
  '--top-k-values': '1,4',
  '--block': '1',
  '--widths': 'study',
  '--x-axis': 'tokens',
  '--exp3-results': scratch,
  '--exp4-results': scratch,
  '--num-images': '2',
  '--max-size': '400',
  '--target-max-crops': '4',
  '--sampling': 'lhs',
  '--sampling-rule': 'code',
  '--sampling-seed': '7',
  '--block-choice': 'seeded',
  '--qa-lengths': '1,2',
  '--caption-lengths': '3',
  '--knobs': 'blocks,new-tokens',
  '--regime': 'low',
  '--tier-list': 'low,medium',
  '--latency-metric': 'P50',
  '--config': 'mid',
  '--dataset': 'shapes',
  '--split': 'train+test',
  '--data-dir': scratch,
  '--num-samples': '5',
  '--workers': '2',
  '--batch-size': '3',
  '--shard': '1/2',
  '--timed': '1',
  '--start-from': '2',
  '--random-sets': '1',
  '--min-layers': '3',
  '--beam-width': '2',
  '--max-blocks-to-remove': '2',
  '--importance-scores-file': join(scratch, 'none.json'),
  '--accuracy': RESULTS,
  '--latency': RESULTS,
};

/** A command that does something, by all the words that lead to it. */
interface Named {
  readonly name: string;
  readonly command: Command;
}

/** Those that help names, through groups of them. */
function named(of: Command, before = ''): Named[] {
  const shown = of.createHelp().visibleCommands(of);
  return shown
    .filter((command) => command.name() !== 'help')
    .flatMap((command) => {
      const name = `${before}${command.name()}`;
      return command.commands.length > 0 ? named(command, `${name} `) : [{ name, command }];
    });
}

const spoken = (command: Command): readonly Option[] => command.options.filter((option) => !option.hidden);

/** Lists of words ("low, medium, high, or all") and choices, each alone; flags; else a value. */
function values_of({ name, command }: Named, option: Option): (string | undefined)[] {
  if (!option.required && !option.optional) return [undefined];
  if (option.argChoices) return option.argChoices;
  if (command.name() === 'e1' && ['--regime', '--prompt', '--decode'].includes(option.long as string)) {
    return option.long === '--regime' ? ['low', 'medium', 'high', 'all'] : ['short', 'medium', 'long', 'all'];
  }
  if (command.name() === 'run' && option.long === '--without') return ['context'];
  const value = VALUES[option.long as string];
  if (value === undefined) throw new Error(`${name} ${option.flags}: give a value for it here`);
  return option.long === '--tier' ? ['low', 'medium', 'high'] : [value];
}

/** The base without what the option replaces. */
function args_of({ name, command }: Named, option: Option, value: string | undefined): string[] {
  const base = [...(BASES[name] ?? [])];
  const at = base.indexOf(option.long as string);
  if (at >= 0) base.splice(at, value === undefined ? 1 : 2);
  if (option.long === '--image' || option.long === '--prompt') {
    for (const other of ['--image-size', '--prompt-tokens']) {
      const place = base.indexOf(other);
      if (place >= 0) base.splice(place, 2);
    }
  }
  const given = value === undefined ? [option.long as string] : [option.long as string, value];
  const out = command.options.some(({ long }) => long === '--fresh') ? ['--out', join(scratch, 'run'), '--fresh'] : [];
  const counted = COUNTED.includes(name) ? ['--dry-run'] : [];
  return [...name.split(' '), ...base, ...(option.long === '--out' ? [] : out), ...counted, ...given];
}

/** Options that several commands share (adapter, model, knobs) are one definition: run with the first command that has it. */
const seen = new Set<string>();
function is_new(name: string, { flags, description }: Option): boolean {
  const own = flags.startsWith('--out') || flags.startsWith('--json') ? name : '';
  const key = `${own} ${flags} ${description}`;
  if (seen.has(key)) return false;
  seen.add(key);
  return true;
}

const program = make_program();
const COMMANDS = named(program);

it('every command has a base to run its options with', () => {
  expect(COMMANDS.map(({ name }) => name).sort()).toEqual(Object.keys(BASES).sort());
});

describe('every option and every choice runs, or is refused in one line', () => {
  beforeAll(async () => {
    const { code } = await cli(['moe-topk', ...TOPK, '--out', RESULTS], { env, timeout_ms: 110_000 });
    expect(code).toBe(0);
  });

  for (const one of COMMANDS.filter(({ name }) => !LONG.includes(name))) {
    const { name, command } = one;
    it(`${name}: as it is`, async () => {
      await ends_well([...name.split(' '), ...(BASES[name] ?? []), ...safe_out(command)]);
    });
    for (const option of spoken(command).filter((each) => is_new(name, each))) {
      it(`${name} ${option.flags}`, async () => {
        for (const value of values_of(one, option)) await ends_well(args_of(one, option, value));
      });
    }
  }
});

const safe_out = (command: Command): string[] =>
  command.options.some(({ long }) => long === '--fresh') ? ['--out', join(scratch, 'run'), '--fresh'] : [];

async function ends_well(args: readonly string[]): Promise<void> {
  const apart = APART.includes(args[0] as string);
  const { code, stdout, errors } = await (apart ? cli(args, { env, timeout_ms: 110_000 }) : inside(args));
  const text = `molmoe ${args.join(' ')}\n${stdout.slice(-1500)}\n${errors.join('\n')}`;
  const refusals = errors.filter((line) => line.startsWith('error: '));
  expect([0, 1, 2], text).toContain(code);
  expect(refusals.length, text).toBe(code === 0 ? 0 : 1);
  expect(text).not.toMatch(/internal error|\bNaN\b|\bInfinity\b|undefined|^\s+at /m);
}
