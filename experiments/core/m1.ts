import { z } from 'zod';
import { choose_tiling } from '../../engine/input/tiling.ts';
import { geometry_of } from '../../engine/model/geometry.ts';
import type { Knobs } from '../../engine/model/knobs.ts';
import { crop_choice } from '../../engine/request.ts';
import { define } from '../lab/define.ts';
import { REGIME_NAMES, REGIMES, type Regime, rings_of_tiling, type Subject } from '../lab/inputs.ts';
import { latency } from '../lab/instruments.ts';
import { described, wholes, words } from '../lab/options.ts';
import { type Cell, cell_of, key_of } from '../lab/plan.ts';
import type { Settings, Skipped } from '../lab/schema.ts';
import { m1_figures, m1_tables } from './m1_figures.ts';
import { derive_m1, KNOBS, type M1Knob, m1_shapes, representative, WORKLOADS, type Workload } from './m1_files.ts';

/** A short question and a description: short answers and long ones, of forced lengths. */
const PROMPTS: Readonly<Record<Workload, string>> = {
  qa: 'What is in this picture?',
  captions: 'Describe this image.',
};

/** M1: are short answers and long ones slow for the same reasons? */
export const m1 = define({
  name: 'm1',
  aliases: ['m1_workload_contrast'],
  group: 'core',
  title: 'M1: short answers and long ones',
  question: 'Where does the time of short answers go and where that of long ones, and which knob helps each?',
  options: {
    qaLengths: described(wholes(1, 4000).default([1, 2, 5, 10]), 'new tokens of the short answers, forced'),
    captionLengths: described(wholes(1, 4000).default([20, 50, 100]), 'new tokens of the long ones, forced'),
    knobs: described(words(KNOBS).default([...KNOBS]), `what is halved in turn: ${KNOBS.join(', ')}, or all`),
    regime: described(z.enum(REGIME_NAMES).default('medium'), 'picture: low (1x1 crops), medium (2x2), high (3x4)'),
  },
  sweeps: ['answer', 'maxCrops', 'topK', 'blocks'],
  instrument: latency,
  repeats: { warmup: 2 },
  quick: {
    options: { qaLengths: [2], captionLengths: [16], knobs: ['top-k', 'new-tokens'], regime: 'low' },
    repeats: { runs: 2 },
  },
  order: { workload: WORKLOADS, halved: ['nothing', ...KNOBS] },
  cells: (on, { qaLengths, captionLengths, knobs, regime }) =>
    (
      [
        ['qa', qaLengths],
        ['captions', captionLengths],
      ] as const
    ).flatMap(([workload, lengths]) => [
      ...lengths.map((tokens) => cell(on, regime, { workload, halved: 'nothing', new_tokens: tokens }, {})),
      ...knobs.map((knob) => halved(on, regime, workload, representative(lengths), knob)),
    ]),
  files: m1_shapes,
  derive: derive_m1,
  figures: ({ m1_workload_contrast: file }) => m1_figures(file),
  tables: ({ m1_workload_contrast: file }) => m1_tables(file),
  findings: ({ m1_workload_contrast: { findings } }) => findings,
});

interface Wanted extends Settings {
  readonly workload: Workload;
  readonly new_tokens: number;
}

function cell(on: Subject, regime: Regime, settings: Wanted, knobs: Knobs): Cell | Skipped {
  const { workload, new_tokens } = settings;
  const fallback = { image: rings_of_tiling(on.config, REGIMES[regime]), prompt: PROMPTS[workload] };
  return cell_of(on, settings, { new_tokens, knobs }, fallback);
}

/** The usual cell of the workload with one knob at half of where it stands; what cannot be halved is left out. */
function halved(on: Subject, regime: Regime, workload: Workload, usual: number, knob: M1Knob): Cell | Skipped {
  const { n_layers, top_k } = on.config;
  const from = { crops: tiles_of(on, regime), 'top-k': top_k, blocks: n_layers, 'new-tokens': usual }[knob];
  const to = Math.floor(from / 2);
  const settings = { workload, halved: knob, new_tokens: knob === 'new-tokens' ? to : usual, from, to };
  if (to < 1) {
    const why = from === 0 ? 'there is no picture' : 'there is one alone';
    return { key: key_of(settings), settings, reason: `${knob} cannot be halved: ${why}` };
  }
  const knobs = { crops: { crops: to }, 'top-k': { topK: to }, blocks: { blocks: firsts(to) }, 'new-tokens': {} }[knob];
  return cell(on, regime, settings, knobs);
}

const firsts = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Into how many the picture is cut; 0 without one. */
function tiles_of({ config, asked }: Subject, regime: Regime): number {
  const image = asked.image === undefined ? rings_of_tiling(config, REGIMES[regime]) : asked.image;
  if (image === null) return 0;
  const { width, height } = image.picture;
  const { rows, cols } = choose_tiling(width, height, crop_choice({}, config), geometry_of(config));
  return rows * cols;
}
