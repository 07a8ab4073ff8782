import { geometry_of } from '../../../engine/model/geometry.ts';
import { type CropsNeeded, crops_needed } from '../../../experiments/analysis/crops_needed.ts';
import type { Dataset } from '../../../experiments/datasets/dataset.ts';
import { read_subject } from '../../../tools/inspect/subject.ts';
import { interruptible } from '../../options.ts';
import { out, progress, warn } from '../../print.ts';
import { print_json } from '../inspect/show.ts';
import { table_text } from '../show.ts';
import { about, open_set, type SetFlags } from './set.ts';
import { summary_table } from './summary.ts';

export interface CropsFlags extends SetFlags {
  readonly model: string;
  readonly model_path?: string;
  readonly maxCrops?: number;
  readonly max_crops?: number;
  readonly workers?: number;
  readonly num_workers?: number;
  readonly orient?: boolean;
  readonly json?: boolean;
}

const MOST_CROPS = 100;
const WORKERS = 4;

export async function tell_crops_needed(flags: CropsFlags): Promise<undefined> {
  const signal = interruptible();
  const subject = await read_subject(flags.model_path ?? flags.model);
  const { set, samples } = await open_set(flags, subject);
  const max_crops = flags.maxCrops ?? flags.max_crops ?? MOST_CROPS;
  const bar = progress('reading sizes');
  const found = await crops_needed(set, geometry_of(subject.config), {
    samples,
    max_crops,
    workers: flags.workers ?? flags.num_workers ?? WORKERS,
    orient: flags.orient === true,
    each(done) {
      signal.throwIfAborted();
      bar.update(done, samples);
    },
  });
  bar.end();
  const { unreadable, pictures } = found;
  for (const line of unreadable.examples) warn(line);
  if (unreadable.pictures > 0)
    warn(`${unreadable.pictures} of ${pictures} pictures could not be read and are left out`);
  if (flags.json) print_json('crops_needed', { ...about(set), model: subject.name, max_crops, ...found });
  else out(`${text_of(set, found, max_crops)}\n`);
}

function text_of({ name, split }: Dataset, found: CropsNeeded, max_crops: number): string {
  const { crops, distribution, coverage, covering } = found;
  const tables = [
    summary_table(`crops that the pictures of ${name} ${split} want, without the overview`, 'pictures', crops),
    {
      title: 'how many crops',
      columns: [count('crops'), count('pictures'), share('share'), { name: 'rows x columns', unit: 'text' } as const],
      rows: distribution.map(({ crops: wanted, pictures, share, tilings }) => [
        wanted,
        pictures,
        share,
        Object.entries(tilings)
          .map(([grid, times]) => `${grid}: ${times}`)
          .join(', '),
      ]),
    },
    {
      title: 'which a cap leaves as they are',
      columns: [count('max crops'), share('pictures')],
      rows: coverage.map(({ max_crops: cap, share }) => [cap, share]),
    },
  ];
  const cap = (least: number | null) => (least === null ? `none up to ${max_crops}` : String(least));
  return [
    ...tables.map(table_text),
    `least cap that is enough: recommended ${cap(covering.recommended_99)} (99 % of the pictures), acceptable ${cap(covering.acceptable_95)} (95 %)`,
  ].join('\n\n');
}

const count = (name: string) => ({ name, unit: 'count' }) as const;
const share = (name: string) => ({ name, unit: 'share' }) as const;
