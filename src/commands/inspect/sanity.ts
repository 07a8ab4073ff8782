import { formula_picture } from '../../../engine/input/pictures.ts';
import { check_sanity, type Sanity } from '../../../tools/inspect/sanity.ts';
import { bold, out, table, warn } from '../../print.ts';
import { type GpuFlags, pixels, with_loaded } from './gpu.ts';
import { type PictureFlags, read_input } from './input.ts';
import { machine_of, print_json, verdict_line } from './show.ts';

export interface SanityFlags extends GpuFlags, PictureFlags {
  readonly maxNewTokens: number;
}

/** One crop and the overview. */
const SIDE = 336;
const NOISE = 'weights are made by a formula: what the model says is noise, what is checked is that it computes';

/** 1 where anything is not sound. */
export async function sanity(flags: SanityFlags, debug: boolean): Promise<number> {
  const { prompt, picture, notes } = await read_input(flags, 'rings', SIDE);
  const image = pixels(picture, (width, height) => formula_picture('rings', width, height));
  return with_loaded(
    flags,
    debug,
    (signal) => ({ prompt, image, maxNewTokens: flags.maxNewTokens, signal }),
    () => undefined,
    async (model, request) => {
      const { result, steps, verdicts, passed } = await check_sanity(model.engine, request);
      const synthetic = model.facts.weights_kind === 'synthetic';
      const warnings = [...notes, ...(result?.warnings ?? [])];
      if (flags.json) {
        const { text = null, tokens = null, finish = null, counts = null } = result ?? {};
        const answer = { prompt, text, tokens, finish, counts };
        print_json('inspect_sanity', {
          ...machine_of(model),
          ...answer,
          steps,
          verdicts,
          passed,
          warnings,
          note: synthetic ? NOISE : null,
        });
      } else {
        for (const line of warnings) warn(line);
        out(`${text_of(result, steps, verdicts)}\n`);
        if (synthetic) out(`note: ${NOISE}\n`);
        out(`\n${passed ? 'PASS' : bold('FAIL')}\n`);
      }
      return passed ? 0 : 1;
    },
  );
}

function text_of(result: Sanity['result'], steps: Sanity['steps'], verdicts: Sanity['verdicts']): string {
  const answer =
    result === null
      ? []
      : [
          `${bold('answer')} (${result.counts.new_tokens} tokens, ended by ${result.finish}): ${JSON.stringify(result.text)}`,
          '',
        ];
  const rows = (steps[0]?.top ?? []).map(({ id, text, probability }) => [
    String(id),
    JSON.stringify(text),
    `${(100 * probability).toFixed(2)} %`,
  ]);
  return [
    ...answer,
    bold('the likeliest first tokens'),
    table([['id', 'token', 'probability'], ...rows]),
    '',
    ...verdicts.map(verdict_line),
  ].join('\n');
}
