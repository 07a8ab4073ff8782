import { UsageError } from '../../../engine/errors.ts';
import { formula_picture } from '../../../engine/input/pictures.ts';
import { plan_blocks } from '../../../engine/model/knobs.ts';
import { type KnobProof, prove_knob, values_for } from '../../../tools/inspect/topk.ts';
import { bold, note, out, table, warn } from '../../print.ts';
import { knobs_of } from '../flags.ts';
import { type GpuFlags, pixels, with_loaded } from './gpu.ts';
import { type PictureFlags, read_input } from './input.ts';
import { machine_of, print_json, verdict_line } from './show.ts';

export interface TopkFlags extends GpuFlags, PictureFlags {
  readonly topKValues?: readonly number[];
  readonly blocks?: string;
  readonly newTokens: number;
}

/** One crop and the overview. */
const SIDE = 336;

/** 1 where anything is not as it must be. */
export async function topk(flags: TopkFlags, debug: boolean): Promise<number> {
  const { prompt, picture, notes } = await read_input(flags, 'rings', SIDE);
  const image = pixels(picture, (width, height) => formula_picture('rings', width, height));
  const knobs = knobs_of({ blocks: flags.blocks });
  return with_loaded(
    flags,
    debug,
    (signal) => ({ prompt, image, knobs, maxNewTokens: flags.newTokens, signal }),
    ({ config }) => {
      values_for(config, flags.topKValues);
      if (plan_blocks(config, knobs).every((k) => k === 0)) {
        throw new UsageError(
          '--blocks: expected at least one block that runs, found none: no token would take an expert',
        );
      }
    },
    async (model, request) => {
      for (const line of notes) warn(line);
      const report = await prove_knob(model.engine, request, flags.topKValues, (done) => {
        if (!flags.json) note(done);
      });
      if (flags.json) print_json('inspect_topk', { ...machine_of(model), prompt, ...report });
      else out(`${text_of(report)}\n`);
      return report.passed ? 0 : 1;
    },
  );
}

function text_of({ runs, between, passed }: KnobProof): string {
  const sum = (numbers: readonly number[]) => numbers.reduce((total, x) => total + x, 0);
  const rows = runs.map(({ name, prompt_tokens, decode_steps, blocks, verdicts }) => {
    const sums = blocks.map(({ weight_sum }) => weight_sum);
    const tokens = sum(blocks.map((block) => block.rows));
    const mean = sum(blocks.map((block) => block.weight_sum.mean * block.rows)) / tokens;
    return [
      name,
      String(prompt_tokens + decode_steps),
      String(new Set(blocks.map(({ block }) => block)).size),
      ...[blocks.map(({ pairs }) => pairs), blocks.map(({ ledger_pairs }) => ledger_pairs)].map((one) =>
        String(sum(one)),
      ),
      [Math.min(...sums.map(({ min }) => min)), mean, Math.max(...sums.map(({ max }) => max))]
        .map((x) => x.toFixed(3))
        .join(' '),
      verdicts.every(({ ok }) => ok) ? 'pass' : 'FAIL',
    ];
  });
  const kinds = runs[0]?.verdicts.map(({ what }) => what) ?? [];
  const lines = kinds.map((what) => {
    const all = runs.map(({ name, verdicts }) => ({ name, ...verdicts.find((one) => one.what === what) }));
    const wrong = all.filter(({ ok }) => ok !== true);
    const because =
      wrong.length === 0
        ? `in all ${runs.length} runs; ${all[1]?.name}: ${all[1]?.because}`
        : wrong.map(({ name, because }) => `${name}: ${because}`).join('; ');
    return verdict_line({ what, ok: wrong.length === 0, because });
  });
  const example = runs.slice(0, -1).flatMap(({ name, blocks }) => {
    const [first] = blocks;
    return first === undefined
      ? []
      : [[name, first.last.map(({ expert, weight }) => `${expert} (${weight.toFixed(3)})`).join('  ')]];
  });
  return [
    bold('read back from the GPU'),
    table([['top-k', 'tokens', 'blocks', 'pairs', 'pairs of the ledger', 'sum of weights: min mean max', ''], ...rows]),
    '',
    bold('experts of the last prompt token in the first active block, with their weights'),
    table([['top-k', 'experts'], ...example]),
    '',
    ...lines,
    ...between.map(verdict_line),
    '',
    passed ? 'PASS: the knob does what it says' : bold('FAIL: the knob does not do what it says'),
  ].join('\n');
}
