import { UsageError } from '../../../engine/errors.ts';
import { formula_picture } from '../../../engine/input/pictures.ts';
import { type Flow, type FlowRow, trace_flow } from '../../../tools/inspect/flow.ts';
import { bold, complain, out, table, warn } from '../../print.ts';
import { type KnobFlags, knobs_of } from '../flags.ts';
import { type GpuFlags, pixels, with_loaded } from './gpu.ts';
import { type PictureFlags, read_input } from './input.ts';
import { machine_of, print_json } from './show.ts';

export interface FlowFlags extends GpuFlags, PictureFlags, KnobFlags {
  readonly block?: number;
}

/** The study's picture. */
const SIDE = 2000;
const blue = (width: number, height: number) => formula_picture('constant', width, height, { rgb: [0, 0, 255] });

/** 1 where a value was no number. */
export async function flow(flags: FlowFlags, debug: boolean): Promise<number> {
  const { prompt, picture, notes } = await read_input(flags, 'plain blue', SIDE);
  const image = pixels(picture, blue);
  const { block } = flags;
  return with_loaded(
    flags,
    debug,
    (signal) => ({ prompt, image, knobs: knobs_of(flags), maxNewTokens: 2, signal }),
    ({ config: { n_layers } }) => {
      if (block !== undefined && block >= n_layers) {
        throw new UsageError(`--block: expected a block from 0 to ${n_layers - 1}, found ${block}`);
      }
    },
    async (model, request) => {
      const report = await trace_flow(model.engine, request, block);
      const size = picture && { name: picture.name, width: picture.width, height: picture.height };
      if (flags.json) {
        print_json('inspect_flow', {
          ...machine_of(model),
          prompt,
          picture: size ?? null,
          block: block ?? null,
          ...report,
          notes,
        });
      } else print(report, notes);
      return report.first_non_finite === null && report.fault === null ? 0 : 1;
    },
  );
}

function print({ rows, first_non_finite: broken, fault }: Flow, notes: readonly string[]): void {
  for (const line of notes) warn(line);
  const stages = [...new Set(rows.map(({ stage }) => stage))];
  const parts = stages.map((stage) => {
    const own = rows.filter((row) => row.stage === stage);
    return `${bold(stage)}\n${table([['step', 'shape', 'mean', 'std', 'min', 'max', 'non-finite'], ...own.map(row_text)])}`;
  });
  out(`${parts.join('\n\n')}\n`);
  if (broken !== null) {
    const where = broken.block === null ? '' : ` ${broken.block}`;
    complain(
      `FAIL  ${broken.non_finite} of ${broken.count} values are no numbers, first in ${broken.stage}: ${broken.what}${where}`,
    );
  }
  if (fault !== null) complain(`ended early: ${fault}`);
}

function row_text({ what, block, shape, mean, std, min, max, non_finite }: FlowRow): string[] {
  const name = block === null ? what : `${what}: ${block}`;
  return [name, `[${shape.join(', ')}]`, ...[mean, std, min, max].map(short), String(non_finite)];
}

const short = (value: number | null): string => (value === null ? '' : String(Number(value.toPrecision(4))));
