import { describe, expect, it } from 'vitest';
import { UsageError } from '../../engine/errors.ts';
import type { Group } from '../../experiments/lab/define.ts';
import { own_command } from '../../src/commands/own_command.ts';
import { chosen, WORDS } from '../../src/commands/run_choice.ts';
import { EXPERIMENTS } from '../../src/registry.ts';

const named = (name: string, group: Group, ...aliases: string[]) => ({ name, group, aliases });
const ALL = [
  named('crop-overlap', 'motivation', 'exp6_crop_overlap'),
  ...[1, 2, 3, 4, 5].map((i) => named(`motivation-exp${i}`, 'motivation')),
  named('context', 'profiling', 'exp1_context_scaling'),
  named('moe-topk', 'profiling', 'exp2_moe_topk', 'profiling-exp2'),
  named('e1', 'core'),
];
const names = (words: string[], without: string[] = []) => chosen(words, without, ALL).map(({ name }) => name);
const MOTIVATION = [1, 2, 3, 4, 5].map((i) => `motivation-exp${i}`);

describe('what run is asked for', () => {
  it.each<[string[], string[]]>([
    [['all'], ALL.map(({ name }) => name)],
    [['motivation'], ['crop-overlap', ...MOTIVATION]],
    [['phase1'], MOTIVATION.slice(0, 2)],
    [['phase2'], MOTIVATION.slice(2)],
    [['run_phase2.sh'], MOTIVATION.slice(2)],
    [['run_all_experiments'], MOTIVATION],
    [['run_all_experiments.sh'], MOTIVATION],
    [['run_exp3.sh'], ['motivation-exp3']],
    [['run_exp2_moe_topk.sh'], ['moe-topk']],
    [['exp1_context_scaling.py'], ['context']],
    [['profiling-exp2'], ['moe-topk']],
  ])('%j', (words, found) => expect(names(words)).toEqual(found));

  it('each once, in the order of the list, whichever way they were named', () => {
    expect(names(['e1', 'moe-topk', 'profiling', 'exp2_moe_topk'])).toEqual(['context', 'moe-topk', 'e1']);
  });

  it('without others', () => {
    expect(names(['all'], ['motivation', 'e1'])).toEqual(['context', 'moe-topk']);
    expect(() => names(['context'], ['profiling'])).toThrow(/--without profiling: expected an experiment to be left/);
  });

  it.each([[''], ['moe_topk2'], ['ALL'], ['run_'], ['../e1'], ['--x']])('refuses %j in one line', (word) => {
    expect(() => names([word])).toThrow(UsageError);
    expect(() => names([word])).toThrow(
      /^"[^\n]*": expected all, motivation, .* or experiments \(crop-overlap, [^\n]*$/,
    );
    expect(() => names(['all'], [word])).toThrow(UsageError);
  });

  it('says that a group is empty', () => {
    expect(() => names(['accuracy'])).toThrow(/^accuracy: expected an experiment of this name, found none yet/);
  });
});

describe('the list', () => {
  it('goes group by group, each by its name', () => {
    const groups = EXPERIMENTS.map(({ group }) => group);
    for (const [i, { reads }] of EXPERIMENTS.entries()) {
      const before = EXPERIMENTS.slice(0, i).map(({ name }) => name);
      expect(before).toEqual(expect.arrayContaining(Object.values(reads).map(({ experiment }) => experiment)));
    }
    expect(groups).toEqual([...groups].sort((a, b) => WORDS.indexOf(a) - WORDS.indexOf(b)));
    expect(new Set(EXPERIMENTS.map(({ name }) => name)).size).toBe(EXPERIMENTS.length);
  });

  it('has no name or alias that run understands as something else', () => {
    for (const { name, aliases } of EXPERIMENTS) for (const one of [name, ...aliases]) expect(WORDS).not.toContain(one);
  });
});

describe('the command that measures the same again', () => {
  const synthetic = { facts: { name: 'molmoe-tiny', dtype: 'f16', weights_kind: 'synthetic' } } as never;
  const checkpoint = { facts: { name: 'photo', dtype: 'q8', weights_kind: 'checkpoint' } } as never;

  it.each<[string, string[], string[]]>([
    ['as given', ['e1', '--regime', 'low'], ['e1', '--regime', 'low', '--model', 'molmoe-tiny', '--dtype', 'f16']],
    [
      'by its own name, without where to write and how to tell',
      ['--debug', 'exp', '--out', 'x', '--fresh', '--json', '--runs=3', '--quiet', '--out=y', '--recalibrate'],
      ['e1', '--runs=3', '--model', 'molmoe-tiny', '--dtype', 'f16'],
    ],
    [
      'with the model as it was given',
      ['e1', '--model=molmoe-slice', '--dtype', 'q8'],
      ['e1', '--model=molmoe-slice', '--dtype', 'q8'],
    ],
  ])('%s', (_, given, kept) => expect(own_command('e1', given, synthetic)).toEqual(kept));

  it('does not name a folder that was found by itself', () => {
    expect(own_command('e1', ['e1'], checkpoint)).toEqual(['e1', '--dtype', 'q8']);
  });
});
