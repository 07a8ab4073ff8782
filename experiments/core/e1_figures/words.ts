import { hatched, POINTS_PER_INCH, SIZE, THEME } from '../../lab/figure_theme.ts';
import { wrap } from '../../lab/font.ts';
import { type E1Stages, type PartName, STAGES, type StageName, type Summary } from '../../lab/schema.ts';
import { STAGE_TIME } from '../../lab/times.ts';

/** What all figures of one run say under their title. */
type Head = Pick<E1Stages, 'provenance' | 'protocol'>;
type Cell = Pick<
  E1Stages['configurations'][number],
  'key' | 'regime' | 'prompt' | 'decode' | 'image_size' | 'text_tokens' | 'num_output_tokens'
>;

/** Title and what a reader must know to trust the numbers: model, machine, runs, clock. */
export function headline(head: Head, title: string, notes: readonly string[], width_in: number) {
  const { model, adapter } = head.provenance;
  const weights = model.weights_kind === 'synthetic' ? ', synthetic weights' : '';
  const lines = [
    `${model.name}${weights}, ${model.dtype}; ${adapter.type} adapter ${adapter.description || adapter.device}`,
    ...notes,
  ];
  const width = width_in * POINTS_PER_INCH - 2 * THEME.padding;
  return { text: title, subtitle: lines.flatMap((line) => wrap(line, SIZE.note, width)) };
}

export function clock_note({ configurations }: E1Stages): string {
  const runs = [...new Set(configurations.flatMap((one) => one.statistics.T_total?.n ?? []))].sort((a, b) => a - b);
  const count = runs.length > 1 ? `${runs[0]} to ${runs.at(-1)} runs` : `${runs[0]} run${runs[0] === 1 ? '' : 's'}`;
  const clocks = [...new Set(configurations.map((one) => one.clock))].join(', ');
  return runs.some((n) => n > 1)
    ? `median of ${count}, error bars: 95 % interval of the median; ${clocks}`
    : `${count}, no error bars; ${clocks}`;
}

export const distinct = (values: readonly string[]): string[] => [...new Set(values)];

const NO_BREAK = '\u00a0';

/** What the words of the settings stand for: "prompt S = short 20, L = long 128 tokens". */
export function settings_note(cells: readonly Cell[], initials: boolean): string {
  const axis = (name: string, unit: string, value: (cell: Cell) => string, size: (cell: Cell) => string | number) => {
    const meaning = (cell: Cell) => `${initials ? `${initial(value(cell))} = ` : ''}${value(cell)} ${size(cell)}`;
    // Lines do not break within one meaning.
    const entries = distinct(cells.map((cell) => meaning(cell).replaceAll(' ', NO_BREAK)));
    return `${name} ${entries.join(', ')}${unit}`;
  };
  return [
    axis(
      'image',
      '',
      (cell) => cell.regime,
      (cell) => cell.image_size ?? 'no picture',
    ),
    axis(
      'prompt',
      ' tokens',
      (cell) => cell.prompt,
      (cell) => cell.text_tokens,
    ),
    axis(
      'answer',
      ' tokens',
      (cell) => cell.decode,
      (cell) => cell.num_output_tokens,
    ),
  ].join('; ');
}

export const initial = (word: string): string => word.slice(0, 1).toUpperCase();

/** An expression of vega that puts these lines in place of a key. */
export const label_lines = (cells: readonly Cell[], lines: (cell: Cell) => string | string[]): string =>
  `(${JSON.stringify(Object.fromEntries(cells.map((cell) => [cell.key, lines(cell)])))})[datum.value]`;

export const legend_of = (names: readonly (StageName | PartName)[], columns: number) => ({
  scale: { domain: [...names], range: names.map(hatched) },
  legend: {
    title: null,
    symbolType: 'square',
    symbolStrokeColor: 'black',
    columns,
    labelExpr: "replace(replace(replace(datum.label, 'moe', 'MoE'), 'mlp', 'MLP'), '_', ' ')",
  },
});

export type Measured = E1Stages['configurations'][number];

/** undefined where a request had no such stage. */
export function stage_statistics(one: Measured, stage: StageName): Summary | undefined {
  if (stage === 'decode' && one.decode_steps === 0) return undefined;
  return one.statistics[STAGE_TIME[stage]] ?? undefined;
}

export const present = (rows: readonly { stage: StageName }[]): StageName[] =>
  STAGES.filter((stage) => rows.some((row) => row.stage === stage));

/** Three digits at least, thousands apart. */
export const compact = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toPrecision(3);
