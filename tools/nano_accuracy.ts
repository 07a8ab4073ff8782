import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Knobs } from '../engine/model/knobs.ts';
import { type LoadOptions, Molmoe } from '../engine/node/load.ts';
import { type Proportion, proportion } from '../experiments/accuracy/proportion.ts';
import { accuracy_of, answer_shapes, type ShapesAnswer } from '../experiments/accuracy/shapes_answers.ts';
import type { Chart, Figure, Point } from '../experiments/lab/charts.ts';
import { draw, type Head } from '../experiments/lab/figures.ts';

interface Level {
  readonly knob: 'crops' | 'blocks' | 'top_k';
  readonly at: number;
  readonly all: Proportion;
  /** Questions about small marks, and every other. */
  readonly mark: Proportion;
  readonly rest: Proportion;
}

interface Options {
  readonly say: (line: string) => void;
  readonly quick: boolean;
  readonly out: string;
  readonly dtype: string;
}

/** nano's answers on the test split at full knobs, and, as it is stored, along each knob alone; a table, a file and a figure. */
export async function bench_accuracy({ say, quick, out, dtype }: Options) {
  const nano = await Molmoe.load({ model: 'nano', dtype: dtype as LoadOptions['dtype'], hush: true });
  try {
    const { config } = nano.facts;
    const full = accuracy_of(await answer_shapes(nano, { count: quick ? 200 : 2000 }));
    say(`nano stored as ${dtype}, everything on: ${said(full.all)}`);
    for (const [type, one] of Object.entries(full)) if (type !== 'all') say(`  ${type.padEnd(10)} ${said(one)}`);
    if (dtype !== 'f16') return { dtype, full, levels: [] };
    const levels: Level[] = [];
    const measure = async (knob: Level['knob'], at: number, knobs: Knobs) => {
      const answers = await answer_shapes(nano, { count: quick ? 50 : 500, knobs });
      const level = { knob, at, ...split(answers) };
      levels.push(level);
      say(`${knob} ${at}: ${said(level.all)}; marks ${said(level.mark)}; the rest ${said(level.rest)}`);
    };
    for (let crops = 1; crops <= config.max_crops; crops++) await measure('crops', crops, { maxCrops: crops });
    for (let n = 1; n <= config.n_layers; n++) {
      await measure('blocks', n, { blocks: Array.from({ length: n }, (_, i) => i) });
    }
    for (let k = 1; k <= config.n_experts; k *= 2) await measure('top_k', k, { topK: k });
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, 'nano_accuracy.json'), `${JSON.stringify({ dtype, full, levels }, null, 1)}\n`);
    const { name, weights_kind, dtype: stored } = nano.facts;
    const head: Head = { adapter: nano.engine.executor.device.facts, model: { name, weights_kind, dtype: stored } };
    writeFileSync(join(out, 'nano_knobs.svg'), await draw(figure_of(levels, config.top_k), head));
    say(`${join(out, 'nano_knobs.svg')} and nano_accuracy.json`);
    return { dtype, full, levels };
  } finally {
    nano.close();
  }
}

const percent = (share: number): string => (100 * share).toFixed(1);
const said = ({ share, low, high, n }: Proportion): string =>
  `${percent(share)} % (${percent(low)} to ${percent(high)}, n = ${n})`;

function split(answers: readonly ShapesAnswer[]) {
  const of = (some: readonly ShapesAnswer[]) => proportion(some.map(({ right }) => right));
  const is_mark = ({ sample }: ShapesAnswer) => sample.type === 'mark';
  return { all: of(answers), mark: of(answers.filter(is_mark)), rest: of(answers.filter((one) => !is_mark(one))) };
}

function figure_of(levels: readonly Level[], top_k: number): Figure {
  const points = (knob: Level['knob'], what: 'all' | 'mark' | 'rest'): Point[] =>
    levels
      .filter((level) => level.knob === knob)
      .map(({ at, [what]: { share, low, high, n } }) => ({
        x: at,
        y: 100 * share,
        low: 100 * low,
        high: 100 * high,
        n,
      }));
  const y = { label: 'right answers (%)' };
  const lines = (title: string, label: string, knob: Level['knob'], scale?: 'log'): Chart => ({
    ...{ kind: 'lines', title, x: { label, scale, from_zero: false }, y },
    series:
      knob === 'crops'
        ? [
            { name: 'small marks', look: 0, points: points(knob, 'mark') },
            { name: 'every other question', look: 1, points: points(knob, 'rest') },
          ]
        : [{ name: 'all questions', look: 2, points: points(knob, 'all') }],
  });
  return {
    name: 'nano_knobs',
    title: 'What each knob costs nano in answers',
    notes: [`${levels[0]?.all.n} questions of the built-in test split a level; bars: Wilson, 95 %`],
    panels: [
      lines('image crops', 'crops at most', 'crops'),
      lines('active blocks, the first so many', 'blocks', 'blocks'),
      lines(`experts a token (trained with ${top_k})`, 'experts', 'top_k', 'log'),
    ],
    untimed: true,
  };
}
